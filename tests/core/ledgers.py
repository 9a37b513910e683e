"""Flash samples and the runs they belong to, as the store hands them back; a test names only what it is about."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mtts.core.flash import FlashSample, Moment
from mtts.core.image import Digest, Platform
from mtts.core.ledger import KnownRelease, PastResult, PastRun, RecordedSample
from tests.core.examples import MIB, digest

START_S = 1_790_000_000.0
DAY_S = 86400.0
IMAGE_NAME = "registry.example.net/team/mikrotik-tailscale"


def a_sample(day: float = 0.0, **other: Any) -> FlashSample:
    """Taken so many days after the beginning, on a router that was booted ten days before it."""
    values: dict[str, Any] = {
        "router": "router1",
        "moment": Moment.REPORT,
        "taken_s": START_S + day * DAY_S,
        "free_bytes": 20 * MIB,
        "total_bytes": 128 * MIB,
        "write_sectors_since_reboot": 1_000,
        "write_sectors_total": 50_000,
        "bad_blocks_percent": 0,
        "uptime_s": (10 + day) * DAY_S,
        "routeros": "7.23.3",
    }
    return FlashSample(**values | other)


def a_past_run(run_id: str, *, day: float = 0.0, command: str = "update") -> PastRun:
    return PastRun(run_id, command, START_S + day * DAY_S, "0.1.0", START_S + day * DAY_S + 90, 0)


def a_past_result(run: PastRun, **other: Any) -> PastResult:
    values: dict[str, Any] = {
        "run": run,
        "router": "router1",
        "node": "tailscale",
        "outcome": "updated",
        "strategy": "a/b",
        "from_version": "1.90.1",
        "to_version": "1.90.2",
        "from_digest": digest("a"),
        "to_digest": digest("b"),
        "downtime_s": 2.0,
        "evidence": "tailnet",
        "code": None,
        "message": None,
    }
    return PastResult(**values | other)


def a_report(day: float, **sample: Any) -> RecordedSample:
    """A sample that a report took."""
    run = a_past_run(f"report-{day}", day=day, command="flash-report")
    return RecordedSample(run, "", a_sample(day, **sample))


def a_change(
    day: float,
    *,
    before: int | None = 20 * MIB,
    used: int = 0,
    staged: int | None = None,
    moments: Sequence[Moment] = (Moment.BEFORE, Moment.STAGED, Moment.COMMITTED, Moment.SETTLED),
    sample: dict[str, Any] | None = None,
    **result: Any,
) -> list[RecordedSample]:
    """The samples of one run that took `used` bytes, and `staged` more for a while; twenty seconds apart."""
    run = a_past_run(f"run-{day}-{result.get('node', '')}", day=day, command=result.pop("command", "update"))
    past = a_past_result(run, **result)
    after = None if before is None else before - used
    free = {Moment.BEFORE: before, Moment.STAGED: None if after is None else after - (staged or 0)}
    return [
        RecordedSample(
            run,
            past.node,
            replace(
                a_sample(day + index * 20 / DAY_S, **sample or {}),
                router=past.router,
                moment=moment,
                free_bytes=free.get(moment, after),
            ),
            past,
        )
        for index, moment in enumerate(moments)
    ]


def a_known_release(letter: str, size: int = 9 * MIB, **other: Any) -> KnownRelease:
    """A release whose platform manifest has that digest."""
    values: dict[str, Any] = {
        "image": IMAGE_NAME,
        "platform": Platform.parse("linux/arm64"),
        "manifest_digest": digest(letter),
        "index_digest": None,
        "config_digest": Digest.parse("sha256:" + "0" * 63 + letter),
        "version": "1.90.1",
        "compressed_bytes": size // 2,
        "extracted_bytes": size,
        "first_seen_s": START_S,
    }
    return KnownRelease(**values | other)
