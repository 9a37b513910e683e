"""The machine of a swap: what it does in which state, and that there is no state that it does not come out of."""

from dataclasses import replace
from functools import cache

import pytest

from mtts.core.facts import ContainerState
from mtts.core.tag import Tag
from mtts.core.transaction import Progress, Seen, Step, going_back, next_step, seen_of, state_restored
from tests.core.examples import a_container
from tests.core.swap_model import OLD, RECORDED, RETIRED, STAGED, TX, WHY, Box, Kind, Run, World, seen
from tests.core.swap_search import left_alone, reachable

S = ContainerState
ARMED = replace(STAGED, armed=1)
PROOF = replace(STAGED, in_ram=True)
IN_PLACE = Progress(is_proven=True, is_in_place=True)
ABORTED = replace(ARMED, is_aborted=True)
WENT_BACK = replace(STAGED, failed="unhealthy")
IS_BACK = replace(WENT_BACK, is_back=True)
PROVEN = Progress(is_proven=True)
READY = Progress(is_proven=True, armed=1)
TRIGGERED = Progress(is_proven=True, armed=1, triggered=1)
UNWANTED = Progress(failure=WHY)

SERVES = Box(S.RUNNING, OLD, boots=True)
STOPPING = SERVES.now(S.STOPPING)
DOWN = SERVES.now(S.STOPPED)
GAVE_WAY = Box(S.STOPPED, RETIRED)


def new(state: ContainerState, tag: Tag = STAGED, *, boots: bool = False) -> Box:
    return Box(state, tag, boots)


STATES: dict[str, tuple[Box | None, Box | None, Progress, Step]] = {
    # on the way
    "nothing is staged yet": (SERVES, None, Progress(), Step.STAGE),
    "the image is on its way": (SERVES, new(S.EXTRACTING), Progress(), Step.AWAIT_PULL),
    "the image did not come": (SERVES, new(S.FAILED), Progress(), Step.AWAIT_PULL),
    "the image is there": (SERVES, new(S.STOPPED), Progress(), Step.PROVE_IMAGE),
    "the image is the right one": (SERVES, new(S.STOPPED), PROVEN, Step.ARM),
    "an earlier run armed a guard": (SERVES, new(S.STOPPED, ARMED), PROVEN, Step.ARM),
    "another run armed a later attempt": (SERVES, new(S.STOPPED, replace(STAGED, armed=2)), READY, Step.ARM),
    "the guard has shown that it works": (SERVES, new(S.STOPPED, ARMED), READY, Step.TRIGGER),
    "the guard was told to swap": (SERVES, new(S.STOPPED, ARMED), TRIGGERED, Step.AWAIT_SWAP),
    "the guard did not begin": (
        SERVES, new(S.STOPPED, ARMED), replace(TRIGGERED, is_guard_late=True), Step.ARM
    ),
    "the old one stops": (STOPPING, new(S.STOPPED, ARMED), TRIGGERED, Step.AWAIT_SWAP),
    "the old one has stopped": (DOWN, new(S.STOPPED, ARMED), TRIGGERED, Step.AWAIT_SWAP),
    "an earlier run's guard is at work": (DOWN, new(S.STOPPED, ARMED), Progress(), Step.AWAIT_SWAP),
    "the guard died between the two": (DOWN, new(S.STOPPED, ARMED), Progress(is_guard_late=True), Step.RESTORE),
    "the old one was down before, and no guard is needed": (DOWN, new(S.STOPPED), PROVEN, Step.START),
    "the old one fails while the image comes": (DOWN, new(S.EXTRACTING), Progress(), Step.AWAIT_PULL),
    "the new one serves": (DOWN, new(S.RUNNING, ARMED), TRIGGERED, Step.CONFIRM),
    "the new one serves, and the run that began it is gone": (DOWN, new(S.RUNNING, ARMED), Progress(), Step.CONFIRM),
    # it is recorded
    "the guard has not read the record": (DOWN, new(S.RUNNING, RECORDED), TRIGGERED, Step.AWAIT_HANDOVER),
    "the guard is in the middle of the handover": (
        DOWN, new(S.RUNNING, RECORDED, boots=True), TRIGGERED, Step.AWAIT_HANDOVER
    ),
    "the guard died before the handover": (
        DOWN, new(S.RUNNING, RECORDED), Progress(is_guard_late=True), Step.HAND_OVER
    ),
    "there never was a guard": (DOWN, new(S.RUNNING, RECORDED), Progress(is_unguarded=True), Step.HAND_OVER),
    "the old one gave way": (GAVE_WAY, new(S.RUNNING, RECORDED, boots=True), TRIGGERED, Step.RETIRE),
    "it gave way, but still boots": (
        replace(GAVE_WAY, boots=True), new(S.RUNNING, RECORDED), TRIGGERED, Step.AWAIT_HANDOVER
    ),
    "the old one booted before the handover": (SERVES, new(S.STOPPED, RECORDED), TRIGGERED, Step.RESTAGE),
    "it booted once more": (SERVES, new(S.STOPPED, RECORDED), Progress(is_restaged=True), Step.DISCARD),
    "it booted, and the new one is not wanted": (SERVES, new(S.STOPPED, RECORDED), UNWANTED, Step.DISCARD),
    "nothing booted after a power cut": (DOWN, new(S.STOPPED, RECORDED), Progress(is_guard_late=True), Step.START),
    "nothing booted, and the new one does not start": (
        DOWN, new(S.STOPPED, RECORDED), replace(UNWANTED, is_guard_late=True), Step.RESTORE
    ),
    "nothing booted after the handover": (GAVE_WAY, new(S.STOPPED, RECORDED), TRIGGERED, Step.START),
    "the one that it was handed to does not start": (GAVE_WAY, new(S.STOPPED, RECORDED), UNWANTED, Step.END),
    "only the new one is left": (None, new(S.RUNNING, RECORDED, boots=True), TRIGGERED, Step.END),
    # in place
    "the pull is proven, and the guard is not": (SERVES, new(S.STOPPED, PROOF), IN_PLACE, Step.ARM),
    "the old one was down before, and the proof is never started": (
        DOWN, new(S.STOPPED, PROOF), IN_PLACE, Step.REPLACE
    ),
    "an earlier run armed a guard, and the old one is down": (
        DOWN, new(S.STOPPED, replace(PROOF, armed=1)), IN_PLACE, Step.REPLACE
    ),
    "the old one went meanwhile, and the proof is not the node": (
        None, new(S.STOPPED, PROOF), IN_PLACE, Step.REPLACE
    ),
    "the router is between the two": (None, None, replace(IN_PLACE, triggered=1), Step.AWAIT_SWAP),
    "the new one is there alone": (None, new(S.STOPPED), replace(IN_PLACE, triggered=1), Step.START),
    "what nobody proved gives its room": (None, None, Progress(is_alone=True), Step.STAGE),
    "what came instead is not wanted": (None, None, replace(UNWANTED, is_alone=True), Step.END),
    # on the way back
    "nothing was touched": (SERVES, None, UNWANTED, Step.END),
    "it is not wanted while its image comes": (SERVES, new(S.EXTRACTING), UNWANTED, Step.DISCARD),
    "the image is another one": (SERVES, new(S.STOPPED), UNWANTED, Step.DISCARD),
    "the guard is to go back": (DOWN, new(S.RUNNING, ARMED), UNWANTED, Step.ABORT),
    "the guard was told to go back": (DOWN, new(S.RUNNING, ABORTED), UNWANTED, Step.AWAIT_RETURN),
    "the guard went back by itself": (DOWN, new(S.STOPPING, WENT_BACK), Progress(), Step.AWAIT_RETURN),
    "the guard went back, and died over it": (
        DOWN, new(S.STOPPED, WENT_BACK), Progress(is_guard_late=True), Step.RESTORE
    ),
    "the guard died on its way back": (
        DOWN, new(S.STOPPED, ABORTED), replace(UNWANTED, is_guard_late=True), Step.RESTORE
    ),
    "there was no guard": (DOWN, new(S.RUNNING), UNWANTED, Step.RESTORE),
    "the old one is up again, and the guard watches it": (
        SERVES, new(S.STOPPED, WENT_BACK), Progress(), Step.AWAIT_RETURN
    ),
    "the old one is up again, and the guard died over it": (
        SERVES, new(S.STOPPED, WENT_BACK), Progress(is_guard_late=True), Step.DISCARD
    ),
    "the old one is back": (SERVES, new(S.STOPPED, IS_BACK), Progress(), Step.DISCARD),
    "the old one is back, and the new one still stops": (SERVES, new(S.STOPPING, ABORTED), UNWANTED, Step.AWAIT_RETURN),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "progress", "step"), STATES.values(), ids=STATES)
def test_the_next_step_follows_from_what_is_seen(
    old: Box | None, new: Box | None, progress: Progress, step: Step
) -> None:
    assert next_step(seen(World(old, new)), progress) is step


# every state

KINDS = {
    "it goes well": Kind(),
    "the image is bad": Kind(is_good=False),
    "no guard ever begins": Kind(guards_work=False),
    "the node does not boot": Kind(boots=False),
    "the node does not boot and the image is bad": Kind(boots=False, is_good=False),
}

everything = cache(reachable)
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@every_kind
def test_no_rule_is_broken_whatever_dies_at_whichever_moment(kind: Kind) -> None:
    assert len(everything(kind)) > (1000 if kind.guards_work else 50)


@every_kind
@pytest.mark.parametrize("guard", ["goes on", "is dead"])
def test_from_every_state_it_ends_with_the_one_proven_container(kind: Kind, guard: str) -> None:
    for world in everything(kind):
        if guard == "goes on":
            end = left_alone(world, kind)
        else:
            end = left_alone(replace(world, guard=None), replace(kind, guards_work=False))
        (left,) = (box for box in (end.old, end.new) if box is not None)
        assert left.tag.is_recorded, world
        assert left.boots is kind.boots, world
        assert left.is_up, world


def test_undisturbed_the_new_one_takes_the_place_of_the_old_one() -> None:
    start = World(SERVES, run=Run())
    assert left_alone(start, Kind()) == World(None, Box(S.RUNNING, RECORDED, boots=True))
    assert left_alone(start, Kind(is_good=False)) == World(Box(S.RUNNING, OLD, boots=True))
    assert left_alone(start, Kind(guards_work=False)) == World(Box(S.RUNNING, OLD, boots=True))


# what belongs to a swap


def row(number: int, comment: str, state: str = "stopped") -> dict[str, str]:
    return {"running": "false", state: "true", "id": f"*{number}", "comment": comment}


@pytest.mark.parametrize(
    ("comments", "old", "new"),
    [
        ([], None, None),
        ([str(OLD)], "*1", None),
        ([str(OLD), str(STAGED)], "*1", "*2"),
        ([str(OLD), str(RECORDED)], "*1", "*2"),
        ([str(RETIRED), str(RECORDED)], "*1", "*2"),
        ([str(RETIRED), str(OLD), str(STAGED)], "*2", "*3"),
        ([str(OLD), str(replace(STAGED, next_in="t9")), str(STAGED)], "*1", "*3"),
        ([str(OLD), "mtts:web v=1 tx=t1", "made by hand"], "*1", None),
    ],
    ids=["none", "one", "staged", "recorded", "handed over", "beside a leftover", "beside another swap", "strangers"],
)
def test_a_swap_is_found_by_its_tags(comments: list[str], old: str | None, new: str | None) -> None:
    found = seen_of(
        [a_container(**{".id": f"*{n}"}, comment=text) for n, text in enumerate(comments, 1)], "tailscale", "t1"
    )
    assert [one and one.id for one in (found.old, found.new)] == [old, new]


TAKEN: dict[str, tuple[Box, Progress, bool, Step]] = {
    "it was never started": (new(S.STOPPED, ARMED), READY, True, Step.DISCARD),
    "its image is on its way": (new(S.EXTRACTING), Progress(), True, Step.DISCARD),
    "a guard was told to swap": (new(S.STOPPED, ARMED), TRIGGERED, True, Step.ABORT),
    "a guard was told to go back": (new(S.RUNNING, ABORTED), TRIGGERED, False, Step.AWAIT_RETURN),
    "a guard goes back": (new(S.STOPPED, WENT_BACK), Progress(), True, Step.AWAIT_RETURN),
    "a guard went back": (new(S.STOPPED, IS_BACK), TRIGGERED, True, Step.DISCARD),
    "no guard is there": (new(S.RUNNING), replace(TRIGGERED, is_guard_late=True), False, Step.RESTORE),
    "it does not stop": (new(S.STOPPING), replace(TRIGGERED, is_guard_late=True), True, Step.RESTORE),
    "it was stopped from here": (new(S.STOPPED), replace(TRIGGERED, is_guard_late=True), True, Step.DISCARD),
    "it is recorded": (new(S.RUNNING, RECORDED), TRIGGERED, False, Step.END),
}
"""What somebody took for their own is left as they have it, whatever becomes of the new one."""


@pytest.mark.parametrize("name", TAKEN)
def test_what_nobody_proved_goes_where_somebody_took_the_old_one_for_their_own(name: str) -> None:
    box, progress, is_taken, step = TAKEN[name]
    theirs = a_container(comment="mine now")
    found = Seen(None, seen(World(None, box)).new, theirs)

    assert next_step(found, replace(progress, failure=WHY)) is step
    assert replace(found, theirs=replace(theirs, state=S.STOPPED)).is_taken is is_taken
    assert found.is_taken is (name != "it is recorded")


@pytest.mark.parametrize(
    ("comment", "lists", "is_theirs"),
    [
        ("mine now", "tailscale", True),
        ("", "web,tailscale", True),
        ("mtts:web v=1", "tailscale", True),
        ("mine now", "web", False),
        ("mine now", "", False),
        (str(OLD), "tailscale", False),
    ],
)
@pytest.mark.parametrize("word", ["mounts", "mountlists"])
def test_a_container_with_the_node_s_mounts_and_without_its_tag_is_somebody_s(
    comment: str, lists: str, word: str, *, is_theirs: bool
) -> None:
    staged = a_container(**{".id": "*2", word: "tailscale"}, comment=str(STAGED))
    found = seen_of([a_container(**{".id": "*1", word: lists}, comment=comment), staged], "tailscale", TX)
    assert (found.theirs is not None) is is_theirs


@pytest.mark.parametrize(
    ("failed", "code"),
    [
        ("unhealthy", "crash-loop"),
        ("stop-stuck", "stop-stuck"),
        ("unconfirmed", "swap-unconfirmed"),
        ("aborted", "swap-unconfirmed"),
    ],
)
def test_the_guard_s_mark_says_why_it_went_back(failed: str, code: str) -> None:
    problem = going_back(replace(STAGED, failed=failed))
    assert problem is not None
    assert problem.code == code
    assert going_back(STAGED) is None


def test_the_guard_s_mark_says_that_the_old_one_got_its_state_back() -> None:
    assert [said.code for said in state_restored(replace(IS_BACK, is_restored=True))] == ["state-restored"]
    assert state_restored(IS_BACK) == state_restored(None) == ()


def test_a_swap_has_begun_once_the_old_one_is_not_up() -> None:
    assert not Seen(None, None).is_swapped
    assert not seen(World(SERVES, new(S.STOPPED))).is_swapped
    assert seen(World(STOPPING, new(S.STOPPED))).is_swapped


@pytest.mark.parametrize(
    ("old", "staged", "awaits", "came_back"),
    [
        (SERVES, new(S.STOPPED), True, False),
        (SERVES, new(S.EXTRACTING), True, False),
        (SERVES, new(S.STOPPED, ARMED), True, False),
        (SERVES, new(S.STOPPED, WENT_BACK), False, False),
        (SERVES, new(S.STOPPED, ABORTED), False, False),
        (SERVES, new(S.STOPPED, RECORDED), False, True),
        (SERVES, new(S.STOPPED, RECORDED, boots=True), False, True),
        (SERVES, new(S.STOPPED, replace(RECORDED, in_ram=True)), False, False),
        (SERVES, new(S.RUNNING, RECORDED), False, False),
        (DOWN, new(S.STOPPED), False, False),
        (DOWN, new(S.STOPPED, RECORDED), False, False),
        (GAVE_WAY.now(S.RUNNING), new(S.STOPPED, RECORDED), False, False),
        (None, new(S.STOPPED, RECORDED), False, False),
        (SERVES, None, False, False),
    ],
)
def test_an_attempt_that_would_interrupt_what_serves_waits_for_its_turn(
    old: Box | None, staged: Box | None, *, awaits: bool, came_back: bool
) -> None:
    shown = seen(World(old, staged))
    assert (shown.awaits_turn, shown.came_back) == (awaits, came_back)
