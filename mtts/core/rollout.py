"""Who is next in a rollout: canaries first, then waves, until all are done or too many failed (F52).

Pure: the routers to be swapped and the waves so far go in, the next wave comes out. Knows nothing of releases or
routers but their names and results. A router counts once, however many nodes it has.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from mtts.core.errors import Problem
from mtts.core.outcome import NodeResult, Outcome, after

FAILURES: Final = frozenset({Outcome.ROLLED_BACK, Outcome.BROKEN, Outcome.UNKNOWN})
"""What speaks against a release. A node that was refused or kept its old one lost nothing to it."""

_SHARE: Final = re.compile(r"(?P<amount>[0-9]{1,6})(?P<percent>%?)", re.ASCII)
_HUNDRED: Final = 100
_NAMED: Final = 3
"""Of those that failed: enough to begin looking."""


@dataclass(frozen=True, slots=True)
class Share:
    """A number of routers, or a percentage of all that are to be swapped."""

    amount: int
    is_percentage: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError, with a sentence for people, unless `text` is `3` or `10%`."""
        found = _SHARE.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is neither a number of routers such as 3 nor a percentage such as 10%")
        share = cls(int(found["amount"]), bool(found["percent"]))
        if share.is_percentage and share.amount > _HUNDRED:
            raise ValueError(f"{text!r} is more than all routers")
        return share

    def of(self, total: int) -> int:
        """How many routers of `total` that is, rounded down."""
        return total * self.amount // _HUNDRED if self.is_percentage else self.amount

    def __str__(self) -> str:
        return f"{self.amount}%" if self.is_percentage else str(self.amount)


def parse_serial(text: str) -> tuple[Share, ...]:
    """The sizes in `1,10%,100%`; ValueError, with a sentence for people, where one is no share or no router."""
    sizes = tuple(Share.parse(part) for part in text.split(","))
    if any(size.amount == 0 for size in sizes):
        raise ValueError(f"{text!r} has a wave without routers")
    return sizes


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a release goes out."""

    canary: int = 1
    """Routers that must have been updated before the waves begin; 0 for none."""
    serial: tuple[Share, ...] = (Share(_HUNDRED, is_percentage=True),)
    """Sizes of the waves, at least one; the last one repeats. A percentage is one router or more."""
    max_fail: Share = Share(0)
    """Routers that may fail without ending the rollout."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Routers that are swapped side by side, and what came of it."""

    routers: tuple[str, ...]
    is_canary: bool
    results: tuple[NodeResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """More routers failed than may: those that wait are not touched."""

    failed: tuple[str, ...]
    budget: int

    @property
    def problem(self) -> Problem:
        """What each router that is left is told."""
        named = ", ".join(self.failed[:_NAMED]) + (", …" if len(self.failed) > _NAMED else "")
        return Problem(
            "rollout-stopped",
            f"left as it is: {len(self.failed)} failed ({named}), and a rollout ends at more than {self.budget}",
            "see what happened there; the next run begins with a canary again",
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """Every router had its turn."""


def next_wave(rollout: Rollout, routers: Sequence[str], done: Sequence[Wave]) -> Wave | Stopped | Finished:
    """What comes after the waves in `done`; `routers` are all that are to be swapped, in the inventory's order."""
    waiting = waiting_after(routers, done)
    if not waiting:
        return Finished()
    results = [result for wave in done for result in wave.results]
    stopped = stopped_by(rollout, len(routers), results)
    if stopped is not None:
        return stopped
    if len(_proven(results)) < rollout.canary:
        return Wave(waiting[: rollout.canary], is_canary=True)
    place = min(sum(not wave.is_canary for wave in done), len(rollout.serial) - 1)
    size = max(1, rollout.serial[place].of(len(routers)))
    return Wave(waiting[:size], is_canary=False)


def waiting_after(routers: Sequence[str], done: Sequence[Wave]) -> tuple[str, ...]:
    """Those whose turn has not come."""
    begun = {router for wave in done for router in wave.routers}
    return tuple(router for router in routers if router not in begun)


def stopped_by(rollout: Rollout, total: int, results: Iterable[NodeResult]) -> Stopped | None:
    """Whether the results so far exceed the failure budget of a rollout over `total` routers."""
    failed = _names(results, FAILURES)
    budget = rollout.max_fail.of(total)
    return Stopped(tuple(failed), budget) if len(failed) > budget else None


def leave_out(found: Iterable[NodeResult], stopped: Stopped) -> list[NodeResult]:
    """The results of a router whose turn did not come: what waited for a swap is refused, the rest as it was found."""
    return [_refused(result, stopped.problem) if result.changes_pending else result for result in found]


def _refused(result: NodeResult, problem: Problem) -> NodeResult:
    """What was done to it before its turn stays true."""
    refused = replace(
        result,
        outcome=Outcome.REFUSED,
        to_version=result.from_version,
        to_digest=result.from_digest,
        problem=problem,
        changes_pending=False,
    )
    return refused if result.outcome is Outcome.NO_OP else after(result, replace(refused, warnings=()))


def _proven(results: Sequence[NodeResult]) -> set[str]:
    """Routers on which the release was seen to work; one with a node that failed is none of them."""
    return set(_names(results, {Outcome.UPDATED})) - set(_names(results, FAILURES))


def _names(results: Iterable[NodeResult], outcomes: Collection[Outcome]) -> list[str]:
    return list(dict.fromkeys(result.router for result in results if result.outcome in outcomes))
