"""`mtts update`: look at every router, leave alone what is current, repair what is down, swap what is outdated.

The look costs one session and one print per router and one question per image. Swaps come after it, in the waves of
a rollout, each over a session of its own that reads everything anew: what was seen may be minutes old by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from mtts.core.dialect import Dialect
from mtts.core.errors import Problem, RegistryError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState, Facts
from mtts.core.image import Release
from mtts.core.inventory import Router
from mtts.core.outcome import NodeResult, Outcome, after
from mtts.core.plan_update import is_superseded
from mtts.core.platforms import router_platform
from mtts.core.rollout import Rollout
from mtts.core.slots import Slots, starting, transaction_open
from mtts.core.tag import Tag
from mtts.core.transaction import seen_of
from mtts.core.update import (
    Ask,
    Decision,
    Latest,
    Leave,
    Lost,
    Policy,
    Repair,
    Swap,
    Unchanged,
    decide,
    evidence_of,
    is_damage,
)
from mtts.core.window import is_open
from mtts.engine.apply import Applier
from mtts.engine.fleet import Fleet
from mtts.engine.gather import gather, gather_resource
from mtts.engine.leftovers import Settled, settle_swaps, without_strays
from mtts.engine.nodes import on_each_node
from mtts.engine.observe import NodeObserver
from mtts.engine.prepare_swap import SwapRequest, foretell_swap
from mtts.engine.quarantine import Quarantine
from mtts.engine.rollout import roll_out
from mtts.engine.services import NodeWork, Services
from mtts.engine.standing import standing
from mtts.engine.swap_node import swap_node


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """What the operator asked for."""

    rollout: Rollout
    check: bool = False
    """Only tell."""
    force: bool = False
    allow_downgrade: bool = False
    allow_in_place: bool = False


@dataclass(slots=True)
class Update:
    """One run of `mtts update` over a fleet."""

    services: Services
    order: UpdateOrder
    quarantine: Quarantine
    _waiting: dict[tuple[str, str], bool] = field(default_factory=dict, init=False)
    """(router, node) to be swapped → whether this run tried in vain to have its container serve."""
    _surveyed: dict[str, Sequence[NodeResult]] = field(default_factory=dict, init=False)

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
        found = await standing(work)
        if self.order.check:
            return await self._foretell(work, found), None
        settled = await settle_swaps(work, found, self.quarantine)
        return await settled.then(work, lambda again: self._judge(again, settled.slots)), None

    async def _foretell(self, work: NodeWork, found: Slots) -> NodeResult:
        """What the update would come to; nothing is written."""
        id_, live, name = found.open_transaction, found.live, work.node.name
        rows = (*found.leftovers, *(() if live is None else (live,)))
        if id_ is not None and not seen_of(rows, name, id_).awaits_turn:
            is_open = transaction_open(work.router.name, name)
            return replace(work.as_found(_tag(live)), changes_pending=True, warnings=(is_open,))
        decision = await self._decide(work, live)
        if live is None or not isinstance(decision, Swap) or is_superseded(found, decision.release):
            result = await self._follow(work, live, decision)
            has_strays = bool(found.leftovers) and result.problem is None
            return replace(result, changes_pending=result.changes_pending or has_strays)
        facts = await gather(work.session, work.router, (work.node,))
        expected = await foretell_swap(work, self._request(facts, found, live, decision.release))
        waits = self._waits_for_window(work, live, decision.release)
        return replace(expected, warnings=(*expected.warnings, *waits)) if expected.changes_pending else expected

    async def _judge(self, work: NodeWork, slots: Slots) -> NodeResult:
        decision = await self._decide(work, slots.live)
        result = await self._follow(work, slots.live, decision)
        is_blind = isinstance(decision, Leave | Repair) and decision.is_blind
        if not slots.leftovers or result.changes_pending or is_blind:
            return result
        return (await without_strays(work, Settled(slots))).told(result)  # what was staged is not wanted any more

    async def _decide(
        self, work: NodeWork, live: ContainerRow | None, facts: Facts | None = None, *, start_failed: bool = False
    ) -> Decision:
        """Ask for what the decision needs to know, cheapest first."""
        registry, image = self.services.registry, work.node.image
        policy = Policy(
            force=self.order.force,
            allow_downgrade=self.order.allow_downgrade,
            quarantined=self.quarantine.entries,
            known=self.quarantine.known,
        )

        def judge() -> Decision | Ask:
            names = {"router": work.router.name, "node": work.node.name}
            return decide(live, latest, policy, start_failed=start_failed, **names)

        try:
            latest = Latest(tag_digest=await registry.tag_digest(image))
        except RegistryError as error:
            latest = Latest(problem=error.problem)
        while isinstance(decision := judge(), Ask):
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

    async def _follow(self, work: NodeWork, live: ContainerRow | None, decision: Decision) -> NodeResult:
        """What a decision comes to without a swap; a swap waits for its turn in the rollout."""
        as_found = work.as_found(_tag(live))
        match decision:
            case Leave(problem):
                return as_found.ended(Outcome.REFUSED, problem)
            case Lost(problem):
                return as_found.ended(Outcome.BROKEN, problem)
            case Unchanged():
                return replace(as_found, evidence=str(evidence_of(live, via_tailnet=work.router.via == "tailnet")))
            case Repair(why):
                return await self._repair(work, live, why)
            case Swap(release):
                has_failed = live is not None and live.tag is not None and live.tag.is_unproven
                return self._postpone(work, live, release, start_failed=has_failed)
            case _:
                assert_never(decision)

    def _postpone(
        self, work: NodeWork, live: ContainerRow | None, release: Release, *, start_failed: bool = False
    ) -> NodeResult:
        """Pending: a swap waits for its turn in the rollout, and for the router's window."""
        pending = replace(work.as_found(_tag(live)), changes_pending=True)
        waits = self._waits_for_window(work, live, release)
        if self.order.check:
            return replace(pending, to_version=release.version, to_digest=release.manifest_digest, warnings=waits)
        if not waits:
            self._waiting[work.router.name, work.node.name] = start_failed
        return replace(pending, warnings=waits)

    def _waits_for_window(self, work: NodeWork, live: ContainerRow | None, release: Release) -> tuple[Problem, ...]:
        """Why the swap is not for now; nothing within the router's window, or where no node would be interrupted."""
        window, now = work.router.window, datetime.fromtimestamp(self.services.clock.now()).astimezone()
        if live is None or not live.is_up or is_open(window, now):
            return ()
        name = release.version or release.manifest_digest.short
        return (Problem("outside-window", f"{name} waits for the window {window}", "run mtts update within it"),)

    async def _repair(self, work: NodeWork, live: ContainerRow | None, why: str) -> NodeResult:
        """Start what is down; what does not start has perhaps lost its image, and is pulled again by a swap."""
        found = work.as_found(_tag(live))
        if live is None or self.order.check:
            return replace(found, changes_pending=True)
        try:
            applier = await self._start(work, live, why)
        except StepFailedError as error:
            if not is_damage(error.problem.code):
                return found.ended(Outcome.BROKEN, error.problem)
            again = await self._decide(work, live, start_failed=True)
            if isinstance(again, Swap):
                return self._postpone(work, live, again.release, start_failed=True)
            return found.ended(Outcome.BROKEN, again.problem if isinstance(again, Lost) else error.problem)
        if not work.mark.wrote:
            return replace(found, evidence=applier.evidence)
        repaired = Problem("node-repaired", f"node {work.node.name} was down ({why}) and was started")
        return replace(found, outcome=Outcome.DEPLOYED, warnings=(repaired,), evidence=applier.evidence)

    async def _start(self, work: NodeWork, live: ContainerRow, why: str) -> Applier:
        resource = await gather_resource(work.session, work.router)
        applier = Applier(work, NodeObserver(work.session, Dialect(resource.version)), None)
        if live.state is not ContainerState.STARTING:
            await work.hold()
        await applier.apply_all(starting(live, why))
        return applier

    async def _swap(self, router: Router) -> Sequence[NodeResult]:
        """Swap every node of the router that waits for it; the others end as they were found."""
        found = {result.node: result for result in self._surveyed[router.name]}

        async def swap(work: NodeWork) -> tuple[NodeResult, None]:
            start_failed = self._waiting.get((router.name, work.node.name))
            if start_failed is None:
                return found[work.node.name], None
            return await self._swap_one(work, start_failed=start_failed), None

        results = await on_each_node(self.services, router, swap, is_patient=True)
        return [self._with_survey(found[result.node], result) for result, _ in results]

    def _with_survey(self, before: NodeResult, result: NodeResult) -> NodeResult:
        """What the run did to a node in all, also where its router was lost before the swap."""
        if (before.router, before.node) not in self._waiting:
            return before
        if before.outcome is not Outcome.NO_OP:
            return after(before, result)
        return replace(result, warnings=(*before.warnings, *result.warnings))

    async def _swap_one(self, work: NodeWork, *, start_failed: bool) -> NodeResult:
        async with work.within_deadline():
            slots = await standing(work)
            is_settled = start_failed and slots.is_unproven  # the survey tried what there is
            settled = Settled(slots) if is_settled else await settle_swaps(work, slots, self.quarantine)
        return await settled.then(
            work, lambda again: self._swap_to_latest(again, settled.slots, start_failed=start_failed)
        )

    async def _swap_to_latest(self, work: NodeWork, slots: Slots, *, start_failed: bool) -> NodeResult:
        async with work.within_deadline():
            facts = await gather(work.session, work.router, (work.node,))
            decision = await self._decide(work, slots.live, facts, start_failed=start_failed)
        if slots.live is None or not isinstance(decision, Swap):
            return await self._follow(work, slots.live, decision)
        release = decision.release
        if is_superseded(slots, release):
            cleared = await without_strays(work, Settled(slots))
            if not cleared.slots.leftovers:
                return cleared.told(await self._swap_to_latest(work, cleared.slots, start_failed=start_failed))
        work.tell(Kind.STEP, f"{decision.why}: {release.version or release.manifest_digest.short}")
        return await swap_node(work, self._request(facts, slots, slots.live, release))

    def _request(self, facts: Facts, slots: Slots, live: ContainerRow, release: Release) -> SwapRequest:
        return SwapRequest(facts, slots, live, release, self.quarantine, self.order.allow_in_place)


def _tag(live: ContainerRow | None) -> Tag | None:
    return live.tag if live is not None else None
