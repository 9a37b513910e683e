"""What runs cost, what is left, how many updates fit, and what is warned of."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from mtts.core.flash import Moment, staging_peak_bytes
from mtts.core.flash_forecast import Bound
from mtts.core.flash_history import FlashHistory, flash_histories
from mtts.core.image import Platform
from mtts.core.inventory import FlashPolicy, Router
from mtts.core.ledger import KnownRelease, RecordedSample
from tests.core.examples import MIB, a_node, a_router, digest
from tests.core.ledgers import DAY_S, START_S, a_change, a_known_release, a_report

KIB = 1024
SAME_SIZE = (a_known_release("a"), a_known_release("b"))
UNSETTLED = (Moment.BEFORE, Moment.STAGED, Moment.COMMITTED)


def history(
    *records: RecordedSample | Iterable[RecordedSample],
    releases: Iterable[KnownRelease] = SAME_SIZE,
    router: Router | None = None,
    now_day: float = 30,
    since_day: float = 0,
) -> FlashHistory:
    flat = [record for each in records for record in ([each] if isinstance(each, RecordedSample) else each)]
    flat.sort(key=lambda record: record.sample.taken_s)
    now_s, since_s = START_S + now_day * DAY_S, START_S + since_day * DAY_S
    (made,) = flash_histories([router or a_router()], flat, list(releases), now_s=now_s, since_s=since_s)
    return made


def codes(found: FlashHistory) -> list[str]:
    return [problem.code for problem in found.warnings]


def test_a_router_without_samples_has_an_empty_history() -> None:
    found = history()
    assert (found.last, found.runs, found.wear.sectors, found.total_delta_bytes) == (None, (), None, None)
    assert (found.forecast.updates, found.forecast.bound, codes(found)) == (None, Bound.UNKNOWN, [])


def test_histories_come_in_the_order_of_the_routers_and_hold_only_their_own_samples() -> None:
    routers = [a_router(name="b"), a_router(name="a")]
    records = [a_report(1, router="a"), a_report(2, router="b"), a_report(3, router="gone")]
    found = flash_histories(routers, records, [], now_s=START_S)
    assert [(each.router, len(each.samples)) for each in found] == [("b", 1), ("a", 1)]


def test_a_run_costs_what_is_missing_once_all_is_written() -> None:
    (run,) = history(a_change(1, before=20 * MIB, used=300 * KIB, staged=9 * MIB)).runs
    assert (run.before.free_bytes, run.after.free_bytes, run.delta_bytes) == (
        20 * MIB,
        20 * MIB - 300 * KIB,
        -300 * KIB,
    )
    assert run.is_settled


def test_a_run_with_one_sample_changed_nothing() -> None:
    assert history(a_change(1, moments=(Moment.BEFORE,))).runs == ()


def test_a_run_whose_beginning_is_not_on_record_is_left_out() -> None:
    assert history(a_change(1, used=MIB)[1:]).runs == ()


def test_a_history_begins_where_it_is_asked_to_and_with_whole_runs() -> None:
    found = history(a_change(1), a_change(2), a_report(3), since_day=2 - 1e-9)
    assert (len(found.runs), len(found.samples)) == (1, 5)
    cut = history(a_change(1), a_change(2), a_report(3), since_day=2 + 1e-9)
    assert (len(cut.runs), len(cut.samples)) == (0, 4)


def test_what_a_router_did_not_say_has_no_cost() -> None:
    (run,) = history(a_change(1, before=None)).runs
    assert (run.delta_bytes, run.unexplained_bytes, run.is_leak) == (None, None, False)


@pytest.mark.parametrize(
    ("result", "sizes", "expected"),
    [
        ({}, (9 * MIB, 9 * MIB + 70 * KIB), 70 * KIB),
        ({}, (9 * MIB, 8 * MIB), -MIB),
        ({}, (9 * MIB, None), None),
        ({"to_digest": None}, (9 * MIB, 9 * MIB), None),
        ({"to_digest": digest("a")}, (None, None), 0),
        ({"outcome": "kept-old"}, (None, None), 0),
        ({"outcome": "rolled-back"}, (9 * MIB, 10 * MIB), 0),
        ({"outcome": "deployed", "from_digest": None}, (9 * MIB, 9 * MIB), None),
        ({"outcome": "unknown"}, (9 * MIB, 10 * MIB), None),
    ],
)
def test_a_run_may_cost_what_its_releases_differ_in_size(
    result: dict[str, Any], sizes: tuple[int | None, int | None], expected: int | None
) -> None:
    releases = [a_known_release(name, size) for name, size in zip("ab", sizes, strict=True) if size is not None]
    (run,) = history(a_change(1, **result), releases=releases).runs
    assert run.expected_bytes == expected


@pytest.mark.parametrize(
    ("used", "grew", "leaks"),
    [
        (0, 0, False),
        (16 * KIB, 0, False),
        (16 * KIB + 1, 0, True),
        (MIB + 16 * KIB, MIB, False),
        (MIB + 16 * KIB + 1, MIB, True),
        (-MIB, -MIB, False),
        (0, -MIB, True),
        (-5 * MIB, 0, False),
    ],
)
def test_a_leak_is_what_sizes_and_sixteen_kib_do_not_explain(used: int, grew: int, leaks: bool) -> None:
    found = history(a_change(1, used=used), releases=[a_known_release("a"), a_known_release("b", 9 * MIB + grew)])
    assert ("flash-leak" in codes(found)) is leaks
    assert found.runs[0].is_leak is leaks


def test_what_was_not_settled_is_no_leak_and_is_said() -> None:
    found = history(a_change(1, used=MIB, moments=UNSETTLED))
    assert codes(found) == []
    assert found.notes == ("1 of 1 runs have no settled sample: their cost is not final",)


def test_a_leak_of_little_at_a_time_adds_up() -> None:
    changes = [a_change(day, before=20 * MIB - day * 9 * KIB, used=9 * KIB) for day in (1, 2)]
    found = history(*changes)
    assert [run.is_leak for run in found.runs] == [False, False]
    (warning,) = found.warnings
    assert warning.message.startswith("2 runs together left 18.0 KiB less free")


def test_space_that_came_back_is_no_leak_any_more() -> None:
    leaked = a_change(1, used=100 * KIB)
    assert codes(history(leaked)) == ["flash-leak"]
    assert codes(history(leaked, a_change(2, before=20 * MIB - 100 * KIB, used=-100 * KIB))) == []


def test_space_that_a_later_report_found_again_is_no_leak_either() -> None:
    leaked = a_change(1, used=100 * KIB)
    assert codes(history(leaked, [a_report(2, free_bytes=20 * MIB)])) == []
    assert codes(history(leaked, [a_report(2, free_bytes=20 * MIB - 100 * KIB)])) == ["flash-leak"]


def test_a_failed_update_that_left_something_behind_is_a_leak() -> None:
    found = history(a_change(1, used=9 * MIB, outcome="kept-old"), releases=[])
    assert codes(found) == ["flash-leak"]


def test_nodes_of_one_run_share_it_and_each_is_measured_up_to_the_next() -> None:
    first = a_change(1, before=20 * MIB, used=100 * KIB, moments=UNSETTLED, node="one")
    second = a_change(1.001, before=20 * MIB - 100 * KIB, used=50 * KIB, node="two")
    run = first[0].run
    settled = replace(first[0], sample=second[-1].sample)
    found = history(first, [replace(record, run=run) for record in second], settled)
    (cost,) = found.runs
    assert cost.delta_bytes == -150 * KIB
    assert [(change.result.node, change.delta_bytes) for change in cost.changes] == [
        ("one", -100 * KIB),
        ("two", -50 * KIB),
    ]
    assert len(found.samples) == 7


@pytest.mark.parametrize(
    ("free", "warned"), [(20 * MIB, False), (MIB + staging_peak_bytes(9 * MIB), False), (10 * MIB, True)]
)
def test_the_floor_is_the_reserve_with_the_next_release_beside(free: int, warned: bool) -> None:
    found = history(a_change(1), a_report(2, free_bytes=free))
    assert ("flash-near-floor" in codes(found)) is warned


def test_with_sizes_unknown_the_floor_is_the_reserve_alone() -> None:
    assert codes(history(a_report(1, free_bytes=MIB), releases=[])) == []
    assert codes(history(a_report(1, free_bytes=MIB - 1), releases=[])) == ["flash-near-floor"]


@pytest.mark.parametrize(
    ("storage", "is_internal"),
    [
        ("auto", True),
        ("flash", True),
        ("/flash/mtts/", True),
        ("flash2", False),
        ("flash2/mtts", False),
        ("usb1", False),
    ],
)
def test_which_storage_is_the_flash_is_told_by_the_first_part_of_its_path(storage: str, is_internal: bool) -> None:
    found = history(a_report(1), router=a_router(storage=storage))
    assert (found.forecast.staged_bytes != 0) is is_internal


def test_a_node_on_another_disk_needs_no_room_on_the_flash() -> None:
    on_usb = history(a_report(1, free_bytes=2 * MIB), router=a_router(storage="usb1"))
    assert (on_usb.forecast.staged_bytes, codes(on_usb)) == (0, [])
    deployed = a_change(1, before=2 * MIB, used=8 * KIB, outcome="deployed", from_digest=None)
    assert history(deployed).forecast.staged_bytes == 0
    assert history(deployed, a_change(2, before=2 * MIB)).forecast.staged_bytes == 0
    on_flash = a_change(1, used=9 * MIB, outcome="deployed", from_digest=None)
    assert history(on_flash, a_change(2)).forecast.staged_bytes == staging_peak_bytes(9 * MIB)


@pytest.mark.parametrize(
    ("changes", "updates", "bound"),
    [
        ([], 1, Bound.AT_LEAST),
        (a_change(1, moments=UNSETTLED, used=KIB), 1, Bound.AT_LEAST),
        (a_change(1, used=0), None, Bound.UNLIMITED),
        (a_change(1, used=-KIB), None, Bound.UNLIMITED),
        (a_change(1, used=100 * KIB), 1 + 9, Bound.ABOUT),
        ([*a_change(1, used=100 * KIB), *a_change(1.5, used=300 * KIB)], 1 + 4, Bound.ABOUT),
    ],
)
def test_updates_fit_as_long_as_the_next_one_has_room(
    changes: list[RecordedSample], updates: int | None, bound: Bound
) -> None:
    room = 999 * KIB
    expected = history(changes, a_report(2, free_bytes=MIB + staging_peak_bytes(9 * MIB) + room)).forecast
    assert (expected.updates, expected.bound) == (updates, bound)


def test_no_update_fits_where_the_next_one_has_no_room() -> None:
    expected = history(a_change(1), a_report(2, free_bytes=9 * MIB)).forecast
    assert (expected.updates, expected.bound) == (0, Bound.ABOUT)


def test_nothing_is_foretold_where_no_size_is_known() -> None:
    expected = history(a_report(1), releases=[]).forecast
    assert (expected.staged_bytes, expected.updates, expected.bound) == (None, None, Bound.UNKNOWN)


def test_what_staging_took_stands_in_for_an_unknown_size() -> None:
    expected = history(a_change(1, staged=5 * MIB), releases=[]).forecast
    assert expected.staged_bytes == staging_peak_bytes(5 * MIB)


def test_the_next_release_is_the_newest_for_the_routers_own_platform() -> None:
    amd64 = Platform.parse("linux/amd64")
    releases = [
        *SAME_SIZE,
        a_known_release("c", 11 * MIB),
        a_known_release("d", 30 * MIB, platform=amd64),
        a_known_release("e", 40 * MIB, image="registry.example.net/other"),
    ]
    assert history(a_change(1), releases=releases).forecast.staged_bytes == staging_peak_bytes(11 * MIB)
    assert history(a_report(1), releases=releases).forecast.staged_bytes == staging_peak_bytes(30 * MIB)


def test_the_node_that_needs_most_decides() -> None:
    router = a_router(a_node(name="tailscale"), a_node(name="web"))
    releases = [*SAME_SIZE, a_known_release("c", 12 * MIB)]
    found = history(a_change(1), a_change(2, node="web", to_digest=digest("c")), releases=releases, router=router)
    assert found.forecast.staged_bytes == staging_peak_bytes(12 * MIB)


def test_a_budget_counts_releases_written_in_the_last_thirty_days() -> None:
    router = a_router(flash=FlashPolicy(budget_per_month=2))
    old, *recent = [a_change(day) for day in (1, 35, 36, 37)]
    assert codes(history(old, *recent[:2], router=router, now_day=40)) == []
    assert codes(history(*recent, router=router, now_day=40, since_day=36.5)) == ["flash-budget-exceeded"]
    (warning,) = history(old, *recent, router=router, now_day=40).warnings
    assert warning.message == "3 releases written in the last 30 days; the budget is 2"


def test_a_failed_update_counts_against_the_budget_once_it_was_staged() -> None:
    router = a_router(flash=FlashPolicy(budget_per_month=0))
    assert codes(history(a_change(20, outcome="kept-old"), router=router)) == ["flash-budget-exceeded"]
    early = a_change(20, outcome="refused", moments=(Moment.BEFORE, Moment.SETTLED))
    assert codes(history(early, router=router)) == []
    assert codes(history(a_change(20, outcome="deployed"), router=router)) == []


def test_bad_blocks_are_warned_of_with_where_they_came_from() -> None:
    (steady,) = history(a_report(1, bad_blocks_percent=2), a_report(2, bad_blocks_percent=2)).warnings
    assert steady.message == "2 % of the flash's blocks are bad"
    (rising,) = history(a_report(1), a_report(2, bad_blocks_percent=2)).warnings
    assert (rising.code, rising.message) == (
        "flash-bad-blocks",
        "2 % of the flash's blocks are bad, 0 % on 2026-09-22",
    )
    assert codes(history(a_report(1, bad_blocks_percent=None))) == []


def test_what_was_written_during_our_runs_is_told_from_the_rest() -> None:
    change = a_change(1)
    rising = [
        replace(record, sample=replace(record.sample, write_sectors_total=50_100 + index * 10))
        for index, record in enumerate(change)
    ]
    found = history(a_report(0, write_sectors_total=50_000), rising, a_report(2, write_sectors_total=50_500))
    assert (found.wear.sectors, found.own_sectors) == (500, 30)
    assert found.sectors_of(found.runs[0]) == 30
