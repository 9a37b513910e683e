"""How many more updates fit on a router's flash: room for the next release beside the running one, and growth.

An update needs room for a while (the next release is unpacked beside the running one) and may keep some for good.
The next release is taken to be as large as the larger of the running one and the newest that a registry served.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mtts.core.flash import FlashSample, Moment, staging_peak_bytes
from mtts.core.flash_runs import NodeChange, RunCost
from mtts.core.image import Digest
from mtts.core.inventory import NodeSpec, Router
from mtts.core.ledger import KnownRelease
from mtts.core.outcome import Outcome
from mtts.core.storage import may_be_internal

_ELSEWHERE: Final = 8
"""A release that took less than this part of its size from the flash lies on another disk."""


class Bound(StrEnum):
    """In which sense `Forecast.updates` is meant."""

    UNKNOWN = "unknown"
    ABOUT = "about"
    AT_LEAST = "at-least"
    """The next one fits; how much updates keep for good is not known yet."""
    UNLIMITED = "unlimited"
    """Updates keep nothing for good."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the next updates need and how many of them fit; None where nothing is known."""

    staged_bytes: int | None
    """What the next release takes beside the running one, at most."""
    growth_bytes: int | None
    """What an update kept for good, on average; negative where space came back."""
    floor_bytes: int | None
    """The free space that the next update needs: the release beside the running one, and the reserve."""
    updates: int | None
    bound: Bound


def forecast(
    router: Router, last: FlashSample | None, runs: Sequence[RunCost], releases: Sequence[KnownRelease]
) -> Forecast:
    """From the last sample and the settled updates; `runs` and `releases` oldest first."""
    staged = _staged_bytes(router, runs, releases)
    growth = _growth_bytes(runs)
    floor = None if staged is None else staged + router.flash.reserve_bytes
    updates, bound = _fitting(None if last is None else last.free_bytes, floor, growth)
    return Forecast(staged, growth, floor, updates, bound)


def _fitting(free: int | None, floor: int | None, growth: int | None) -> tuple[int | None, Bound]:
    if free is None or floor is None:
        return None, Bound.UNKNOWN
    if free < floor:
        return 0, Bound.ABOUT
    if growth is None:
        return 1, Bound.AT_LEAST
    if growth <= 0:
        return None, Bound.UNLIMITED
    return 1 + (free - floor) // growth, Bound.ABOUT


def _growth_bytes(runs: Sequence[RunCost]) -> int | None:
    used = [
        -run.delta_bytes
        for run in runs
        if run.is_settled
        and run.delta_bytes is not None
        and all(change.result.outcome == Outcome.UPDATED for change in run.changes)
    ]
    return round(sum(used) / len(used)) if used else None


def _staged_bytes(router: Router, runs: Sequence[RunCost], releases: Sequence[KnownRelease]) -> int | None:
    """For the node that needs most: one is updated after the other."""
    if not may_be_internal(router.storage):
        return 0
    needed = [
        _staged_for(
            node, [change for run in runs for change in run.changes if change.result.node == node.name], releases
        )
        for node in router.nodes
    ]
    known = [size for size in needed if size is not None]
    return max(known) if known and len(known) == len(needed) else None


def _staged_for(node: NodeSpec, changes: Sequence[NodeChange], releases: Sequence[KnownRelease]) -> int | None:
    last = changes[-1] if changes else None
    size = _next_size(node, last.running if last else None, releases)
    if size is None:
        return _measured(last)
    first = next((change for change in reversed(changes) if change.is_first), None)
    return 0 if first is not None and _lies_elsewhere(first, size) else staging_peak_bytes(size)


def _next_size(node: NodeSpec, running: Digest | None, releases: Sequence[KnownRelease]) -> int | None:
    """Of the running release and the newest one for its platform; for any platform where that is not known."""
    own = next((release for release in releases if release.manifest_digest == running), None)
    newest = {
        release.platform: release
        for release in releases
        if release.image == node.image.name and (own is None or release.platform == own.platform)
    }
    candidates = [*newest.values(), *([own] if own else [])]
    return max((release.extracted_bytes for release in candidates), default=None)


def _measured(change: NodeChange | None) -> int | None:
    """What staging took the last time, as far as RouterOS had written it."""
    if change is None:
        return None
    before = change.samples[0].free_bytes
    staged = next((sample.free_bytes for sample in change.samples if sample.moment is Moment.STAGED), None)
    return None if before is None or staged is None or staged >= before else staging_peak_bytes(before - staged)


def _lies_elsewhere(first: NodeChange, size_bytes: int) -> bool:
    """Whether the flash hardly noticed when the node came to the router."""
    delta, last = first.delta_bytes, first.samples[-1]
    return delta is not None and last.moment is Moment.SETTLED and -delta * _ELSEWHERE < size_bytes
