"""Walks every state that a swap can get into, and from each of them on to its end."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mtts.core.facts import ContainerState
from tests.core.swap_model import (
    OLD,
    RECORDED,
    Box,
    BrokenRuleError,
    Kind,
    Phase,
    Run,
    World,
    after_power_cut,
    guard_moves,
    loses_patience,
    settled_stops,
)
from tests.core.swap_run import next_run, run_moves

LONGEST: Final = 40
"""Looks and effects of a swap and of the runs that come after it; more than that is a loop."""


def reachable(kind: Kind) -> set[World]:
    """All that may come of a new swap, whatever is cut, killed or dies in whichever moment; each is checked."""
    start = World(Box(ContainerState.RUNNING, OLD, kind.boots), run=Run())
    found, waiting = {start}, deque([start])
    while waiting:
        for after in _edges(waiting.popleft(), kind):
            if after not in found:
                check(after, kind)
                found.add(after)
                waiting.append(after)
    return found


def _edges(world: World, kind: Kind) -> Iterator[World]:
    if world.run is not None:
        yield from _run_edges(world, kind)
        yield replace(world, run=None)
    elif world.guard is None or world.guard[1] is not Phase.CHECK:  # a guard begins before another run does
        yield next_run(world)
    yield from guard_moves(world, kind)
    yield from loses_patience(world)
    if world.guard is not None:
        yield replace(world, guard=None)
    yield from settled_stops(world)
    yield from after_power_cut(world)
    new = world.new
    if not kind.is_good and new is not None and new.is_up and new.tag != RECORDED:
        yield replace(world, new=new.now(ContainerState.STOPPED))


def _run_edges(world: World, kind: Kind) -> Iterator[World]:
    after = run_moves(world, kind)
    if after is not None:
        yield after
        return
    yield _waited(world, is_late=False)
    if world.guard is None or world.guard[1] is Phase.WATCH:  # anything else takes less time than a run waits
        yield _waited(world, is_late=True)


def check(world: World, kind: Kind) -> None:
    """What holds at every moment of a swap."""
    boxes = [box for box in (world.old, world.new) if box is not None]
    rules = {
        "two are up": sum(box.is_up for box in boxes) > 1,
        "something unproven boots": any(box.boots and not box.tag.is_recorded for box in boxes),
        "nothing proven is left": not any(box.tag.is_recorded and box.has_image for box in boxes),
        "nothing boots": kind.boots and not any(box.boots and box.has_image for box in boxes),
    }
    for rule, is_broken in rules.items():
        if is_broken:
            raise BrokenRuleError(f"{rule}: {world}")


def left_alone(world: World, kind: Kind) -> World:
    """How it ends when nothing goes wrong any more; further runs after this one where it takes them."""
    for _ in range(LONGEST):
        if world.run is not None:
            world = _moved(world, kind)
            check(world, kind)
            continue
        while (after := _by_itself(world, kind) or next(loses_patience(world), None)) is not None:
            world = after
            check(world, kind)
        if None in (world.old, world.new) and any(box is not None and box.is_up for box in (world.old, world.new)):
            return world
        world = next_run(world)
    raise BrokenRuleError(f"it does not end: {world}")


def _moved(world: World, kind: Kind) -> World:
    after = run_moves(world, kind)
    if after is not None:
        return after
    before = world
    while (after := _by_itself(world, kind)) is not None:
        world = after
        if (world.old, world.new) != (before.old, before.new):
            return _waited(world, is_late=False)
    return _waited(world, is_late=True)


def _by_itself(world: World, kind: Kind) -> World | None:
    return next(settled_stops(world), None) or next(guard_moves(world, kind), None)


def _waited(world: World, *, is_late: bool) -> World:
    run = world.run
    assert run is not None
    progress = replace(run.progress, is_guard_late=is_late)
    return replace(world, run=replace(run, step=None, pending=(), progress=progress))
