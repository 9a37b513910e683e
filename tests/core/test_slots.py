"""Which container is the node: what is recorded wins, and of two records the one that is up."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.changes import AwaitHealthy, Change, Remove, Start, Stop
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, container_label
from mtts.core.slots import Slots, bridge_down, clearing, other_slot, ram_root, removals, serving, slots_of, starting
from tests.core.examples import a_container, digest

RECORD = f"mtts:tailscale v=1.90.1 platform={digest('2')}"
UNPROVEN = "mtts:tailscale"
STAGED = f"mtts:tailscale v=1.92.0 platform={digest('b')}"


def _row(number: int, comment: str, state: str = "running") -> ContainerRow:
    row = {"running": "false", state: "true", ".id": f"*{number:X}", "comment": comment}
    return a_container(**row, name=f"c{number}", root_dir=f"/mtts/root/tailscale/{'ab'[number % 2]}{number}")


def _found(rows: Sequence[ContainerRow]) -> Slots:
    slots = slots_of(rows, "tailscale")
    assert isinstance(slots, Slots)
    return slots


rows = st.lists(
    st.tuples(
        st.sampled_from(
            [RECORD, UNPROVEN, f"{STAGED} next=t1", "mtts:tailscale adopted", "mtts:web v=1", "made on a Sunday", ""]
        ),
        st.sampled_from(["running", "stopped", "starting", "stopping", "deleting", "download/extract failed"]),
    ),
    max_size=5,
).map(lambda found: [_row(number, *kind) for number, kind in enumerate(found, 1)])


@given(rows)
def test_one_at_most_is_the_node_and_all_that_is_ours_is_accounted_for(containers: list[ContainerRow]) -> None:
    slots = slots_of(containers, "tailscale")
    mine = [row for row in containers if row.tag is not None and row.tag.node == "tailscale"]
    recorded = [row for row in mine if row.tag is not None and row.tag.is_recorded]

    if isinstance(slots, Problem):
        assert slots.code == "duplicate-node"
        assert len(mine) > 1
        assert recorded == []
        return
    assert sorted([*slots.leftovers, *([slots.live] if slots.live else [])], key=str) == sorted(mine, key=str)
    if recorded:
        assert slots.live in recorded, "a record loses to none"
    if any(row.is_up for row in recorded):
        assert slots.live is not None
        assert slots.live.is_up, "of those recorded, one that is up serves"


@given(rows)
def test_clearing_touches_what_is_ours_alone_and_never_the_one_that_serves(containers: list[ContainerRow]) -> None:
    slots = slots_of(containers, "tailscale")
    if isinstance(slots, Problem):
        return
    changes = list(clearing(slots))
    touched = {_root(change) for change in changes}
    assert touched <= {row.root_dir for row in containers if row.tag is not None and row.tag.node == "tailscale"}
    live_root = slots.live.root_dir if slots.live else None
    assert {_root(change) for change in changes if isinstance(change, Remove)} == {
        row.root_dir for row in slots.leftovers
    }
    if slots.live is not None and slots.live.is_up:
        assert live_root not in touched
    starts = [change for change in changes if isinstance(change, Start)]
    assert all(_root(start) == live_root for start in starts), "nothing unproven is ever started"
    for start in starts:
        earlier = changes[: changes.index(start)]
        for row in slots.leftovers:
            if row.is_up:
                assert any(isinstance(change, Stop) and change.root_dir == row.root_dir for change in earlier), "I5"


def _root(change: Change) -> str:
    return change.identity["root-dir"] if isinstance(change, Remove) else getattr(change, "root_dir", "")


def test_of_two_records_that_are_both_down_the_one_added_last_is_the_node() -> None:
    slots = _found([_row(0x9, RECORD, "stopped"), _row(0x10, RECORD, "stopped")])
    assert slots.live is not None
    assert slots.live.id == "*10", "ids are hexadecimal"


def test_a_single_container_without_a_record_is_the_node() -> None:
    slots = _found([_row(1, UNPROVEN)])
    assert slots.live is not None
    assert slots.leftovers == ()


def test_several_without_a_record_are_named() -> None:
    problem = slots_of([_row(1, UNPROVEN), _row(2, UNPROVEN)], "tailscale")
    assert isinstance(problem, Problem)
    assert "tailscale-b1, tailscale-a2" in problem.message


def test_no_container_is_no_node() -> None:
    assert slots_of([_row(1, "mtts:web v=1")], "tailscale") == Slots(None)


@pytest.mark.parametrize(
    ("root_dir", "other"),
    [
        ("mtts/root/tailscale/a", "b"),
        ("mtts/root/tailscale/b", "a"),
        ("flash/mtts/root/tailscale/a", "b"),
        ("usb1/mtts/root/web/b", "a"),
        ("tailscale-root", "a"),
        ("containers/a", "a"),
        ("", "a"),
    ],
)
def test_the_other_slot_is_the_one_that_is_free(root_dir: str, other: str) -> None:
    assert other_slot(root_dir) == other


def test_a_node_that_is_down_is_started_after_its_successor_was_stopped_and_before_that_is_removed() -> None:
    old, new = _row(1, RECORD, "stopped"), _row(2, UNPROVEN)
    kinds = [(type(change), _root(change)) for change in clearing(_found([old, new]))]
    assert kinds == [
        (Stop, new.root_dir),
        (Start, old.root_dir),
        (AwaitHealthy, old.root_dir),
        (Remove, new.root_dir),
    ]


def test_what_is_up_is_left_alone() -> None:
    assert list(serving(_found([_row(1, RECORD)]))) == []


@pytest.mark.parametrize(
    ("comments", "open_"),
    [
        ([], None),
        ([RECORD], None),
        ([f"{RECORD} tx=t1"], None),
        ([RECORD, UNPROVEN], None),
        ([RECORD, f"{STAGED} next=t1"], "t1"),
        ([RECORD, f"{STAGED} next=t1", f"{STAGED} next=t2"], "t2"),
        ([f"{STAGED} next=t2", RECORD], "t2"),
        ([RECORD, f"{RECORD} tx=t1"], "t1"),
        ([f"{RECORD} tx=t1", f"{RECORD} tx=t2"], "t2"),
        ([UNPROVEN, f"{RECORD} tx=t1"], None),
        ([f"{RECORD} tx=t1", f"{STAGED} next=t2"], "t2"),
    ],
    ids=[
        "no node", "one that was set up", "one that an update brought", "one that belongs to no swap",
        "staged", "staged twice", "staged in an entry that was added first", "confirmed beside the old one",
        "confirmed beside one that was confirmed", "retired but not removed", "staged after an earlier swap",
    ],
)  # fmt: skip
def test_a_swap_is_open_from_the_staged_entry_to_the_handover(comments: list[str], open_: str | None) -> None:
    found = _found([_row(number, comment) for number, comment in enumerate(comments, 1)])
    assert found.open_transaction == open_


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ("running", [Stop, Start, AwaitHealthy]),
        ("stopping", [Stop, Start, AwaitHealthy]),
        ("stopped", [Start, AwaitHealthy]),
    ],
)
def test_a_start_begins_with_a_stop_where_something_is_left_to_stop(state: str, kinds: list[type]) -> None:
    assert [type(change) for change in starting(_row(1, RECORD, state), "why")] == kinds


def test_nothing_is_removed_where_nothing_is_left() -> None:
    assert list(removals(())) == []


def test_a_container_in_memory_is_called_by_its_node() -> None:
    assert container_label(ram_root("web", "b")) == "web-ram"
    assert container_label("flash/mtts/root/web/b") == "web-b"
    assert container_label("usb1/mtts-tmp/bridge/web/b") is None


@pytest.mark.parametrize(
    ("rows", "is_down", "in_service"),
    [
        ([(f"{RECORD} ram", "running")], False, 1),
        ([(f"{RECORD} ram", "stopped")], True, 1),
        ([(f"{RECORD} ram", "running"), (f"{STAGED} next=t1", "stopped")], False, 1),
        ([(f"{RECORD} ram", "stopped"), (f"{STAGED} next=t1", "running")], True, 2),
        ([(f"{RECORD} ram", "stopped"), (f"{STAGED} next=t1", "stopped")], True, 1),
        ([(f"{RECORD} ram", "stopped"), (f"{STAGED} tx=t1", "running")], False, 2),
        ([(RECORD, "stopped"), (f"{STAGED} next=t1", "running")], False, 1),
    ],
    ids=[
        "over the bridge", "lost in a restart", "about to leave the bridge", "brought back by the router",
        "on its way back", "verified on the flash", "in the middle of a swap on the flash",
    ],
)  # fmt: skip
def test_a_container_that_was_lost_with_the_memory_is_not_what_does_the_work(
    rows: list[tuple[str, str]], *, is_down: bool, in_service: int
) -> None:
    found = _found([_row(number, *row) for number, row in enumerate(rows, 1)])
    assert found.is_bridge_down is is_down
    assert found.in_service is not None
    assert found.in_service.label == f"tailscale-{'ab'[in_service % 2]}{in_service}"


def test_a_bridge_that_is_down_is_mended_by_whatever_settles_its_update() -> None:
    lost = _row(1, f"{RECORD} ram", "stopped")
    alone, beside = _found([lost]), _found([lost, _row(2, f"{STAGED} next=t1")])
    hints = [bridge_down("router1", "tailscale", slots).hint for slots in (alone, beside)]
    assert hints == ["mtts update router1", "once no run is at work on router1: mtts resume router1"]
