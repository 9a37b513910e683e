"""`mtts update`: look at every router, leave alone what is current, repair what is down, swap what is outdated.

The look costs one session and one print per router and one question per image. Swaps come after it, in the waves of
a rollout, each over a session of its own that reads everything anew: what was seen may be minutes old by then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from mtts.core.changes import Change
from mtts.core.dialect import Dialect
from mtts.core.errors import Problem, RegistryError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState, Facts
from mtts.core.health import Evidence
from mtts.core.image import Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.platforms import router_platform
from mtts.core.rollout import Rollout
from mtts.core.slots import Slots, starting
from mtts.core.update import Ask, Decision, Latest, Leave, Policy, Repair, Swap, Unchanged, decide
from mtts.engine.apply import Applier
from mtts.engine.execute import result_of
from mtts.engine.fleet import Fleet
from mtts.engine.gather import gather, gather_resource
from mtts.engine.nodes import on_each_node
from mtts.engine.observe import NodeObserver
from mtts.engine.quarantine import Quarantine
from mtts.engine.rollout import roll_out
from mtts.engine.services import NodeWork, Services
from mtts.engine.swap import clear, standing
from mtts.engine.swap_node import swap_node

_DAMAGED: Final = frozenset({"start-failed", "crash-loop"})
"""A container that fails so may have lost its image; pulling it again costs flash and is tried once."""


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """What the operator asked for."""

    rollout: Rollout
    check: bool = False
    """Only tell."""
    force: bool = False
    allow_downgrade: bool = False


@dataclass(slots=True)
class Update:
    """One run of `mtts update` over a fleet."""

    services: Services
    order: UpdateOrder
    quarantine: Quarantine
    _waiting: dict[tuple[str, str], ContainerRow] = field(default_factory=dict)
    """(router, node) → the container to be swapped, as it was seen or as it proved to be."""
    _surveyed: dict[str, Sequence[NodeResult]] = field(default_factory=dict)

    async def run(self, fleet: Fleet, routers: Sequence[Router]) -> None:
        """Work through the whole fleet; its results are the fleet's."""
        await fleet.run(routers, self._survey)
        outdated = {router for router, _ in self._waiting}
        if not self.order.check:
            waiting = [router for router in routers if router.name in outdated]
            await roll_out(fleet, waiting, self.order.rollout, self._swap, found=self._surveyed)

    async def _survey(self, router: Router) -> Sequence[NodeResult]:
        found = await on_each_node(self.services, router, self._look)
        self._surveyed[router.name] = [result for result, _ in found]
        return self._surveyed[router.name]

    async def _look(self, work: NodeWork) -> tuple[NodeResult, None]:
        slots = await standing(work)
        if not slots.leftovers:
            return await self._follow(work, slots.live, await self._decide(work, slots.live)), None
        if self.order.check:
            return replace(_found(work, slots.live), changes_pending=True), None
        settled = await self._settle(work, slots)
        slots = await standing(work)
        result = await self._follow(work, slots.live, await self._decide(work, slots.live))
        outcome = Outcome.UPDATED if result.outcome is Outcome.NO_OP else result.outcome
        return replace(result, outcome=outcome, warnings=(settled, *result.warnings)), None

    async def _settle(self, work: NodeWork, slots: Slots) -> Problem:
        """Undo or finish what an interrupted update left; what cannot be, the decision and the swap deal with."""
        listed = ", ".join(row.label for row in slots.leftovers)
        resource = await gather_resource(work.session, work.router)
        try:
            remaining = (await clear(work, NodeObserver(work.session, Dialect(resource.version)))).remaining
        except StepFailedError as error:
            remaining = error.problem
        if remaining is None:
            return Problem("leftover-removed", f"{listed} was left by an update that was interrupted, and is gone now")
        work.tell(Kind.STEP, f"! {remaining.message}")
        return replace(remaining, message=f"{listed} was left by an update that was interrupted: {remaining.message}")

    async def _decide(self, work: NodeWork, live: ContainerRow | None, facts: Facts | None = None) -> Decision:
        """Ask for what the decision needs to know, cheapest first."""
        registry, image = self.services.registry, work.node.image
        try:
            latest = Latest(tag_digest=await registry.tag_digest(image))
        except RegistryError as error:
            latest = Latest(problem=error.problem)
        while isinstance(decision := self._judge(work, live, latest), Ask):
            resource = facts.resource if facts else await gather_resource(work.session, work.router)
            platform = router_platform(resource, work.router.platform)
            if isinstance(platform, Problem):
                return Leave(platform)
            try:
                if decision is Ask.DIGESTS:
                    latest = replace(latest, digests=await registry.digests(image, platform))
                else:
                    latest = replace(latest, release=await registry.resolve(image, platform))
            except RegistryError as error:
                latest = Latest(problem=error.problem)
        return decision

    def _judge(self, work: NodeWork, live: ContainerRow | None, latest: Latest) -> Decision | Ask:
        policy = Policy(
            force=self.order.force,
            allow_downgrade=self.order.allow_downgrade,
            quarantined=self.quarantine.entries,
            known=self.quarantine.known,
        )
        return decide(live, latest, policy, router=work.router.name, node=work.node.name)

    async def _follow(self, work: NodeWork, live: ContainerRow | None, decision: Decision) -> NodeResult:
        """What a decision comes to without a swap; a swap waits for its turn in the rollout."""
        match decision:
            case Leave(problem, is_lost):
                outcome = Outcome.BROKEN if is_lost else Outcome.REFUSED
                return replace(_found(work, live), outcome=outcome, problem=problem, next_step=problem.hint)
            case Unchanged():
                return _found(work, live)
            case Repair(why):
                return await self._repair(work, live, why)
            case Swap(release):
                return self._postpone(work, live, release)
            case _:
                assert_never(decision)

    def _postpone(self, work: NodeWork, live: ContainerRow | None, release: Release) -> NodeResult:
        if live is not None:
            self._waiting[work.router.name, work.node.name] = live
        return replace(
            _found(work, live),
            to_version=release.version,
            to_digest=release.manifest_digest,
            evidence=None,
            changes_pending=True,
        )

    async def _repair(self, work: NodeWork, live: ContainerRow | None, why: str) -> NodeResult:
        """Start what is down; what does not start has perhaps lost its image, and is pulled again by a swap."""
        found = replace(_found(work, live), evidence=None)
        if live is None or self.order.check:
            return replace(found, changes_pending=True)
        try:
            applier = await self._apply(work, starting(live, why))
        except StepFailedError as error:
            lost = replace(live, state=ContainerState.FAILED)
            again = await self._decide(work, lost) if error.problem.code in _DAMAGED else None
            if isinstance(again, Swap):
                return self._postpone(work, lost, again.release)
            problem = again.problem if isinstance(again, Leave) else error.problem
            return replace(found, outcome=Outcome.BROKEN, problem=problem, next_step=problem.hint)
        repaired = Problem("node-repaired", f"node {work.node.name} was down ({why}) and was started")
        return replace(found, outcome=Outcome.DEPLOYED, warnings=(repaired,), evidence=applier.evidence)

    async def _apply(self, work: NodeWork, changes: Iterable[Change]) -> Applier:
        resource = await gather_resource(work.session, work.router)
        applier = Applier(work, NodeObserver(work.session, Dialect(resource.version)), None)
        await applier.apply_all(changes)
        return applier

    async def _swap(self, router: Router) -> Sequence[NodeResult]:
        """Swap every node of the router that waits for it; the others end as they were found."""
        found = {result.node: result for result in self._surveyed[router.name]}

        async def swap(work: NodeWork) -> tuple[NodeResult, None]:
            seen, before = self._waiting.get((router.name, work.node.name)), found[work.node.name]
            if seen is None:
                return before, None
            result = await self._swap_one(replace(work, services=self.services), seen)
            return replace(result, warnings=(*before.warnings, *result.warnings)), None

        # The deadline of the router ends a staging, but never a switch that has begun: the swap sees to that.
        patient = replace(self.services, timeout_s=None)
        return [result for result, _ in await on_each_node(patient, router, swap)]

    async def _swap_one(self, work: NodeWork, seen: ContainerRow) -> NodeResult:
        facts = await gather(work.session, work.router, (work.node,))
        slots = await standing(work)
        live = slots.live
        if live is not None and seen.state is ContainerState.FAILED and not live.is_up:
            live = replace(live, state=seen.state)  # its start was tried
        decision = await self._decide(work, live, facts)
        if live is None or not isinstance(decision, Swap):
            return await self._follow(work, live, decision)
        work.tell(Kind.STEP, f"{decision.why}: {decision.release.version or decision.release.manifest_digest.short}")
        return await swap_node(
            work, facts=facts, slots=slots, live=live, release=decision.release, quarantine=self.quarantine
        )


def _found(work: NodeWork, live: ContainerRow | None) -> NodeResult:
    """The node as it stands, with nothing done to it."""
    tag = live.tag if live is not None else None
    result = result_of(work, Outcome.NO_OP)
    if live is None or tag is None:
        return result
    evidence = Evidence.PROBE if live.probe == "healthy" else Evidence.RECORD
    return replace(
        result,
        from_version=tag.version,
        to_version=tag.version,
        from_digest=tag.platform,
        to_digest=tag.platform,
        evidence=str(Evidence.TAILNET if work.router.via == "tailnet" else evidence),
    )
