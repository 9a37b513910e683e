"""A rollout: who is next, and when it ends, whatever the routers do."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.outcome import EXIT_ROLLOUT_STOPPED, NodeResult, Outcome, exit_code
from mtts.core.rollout import (
    FAILURES,
    Finished,
    Rollout,
    Share,
    Stopped,
    Wave,
    leave_out,
    next_wave,
    parse_serial,
    waiting_after,
)

UPDATED, BROKEN, KEPT_OLD = Outcome.UPDATED, Outcome.BROKEN, Outcome.KEPT_OLD


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def results(router: str, *outcomes: Outcome) -> tuple[NodeResult, ...]:
    return tuple(NodeResult(router, f"n{number}", outcome) for number, outcome in enumerate(outcomes))


def play(
    rollout: Rollout, routers: Sequence[str], outcomes: Callable[[str], Sequence[Outcome]]
) -> tuple[list[Wave], Stopped | Finished]:
    """Every wave, and how it ended."""
    done: list[Wave] = []
    for _ in range(len(routers) + 1):
        match next_wave(rollout, routers, done):
            case Wave() as wave:
                came = [result for router in wave.routers for result in results(router, *outcomes(router))]
                done.append(replace(wave, results=tuple(came)))
            case end:
                return done, end
    raise AssertionError("it goes on without end")


def sizes(waves: Sequence[Wave]) -> list[int]:
    return [len(wave.routers) for wave in waves]


@pytest.mark.parametrize(
    ("rollout", "count", "expected"),
    [
        (Rollout(), 0, []),
        (Rollout(), 1, [1]),
        (Rollout(), 10, [1, 9]),
        (Rollout(canary=0), 10, [10]),
        (Rollout(canary=3), 10, [3, 7]),
        (Rollout(canary=20), 10, [10]),
        (Rollout(serial=parse_serial("1,10%,100%")), 40, [1, 1, 4, 34]),
        (Rollout(canary=0, serial=parse_serial("2,3")), 12, [2, 3, 3, 3, 1]),
        (Rollout(canary=0, serial=parse_serial("10%")), 5, [1, 1, 1, 1, 1]),
    ],
)
def test_waves_where_all_goes_well(rollout: Rollout, count: int, expected: list[int]) -> None:
    waves, end = play(rollout, names(count), lambda _: [UPDATED])
    assert sizes(waves) == expected
    assert end == Finished()


@pytest.mark.parametrize("outcome", sorted(FAILURES))
def test_the_first_failure_ends_a_rollout_unless_more_may_fail(outcome: Outcome) -> None:
    waves, end = play(Rollout(), names(10), lambda _: [outcome])
    assert sizes(waves) == [1]
    assert end == Stopped(("r0",), 0)


@pytest.mark.parametrize(("max_fail", "waves_run"), [("1", 2), ("10%", 2), ("0%", 1), ("9%", 1), ("100%", 10)])
def test_a_budget_is_used_up_before_a_rollout_ends(max_fail: str, waves_run: int) -> None:
    rollout = Rollout(canary=0, serial=(Share(1),), max_fail=Share.parse(max_fail))
    waves, _ = play(rollout, names(10), lambda _: [BROKEN])
    assert len(waves) == waves_run


@pytest.mark.parametrize("outcome", sorted({*Outcome} - FAILURES - {UPDATED}))
def test_a_canary_that_proved_nothing_is_followed_by_another_one(outcome: Outcome) -> None:
    waves, end = play(Rollout(), names(10), lambda router: [UPDATED] if router == "r3" else [outcome])
    assert [wave.is_canary for wave in waves] == [True, True, True, True, False]
    assert sizes(waves) == [1, 1, 1, 1, 6]
    assert end == Finished()


def test_a_router_with_several_nodes_counts_once() -> None:
    waves, end = play(Rollout(canary=2, max_fail=Share(1)), names(5), lambda _: [BROKEN, BROKEN])
    assert sizes(waves) == [2]
    assert end == Stopped(("r0", "r1"), 1)


def test_a_router_where_one_node_failed_is_no_proof() -> None:
    rollout = Rollout(max_fail=Share(1))
    waves, _ = play(rollout, names(5), lambda router: [UPDATED, BROKEN] if router == "r0" else [UPDATED])
    assert sizes(waves) == [1, 1, 3]


def test_routers_that_were_skipped_are_not_handed_out_again() -> None:
    done = [Wave(("r0",), is_canary=True)]
    assert next_wave(Rollout(), names(3), done) == Wave(("r1",), is_canary=True)


def test_who_is_left_is_told_how_many_failed_and_how_many_may() -> None:
    waits = NodeResult("r9", "tailscale", Outcome.NO_OP, from_version="1", to_version="2", changes_pending=True)
    current = NodeResult("r9", "second", Outcome.NO_OP, to_version="2")
    left = leave_out([waits, current], Stopped(("r0", "r1", "r2", "r3"), 3))
    assert [(result.node, result.outcome, result.to_version) for result in left] == [
        ("tailscale", Outcome.REFUSED, "1"),
        ("second", Outcome.NO_OP, "2"),
    ]
    problem = left[0].problem
    assert problem is not None
    assert problem.code == "rollout-stopped"
    assert "4 failed (r0, r1, r2, …)" in problem.message
    assert "more than 3" in problem.message
    assert exit_code([*left, *results("r0", BROKEN)]) == EXIT_ROLLOUT_STOPPED


shares = st.builds(Share, st.integers(0, 20)) | st.builds(Share, st.integers(0, 100), st.just(value=True))
rollouts = st.builds(
    Rollout,
    canary=st.integers(0, 5),
    serial=st.lists(shares, min_size=1, max_size=4).map(tuple),
    max_fail=shares,
)
fleets = st.lists(st.lists(st.sampled_from(Outcome), max_size=3), max_size=30)


@given(rollouts, fleets)
def test_each_router_has_its_turn_once_in_order_unless_the_rollout_is_stopped(
    rollout: Rollout, fleet: list[list[Outcome]]
) -> None:
    routers = names(len(fleet))
    waves, end = play(rollout, routers, lambda router: fleet[routers.index(router)])
    begun = [router for wave in waves for router in wave.routers]
    assert [*begun, *waiting_after(routers, waves)] == routers
    if end == Finished():
        assert begun == routers
    else:
        assert waiting_after(routers, waves)


@given(rollouts, fleets)
def test_no_wave_begins_once_more_failed_than_may(rollout: Rollout, fleet: list[list[Outcome]]) -> None:
    routers = names(len(fleet))
    waves, end = play(rollout, routers, lambda router: fleet[routers.index(router)])
    failed = [
        sum(any(outcome in FAILURES for outcome in fleet[routers.index(router)]) for router in wave.routers)
        for wave in waves
    ]
    budget = rollout.max_fail.of(len(routers))
    assert sum(failed[:-1]) <= budget
    assert sum(failed) <= budget + (len(waves[-1].routers) if waves else 0)
    assert isinstance(end, Finished) or len(end.failed) == sum(failed) > budget


@given(rollouts, fleets)
def test_no_wave_begins_before_enough_canaries_were_updated(rollout: Rollout, fleet: list[list[Outcome]]) -> None:
    routers = names(len(fleet))
    waves, _ = play(rollout, routers, lambda router: fleet[routers.index(router)])
    updated = 0
    for wave in waves:
        assert wave.is_canary is (updated < rollout.canary)
        assert not wave.is_canary or len(wave.routers) <= rollout.canary
        updated += sum(
            UPDATED in outcomes and not FAILURES.intersection(outcomes)
            for outcomes in (fleet[routers.index(router)] for router in wave.routers)
        )


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("1", Share(1)),
        ("10%", Share(10, is_percentage=True)),
        (" 0 ", Share(0)),
        ("100%", Share(100, is_percentage=True)),
    ],
)
def test_a_share_is_a_number_or_a_percentage(text: str, share: Share) -> None:
    assert Share.parse(text) == share
    assert str(share) == text.strip()


@pytest.mark.parametrize("text", ["", "%", "-1", "1.5", "10 %", "101%", "one", "1%%", "٣", "9" * 9])
def test_anything_else_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a number of routers|more than all"):
        Share.parse(text)


@pytest.mark.parametrize("text", ["0", "1,0%", "5,0,10%"])
def test_a_wave_has_routers(text: str) -> None:
    with pytest.raises(ValueError, match="a wave without routers"):
        parse_serial(text)


@pytest.mark.parametrize(("share", "total", "count"), [("10%", 15, 1), ("10%", 9, 0), ("3", 2, 3), ("100%", 7, 7)])
def test_a_percentage_is_rounded_down(share: str, total: int, count: int) -> None:
    assert Share.parse(share).of(total) == count
