"""Sectors written, out of counters that reset, wrap, lie or are absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.wear import Wear, measure_wear
from tests.core.ledgers import DAY_S, START_S, a_sample

Counters = tuple[float, int | None, int | None, float]
"""Day, `write-sect-total`, `write-sect-since-reboot`, uptime in days."""


def wear_of(*counters: Counters) -> Wear:
    return measure_wear(
        [
            a_sample(day, write_sectors_total=total, write_sectors_since_reboot=since, uptime_s=uptime * DAY_S)
            for day, total, since, uptime in counters
        ]
    )


@pytest.mark.parametrize(
    ("counters", "sectors"),
    [
        pytest.param([(0, 500, 10, 1), (1, 800, 310, 2)], 300, id="the lifetime counter is believed first"),
        pytest.param([(0, 500, 90, 9), (1, 800, 5, 0.1)], 300, id="a reboot does not touch the lifetime counter"),
        pytest.param([(0, 2**32 - 100, 1, 1), (1, 50, 151, 2)], 150, id="the lifetime counter wraps at 32 bits"),
        pytest.param([(0, 2**40, 1, 1), (1, 2**40 + 7, 8, 2)], 7, id="a counter of more than 32 bits goes on"),
        pytest.param([(0, None, 10, 1), (1, None, 45, 2)], 35, id="without it the one since boot serves"),
        pytest.param([(0, None, 90, 9), (1, None, 40, 0.5)], 40, id="that one begins again at a boot"),
        pytest.param([(0, None, 10, 0.01), (9, None, 700, 8)], 700, id="a boot shows in too short an uptime too"),
        pytest.param([(0, None, 90, 9), (1, None, 40, 10)], 40, id="a fallen count is a boot whatever uptime says"),
        pytest.param([(0, None, None, 1), (1, None, None, 2)], None, id="absent counters say nothing"),
        pytest.param([(0, 5, 5, 1)], None, id="one sample says nothing"),
        pytest.param([(0, 500, 1, 1), (1, 200, 2, 2), (2, 260, 3, 3)], 60, id="a counter that went back begins anew"),
        pytest.param([(0, 500, 1, 1), (1, 0, 2, 2), (2, 560, 3, 3)], 60, id="a lone zero is skipped"),
        pytest.param([(0, 500, 1, 1), (90, 2**32 - 1, 2, 2), (91, 560, 3, 3)], 60, id="a lone absurd value is skipped"),
        pytest.param([(0, 500, 1, 1), (1, 2**31, 2, 2)], None, id="an absurd jump at the end is left out"),
        pytest.param([(0, -5, 1, 1), (1, 7, 2, 2), (2, 9, 3, 3)], 2, id="a negative count is left out"),
        pytest.param([(0, 5, 5, 1), (1, None, 9, 2), (2, 20, 14, 3)], 9, id="each pair uses what both have"),
    ],
)
def test_sectors_are_counted(counters: list[Counters], sectors: int | None) -> None:
    assert wear_of(*counters).sectors == sectors


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        ([(0, 500, 1, 1), (1, 200, 2, 2)], "went back from 500 to 200; not counted"),
        ([(0, 500, 1, 1), (1, 2**31, 2, 2)], f"rose by {2**31 - 500}, more than any flash takes in that time"),
        ([(0, 500, 1, 1), (1, 0, 2, 2), (2, 560, 3, 3)], "was back at the next sample; not counted"),
        ([(0, -5, 1, 1), (1, 7, 2, 2)], "negative"),
        ([(0, None, None, 1), (1, None, None, 2)], "does not count"),
        ([(0, None, 90, 9), (1, None, 40, 0.5)], "booted meanwhile"),
    ],
)
def test_what_is_left_out_is_said(counters: list[Counters], said: str) -> None:
    (note,) = wear_of(*counters).notes
    assert said in note


def test_believable_counters_leave_nothing_to_say() -> None:
    assert wear_of((0, 5, 5, 1), (1, 9, 9, 2)).notes == ()


def test_a_day_is_told_of_half_a_day_and_more_only() -> None:
    assert wear_of((0, 0, 0, 1), (0.4, 100, 0, 2)).per_day is None
    assert wear_of((0, 0, 0, 1), (0.5, 100, 0, 2)).per_day == pytest.approx(200)


def test_time_that_was_not_counted_does_not_thin_out_the_daily_figure() -> None:
    wear = wear_of((0, 1000, 0, 1), (1, 1100, 0, 2), (9, 40, 0, 3), (10, 140, 0, 4))
    assert (wear.sectors, wear.counted_s, wear.per_day) == (200, 2 * DAY_S, 100)


def test_a_stretch_is_told_only_where_all_of_it_was_counted() -> None:
    wear = wear_of((0, 100, 0, 1), (1, 150, 0, 2), (2, 20, 0, 3), (3, 40, 0, 4))
    day = [START_S + each * DAY_S for each in range(4)]
    assert wear.between(day[0], day[1]) == 50
    assert wear.between(day[0], day[3]) is None
    assert wear.between(day[2], day[3]) == 20
    assert wear.between(day[0] + 1, day[1]) is None


@given(st.lists(st.integers(0, 5_000_000), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_any_sequence_of_writes_is_counted_to_the_sector_across_wraps(written: list[int], begin: int) -> None:
    totals = [begin]
    for sectors in written:
        totals.append((totals[-1] + sectors) % 2**32)
    wear = wear_of(*((float(day), total, None, 1.0 + day) for day, total in enumerate(totals)))
    assert (wear.sectors, wear.notes) == (sum(written), ())


@given(
    st.lists(
        st.tuples(st.none() | st.integers(-5, 2**33), st.none() | st.integers(-5, 2**33), st.floats(0, 1000)),
        max_size=12,
    )
)
def test_no_counters_make_the_figures_negative_or_fail(counters: list[tuple[int | None, int | None, float]]) -> None:
    wear = wear_of(*((float(day), *each) for day, each in enumerate(counters)))
    assert (wear.sectors or 0) >= 0
    assert (wear.per_day or 0) >= 0
