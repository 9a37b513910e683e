"""A run of mtts in the middle of a swap, effect by effect, and what another run does with what it left.

It moves as engine/swap.py does; what is next is decided by core/transaction.py alone, the subject of the search.
"""

from dataclasses import replace
from typing import Final

from mtts.core.facts import ContainerState
from mtts.core.slots import Slots, slots_of
from mtts.core.transaction import Progress, Step, next_step
from tests.core.swap_model import (
    RECORDED,
    RETIRED,
    STAGED,
    WHY,
    Box,
    BrokenRuleError,
    Effect,
    Kind,
    Phase,
    Run,
    World,
    rows,
    seen,
)

ATTEMPTS: Final = 2
"""One fewer than in earnest, which makes for fewer states and misses none."""

EFFECTS: Final = {
    Step.STAGE: (Effect.ADD,),
    Step.AWAIT_PULL: (Effect.PULL,),
    Step.PROVE_IMAGE: (Effect.PROVE_IMAGE,),
    Step.ARM: (Effect.REHEARSE,),
    Step.TRIGGER: (Effect.TRIGGER,),
    Step.START: (Effect.START_NEW,),
    Step.CONFIRM: (Effect.PROVE_NEW, Effect.RECORD),
    Step.HAND_OVER: (Effect.BOOT_NEW, Effect.RETIRE_OLD),
    Step.RETIRE: (Effect.REMOVE_OLD,),
    Step.RESTAGE: (Effect.MARK_STAGED,),
    Step.ABORT: (Effect.MARK_ABORT,),
    Step.RESTORE: (Effect.STOP_NEW, Effect.START_OLD),
    Step.DISCARD: (Effect.PROVE_OLD, Effect.REMOVE_NEW),
    Step.AWAIT_SWAP: (Effect.AWAIT,),
    Step.AWAIT_RETURN: (Effect.AWAIT,),
    Step.AWAIT_HANDOVER: (Effect.AWAIT,),
}


def run_moves(world: World, kind: Kind) -> World | None:
    """The run's next look or effect; without a run where the swap is over, None where it waits for the router."""
    run = world.run
    assert run is not None
    if run.pending:
        return _effect(world, run, kind)
    tag = world.new.tag if world.new is not None else None
    progress = run.progress
    if tag is not None and tag.failed and progress.failure is None:
        progress = replace(progress, failure=WHY)
    step = next_step(seen(world), progress)
    if step is Step.END:
        return replace(world, run=None)
    match step:
        case Step.TRIGGER:
            progress = replace(progress, triggered=progress.armed)
        case Step.START:
            progress = replace(progress, is_unguarded=True)
        case Step.CONFIRM:
            progress = replace(progress, is_guard_late=False)
        case Step.RESTORE | Step.DISCARD:
            progress = replace(progress, failure=progress.failure or WHY)
        case _:
            pass
    return replace(world, run=replace(run, progress=progress, step=step, pending=EFFECTS[step]))


def _effect(world: World, run: Run, kind: Kind) -> World | None:
    effect, *rest = run.pending
    after = _done(world, effect, run, kind)
    if after is None:
        return None
    if after is not False and after is not True:
        world = after
    if after is False:
        return _failed(world, run, effect)
    if rest:
        return replace(world, run=replace(run, pending=tuple(rest)))
    progress = run.progress
    match run.step:
        case Step.PROVE_IMAGE:
            progress = replace(progress, is_proven=True)
        case Step.ARM:
            armed = world.new.tag.armed if world.new is not None else None
            progress = replace(progress, armed=armed, is_guard_late=False)
        case Step.HAND_OVER:
            progress = replace(progress, is_guard_late=False)
        case Step.RESTAGE:
            progress = Progress(is_proven=True, is_restaged=True)
        case _:
            pass
    return replace(world, run=replace(run, progress=progress, step=None, pending=()))


def _failed(world: World, run: Run, effect: Effect) -> World:
    match run.step:
        case Step.RESTORE | Step.DISCARD:  # nothing would use the new one
            after = world if effect is Effect.REMOVE_NEW else _done(world, Effect.REMOVE_NEW, run, Kind())
            return replace(after if isinstance(after, World) else world, run=None)
        case Step.HAND_OVER | Step.RETIRE:
            return replace(world, run=None)
    progress = replace(run.progress, failure=WHY, is_guard_late=run.step is Step.ABORT)
    return replace(world, run=replace(run, progress=progress, step=None, pending=()))


def _done(world: World, effect: Effect, run: Run, kind: Kind) -> World | bool | None:
    """The world after it; a mere truth where it only learns something; False where it fails, None while it waits."""
    old, new = world.old, world.new
    match effect:
        case Effect.ADD:
            return replace(world, new=Box(ContainerState.EXTRACTING, STAGED)) if run.knows else False
        case Effect.PULL:
            if new is None or new.state is ContainerState.FAILED:
                return False
            return replace(world, new=new.now(ContainerState.STOPPED)) if not new.has_image else True
        case Effect.PROVE_IMAGE:
            return run.knows and new is not None
        case Effect.REHEARSE:
            return _rehearsed(world)
        case Effect.TRIGGER:
            attempt = run.progress.armed or 0
            return replace(world, guard=(attempt, Phase.CHECK)) if kind.guards_work else True
        case Effect.PROVE_NEW:
            return new is not None and new.is_up and kind.is_good
        case Effect.PROVE_OLD:
            return old is not None and old.is_up
        case Effect.AWAIT:
            return None
        case Effect.START_NEW | Effect.START_OLD:
            return _started(world, is_new=effect is Effect.START_NEW)
        case Effect.REMOVE_OLD | Effect.REMOVE_NEW:
            return _removed(world, is_new=effect is Effect.REMOVE_NEW)
        case _:
            return _written(world, effect, kind)


def _rehearsed(world: World) -> World | bool:
    old, new = world.old, world.new
    if new is None or new.is_held or old is None or not old.is_up or new.tag.next_in is None:
        return False
    attempt = (new.tag.armed or 0) + 1
    return attempt <= ATTEMPTS and replace(world, new=replace(new, tag=replace(STAGED, armed=attempt)))


def _started(world: World, *, is_new: bool) -> World | bool:
    mine, other = (world.new, world.old) if is_new else (world.old, world.new)
    if mine is None or mine.is_held:
        return mine is not None and mine.is_up
    if other is not None and other.is_held:
        if not world.others_are_alive:
            raise BrokenRuleError(f"one is started while the other is up: {world}")
        return False  # the router refuses it: the veth is taken
    up = mine.now(ContainerState.RUNNING)
    return replace(world, new=up) if is_new else replace(world, old=up)


def _removed(world: World, *, is_new: bool) -> World:
    mine, other = (world.new, world.old) if is_new else (world.old, world.new)
    if mine is not None and not (other is not None and other.tag.is_recorded):
        raise BrokenRuleError(f"the last proven one is removed: {world}")
    if mine is not None and (mine.is_up or not is_new) and not (other is not None and other.is_up):
        raise BrokenRuleError(f"one is removed before the other serves: {world}")
    return replace(world, new=None) if is_new else replace(world, old=None)


def _written(world: World, effect: Effect, kind: Kind) -> World | bool:
    old, new = world.old, world.new
    if new is None:
        return False
    match effect:
        case Effect.RECORD:
            return replace(world, new=replace(new, tag=RECORDED))
        case Effect.BOOT_NEW:
            return replace(world, new=replace(new, boots=kind.boots))
        case Effect.RETIRE_OLD:
            return old is not None and replace(world, old=replace(old, boots=False, tag=RETIRED))
        case Effect.MARK_STAGED:
            return replace(world, new=replace(new, tag=STAGED, boots=False))
        case Effect.MARK_ABORT:
            return replace(world, new=replace(new, tag=replace(new.tag, is_aborted=True)))
        case _:
            assert effect is Effect.STOP_NEW
            return replace(world, new=new.now(ContainerState.STOPPED) if new.is_held else new)


# the next run


def next_run(world: World) -> World:
    """What a run does before anything else with what it finds: goes on, or clears away what is not the node."""
    found = slots_of(rows(world), "tailscale")
    assert isinstance(found, Slots), found
    assert found.live is not None
    if found.open_transaction is None:
        return _cleared(world, found)
    waits = next_step(seen(world), Progress(is_proven=True)) is Step.ARM
    return replace(world, run=Run(knows=waits or world.new is None))


def _cleared(world: World, found: Slots) -> World:
    old, new = world.old, world.new
    if found.live is not None and found.live.root_dir.endswith("a"):
        assert old is not None
        return World(old.now(ContainerState.RUNNING), None, world.guard)
    assert new is not None
    return World(None, new.now(ContainerState.RUNNING), world.guard)
