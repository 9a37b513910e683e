"""Carries out a swap, and where anything goes wrong has the old release run again and nothing of the attempt remain.

What is to be undone is read from the router, not remembered: whether an entry is recorded tells which of the two is
the node. So the same few lines serve a failed step, a lost session, and what a killed run left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.changes import Change
from mtts.core.errors import MttsError, Problem, SessionLostError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, Facts
from mtts.core.flash import FlashSample, Moment
from mtts.core.image import Release
from mtts.core.outcome import NO_WAY, NodeResult, Outcome, settle
from mtts.core.plan_update import STRATEGY, SwapPlan, node_id_of
from mtts.core.slots import Slots, not_deployed, removals, serving, slots_of
from mtts.core.verdict import Hold, Verdict, judge_failure
from mtts.engine.apply import Applier
from mtts.engine.gather import gather_containers
from mtts.engine.observe import NodeObserver
from mtts.engine.planning import observer_for
from mtts.engine.sample import sample
from mtts.engine.services import NodeWork

_PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before each further attempt to reach a router that was lost in the middle of a swap."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """How a swap ended, and where its release must not be tried again."""

    result: NodeResult
    hold: Hold = Hold.NOWHERE


@dataclass(frozen=True, slots=True)
class Cleared:
    """A node that has one container, or would have if the router let go of the others."""

    live: ContainerRow
    remaining: Problem | None = None
    """Why something is still there that is not the node."""


class SwapAttempt:
    """One swap of one node, and how far it came."""

    def __init__(
        self, work: NodeWork, *, facts: Facts, live: ContainerRow, planned: SwapPlan, release: Release
    ) -> None:
        self._work = work
        self._facts = facts
        self._live = live
        self._planned = planned
        self._release = release
        self._applier = Applier(work, observer_for(work, facts), release)
        self._has_switched = False
        taken_s = work.services.clock.now()
        self._samples = [FlashSample.of(facts.resource, router=work.router.name, moment=Moment.BEFORE, taken_s=taken_s)]

    async def run(self) -> Swapped:
        """Stage, switch, commit; or undo what was done of it."""
        try:
            await self._stage()
            self._has_switched = True
            await self._applier.apply_all(self._planned.switch)
            await self._applier.apply_all(self._planned.commit)
            await self._sample(self._work, Moment.COMMITTED)
        except MttsError as error:
            return await self._restore(error)
        return Swapped(self._updated())

    async def _stage(self) -> None:
        """The deadline of the router ends with the staging: a switch that has begun is brought to its end."""
        async with self._work.within_deadline():
            await self._applier.apply_all(self._planned.stage)
            await self._sample(self._work, Moment.STAGED)

    async def _restore(self, error: MttsError) -> Swapped:
        """How the node stands once everything was done that can be done after `error`."""
        if not self._work.mark.wrote:
            return Swapped(self._result().ended(settle(error, wrote=False, serving=True), error.problem))
        self._work.tell(Kind.STEP, f"! {error.problem.message}")
        try:
            cleared = await self._clear(is_lost=isinstance(error, SessionLostError))
        except NO_WAY:
            hint = f"the next run settles it: mtts update {self._work.router.name}"
            return Swapped(self._result().ended(Outcome.UNKNOWN, replace(error.problem, hint=hint)))
        except MttsError as second:
            verdict = self._judge(error, way_back=second.problem.code)
            message = f"{error.problem.message}; then {second.problem.message}"
            return Swapped(
                self._result().ended(verdict.outcome, replace(second.problem, message=message)), verdict.hold
            )
        left = () if cleared.remaining is None else (cleared.remaining,)
        if cleared.live.root_dir == self._planned.staged_root:  # it was recorded before the error: the swap was done
            return Swapped(self._updated(*left))
        verdict = self._judge(error, way_back=None)
        problem = error.problem
        if verdict.hold is not Hold.NOWHERE:  # its container is gone, and its log with it
            problem = replace(problem, hint="publish a corrected image; the next run takes it up")
        return Swapped(replace(self._result().ended(verdict.outcome, problem), warnings=left), verdict.hold)

    def _judge(self, error: MttsError, *, way_back: str | None) -> Verdict:
        health, tag = self._facts.health, self._live.tag
        return judge_failure(
            error.problem.code,
            has_switched=self._has_switched,
            way_back=way_back,
            was_healthy=health is None or health.is_healthy,
            is_same_release=tag is not None and tag.platform == self._release.manifest_digest,
        )

    async def _clear(self, *, is_lost: bool) -> Cleared:
        """Over the session at hand, else over a new one, as often as patience lasts."""
        if not is_lost:
            try:
                return await self._clear_over(self._work)
            except SessionLostError:
                self._work.tell(Kind.STEP, "! the session was lost too")
        for pause_s in _PAUSES_S:
            try:
                return await self._clear_anew()
            except NO_WAY:
                await self._work.services.clock.sleep(pause_s)
        return await self._clear_anew()

    async def _clear_anew(self) -> Cleared:
        async with self._work.services.routers.session(self._work.router) as session:
            return await self._clear_over(replace(self._work, session=session))

    async def _clear_over(self, work: NodeWork) -> Cleared:
        observer, node_id = observer_for(work, self._facts), node_id_of(work.node, self._facts)
        before_start = self._planned.before_start
        cleared = await clear(work, observer, prove=self._has_switched, node_id=node_id, before_start=before_start)
        await self._sample(work, Moment.COMMITTED)
        return cleared

    async def _sample(self, work: NodeWork, moment: Moment) -> None:
        self._samples.append(await sample(work.services, work.session, work.router, moment))

    def _updated(self, *warnings: Problem) -> NodeResult:
        recorded = self._applier.recorded
        return replace(
            self._result(),
            outcome=Outcome.UPDATED,
            to_version=recorded.version if recorded else self._release.version,
            to_digest=recorded.platform if recorded else self._release.manifest_digest,
            evidence=self._applier.evidence,
            warnings=(*self._planned.warnings, *warnings),
        )

    def _result(self) -> NodeResult:
        """The node as it was, with what the attempt has cost so far."""
        return replace(
            self._work.as_found(self._live.tag),
            strategy=STRATEGY,
            downtime_s=self._work.outage.duration_s,
            samples=tuple(self._samples) if self._work.mark.wrote else (),
        )


async def clear(
    work: NodeWork,
    observer: NodeObserver,
    *,
    prove: bool = False,
    node_id: str | None = None,
    before_start: Sequence[Change] = (),
) -> Cleared:
    """Leave the node with the one container that is it, running; StepFailedError where that one does not serve.

    What is not the node goes in either case: nothing would ever use it, and it takes flash.
    """
    slots = await standing(work)
    if slots.live is None:
        raise StepFailedError.of(not_deployed(work.router.name, work.node.name))
    applier = Applier(work, observer, None)
    try:
        await applier.apply_all(serving(slots, prove=prove, node_id=node_id, before_start=before_start))
    except StepFailedError:
        await _take_away(applier, slots)
        raise
    return Cleared(slots.live, await _take_away(applier, slots))


async def _take_away(applier: Applier, slots: Slots) -> Problem | None:
    try:
        await applier.apply_all(removals(slots.leftovers))
    except StepFailedError as error:
        return error.problem
    return None


async def standing(work: NodeWork) -> Slots:
    """The node's containers as they are now; StepFailedError where nothing tells which of them is the node."""
    slots = slots_of(await gather_containers(work.session), work.node.name)
    if isinstance(slots, Problem):
        raise StepFailedError.of(slots)
    return slots
