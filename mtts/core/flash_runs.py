"""What each run that changed something on a router cost in flash, and what the sizes of its releases explain.

The unit is the run on one router: the flash is the router's, and what several nodes did to it in one run cannot be
told apart once RouterOS writes late. Each node's own share is measured up to where the next node's turn began.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mtts.core.flash import FlashDelta, FlashSample, Moment
from mtts.core.image import Digest
from mtts.core.ledger import PastResult, PastRun, RecordedSample
from mtts.core.outcome import Outcome

LEAK_TOLERANCE_BYTES: Final = 16 * 1024
_TOOK_NEW: Final = frozenset({Outcome.DEPLOYED, Outcome.UPDATED})
_KEPT_OLD: Final = frozenset({Outcome.KEPT_OLD, Outcome.ROLLED_BACK, Outcome.REFUSED, Outcome.NO_OP})

Sizes = Mapping[Digest, int]
"""Platform manifest → bytes when extracted."""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """One node's part in a run."""

    result: PastResult
    samples: tuple[FlashSample, ...]
    """From before its turn to before the next node's, or to the run's last sample; at least two."""
    expected_bytes: int | None
    """By which the sizes of its releases let the used space grow; None where a size is not known."""

    @property
    def delta_bytes(self) -> int | None:
        """Negative when space was used."""
        return FlashDelta.between(self.samples[0], self.samples[-1]).delta_bytes

    @property
    def running(self) -> Digest | None:
        """The release that ran afterwards; None where that is not certain."""
        return self.result.to_digest if self.took_new else self.result.from_digest if self.kept_old else None

    @property
    def took_new(self) -> bool:
        return self.result.outcome in _TOOK_NEW

    @property
    def kept_old(self) -> bool:
        return self.result.outcome in _KEPT_OLD

    @property
    def is_first(self) -> bool:
        """Whether it brought a node to a router that had none."""
        return self.result.outcome == Outcome.DEPLOYED and self.result.from_digest is None

    @property
    def wrote_release(self) -> bool:
        """Whether a release was written to a router that had one: what a budget counts."""
        staged = any(sample.moment is Moment.STAGED for sample in self.samples)
        return self.result.outcome == Outcome.UPDATED or (staged and self.result.outcome != Outcome.DEPLOYED)


@dataclass(frozen=True, slots=True)
class RunCost:
    """One run on one router."""

    run: PastRun
    changes: tuple[NodeChange, ...]
    """In the order of their turns; at least one."""
    before: FlashSample
    after: FlashSample

    @property
    def is_settled(self) -> bool:
        """Whether RouterOS had the time to write everything before the last sample."""
        return self.after.moment is Moment.SETTLED

    @property
    def delta_bytes(self) -> int | None:
        """Negative when space was used."""
        return FlashDelta.between(self.before, self.after).delta_bytes

    @property
    def expected_bytes(self) -> int | None:
        """By which used space may have grown."""
        known = [change.expected_bytes for change in self.changes if change.expected_bytes is not None]
        return sum(known) if len(known) == len(self.changes) else None

    @property
    def unexplained_bytes(self) -> int | None:
        """Used beyond what sizes explain; negative when less was used; None unless settled and all sizes are known."""
        if not self.is_settled or self.delta_bytes is None or self.expected_bytes is None:
            return None
        return -self.delta_bytes - self.expected_bytes

    @property
    def is_leak(self) -> bool:
        return (self.unexplained_bytes or 0) > LEAK_TOLERANCE_BYTES

    @property
    def wrote_release(self) -> bool:
        return any(change.wrote_release for change in self.changes)


def run_costs(records: Iterable[RecordedSample], sizes: Sizes) -> tuple[RunCost, ...]:
    """The runs that changed something on one router, oldest first; `records` likewise.

    A run without a sample from before and one after it changed nothing, or is not on record as a whole.
    """
    runs: dict[str, dict[str, list[RecordedSample]]] = {}
    for record in records:
        if record.result is not None:
            runs.setdefault(record.run.run_id, {}).setdefault(record.node, []).append(record)
    costs = [_run_cost(list(nodes.values()), sizes) for nodes in runs.values()]
    return tuple(sorted((cost for cost in costs if cost is not None), key=lambda cost: cost.before.taken_s))


def _run_cost(nodes: Sequence[Sequence[RecordedSample]], sizes: Sizes) -> RunCost | None:
    worked = sorted((records for records in nodes if _is_whole(records)), key=lambda records: records[0].sample.taken_s)
    changes: list[NodeChange] = []
    for index, records in enumerate(worked):
        result = records[0].result
        samples = [record.sample for record in records]
        if index + 1 < len(worked):
            turn = worked[index + 1][0].sample
            samples = [*(sample for sample in samples if sample.taken_s < turn.taken_s), turn]
        if result is not None:
            changes.append(NodeChange(result, tuple(samples), _expected(result, sizes)))
    if not changes:
        return None
    return RunCost(worked[0][0].run, tuple(changes), changes[0].samples[0], changes[-1].samples[-1])


def _is_whole(records: Sequence[RecordedSample]) -> bool:
    return len(records) > 1 and records[0].sample.moment is Moment.BEFORE


def _expected(result: PastResult, sizes: Sizes) -> int | None:
    """A first deploy brings more than a release (state, settings), so that its size explains nothing."""
    if result.outcome in _KEPT_OLD:
        return 0
    if result.outcome not in _TOOK_NEW or result.from_digest is None or result.to_digest is None:
        return None
    if result.from_digest == result.to_digest:
        return 0
    before, after = sizes.get(result.from_digest), sizes.get(result.to_digest)
    return None if before is None or after is None else after - before
