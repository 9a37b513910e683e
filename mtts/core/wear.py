"""How many sectors a router's flash wrote, out of counters that reset, wrap, lie or are absent.

`write-sect-total` counts for life but is absent on some devices (CHR); `write-sect-since-reboot` begins again at
every boot. RouterOS does not say how large a sector is, so nothing here turns sectors into bytes. A stretch of time
whose count cannot be believed is left out and said, never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mtts.core.flash import FlashSample
from mtts.core.units import minute

DAY_S: Final = 86400.0
_COUNTER: Final = 2**32
_QUARTER: Final = 2**30
_BURST_SECTORS: Final = 30_000_000
"""More than any router's flash takes in the minutes of an update."""
_SUSTAINED_SECTORS_PER_S: Final = 2000
_MAX_SECTORS: Final = 2**31
_CLOCK_ERROR_S: Final = 300.0
"""By which this machine's clock may have jumped between two samples."""
_MIN_SPAN_S: Final = DAY_S / 2
"""Shorter stretches say nothing about a day."""


@dataclass(frozen=True, slots=True)
class WearStep:
    """What was written from one sample to a later one; `sectors` is None where that cannot be told."""

    began_s: float
    ended_s: float
    sectors: int | None
    is_at_least: bool = False
    """The router was booted in between: what it wrote just before that is not counted."""


@dataclass(frozen=True, slots=True)
class Wear:
    """The wear counters of one router over time, oldest step first."""

    steps: tuple[WearStep, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, and why."""

    @property
    def sectors(self) -> int | None:
        """Written over all steps that could be told; None where none could."""
        told = [step.sectors for step in self.steps if step.sectors is not None]
        return sum(told) if told else None

    @property
    def counted_s(self) -> float:
        """The time that `sectors` is about."""
        return sum(step.ended_s - step.began_s for step in self.steps if step.sectors is not None)

    @property
    def per_day(self) -> float | None:
        """None where less than half a day was counted."""
        sectors, counted_s = self.sectors, self.counted_s
        return None if sectors is None or counted_s < _MIN_SPAN_S else sectors * DAY_S / counted_s

    @property
    def is_at_least(self) -> bool:
        return any(step.is_at_least for step in self.steps)

    def between(self, began_s: float, ended_s: float) -> int | None:
        """Written from one sample to another; None unless the whole stretch was told."""
        inside = [step for step in self.steps if began_s <= step.began_s and step.ended_s <= ended_s]
        if not inside or inside[0].began_s != began_s or inside[-1].ended_s != ended_s:
            return None
        told = [step.sectors for step in inside if step.sectors is not None]
        return sum(told) if len(told) == len(inside) else None


def measure_wear(samples: Sequence[FlashSample]) -> Wear:
    """The wear of one router out of its samples, oldest first, no two of the same moment."""
    if samples and all(_is_silent(sample) for sample in samples):
        return Wear(notes=("the router does not count what its flash writes",))
    kept, notes = _without_outliers(samples)
    steps: list[WearStep] = []
    for earlier, later in pairwise(kept):
        counted = _count(earlier, later)
        if isinstance(counted, str):
            notes.append(f"{minute(earlier.taken_s)} to {minute(later.taken_s)}: {counted}; not counted")
            counted = None
        rebooted = counted is not None and not _has_total(earlier, later) and _rebooted(earlier, later)
        steps.append(WearStep(earlier.taken_s, later.taken_s, counted, is_at_least=rebooted))
    if any(step.is_at_least for step in steps):
        notes.append("the router was booted meanwhile: what it wrote just before that is not in its counter")
    return Wear(tuple(steps), tuple(notes))


def _without_outliers(samples: Sequence[FlashSample]) -> tuple[list[FlashSample], list[str]]:
    """The samples but those that alone disagree with both their neighbours."""
    kept: list[FlashSample] = list(samples[:1])
    notes: list[str] = []
    for index, sample in enumerate(samples[1:], start=1):
        following = samples[index + 1] if index + 1 < len(samples) else None
        counted = _count(kept[-1], sample)
        if isinstance(counted, str) and following is not None and isinstance(_count(kept[-1], following), int):
            notes.append(f"{minute(sample.taken_s)}: {counted}, and was back at the next sample; not counted")
            continue
        kept.append(sample)
    return kept, notes


def _count(earlier: FlashSample, later: FlashSample) -> int | str | None:
    """Sectors written, or why the counters cannot be believed, or None where they are absent."""
    if earlier.write_sectors_total is not None and later.write_sectors_total is not None:
        counted: int | str | None = _count_for_life(earlier.write_sectors_total, later.write_sectors_total)
    else:
        counted = _count_since_boot(earlier, later)
    if isinstance(counted, int) and counted > _plausible(later.taken_s - earlier.taken_s):
        return f"the write counter rose by {counted}, more than any flash takes in that time"
    return counted


def _count_for_life(earlier: int, later: int) -> int | str:
    if min(earlier, later) < 0:
        return "the write counter was negative"
    if later >= earlier:
        return later - earlier
    if earlier >= _COUNTER - _QUARTER and earlier < _COUNTER and later < _QUARTER:
        return later - earlier + _COUNTER
    return f"the write counter went back from {earlier} to {later}"


def _count_since_boot(earlier: FlashSample, later: FlashSample) -> int | str | None:
    before, after = earlier.write_sectors_since_reboot, later.write_sectors_since_reboot
    if before is None or after is None:
        return None
    if min(before, after) < 0:
        return "the write counter was negative"
    return after if _rebooted(earlier, later) else after - before


def _rebooted(earlier: FlashSample, later: FlashSample) -> bool:
    """Whether the router was booted between the two: by its uptime, else by a counter that fell."""
    before, after = earlier.write_sectors_since_reboot, later.write_sectors_since_reboot
    if before is not None and after is not None and after < before:
        return True
    if later.uptime_s is None or earlier.uptime_s is None:
        return False
    return later.uptime_s < earlier.uptime_s or later.uptime_s + _CLOCK_ERROR_S < later.taken_s - earlier.taken_s


def _has_total(earlier: FlashSample, later: FlashSample) -> bool:
    return earlier.write_sectors_total is not None and later.write_sectors_total is not None


def _is_silent(sample: FlashSample) -> bool:
    return sample.write_sectors_total is None and sample.write_sectors_since_reboot is None


def _plausible(span_s: float) -> float:
    return min(_BURST_SECTORS + _SUSTAINED_SECTORS_PER_S * max(span_s, 0.0), _MAX_SECTORS)
