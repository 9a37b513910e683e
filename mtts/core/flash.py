"""What a router's flash held at named moments, and what follows from it.

A sample is of the router's internal flash: that is what is small and wears, whatever disk a node lies on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from mtts.core.errors import Problem
from mtts.core.facts import Resource

_STAGING_MARGIN_BYTES: Final = 512 * 1024


class Moment(StrEnum):
    """When in a run a sample was taken."""

    BEFORE = "before"
    STAGED = "staged"
    """The next release is unpacked beside the running one."""
    COMMITTED = "committed"
    SETTLED = "settled"
    """`settle` after the last write: RouterOS writes late."""
    REPORT = "report"
    """Asked for by a report, outside any change."""


@dataclass(frozen=True, slots=True)
class FlashSample:
    """One router's flash at one moment; None where the router did not say."""

    router: str
    moment: Moment
    taken_s: float
    """Seconds since 1970 UTC, by this machine's clock: the router's may be wrong."""
    free_bytes: int | None
    total_bytes: int | None
    write_sectors_since_reboot: int | None
    write_sectors_total: int | None
    bad_blocks_percent: int | None
    uptime_s: float | None
    routeros: str

    @classmethod
    def of(cls, resource: Resource, *, router: str, moment: Moment, taken_s: float) -> Self:
        """The sample in one reply of /system/resource."""
        return cls(
            router=router,
            moment=moment,
            taken_s=taken_s,
            free_bytes=resource.free_flash_bytes,
            total_bytes=resource.total_flash_bytes,
            write_sectors_since_reboot=resource.write_sectors_since_reboot,
            write_sectors_total=resource.write_sectors_total,
            bad_blocks_percent=resource.bad_blocks_percent,
            uptime_s=resource.uptime_s,
            routeros=str(resource.version),
        )


@dataclass(frozen=True, slots=True)
class FlashDelta:
    """Free bytes before and after; None where the router did not say."""

    before_bytes: int | None
    after_bytes: int | None

    @classmethod
    def between(cls, before: FlashSample, after: FlashSample) -> Self:
        return cls(before.free_bytes, after.free_bytes)

    @property
    def delta_bytes(self) -> int | None:
        """Negative when space was used."""
        if self.before_bytes is None or self.after_bytes is None:
            return None
        return self.after_bytes - self.before_bytes


def delta_of(samples: Sequence[FlashSample]) -> FlashDelta | None:
    """From the first to the last sample of one run; None where it took fewer than two."""
    if len(samples) < 2:  # noqa: PLR2004 - a before and an after
        return None
    return FlashDelta.between(samples[0], samples[-1])


def failing(before: FlashSample, now: FlashSample) -> Problem | None:
    """Why nothing more is built on a flash: its blocks went bad between two samples (F19)."""
    was, is_now = before.bad_blocks_percent, now.bad_blocks_percent
    if was is None or is_now is None or is_now <= was:
        return None
    return Problem(
        "flash-failing",
        f"{is_now} % of the flash's blocks are bad, and {was} % were before the release was unpacked",
        "plan to replace the router; mtts flash-report tells how its flash wears",
    )


def staging_peak_bytes(extracted_bytes: int) -> int:
    """What unpacking an image of that size may take at most: ten per cent, or half a MiB, on top."""
    return extracted_bytes + max(extracted_bytes // 10, _STAGING_MARGIN_BYTES)
