"""A router in the middle of a swap, as small as it can be: two containers, a guard, and a run of mtts that may die.

Each of the three moves by single effects that interleave in any order, so that an exhaustive search meets every
moment at which a power cut, a kill or a dead guard may fall. The guard moves as routeros/guard.rsc does; how a run
moves is in swap_run.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cache
from typing import Final

from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState
from mtts.core.guard import retired
from mtts.core.tag import Tag
from mtts.core.transaction import Progress, Seen, Step, seen_of
from tests.core.examples import a_container, digest

TX: Final = "t1"
STAGED: Final = Tag("tailscale", version="1.92.0", platform=digest("b"), next_in=TX)
RECORDED: Final = replace(STAGED, next_in=None, tx=TX)
OLD: Final = Tag("tailscale", version="1.90.1", platform=digest("2"), tx="t0")
RETIRED: Final = retired(STAGED)
WHY: Final = Problem("not-healthy", "it is not wanted")

_HELD: Final = (ContainerState.RUNNING, ContainerState.STOPPING)
_SHOWN: Final = {
    ContainerState.EXTRACTING: "downloading/extracting",
    ContainerState.FAILED: "download/extract failed",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A container."""

    state: ContainerState
    tag: Tag
    boots: bool = False

    @property
    def is_up(self) -> bool:
        return self.state is ContainerState.RUNNING

    @property
    def is_held(self) -> bool:
        """Whether it has the node's veth and state, so that the other one cannot start."""
        return self.state in _HELD

    @property
    def has_image(self) -> bool:
        return self.state not in _SHOWN

    def now(self, state: ContainerState) -> "Box":
        return replace(self, state=state)


class Phase(Enum):
    """Where a guard is: the commands of routeros/guard.rsc that look or do."""

    CHECK = auto()
    """With the stop of the old one, which follows at once."""
    AWAIT_OLD = auto()
    START_NEW = auto()
    WATCH = auto()
    RECHECK = auto()
    MARK = auto()
    STOP_NEW = auto()
    AWAIT_NEW = auto()
    START_OLD = auto()
    LAST = auto()
    BOOT_NEW = auto()
    RETIRE_OLD = auto()


class Effect(Enum):
    """What a run does to the router, or learns from it, in one go."""

    ADD = auto()
    PULL = auto()
    PROVE_IMAGE = auto()
    REHEARSE = auto()
    TRIGGER = auto()
    START_NEW = auto()
    PROVE_NEW = auto()
    RECORD = auto()
    BOOT_NEW = auto()
    RETIRE_OLD = auto()
    REMOVE_OLD = auto()
    MARK_STAGED = auto()
    MARK_ABORT = auto()
    STOP_NEW = auto()
    START_OLD = auto()
    PROVE_OLD = auto()
    REMOVE_NEW = auto()
    AWAIT = auto()


@dataclass(frozen=True, slots=True)
class Run:
    """A run of mtts in the middle of the swap."""

    progress: Progress = field(default_factory=Progress)
    step: Step | None = None
    pending: tuple[Effect, ...] = ()
    knows: bool = True
    """Which release is meant; a run that only finishes what another one began does not."""


@dataclass(frozen=True, slots=True)
class World:
    old: Box | None
    new: Box | None = None
    guard: tuple[int, Phase] | None = None
    run: Run | None = None

    @property
    def others_are_alive(self) -> bool:
        return self.guard is not None


@dataclass(frozen=True, slots=True)
class Kind:
    """What stays as it is."""

    is_good: bool = True
    """The new image serves."""
    guards_work: bool = True
    """A guard that is started begins its work."""
    boots: bool = True


class BrokenRuleError(AssertionError):
    """Something was done that must never be."""


@cache
def _row(box: Box, slot: str) -> ContainerRow:
    shown = _SHOWN.get(box.state, str(box.state))
    return a_container(
        **{"running": "false", shown: "true"},
        id=slot,
        root_dir=f"mtts/root/tailscale/{slot}",
        comment=str(box.tag),
        arch="arm64" if box.has_image else "",
        image_id="",
        start_on_boot="true" if box.boots else "false",
    )


def rows(world: World) -> tuple[ContainerRow, ...]:
    return tuple(_row(box, slot) for box, slot in ((world.old, "a"), (world.new, "b")) if box is not None)


def seen(world: World) -> Seen:
    return _seen(world.old, world.new)


@cache
def _seen(old: Box | None, new: Box | None) -> Seen:
    return seen_of(rows(World(old, new)), "tailscale", TX)


# the router by itself


def settled_stops(world: World) -> Iterator[World]:
    """A container that was told to stop has stopped."""
    if world.old is not None and world.old.state is ContainerState.STOPPING:
        yield replace(world, old=world.old.now(ContainerState.STOPPED))
    if world.new is not None and world.new.state is ContainerState.STOPPING:
        yield replace(world, new=world.new.now(ContainerState.STOPPED))


def after_power_cut(world: World) -> Iterator[World]:
    """What starts by itself is up; of two that do, either. The guard is gone, and a pull is broken off."""
    old, new = _without_power(world.old), _without_power(world.new)
    dark = replace(world, old=old, new=new, guard=None, run=_interrupted(world.run))
    if old is not None and old.boots:
        yield replace(dark, old=old.now(ContainerState.RUNNING))
    if new is not None and new.boots:
        yield replace(dark, new=new.now(ContainerState.RUNNING))
    if not any(box is not None and box.boots for box in (old, new)):
        yield dark


def _without_power(box: Box | None) -> Box | None:
    if box is None:
        return None
    return box.now(ContainerState.STOPPED if box.has_image else ContainerState.FAILED)


def _interrupted(run: Run | None) -> Run | None:
    """It comes back, and looks again."""
    return None if run is None else replace(run, step=None, pending=())


# the guard


def guard_moves(world: World, kind: Kind) -> Iterator[World]:
    """What a guard may do next, first what is likelier; nothing where it waits."""
    if world.guard is None:
        return
    attempt, phase = world.guard
    old, new = world.old, world.new
    tag = new.tag if new is not None else None

    def at(next_phase: Phase | None, **changed: Box | None) -> World:
        return replace(world, guard=next_phase and (attempt, next_phase), **changed)  # type: ignore[arg-type]

    match phase:
        case Phase.CHECK:
            may_act = tag == replace(STAGED, armed=attempt)
            yield at(Phase.AWAIT_OLD, old=_told_to_stop(old)) if may_act else at(None)
        case Phase.AWAIT_OLD:
            if old is None or not old.is_held:
                yield at(Phase.START_NEW)
            yield at(Phase.RECHECK)
        case Phase.START_NEW:
            if new is not None and not new.is_held and not (old is not None and old.is_held):
                yield at(Phase.WATCH, new=new.now(ContainerState.RUNNING))
            yield at(Phase.WATCH)
        case Phase.WATCH:
            if tag == RECORDED:
                yield at(Phase.BOOT_NEW)
            elif new is None or not new.is_up or new.tag.is_aborted:
                yield at(Phase.RECHECK)
        case Phase.RECHECK:
            yield at(Phase.BOOT_NEW if tag == RECORDED else Phase.MARK)
        case _:
            yield from _guard_concludes(world, attempt, phase, kind)


def loses_patience(world: World) -> Iterator[World]:
    """Nobody confirmed in time."""
    if world.guard is not None and world.guard[1] is Phase.WATCH and not (world.new and world.new.tag == RECORDED):
        yield replace(world, guard=(world.guard[0], Phase.RECHECK))


def _guard_concludes(world: World, attempt: int, phase: Phase, kind: Kind) -> Iterator[World]:
    old, new = world.old, world.new
    is_free = new is None or not new.is_held
    match phase:
        case Phase.MARK:
            failed = replace(new, tag=replace(STAGED, failed="unhealthy")) if new is not None else None
            yield replace(world, new=failed, guard=(attempt, Phase.STOP_NEW))
        case Phase.STOP_NEW:
            yield replace(world, new=_told_to_stop(new), guard=(attempt, Phase.AWAIT_NEW))
        case Phase.AWAIT_NEW if is_free:
            yield replace(world, guard=(attempt, Phase.START_OLD))
        case Phase.START_OLD:
            if old is not None and not old.is_held and is_free:
                yield replace(world, old=old.now(ContainerState.RUNNING), guard=(attempt, Phase.LAST))
            elif old is None or old.is_up:
                yield replace(world, guard=(attempt, Phase.LAST))
        case Phase.LAST:
            yield replace(world, new=_new_at_last(old, new), guard=None)
        case Phase.BOOT_NEW:
            yield replace(world, new=new and replace(new, boots=kind.boots), guard=(attempt, Phase.RETIRE_OLD))
        case Phase.RETIRE_OLD:
            yield replace(world, old=old and replace(old, boots=False, tag=RETIRED), guard=None)


def _new_at_last(old: Box | None, new: Box | None) -> Box | None:
    """Marked where the old one is up; started where nothing else would be."""
    if new is not None and old is not None and old.is_up and new.tag.failed:
        return replace(new, tag=replace(new.tag, is_back=True))
    if new is not None and not new.is_held and not (old is not None and old.is_held):
        return new.now(ContainerState.RUNNING)
    return new


def _told_to_stop(box: Box | None) -> Box | None:
    return box.now(ContainerState.STOPPING) if box is not None and box.is_up else box
