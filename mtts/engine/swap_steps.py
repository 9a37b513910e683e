"""The steps of a swap (core/transaction.py), one method each: what is done to the router, or waited for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mtts.core.changes import AwaitHealthy, AwaitPull, Change, ProveImage, Record, Remove, Set, Start, Stop, quote
from mtts.core.desired import STATE_FILE
from mtts.core.errors import Problem, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState, container_label
from mtts.core.guard import RETURN_S, GuardOrder, copy_of, longest_s, retired
from mtts.core.image import Release
from mtts.core.plan_update import state_source
from mtts.core.rows import items
from mtts.core.tag import UNPROVEN, Tag
from mtts.core.transaction import MOST_ATTEMPTS, STOP_STUCK, Progress, Seen, Transaction, boots, seen_of
from mtts.engine import await_container, guard
from mtts.engine.apply import Applier
from mtts.engine.gather import gather_containers, read_file
from mtts.engine.observe import NodeObserver
from mtts.engine.services import NodeWork

_GRACE_S: Final = 30.0
"""What a guard may take for one move beyond the stop of a container."""


class SwapSteps:
    """What a swap does, over whichever session there is."""

    def __init__(
        self, work: NodeWork, transaction: Transaction, observer: NodeObserver, release: Release | None
    ) -> None:
        self._transaction = transaction
        self._applier = Applier(work, observer, release)
        self._observer = observer
        self._work = work
        self._release = release
        self._is_proven = False
        self._old_log: frozenset[str] = frozenset()
        """Of the old container before it was stopped."""

    def move(self, work: NodeWork, observer: NodeObserver) -> None:
        """Go on over another session."""
        self._work, self._observer = work, observer
        self._applier.move(work, observer)

    @property
    def recorded(self) -> Tag | None:
        return self._applier.recorded

    @property
    def evidence(self) -> str | None:
        return self._applier.evidence

    @property
    def longest_s(self) -> float:
        """For how long the guard may be at work."""
        timing = self._work.router.timing
        return longest_s(stop_s=timing.stop_s, patience_s=timing.confirm_s) + 2 * _GRACE_S

    def stranded(self) -> Problem:
        """Why a swap that somebody else began, or interfered with, is not finished."""
        return Problem(
            "changed-underway",
            f"the swap of node {self._transaction.node} did not come to its end by itself",
            "the next run tries it again",
        )

    def restarted(self) -> Problem:
        """Why a container in memory cannot take the node's place."""
        return Problem(
            "changed-underway",
            "the router restarted, and what lay in its memory is gone",
            "the next run tries it again",
        )

    def left_without(self) -> Problem:
        """Why nothing of the node is there, in place: no run but a deploy makes a container where there is none."""
        node, router = self._transaction.node, self._work.router.name
        return Problem(
            "changed-underway",
            f"the old container of node {node} made room, and the new one did not come",
            f"mtts deploy {router}",
        )

    def pulled_again(self, hint: str) -> str:
        """What is done about a pull that failed where nothing else serves."""
        return f"{hint}; then: mtts update {self._work.router.name}"

    def taken(self, theirs: ContainerRow) -> Problem:
        """Why a swap ends whose old container is not ours any more."""
        router = self._work.router.name
        return Problem(
            "changed-underway",
            f"{theirs.label} has the state of node {self._transaction.node}, and its comment is not of mtts any more",
            f"mtts deploy {router} --adopt takes it over as it is",
        )

    async def with_last_words(self, new: ContainerRow, failure: Problem | None) -> Problem | None:
        """A failure that only the guard saw, with what the container had to say: its log goes with it."""
        if failure is None or failure.code != "crash-loop":
            return failure
        said = await await_container.log_tail(self._observer, new) or new.about
        return replace(failure, message=f"{failure.message}: {said}") if said else failure

    async def stage(self, changes: tuple[Change, ...]) -> None:
        await self._applier.apply_all(changes)

    async def await_pull(self, flash_bytes: int | None) -> None:
        why = "the router pulls and unpacks it by itself"
        await self._applier.apply_all([AwaitPull(self._root, self._label, why, flash_bytes)])

    async def prove_image(self) -> None:
        """Nothing where an earlier run staged a release that cannot be asked for any more: it is recorded as such."""
        if self._release is None:
            return
        await self._applier.apply_all([ProveImage(self._root, self._label, "the tag may have moved meanwhile")])
        self.take_as_proven()

    def take_as_proven(self) -> None:
        """Its comment says since before the pull what it is meant to be, and a proof of that is not needed twice."""
        self._is_proven = True
        self._applier.vouch_for(self._root)

    async def arm(self, seen: Seen) -> int:
        """The attempt for which the guard was proven."""
        attempt = (_marks(seen).armed or 0) + 1
        if attempt > MOST_ATTEMPTS:
            raise StepFailedError(
                f"the guard on the router was started {MOST_ATTEMPTS} times and did nothing",
                code="guard-unproven",
                hint="see /log and /system/script/job on the router",
            )
        self._tell("prove the guard on the router")
        await guard.rehearse(self._work, await self._order(seen, attempt))
        return attempt

    async def trigger(self, seen: Seen, progress: Progress) -> None:
        if seen.old is None or progress.armed is None:
            raise StepFailedError.of(self.stranded())
        self._old_log = frozenset(key for key, _ in await self._observer.log(seen.old))
        await self._applier.apply_all(self._transaction.before_start)
        self._tell("have the guard swap the containers")
        self._work.outage.stopped_s = self._work.services.clock.monotonic()
        await guard.trigger(self._work, await self._order(seen, progress.armed))

    async def replace_in_place(self, seen: Seen) -> None:
        """From here on the router does it, and goes on with it whatever becomes of this run."""
        order = self._transaction.in_place
        if order is None or seen.new is None:
            raise StepFailedError.of(self.stranded())
        await self._remove(seen.new, "it showed that the router can pull the release")
        self._tell("have the router put the new container in the old one's room")
        root = order.props["root-dir"]
        self._transaction = replace(self._transaction, staged=order.staged, staged_root=root)
        self._is_proven = False  # what is pulled there is pulled anew
        self._work.outage.stopped_s = self._work.services.clock.monotonic()
        await guard.replace_in_place(self._work, order)

    async def start(self) -> None:
        await self._applier.apply_all(
            [*self._transaction.before_start, Start(self._root, self._label, "nothing else serves")]
        )

    async def await_change(self, seen: Seen) -> bool:
        """Whether the guard moved before its time was over; where it goes back, it may try that for a while unseen."""
        timing, clock = self._work.router.timing, self._work.services.clock
        tries_s = RETURN_S if _marks(seen).failed is not None else 0
        deadline = clock.monotonic() + timing.stop_s + tries_s + _GRACE_S
        before = _picture(seen)
        while clock.monotonic() < deadline:
            await clock.sleep(timing.poll_s)
            now = seen_of(await gather_containers(self._work.session), self._transaction.node, self._transaction.id)
            if _picture(now) != before:
                return True
        return False

    async def confirm(self, seen: Seen) -> None:
        """Prove the node on the new container, then tell the guard so by recording it."""
        settings = dict(self._transaction.settings)
        if seen.old is None:  # nobody hands it over
            settings["start-on-boot"] = "yes" if self._transaction.boots else "no"
        if _marks(seen).armed is not None:  # no guard is rehearsed for an image that was not proven
            self.take_as_proven()
        elif not self._is_proven:
            await self._prove_late()
        verified = replace(self._transaction.staged, next_in=None, tx=self._transaction.id)
        if self._release is None and not self._is_proven:
            verified = replace(verified, version=UNPROVEN, platform=None, index=None)
        node = f"node {self._transaction.node}"
        await self._applier.apply_all(
            [
                AwaitHealthy(self._root, node, "proves it before it is recorded", self._transaction.node_id),
                Record(self._root, self._label, "verified: recorded", str(verified), settings),
            ]
        )

    async def _prove_late(self) -> None:
        """Of what the router pulled by itself; it serves already, so that nothing but the record hangs on it."""
        try:
            await self.prove_image()
        except StepFailedError as error:
            self._tell(f"its release is recorded as {UNPROVEN}: {error.problem.message}")

    async def hand_over(self, seen: Seen) -> None:
        """What the guard does once the new container is confirmed."""
        new, old = seen.new, seen.old
        if new is None or old is None:
            return
        boot = "yes" if self._transaction.boots else "no"
        takes = {"start-on-boot": boot}
        gives = {"start-on-boot": "no", "comment": str(retired(self._transaction.staged))}
        before = {"start-on-boot": "yes" if boots(new) else "no"}
        after = {prop: old.props.get(prop, "") for prop in gives}
        await self._applier.apply_all(
            [
                Set("/container", self._label, "it is the node now", {"root-dir": new.root_dir}, before, takes),
                Set("/container", old.label, "it is not any more", {"root-dir": old.root_dir}, after, gives),
            ]
        )

    async def retire(self, seen: Seen) -> None:
        await self._applier.apply_all(self._transaction.afterwards)
        if seen.old is not None:
            await self.drop_copy(seen.old)
            await self._remove(seen.old, "its successor is proven")

    async def abort(self, seen: Seen) -> None:
        """Tell the guard to go back at once."""
        self._tell("have the guard go back")
        await self._mark(seen, replace(_marks(seen), is_aborted=True))

    async def restage(self, seen: Seen) -> None:
        self._tell("try it again: the old container came back before the handover")
        await self._mark(seen, self._transaction.staged, {"start-on-boot": "no"})

    async def _mark(self, seen: Seen, tag: Tag, props: Mapping[str, str] | None = None) -> None:
        if seen.new is not None:
            with self._applier.writing():
                await self._work.session.set("/container", {"comment": str(tag), **(props or {})}, id_=seen.new.id)

    async def restore(self, seen: Seen) -> None:
        """Go back in the place of a guard that does not."""
        changes: list[Change] = []
        if seen.new is not None:
            changes.append(Stop(seen.new.root_dir, seen.new.label, "nobody confirmed it", disruptive=False))
        if seen.old is not None and seen.old.state is ContainerState.STOPPING:
            changes.append(Stop(seen.old.root_dir, seen.old.label, "it must have ended before it is started"))
        if seen.old is not None and not seen.old.is_up:
            changes.extend(self._transaction.before_start)
            changes.append(Start(seen.old.root_dir, seen.old.label, "it serves again"))
        try:
            await self._applier.apply_all(changes)
        except StepFailedError as error:
            raise await self._with_copy(error, seen.old) from error

    async def prove_old(self, old: ContainerRow) -> str | None:
        """What proved that the old container serves again, as the same node.

        It is not stopped while it may be online: this session may run through it, and nothing would start it again.
        """
        self._applier.passes_over(self._old_log)
        node = f"node {self._transaction.node}"
        proof = AwaitHealthy(old.root_dir, node, "proves that it serves", self._transaction.node_id)
        try:
            await self._applier.apply_all([*self._transaction.before_start, proof])
        except StepFailedError as error:
            if error.problem.code != "needs-login" or not self._transaction.before_start:
                raise await self._with_copy(error, old) from error
            again = Stop(old.root_dir, old.label, "the key is read at a start", disruptive=False)
            await self._applier.apply_all([again, Start(old.root_dir, old.label, "to log in"), proof])
        return self._applier.evidence

    async def _with_copy(self, error: StepFailedError, old: ContainerRow | None) -> StepFailedError:
        """The same error, with what may bring the old container back where a guard died before it could try that."""
        if error.problem.code == STOP_STUCK:  # it is not the state that keeps it down
            return error
        state_file = None if old is None else await self._state_file(old)
        if state_file is None or await read_file(self._work.session, copy_of(state_file), "type") is None:
            return error
        restored = f"/file/set {quote(state_file)} contents=[/file/get {quote(copy_of(state_file))} contents]"
        hint = f"if it cannot read its state any more, a copy from before is on the router: {restored}"
        return StepFailedError(error.problem.message, code=error.problem.code, hint=hint)

    async def discard(self, new: ContainerRow) -> tuple[Problem, ...]:
        """What is left of the new container once it was removed."""
        try:
            await self._remove(new, "its release did not take the node's place")
        except StepFailedError as error:
            return (error.problem,)
        return ()

    async def _remove(self, row: ContainerRow, why: str) -> None:
        await self._applier.apply_all([Remove("/container", f"container {row.label}", why, {"root-dir": row.root_dir})])

    async def drop_copy(self, row: ContainerRow) -> None:
        """Remove the copy of the node's state that a guard left which was cut off; `row` has the state mounted."""
        state_file = await self._state_file(row)
        if state_file is not None:
            copy = copy_of(state_file)
            await self._applier.apply(Remove("/file", copy, "the swap is over", {"name": copy}))

    async def _state_file(self, row: ContainerRow) -> str | None:
        """The node's identity on the router; None where it has none there."""
        if self._work.node.ephemeral:
            return None
        mounts = items(await self._work.session.print("/container/mounts"))
        source = state_source(row, mounts, self._observer.dialect)
        return None if source is None else f"{source}/{STATE_FILE}"

    async def _order(self, seen: Seen, attempt: int) -> GuardOrder:
        if seen.old is None or seen.new is None:
            raise StepFailedError.of(self.stranded())
        timing = self._work.router.timing
        return GuardOrder(
            transaction=self._transaction.id,
            attempt=attempt,
            old_id=seen.old.id,
            new_id=seen.new.id,
            staged=self._transaction.staged,
            boots=self._transaction.boots,
            hands_over=not self._transaction.staged.in_ram,
            stop_s=timing.stop_s,
            patience_s=timing.confirm_s,
            can_kill=self._observer.can_kill,
            state_file=await self._state_file(seen.old),
            reserve_bytes=self._work.router.flash.reserve_bytes,
        )

    @property
    def _root(self) -> str:
        return self._transaction.staged_root

    @property
    def _label(self) -> str:
        return f"container {container_label(self._root) or self._root}"

    def _tell(self, text: str) -> None:
        self._work.tell(Kind.STEP, f"> {text}")


def _marks(seen: Seen) -> Tag:
    return (seen.new.tag if seen.new else None) or Tag("")


def _picture(seen: Seen) -> object:
    """What tells that a guard moved."""
    return [(row.state, row.props.get("comment"), boots(row)) if row else None for row in (seen.old, seen.new)]
