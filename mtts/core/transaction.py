"""The swap of a node's container as a state machine: from what the router shows, the one thing to do next.

Pure, and level-triggered: a step is chosen by how the two containers stand and what their comments say, not by what
was done before. So a run that was killed, cut off or overtaken by a power cut is finished or undone by the same
function, from the tags alone (I3). What the router cannot show, such as why a release is not wanted any more, is in
`Progress`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mtts.core.changes import Change
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState
from mtts.core.guard import UNHEALTHY, BridgeOrder
from mtts.core.tag import Tag


class Step(StrEnum):
    """What is done next; the words of the journal."""

    STAGE = "stage"
    """Add the new container beside the old one."""
    AWAIT_PULL = "await-pull"
    PROVE_IMAGE = "prove-image"
    ARM = "arm"
    """Rehearse the guard, until its mark shows that it works."""
    TRIGGER = "trigger"
    """Have the guard swap."""
    START = "start"
    """Start the new container from here: the old one does not serve, so that nothing is put at risk."""
    REPLACE = "replace"
    """In place: have the router remove the old container, then pull and start the new one in its room."""
    AWAIT_SWAP = "await-swap"
    CONFIRM = "confirm"
    """Prove the node on the new container, then record it: the guard takes that for its token."""
    AWAIT_HANDOVER = "await-handover"
    HAND_OVER = "hand-over"
    """Hand `start-on-boot` over in the guard's place."""
    RETIRE = "retire"
    """Remove the old container."""
    RESTAGE = "restage"
    """The router came back on the old container before the handover: the new one waits for another attempt."""
    ABORT = "abort"
    """Tell the guard to go back."""
    AWAIT_RETURN = "await-return"
    RESTORE = "restore"
    """Go back in the guard's place."""
    DISCARD = "discard"
    """Prove the node on the old container, then remove the new one."""
    END = "end"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One swap of one node, as far as it is the same from its first step to its last."""

    id: str
    node: str
    staged: Tag
    """The new container's tag, without marks."""
    staged_root: str
    settings: Mapping[str, str]
    """What the new container gets once it is verified, `start-on-boot` left to the guard."""
    boots: bool
    """Whether the new container starts by itself once it is confirmed."""
    strategy: str = ""
    before_start: tuple[Change, ...] = ()
    """What any start of the node needs, the one of the old container as well."""
    node_id: str | None = None
    """Who the node must be in the tailnet afterwards; None where that was not seen, or is another each time."""
    in_place: BridgeOrder | None = None
    """What takes the old container's room, once a pull into memory proved that the router can pull."""
    afterwards: tuple[Change, ...] = ()
    """Once the new container has taken the old one's place, which is then removed last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The two containers of a swap as the router shows them."""

    old: ContainerRow | None
    new: ContainerRow | None
    theirs: ContainerRow | None = None
    """Where there is no old one: a container that is not ours, or not any more, with the mounts of the new one."""

    @property
    def is_taken(self) -> bool:
        """Whether the new one would run beside somebody's own, on one state."""
        new, theirs = self.new, self.theirs
        if new is None or theirs is None or (new.tag is not None and new.tag.is_recorded):
            return False
        return theirs.is_up or not new.is_up

    @property
    def is_swapped(self) -> bool:
        """Whether the old one was stopped, by whatever means."""
        return self.old is not None and not self.old.is_up

    @property
    def awaits_turn(self) -> bool:
        """Whether the new one was never started, so that it can wait for its turn in the rollout.

        One in memory may only be what proves a pull in place, which whoever plans anew can tell: where the old one
        does not serve either, it waits for that.
        """
        old, new = self.old, self.new
        if new is None or new.tag is None or new.tag.next_in is None:
            return False
        if new.is_up or new.tag.failed is not None or new.tag.is_aborted:
            return False
        is_down = self.theirs is None if old is None else old.state is ContainerState.STOPPED
        return (old is not None and old.is_up) or (is_down and new.tag.in_ram and new.tag.armed is None)

    @property
    def came_back(self) -> bool:
        """Whether the old one serves although the new one was recorded: the power was cut before the handover.

        Another attempt interrupts the node, so that it waits for its turn like the first one.
        """
        old, new = self.old, self.new
        if old is None or old.tag is None or new is None or new.tag is None or new.tag.in_ram:
            return False
        return old.is_up and not new.is_up and old.tag.is_recorded and new.tag.is_recorded


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run knows beyond what the router shows."""

    is_proven: bool = False
    """The image that was pulled is the one that is meant."""
    armed: int | None = None
    """The attempt whose guard was rehearsed in this run."""
    triggered: int | None = None
    failure: Problem | None = None
    """Why the new container is not wanted."""
    is_in_place: bool = False
    is_alone: bool = False
    """Nothing of the node served when it began: what was there is unproven, and gives its room."""
    is_restaged: bool = False
    is_unguarded: bool = False
    """The new container was started without a guard."""
    is_ram_lost: bool = False
    """The old container lived in memory, and the router restarted: it cannot serve any more."""
    is_guard_late: bool = False
    """A guard was waited for in vain."""


STOP_STUCK: Final = "stop-stuck"
"""The code, and the guard's word, for a container that does not stop; nothing is removed or added beside it."""

STUCK_HINT: Final = "only a reboot of the router clears a container that is stuck stopping"

_MOUNTS: Final = ("mounts", "mountlists")
"""By version, where a container names what it mounts; the node's state is among it."""

MOST_ATTEMPTS: Final = 3
"""So often a guard is rehearsed and started before the swap is given up."""


def seen_of(containers: Sequence[ContainerRow], node: str, transaction: str) -> Seen:
    """The two containers of a swap among all of a router."""
    mine = [row for row in containers if row.tag is not None and row.tag.node == node]
    new = next((row for row in mine if row.tag is not None and transaction in (row.tag.next_in, row.tag.tx)), None)
    others = [row for row in mine if row is not new and row.tag is not None and row.tag.next_in is None]
    old = max(others, key=lambda row: (row.tag is not None and row.tag.is_recorded, row.is_up), default=None)
    return Seen(old, new, None if old is not None or new is None else _beside(new, containers, mine))


def _beside(new: ContainerRow, containers: Sequence[ContainerRow], mine: Sequence[ContainerRow]) -> ContainerRow | None:
    theirs = [row for row in containers if row not in mine and _lists(row) & _lists(new)]
    return max(theirs, key=lambda row: row.is_up, default=None)


def _lists(row: ContainerRow) -> set[str]:
    return {name for word in _MOUNTS for name in row.props.get(word, "").split(",") if name}


def serving_tag(containers: Sequence[ContainerRow], node: str) -> Tag | None:
    """What is recorded of the container of a node that is up; None where none is."""
    return next((row.tag for row in containers if row.is_up and row.tag and _is_record(row.tag, node)), None)


def _is_record(tag: Tag, node: str) -> bool:
    return tag.node == node and tag.is_recorded


def next_step(seen: Seen, progress: Progress) -> Step:
    """What brings the swap forward, or, where the new container is not wanted, back."""
    old, new = seen.old, seen.new
    if new is None or new.tag is None:
        return _without_new(old, progress)
    if old is None and seen.theirs is not None and progress.failure is not None and not new.tag.is_recorded:
        return _returning(None, new, progress)
    if old is None or (progress.is_ram_lost and not new.tag.is_recorded):
        return _alone(new, progress)
    if new.tag.is_recorded:
        return _committing(old, new, progress)
    if progress.failure is not None or new.tag.failed or new.tag.is_aborted:
        return _returning(old, new, progress)
    if old.is_up or old.state is ContainerState.STOPPING or not new.is_up:
        return _before_swap(old, new, progress)
    return Step.CONFIRM


def _without_new(old: ContainerRow | None, progress: Progress) -> Step:
    if progress.is_in_place and progress.triggered is not None and progress.failure is None:
        return Step.END if progress.is_guard_late else Step.AWAIT_SWAP  # the router is at it
    if old is None:
        return Step.STAGE if progress.is_alone and progress.failure is None else Step.END
    if progress.failure is None:
        return Step.STAGE
    return Step.END if old.is_up or progress.is_ram_lost else Step.RESTORE  # somebody removed the other one meanwhile


def _alone(new: ContainerRow, progress: Progress) -> Step:
    """Nothing else can carry the node: it is in place, or fell off a bridge."""
    if progress.failure is not None or new.tag is None or new.tag.is_recorded:
        return Step.END
    is_proof = progress.is_in_place and new.tag.in_ram  # that the router can pull, and nothing more
    if new.is_up and not is_proof:
        return Step.CONFIRM
    if not new.is_imported:
        return Step.AWAIT_PULL
    if not progress.is_proven:
        return Step.PROVE_IMAGE
    return Step.REPLACE if is_proof else Step.START


def _before_swap(old: ContainerRow, new: ContainerRow, progress: Progress) -> Step:
    armed = new.tag.armed if new.tag else None
    is_guarded = armed is not None and not progress.is_in_place  # there, the guard is rehearsed and nothing more
    is_swapping = not old.is_up or new.is_up
    if is_swapping and (is_guarded or new.is_up or old.state is ContainerState.STOPPING):
        return Step.RESTORE if progress.is_guard_late else Step.AWAIT_SWAP  # the guard is at work, or died over it
    if not new.is_imported:
        return Step.AWAIT_PULL
    if not progress.is_proven:
        return Step.PROVE_IMAGE
    if is_swapping:  # in place, the new one only shows in memory that the router can pull
        return Step.REPLACE if progress.is_in_place else Step.START
    if armed is None or armed != progress.armed:
        return Step.ARM
    if progress.triggered != armed:
        return Step.REPLACE if progress.is_in_place else Step.TRIGGER
    return Step.ARM if progress.is_guard_late else Step.AWAIT_SWAP


def _returning(old: ContainerRow | None, new: ContainerRow, progress: Progress) -> Step:
    """Back to the old one; None where somebody took it for their own, so that it is left as they have it."""
    tag = new.tag or Tag("")
    is_told_to_swap = old is None and progress.triggered is not None
    is_at_it = (tag.failed is not None or is_told_to_swap) and not (tag.is_back or progress.is_guard_late)
    is_old_fine = old is None or old.is_up
    if is_old_fine and not (new.is_up or new.state is ContainerState.STOPPING or is_at_it):
        return Step.DISCARD
    is_told = tag.failed is not None or tag.is_aborted
    if progress.is_guard_late or not (is_told or tag.armed is not None):
        return Step.RESTORE
    return Step.AWAIT_RETURN if is_told else Step.ABORT


def _committing(old: ContainerRow, new: ContainerRow, progress: Progress) -> Step:
    """The new one is recorded. Where the old one is up all the same, it booted, or the guard had just gone back."""
    in_ram = new.tag is not None and new.tag.in_ram
    if old.is_up and not new.is_up:
        return Step.DISCARD if in_ram or progress.is_restaged or progress.failure is not None else Step.RESTAGE
    if in_ram:  # the old one stays bootable until what takes its place on the flash is under way
        return Step.END
    is_handed_over = old.tag is not None and not old.tag.is_recorded and not boots(old)
    is_on_its_own = progress.is_guard_late or progress.is_unguarded
    if new.is_up:
        return Step.RETIRE if is_handed_over else Step.HAND_OVER if is_on_its_own else Step.AWAIT_HANDOVER
    if not (is_handed_over or is_on_its_own):
        return Step.AWAIT_HANDOVER
    if progress.failure is None:  # the power was cut, and neither of them boots
        return Step.START
    return Step.END if is_handed_over else Step.RESTORE


def boots(row: ContainerRow) -> bool:
    """Whether a container starts by itself."""
    return row.props.get("start-on-boot") in ("true", "yes")


def state_restored(tag: Tag | None) -> tuple[Problem, ...]:
    """That a guard gave the old container its state from before, by the mark that it left."""
    if tag is None or not tag.is_restored:
        return ()
    said = f"the old release did not start with the state that {tag.version or tag.node} left, and got its own back"
    return (Problem("state-restored", said),)


def going_back(tag: Tag) -> Problem | None:
    """Why a guard went back, by the mark that it left; None where it did not."""
    if tag.failed is None:
        return None
    name = tag.version or tag.node
    if tag.failed == UNHEALTHY:
        return Problem("crash-loop", f"{name} did not stay up, and the guard on the router went back")
    if tag.failed == STOP_STUCK:
        return Problem(STOP_STUCK, "the old container did not stop in time for the guard on the router", STUCK_HINT)
    return Problem(
        "swap-unconfirmed",
        f"nobody confirmed {name} in time ({tag.failed}), and the guard on the router went back",
        "the next run tries it again",
    )
