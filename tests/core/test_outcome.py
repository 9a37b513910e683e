"""How a node stands after a fault, and the exit code of them all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.errors import (
    AuthRejectedError,
    CommandTrappedError,
    MttsError,
    Problem,
    RateLimitedError,
    RegistryError,
    RouterError,
    SessionLostError,
    StepFailedError,
    UnreachableError,
    UsageError,
)
from mtts.core.flash import FlashDelta
from mtts.core.outcome import EXIT_CODES, NodeResult, Outcome, after, exit_code, settle

UNREACHABLE, REFUSED, UNKNOWN = Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.UNKNOWN
KEPT_OLD, BROKEN = Outcome.KEPT_OLD, Outcome.BROKEN


@pytest.mark.parametrize(
    ("error", "untouched", "wrote_and_serves", "wrote_and_does_not"),
    [
        (UnreachableError("e"), UNREACHABLE, UNKNOWN, UNKNOWN),
        (AuthRejectedError("e"), UNREACHABLE, UNKNOWN, UNKNOWN),
        (SessionLostError("e"), UNREACHABLE, UNKNOWN, UNKNOWN),
        (CommandTrappedError("/x", "no"), REFUSED, KEPT_OLD, BROKEN),
        (StepFailedError("e", code="pull-failed"), REFUSED, KEPT_OLD, BROKEN),
        (RouterError("e"), REFUSED, KEPT_OLD, BROKEN),
        (RateLimitedError("e"), REFUSED, KEPT_OLD, BROKEN),
        (RegistryError("e"), REFUSED, KEPT_OLD, BROKEN),
        (UsageError("e"), REFUSED, KEPT_OLD, BROKEN),
        (MttsError("e"), REFUSED, KEPT_OLD, BROKEN),
        (StepFailedError("e", code="needs-login"), REFUSED, BROKEN, BROKEN),
    ],
)
def test_the_same_fault_means_another_outcome_before_and_after_the_first_write(
    error: MttsError, untouched: Outcome, wrote_and_serves: Outcome, wrote_and_does_not: Outcome
) -> None:
    assert settle(error, wrote=False, serving=False) is untouched
    assert settle(error, wrote=False, serving=True) is untouched
    assert settle(error, wrote=True, serving=True) is wrote_and_serves
    assert settle(error, wrote=True, serving=False) is wrote_and_does_not


def result(outcome: Outcome, *, changes_pending: bool = False) -> NodeResult:
    return NodeResult("r", "n", outcome, changes_pending=changes_pending)


WHY = Problem("flash-too-small", "there is no room")


@pytest.mark.parametrize("second", [Outcome.NO_OP, REFUSED, UNREACHABLE])
def test_what_was_written_first_stays_true_where_the_rest_wrote_nothing(second: Outcome) -> None:
    rest = result(second) if second is Outcome.NO_OP else result(second).ended(second, WHY)

    whole = after(result(Outcome.UPDATED), rest)

    assert (whole.outcome, whole.problem) == (Outcome.UPDATED, None)
    assert whole.warnings == (() if second is Outcome.NO_OP else (WHY,))


@pytest.mark.parametrize("second", [Outcome.UPDATED, KEPT_OLD, Outcome.ROLLED_BACK, BROKEN, UNKNOWN, Outcome.PENDING])
def test_what_was_written_last_says_how_the_node_stands(second: Outcome) -> None:
    whole = after(result(Outcome.ROLLED_BACK).ended(Outcome.ROLLED_BACK, WHY), result(second))

    assert (whole.outcome, whole.warnings) == (second, (WHY,))


def test_a_swap_that_still_waits_is_told_beside_what_was_written_before() -> None:
    whole = after(result(Outcome.UPDATED), result(Outcome.NO_OP, changes_pending=True))

    assert (whole.outcome, whole.changes_pending) == (Outcome.UPDATED, True)


def test_a_rollout_that_stopped_is_an_exit_code_of_its_own_beside_what_was_written_before() -> None:
    stopped = result(REFUSED).ended(REFUSED, Problem("rollout-stopped", "left as it is"))

    assert exit_code([after(result(Outcome.UPDATED), stopped)]) == 7


def test_every_outcome_has_its_exit_code() -> None:
    assert set(EXIT_CODES) == set(Outcome)
    assert {outcome.value: EXIT_CODES[outcome] for outcome in Outcome if EXIT_CODES[outcome]} == {
        "unreachable": 4,
        "refused": 5,
        "kept-old": 5,
        "rolled-back": 5,
        "broken": 6,
        "unknown": 6,
        "pending": 6,
    }


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        ([result(Outcome.NO_OP), result(Outcome.DEPLOYED)], 0),
        ([result(Outcome.NO_OP, changes_pending=True)], 3),
        ([result(Outcome.NO_OP, changes_pending=True), result(Outcome.UNREACHABLE)], 4),
        ([result(Outcome.UNREACHABLE), result(Outcome.REFUSED)], 5),
        ([result(Outcome.BROKEN), result(Outcome.REFUSED), result(Outcome.NO_OP)], 6),
    ],
)
def test_the_highest_exit_code_wins(results: list[NodeResult], code: int) -> None:
    assert exit_code(results) == code


@given(st.lists(st.sampled_from(Outcome)), st.sampled_from(Outcome))
def test_one_more_result_never_lowers_the_exit_code(outcomes: list[Outcome], further: Outcome) -> None:
    before = exit_code(map(result, outcomes))
    assert exit_code(map(result, [*outcomes, further])) == max(before, EXIT_CODES[further])


@pytest.mark.parametrize(
    ("before", "after", "delta"), [(10, 4, -6), (4, 10, 6), (None, 4, None), (4, None, None), (0, 0, 0)]
)
def test_a_flash_delta_is_negative_when_space_was_used(
    before: int | None, after: int | None, delta: int | None
) -> None:
    assert FlashDelta(before, after).delta_bytes == delta
