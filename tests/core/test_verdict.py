"""Outcome and blame of a swap that failed, as one table."""

from dataclasses import dataclass

import pytest

from mtts.core.errors import Problem
from mtts.core.outcome import Outcome
from mtts.core.verdict import Hold, Verdict, is_hollow, judge_failure


@dataclass(frozen=True, slots=True)
class Case:
    code: str
    expected: Verdict
    has_switched: bool = True
    way_back: str | None = None
    was_healthy: bool = True
    is_same_release: bool = False


CASES = {
    "before the switch nothing is the release's fault": Case(
        "pull-failed", Verdict(Outcome.KEPT_OLD, Hold.NOWHERE), has_switched=False
    ),
    "it crashed": Case("crash-loop", Verdict(Outcome.ROLLED_BACK, Hold.FLEET)),
    "it never came online": Case("not-healthy", Verdict(Outcome.ROLLED_BACK, Hold.FLEET)),
    "the link was lost, which says nothing of it": Case("session-lost", Verdict(Outcome.ROLLED_BACK, Hold.NOWHERE)),
    "neither comes online: the tailnet is away": Case(
        "not-healthy", Verdict(Outcome.BROKEN, Hold.NOWHERE), way_back="not-healthy"
    ),
    "neither starts: perhaps it is the place": Case(
        "start-failed", Verdict(Outcome.BROKEN, Hold.ROUTER), way_back="start-failed"
    ),
    "it destroyed the identity, as it would anywhere": Case(
        "needs-login", Verdict(Outcome.BROKEN, Hold.FLEET), way_back="needs-login"
    ),
    "the old one was ill before": Case(
        "crash-loop", Verdict(Outcome.BROKEN, Hold.NOWHERE), way_back="crash-loop", was_healthy=False
    ),
    "the same release pulled again in vain": Case(
        "start-failed", Verdict(Outcome.BROKEN, Hold.ROUTER), way_back="start-failed", is_same_release=True
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_how_a_swap_failed_decides_outcome_and_blame(case: Case) -> None:
    verdict = judge_failure(
        case.code,
        has_switched=case.has_switched,
        way_back=case.way_back,
        was_healthy=case.was_healthy,
        is_same_release=case.is_same_release,
    )

    assert verdict == case.expected


@pytest.mark.parametrize(
    ("code", "words", "hollow"),
    [
        ("crash-loop", "exited with status 255: execvp /entrypoint.sh: No such file or directory", True),
        ("crash-loop", "execvpe /entrypoint.sh failed: No such file or directory; exited with status 255", True),
        ("start-failed", "layer sha256:0123/layer missing, need repull", True),
        ("start-failed", "execvpe /entrypoint.sh failed: Exec format error", False),
        ("crash-loop", "panic: open /etc/app.conf: no such file or directory", False),
        ("pull-failed", "layer missing, need repull", False),
    ],
)
def test_only_the_router_s_own_words_of_missing_files_speak_of_a_damaged_extraction(
    code: str, words: str, *, hollow: bool
) -> None:
    assert is_hollow(Problem(code, f"tailscale-b does not stay up: {words}")) is hollow
