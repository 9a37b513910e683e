"""How a swap that failed ended, and what that says about the release: one table for outcome and blame (I19).

A failure that looks like an image which was unpacked only in part says nothing of the release yet (F13).
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mtts.core.errors import Problem
from mtts.core.outcome import Outcome

_RAN_AND_FAILED: Final = frozenset({"start-failed", "not-healthy", "needs-login", "crash-loop", "identity-lost"})
"""What speaks against a release, where the old one does its work in the same place."""

_IDENTITY_GONE: Final = frozenset({"needs-login", "identity-lost"})
"""How a node stands whose state a release destroyed: it would do so anywhere."""

_FILES_MISSING: Final = re.compile(r"execvp.*no such file|layer missing|need repull", re.IGNORECASE)
"""How RouterOS says that a program is not where the image has it, or that a layer did not come along."""


def is_hollow(problem: Problem) -> bool:
    """Whether a container failed as one does of whose image not all was unpacked; a bad release may look the same."""
    return problem.code in ("start-failed", "crash-loop") and _FILES_MISSING.search(problem.message) is not None


def extraction_damaged(problem: Problem) -> Problem:
    """What is told of a first attempt that failed with `problem`, once there was another one."""
    return Problem(
        "extraction-damaged",
        f"the image was unpacked only in part and pulled once more: {problem.message}",
        "where that happens again, look at the flash: mtts flash-report",
    )


class Hold(Enum):
    """Where a release must not be installed again until it changes."""

    NOWHERE = auto()
    ROUTER = auto()
    FLEET = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    hold: Hold


def judge_failure(
    code: str,
    *,
    has_switched: bool,
    way_back: str | None,
    was_healthy: bool,
    is_same_release: bool,
    was_awaited: bool = False,
) -> Verdict:
    """The end of a swap that failed with `code`.

    `has_switched` says that the old container was stopped, `way_back` with which code it failed to come back, None
    where it serves, `was_awaited` that a run tried to reach the node all the time in which nobody confirmed it. Where
    neither of the two comes online although both run, it is rather the tailnet that is away.
    """
    back = Outcome.ROLLED_BACK if has_switched else Outcome.KEPT_OLD
    outcome = back if way_back is None else Outcome.BROKEN
    if code == "swap-unconfirmed" and was_awaited and way_back is None:
        return Verdict(outcome, Hold.ROUTER)  # each further try would take the node away for as long again
    is_to_blame = has_switched and code in _RAN_AND_FAILED
    if way_back is not None:
        is_to_blame = is_to_blame and was_healthy and code != "not-healthy"
    if not is_to_blame:
        return Verdict(outcome, Hold.NOWHERE)
    is_local = is_same_release or (way_back is not None and way_back not in _IDENTITY_GONE)
    return Verdict(outcome, Hold.ROUTER if is_local else Hold.FLEET)
