"""Ninety days of a fleet as the store would remember them: daily reports, updates, a leak, a small board, a CHR.

The same on every call; figures are invented but of the size that boards of these kinds have.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from mtts.core.flash import FlashSample, Moment
from mtts.core.flash_history import FlashReport, flash_histories
from mtts.core.image import Digest
from mtts.core.inventory import FlashPolicy, Router
from mtts.core.ledger import KnownRelease, PastRun, RecordedSample
from tests.core.examples import MIB, a_router
from tests.core.ledgers import DAY_S, START_S, a_known_release, a_past_result, a_sample

VERSIONS = ("1.88.3", "1.90.1", "1.90.4", "1.92.0", "1.92.2", "1.94.1")
UPDATE_DAYS = (0, 9, 24, 41, 58, 79)
SIZES = (8_912_896, 9_105_408, 9_109_504, 9_371_648, 9_367_552, 9_498_624)
MOMENTS = (Moment.BEFORE, Moment.STAGED, Moment.COMMITTED, Moment.SETTLED)


def digest_of(version: str) -> Digest:
    return Digest.parse("sha256:" + f"{VERSIONS.index(version):x}" * 64)


def known_releases() -> list[KnownRelease]:
    return [
        replace(
            a_known_release(f"{index:x}", size), version=VERSIONS[index], manifest_digest=digest_of(VERSIONS[index])
        )
        for index, size in enumerate(SIZES)
    ]


def fleet_report(count: int = 20, *, days: int = 90) -> FlashReport:
    """`count` routers, each with its own story.

    The second gets bad blocks, the third is over its budget, the fourth leaks, the fifth's counter wraps, the sixth is
    small, the eighth is a CHR, the ninth silent, the last two are new.
    """
    chance = random.Random(7)  # noqa: S311 - invented figures
    routers = [
        a_router(name=f"branch-{index:02d}", flash=FlashPolicy(budget_per_month=4 if index != 3 else 0))
        for index in range(1, count + 1)
    ]
    records: list[RecordedSample] = []
    for index, router in enumerate(routers, start=1):
        first_day = days - 1 if index > count - 2 else 0
        records += _RouterStory(chance, router, index, first_day=first_day, days=days).records()
    records.sort(key=lambda record: record.sample.taken_s)
    now_s = START_S + days * DAY_S
    histories = flash_histories(routers, records, known_releases(), now_s=now_s)
    return FlashReport(now_s, START_S, tuple(histories), frozenset({"branch-09"}))


class _RouterStory:
    def __init__(self, chance: random.Random, router: Router, index: int, *, first_day: int, days: int) -> None:
        self._chance, self._router, self._index, self._first_day = chance, router, index, first_day
        self._days = days - 3 if index == 9 else days
        self._free = 15 * MIB if index == 6 else (64 + chance.randrange(40)) * MIB
        self._total = 32 * MIB if index == 6 else 128 * MIB
        self._sectors = 2**32 - 60_000 if index == 5 else chance.randrange(200_000, 900_000)
        self._booted_day = -chance.randrange(1, 60)
        self._idle = chance.randrange(200, 2_500)

    def records(self) -> Iterator[RecordedSample]:
        version: str | None = None
        for day in range(self._first_day, self._days):
            if day in UPDATE_DAYS and (self._index + day) % 7:
                following = VERSIONS[UPDATE_DAYS.index(day)]
                yield from self._change(day, version, following)
                version = following
            self._sectors += round(self._idle * self._chance.uniform(0.5, 1.6))
            self._free -= self._chance.choice((0, 0, 4096, -4096))
            run = PastRun(f"report-{self._index}-{day}", "flash-report", START_S + day * DAY_S, "0.1.0")
            yield RecordedSample(run, "", self._sample(day + 0.5, Moment.REPORT))

    def _change(self, day: float, before: str | None, after: str) -> Iterator[RecordedSample]:
        run = PastRun(f"run-{self._index}-{day}", "update" if before else "deploy", START_S + day * DAY_S, "0.1.0")
        result = a_past_result(
            run,
            router=self._router.name,
            outcome="updated" if before else "deployed",
            from_version=before,
            to_version=after,
            from_digest=digest_of(before) if before else None,
            to_digest=digest_of(after),
        )
        size = SIZES[VERSIONS.index(after)]
        old = SIZES[VERSIONS.index(before)] if before else 0
        left = 380_000 if self._index == 4 and before else self._chance.choice((0, 4096, -4096))
        free_before = self._free
        steps = (free_before, free_before - size, free_before - size, free_before - size + old - left)
        for place, (moment, free) in enumerate(zip(MOMENTS, steps, strict=True)):
            self._free = free
            self._sectors += (0, size // 512 + 96, 40, 64)[place]
            yield RecordedSample(run, "tailscale", self._sample(day + place * 30 / DAY_S, moment), result)

    def _sample(self, day: float, moment: Moment) -> FlashSample:
        if self._index == 7 and day > 50 > self._booted_day:
            self._booted_day = 50
        is_silent = self._index == 8
        return a_sample(
            day,
            router=self._router.name,
            moment=moment,
            free_bytes=self._free,
            total_bytes=self._total,
            write_sectors_total=None if is_silent else self._sectors % 2**32,
            write_sectors_since_reboot=None if is_silent else self._sectors % 100_000,
            bad_blocks_percent=2 if self._index == 2 and day > 60 else 0,
            uptime_s=(day - self._booted_day) * DAY_S,
        )
