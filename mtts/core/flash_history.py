"""One router's flash over time: what runs cost, how it wears, what is left, and what to warn of.

Made of what the store remembers; what it does not remember is None, never an estimate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtts.core.errors import Problem
from mtts.core.flash import FlashSample
from mtts.core.flash_forecast import Forecast, forecast
from mtts.core.flash_runs import RunCost, Sizes, run_costs
from mtts.core.flash_warnings import budget_warning, flash_warnings
from mtts.core.inventory import Router
from mtts.core.ledger import KnownRelease, RecordedSample
from mtts.core.wear import Wear, measure_wear


@dataclass(frozen=True, slots=True)
class FlashHistory:
    """What a report tells of one router."""

    router: str
    records: tuple[RecordedSample, ...]
    """As the store has them, oldest first."""
    samples: tuple[FlashSample, ...]
    """One for each moment, oldest first."""
    runs: tuple[RunCost, ...]
    """Those that changed something, oldest first."""
    wear: Wear
    forecast: Forecast
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]
    """What the figures leave out."""

    @property
    def last(self) -> FlashSample | None:
        return self.samples[-1] if self.samples else None

    @property
    def total_delta_bytes(self) -> int | None:
        """Of all runs whose cost is known; None where there is none."""
        known = [run.delta_bytes for run in self.runs if run.delta_bytes is not None]
        return sum(known) if known else None

    def sectors_of(self, run: RunCost) -> int | None:
        """Sectors written during a run: at most what it caused, since others write too."""
        return self.wear.between(run.before.taken_s, run.after.taken_s)

    @property
    def own_sectors(self) -> int | None:
        """Sectors written during runs; None where none could be told."""
        known = [sectors for run in self.runs if (sectors := self.sectors_of(run)) is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class FlashReport:
    """The histories of all routers that were asked for, and who answered when the report was made."""

    made_s: float
    since_s: float | None
    """None for as long as there is history."""
    histories: tuple[FlashHistory, ...]
    silent: frozenset[str]
    """Routers that did not answer now: their last sample is from the store."""


def flash_histories(
    routers: Sequence[Router],
    records: Iterable[RecordedSample],
    releases: Sequence[KnownRelease],
    *,
    now_s: float,
    since_s: float | None = None,
) -> list[FlashHistory]:
    """One history per router, in the order given; `records` and `releases` oldest first.

    `since_s` is where the histories begin; older records serve the budget and the forecast.
    """
    by_router: dict[str, list[RecordedSample]] = {router.name: [] for router in routers}
    for record in records:
        if record.sample.router in by_router:
            by_router[record.sample.router].append(record)
    sizes = {release.manifest_digest: release.extracted_bytes for release in releases}
    return [
        _history(router, by_router[router.name], releases, sizes=sizes, now_s=now_s, since_s=since_s or 0.0)
        for router in routers
    ]


def _history(
    router: Router,
    records: Sequence[RecordedSample],
    releases: Sequence[KnownRelease],
    *,
    sizes: Sizes,
    now_s: float,
    since_s: float,
) -> FlashHistory:
    all_runs = run_costs(records, sizes)
    runs = tuple(run for run in all_runs if run.before.taken_s >= since_s)
    records = [record for record in records if record.sample.taken_s >= since_s]
    samples = _one_per_moment(records)
    wear = measure_wear(samples)
    expected = forecast(router, samples[-1] if samples else None, all_runs, releases)
    warnings = [
        *flash_warnings(router, samples, runs, expected),
        *budget_warning(router, all_runs, now_s=now_s),
    ]
    notes = [*wear.notes]
    unsettled = sum(not run.is_settled for run in runs)
    if unsettled:
        notes.append(f"{unsettled} of {len(runs)} runs have no settled sample: their cost is not final")
    return FlashHistory(
        router=router.name,
        records=tuple(records),
        samples=samples,
        runs=runs,
        wear=wear,
        forecast=expected,
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _one_per_moment(records: Sequence[RecordedSample]) -> tuple[FlashSample, ...]:
    """A settled sample is recorded with each node of its run; here it counts once."""
    return tuple({record.sample.taken_s: record.sample for record in records}.values())
