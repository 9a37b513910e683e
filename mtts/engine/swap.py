"""Carries a swap from wherever it stands to its end: looks, asks transaction.py what is next, does it, looks again.

Nothing is remembered of what the router can show, so the same loop serves a new swap, one whose session was lost in
the middle, and one that a killed run left behind.
"""

from dataclasses import dataclass, replace
from typing import Final

from mtts.core.dialect import Dialect
from mtts.core.errors import DeadlineError, MttsError, Problem, RouterLockedError, SessionLostError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, Resource
from mtts.core.flash import FlashSample, Moment, failing
from mtts.core.health import Evidence
from mtts.core.image import Release
from mtts.core.outcome import NO_WAY, NodeResult, Outcome, settle
from mtts.core.plan_update import SwapPlan
from mtts.core.tag import Tag
from mtts.core.transaction import (
    STOP_STUCK,
    Progress,
    Seen,
    Step,
    Transaction,
    going_back,
    next_step,
    seen_of,
    serving_tag,
    state_restored,
)
from mtts.core.verdict import Hold, Verdict, is_hollow, judge_failure
from mtts.engine.gather import gather_containers, read_file
from mtts.engine.observe import NodeObserver
from mtts.engine.sample import sample
from mtts.engine.services import NodeWork
from mtts.engine.swap_steps import SwapSteps
from mtts.engine.transaction_log import TransactionLog

_PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before each further attempt to reach a router that was lost in the middle of a swap; the last one is repeated."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """How a swap ended, and where its release must not be tried again."""

    result: NodeResult
    hold: Hold = Hold.NOWHERE
    is_hollow: bool = False
    """Its image was perhaps not unpacked as a whole, and nothing speaks against the release yet."""


class Swap:
    """One swap of one node, new or left by an earlier run."""

    def __init__(
        self,
        work: NodeWork,
        transaction: Transaction,
        *,
        old: ContainerRow,
        resource: Resource,
        log: TransactionLog,
        plan: SwapPlan | None = None,
        release: Release | None = None,
        was_healthy: bool = True,
    ) -> None:
        self._work = work
        self._transaction = transaction
        self._old = old
        self._plan = plan
        self._release = release
        self._was_healthy = was_healthy
        self._resource = resource
        self._log = log
        self._is_alone = old.tag is not None and old.tag.is_unproven
        """Whether it began with a container that nobody proved."""
        self._progress = Progress(
            is_proven=log.is_proven, is_in_place=transaction.in_place is not None, is_alone=self._is_alone
        )
        self._steps = SwapSteps(work, transaction, NodeObserver(work.session, Dialect(resource.version)), release)
        if log.is_proven:
            self._steps.take_as_proven()
        self._has_swapped = False
        self._serving: Tag | None = None
        """Of the container that serves now."""
        self._theirs: ContainerRow | None = None
        """What was the old one until somebody took it for their own."""
        self._way_back: str | None = None
        """What proved the old container once it was gone back to."""
        self._remaining: tuple[Problem, ...] = ()
        self._restored: tuple[Problem, ...] = ()
        """That the old container was given its state back."""
        taken_s = work.services.clock.now()
        self._samples = [FlashSample.of(resource, router=work.router.name, moment=Moment.BEFORE, taken_s=taken_s)]

    async def run(self) -> Swapped:
        """Bring it to its end, over as many sessions as that takes."""
        swapped = await self._run()
        return replace(swapped, result=self._log.close(swapped.result))

    async def _run(self) -> Swapped:
        try:
            return await self._run_over(self._work)
        except (SessionLostError, RouterLockedError) as error:
            if not self._work.mark.wrote:
                return Swapped(self._result().ended(settle(error, wrote=False, serving=True), error.problem))
            return await self._run_anew(error)
        except MttsError as error:  # of the way back itself
            return self._broken(error)

    async def _run_anew(self, first: SessionLostError | RouterLockedError) -> Swapped:
        """Come back for as long as the guard may still be at work."""
        lost = "the session was lost" if isinstance(first, SessionLostError) else "another run took the router over"
        self._work.tell(Kind.STEP, f"! {lost}; the router goes on by itself")
        clock = self._work.services.clock
        until = clock.monotonic() + self._steps.longest_s
        pauses = iter(_PAUSES_S)
        error: MttsError = first
        while True:
            try:
                async with self._work.services.routers.session(self._work.router) as session:
                    await self._work.lock.take(session)
                    until = clock.monotonic() + self._steps.longest_s
                    pauses = iter(_PAUSES_S)
                    return await self._run_over(replace(self._work, session=session))
            except (*NO_WAY, RouterLockedError) as again:  # another run may have taken it over, and be done soon
                error = again
            except MttsError as failed:
                return self._broken(failed)
            if clock.monotonic() > until:
                return self._lost(error)
            await clock.sleep(next(pauses, _PAUSES_S[-1]))

    async def _run_over(self, work: NodeWork) -> Swapped:
        self._steps.move(work, NodeObserver(work.session, Dialect(self._resource.version)))
        while True:
            await work.hold()
            seen = await self._look(work)
            step = next_step(seen, self._progress)
            if step is Step.END:
                return await self._end(work)
            try:
                self._log.before(step)
                await self._do(work, step, seen)
                self._log.after(step)
            except DeadlineError as error:
                self._progress = replace(self._progress, failure=error.problem)
                raise
            except (*NO_WAY, RouterLockedError):
                raise
            except MttsError as error:
                if step in (Step.RESTORE, Step.DISCARD):
                    raise
                if step in (Step.HAND_OVER, Step.RETIRE):
                    self._remaining = (error.problem,)
                    return await self._end(work)
                work.tell(Kind.STEP, f"! {error.problem.message}")
                self._progress = replace(self._progress, failure=error.problem, is_guard_late=step is Step.ABORT)

    async def _look(self, work: NodeWork) -> Seen:
        containers = await gather_containers(work.session)
        seen = seen_of(containers, self._transaction.node, self._transaction.id)
        self._serving = serving_tag(containers, self._transaction.node)
        self._theirs = seen.theirs or next((row for row in containers if self._is_theirs(row)), None)
        tag = seen.new.tag if seen.new is not None else None
        self._restored = self._restored or state_restored(tag)
        self._has_swapped = self._has_swapped or seen.is_swapped or (tag is not None and tag.failed is not None)
        failure = self._progress.failure
        if failure is None and self._theirs is not None and (seen.new is None or seen.is_taken):
            failure = self._steps.taken(self._theirs)
        if failure is None and seen.new is not None and tag is not None:
            failure = await self._steps.with_last_words(seen.new, going_back(tag))
        is_ram_lost = self._progress.is_ram_lost or await is_gone(work, seen.old)
        if failure is None:
            failure = await self._why_lost(work, seen, is_ram_lost=is_ram_lost)
        self._progress = replace(self._progress, failure=failure, is_ram_lost=is_ram_lost)
        return seen

    async def _why_lost(self, work: NodeWork, seen: Seen, *, is_ram_lost: bool) -> Problem | None:
        """Why the swap has not got any more what it rests on; None where it has."""
        if await is_gone(work, seen.new):
            return self._steps.restarted()
        if seen.new is not None:
            return None
        in_place = self._progress.is_in_place and self._progress.triggered is not None  # the router is at it
        if self._progress.is_guard_late:
            return self._steps.left_without() if in_place and seen.old is None else self._steps.stranded()
        serves_another = seen.old is None or seen.old.id != self._old.id  # one that booted: the plan would remove it
        if in_place or self._is_alone or not self._old.is_up or not (is_ram_lost or serves_another):
            return None
        was_in_ram = self._old.tag is not None and self._old.tag.in_ram
        return self._steps.restarted() if is_ram_lost or was_in_ram else self._steps.stranded()

    def _is_theirs(self, row: ContainerRow) -> bool:
        is_known = row.id == (self._theirs or self._old).id
        return is_known and (row.tag is None or row.tag.node != self._transaction.node)

    async def _do(self, work: NodeWork, step: Step, seen: Seen) -> None:
        steps, progress = self._steps, self._progress
        match step:
            case Step.STAGE | Step.AWAIT_PULL | Step.PROVE_IMAGE | Step.ARM:
                async with work.within_deadline():  # a swap that has begun is brought to its end
                    self._progress = await self._prepare(step, seen)
            case Step.TRIGGER:
                await self._sample_staged(work)
                self._progress = replace(progress, triggered=progress.armed)
                await steps.trigger(seen, progress)
            case Step.REPLACE:
                await self._sample_staged(work)
                await steps.replace_in_place(seen)
                self._progress = replace(progress, triggered=progress.armed or 1)  # none is where the old one is down
            case Step.START:
                self._progress = replace(progress, is_unguarded=True)
                await steps.start()
            case Step.AWAIT_SWAP | Step.AWAIT_RETURN | Step.AWAIT_HANDOVER:
                self._progress = replace(progress, is_guard_late=not await steps.await_change(seen))
            case _:
                await self._conclude(step, seen)

    async def _conclude(self, step: Step, seen: Seen) -> None:
        steps, progress = self._steps, self._progress
        match step:
            case Step.CONFIRM:
                self._progress = replace(progress, is_guard_late=False)
                await steps.confirm(seen)
            case Step.HAND_OVER:
                await steps.hand_over(seen)
                self._progress = replace(progress, is_guard_late=False)
            case Step.RETIRE:
                await steps.retire(seen)
            case Step.RESTAGE:
                await steps.restage(seen)
                self._progress = Progress(is_proven=True, is_restaged=True)
            case Step.ABORT:
                await steps.abort(seen)
            case Step.RESTORE:
                self._progress = replace(progress, failure=progress.failure or steps.stranded())
                await self._restore(seen)
            case Step.DISCARD:
                self._progress = replace(progress, failure=progress.failure or steps.stranded())
                await self._discard(seen)

    async def _prepare(self, step: Step, seen: Seen) -> Progress:
        steps, progress = self._steps, self._progress
        match step:
            case Step.STAGE if self._plan is not None:
                await steps.stage(self._plan.stage)
            case Step.AWAIT_PULL:
                takes = self._plan.pull_flash_bytes if self._plan is not None else None
                await steps.await_pull(takes if seen.old is not None else None)  # else the node hangs on it
            case Step.PROVE_IMAGE:
                await steps.prove_image()
                return replace(progress, is_proven=True)
            case Step.ARM:
                return replace(progress, armed=await steps.arm(seen), is_guard_late=False)
            case _:
                raise StepFailedError.of(steps.stranded())
        return progress

    async def _restore(self, seen: Seen) -> None:
        try:
            await self._steps.restore(seen)
        except StepFailedError as error:
            if seen.new is not None and error.problem.code != STOP_STUCK:  # then nothing is removed or added
                await self._steps.discard(seen.new)
            raise

    async def _discard(self, seen: Seen) -> None:
        """The old container proves that it serves; the new one goes in either case, since nothing would use it."""
        try:
            if self._has_swapped and seen.old is not None:
                self._way_back = await self._steps.prove_old(seen.old)
        finally:
            if seen.new is not None:
                self._remaining = await self._steps.discard(seen.new)
        if self._remaining:
            raise StepFailedError.of(self._remaining[0])
        if seen.old is not None and (self._has_swapped or self._was_healthy):
            await self._steps.drop_copy(seen.old)

    async def _end(self, work: NodeWork) -> Swapped:
        if self._work.mark.wrote:
            await self._sample(work, Moment.COMMITTED)
        is_done = self._serving is not None and self._serving.tx == self._transaction.id
        failure = self._progress.failure or (None if is_done else self._steps.stranded())
        if failure is None:
            return Swapped(self._updated())
        is_theirs = self._theirs is not None and self._theirs.is_up
        verdict = self._judge(failure, way_back=None if self._serving or is_theirs else "changed-underway")
        if self._serving is None and failure.code in ("pull-failed", "pull-stalled"):
            failure = replace(failure, hint=self._steps.pulled_again(failure.hint))
        if verdict.hold is not Hold.NOWHERE:  # its container is gone, and its log with it
            failure = replace(failure, hint="publish a corrected image; the next run takes it up")
        ended = replace(self._result().ended(verdict.outcome, failure), warnings=(*self._restored, *self._remaining))
        if self._serving is not None:  # after a bridge broke down, that is not what it began with
            ended = replace(ended, to_version=self._serving.version, to_digest=self._serving.platform)
            ended = replace(ended, evidence=self._way_back or str(Evidence.RECORD))
        return Swapped(ended, verdict.hold, is_hollow(failure))

    def _broken(self, error: MttsError) -> Swapped:
        failure = self._progress.failure
        if failure is None:
            return Swapped(
                self._result().ended(settle(error, wrote=self._work.mark.wrote, serving=True), error.problem)
            )
        is_kept = error.problem.code == STOP_STUCK and self._serving is not None
        verdict = self._judge(failure, way_back=None if is_kept else error.problem.code)
        message = f"{failure.message}; then {error.problem.message}"
        ended = self._result().ended(verdict.outcome, replace(error.problem, message=message))
        return Swapped(ended, verdict.hold, is_hollow(failure))

    def _lost(self, error: MttsError) -> Swapped:
        """The router could not be asked any more."""
        hint = f"the next run settles it: mtts update {self._work.router.name}"
        outcome = Outcome.PENDING if self._progress.triggered else Outcome.UNKNOWN
        return Swapped(self._result().ended(outcome, replace(error.problem, hint=hint)))

    def _judge(self, failure: Problem, *, way_back: str | None) -> Verdict:
        tag = self._old.tag
        return judge_failure(
            failure.code,
            has_switched=self._has_swapped or (self._is_alone and self._theirs is None),
            way_back=way_back,
            was_healthy=self._was_healthy,
            is_same_release=tag is not None and tag.platform == self._transaction.staged.platform,
            was_awaited=self._progress.triggered is not None,
        )

    async def _sample_staged(self, work: NodeWork) -> None:
        """The flash with both releases on it; StepFailedError where it goes bad, and nothing is stopped yet."""
        await self._sample(work, Moment.STAGED)
        problem = failing(self._samples[0], self._samples[-1])
        if problem is not None:
            raise StepFailedError.of(problem)

    async def _sample(self, work: NodeWork, moment: Moment) -> None:
        self._samples.append(await sample(work.services, work.session, work.router, moment))

    def _updated(self) -> NodeResult:
        tag = self._steps.recorded or self._transaction.staged
        return replace(
            self._result(),
            outcome=Outcome.UPDATED,
            to_version=tag.version,
            to_digest=tag.platform,
            evidence=self._steps.evidence or str(Evidence.RECORD),  # an earlier run proved it
            warnings=(*(self._plan.warnings if self._plan else ()), *self._remaining),
        )

    def _result(self) -> NodeResult:
        """The node as it was, with what the attempt has cost so far."""
        return replace(
            self._work.as_found(None if self._is_alone else self._old.tag),
            strategy=self._transaction.strategy,
            downtime_s=self._work.outage.duration_s,
            samples=tuple(self._samples) if self._work.mark.wrote else (),
        )


async def is_gone(work: NodeWork, row: ContainerRow | None) -> bool:
    """Whether a container that lives in memory was lost with it, in a restart of the router."""
    if row is None or row.is_up or row.tag is None or not row.tag.in_ram or not row.is_imported:
        return False
    return await read_file(work.session, row.root_dir, "type") is None
