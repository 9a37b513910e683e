"""Our values as rows and back; ValueError where a row does not hold what mtts wrote.

Text that came from routers is made printable before it is kept: a database refuses NUL and lone surrogates.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column

from mtts.adapters.store.schema import NOBODY, quarantine, release, result, run, sample
from mtts.core.flash import FlashSample, Moment
from mtts.core.image import Digest, Platform, Release
from mtts.core.ledger import KnownRelease, PastResult, PastRun, Quarantined, RecordedSample
from mtts.core.outcome import NodeResult
from mtts.core.text import printable

Found = Mapping[Column[Any], Any]
"""A row that was read, by column."""


def row_of_run(value: PastRun) -> dict[str, Any]:
    return {
        "id": value.run_id,
        "command": value.command,
        "started_s": value.started_s,
        "mtts_version": value.mtts_version,
        "finished_s": value.finished_s,
        "exit_code": value.exit_code,
    }


def row_of_result(run_id: str, value: NodeResult) -> dict[str, Any]:
    problem = value.problem
    return {
        "run_id": run_id,
        "router": value.router,
        "node": value.node,
        "outcome": str(value.outcome),
        "strategy": value.strategy,
        "from_version": _clean(value.from_version),
        "to_version": _clean(value.to_version),
        "from_digest": _text(value.from_digest),
        "to_digest": _text(value.to_digest),
        "downtime_s": value.downtime_s,
        "evidence": _clean(value.evidence),
        "code": problem.code if problem else None,
        "message": _clean(problem.message) if problem else None,
    }


def row_of_sample(run_id: str, node: str, value: FlashSample) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "router": value.router,
        "node": node,
        "moment": str(value.moment),
        "taken_s": value.taken_s,
        "free_bytes": value.free_bytes,
        "total_bytes": value.total_bytes,
        "write_sectors_since_reboot": value.write_sectors_since_reboot,
        "write_sectors_total": value.write_sectors_total,
        "bad_blocks_percent": value.bad_blocks_percent,
        "uptime_s": value.uptime_s,
        "routeros": printable(value.routeros),
    }


def row_of_release(value: Release, *, seen_s: float) -> dict[str, Any]:
    return {
        "image": value.image.name,
        "manifest_digest": str(value.manifest_digest),
        "platform": str(value.platform),
        "index_digest": _text(value.index_digest),
        "config_digest": str(value.config_digest),
        "version": _clean(value.version),
        "compressed_bytes": value.compressed_bytes,
        "extracted_bytes": value.extracted_bytes,
        "first_seen_s": seen_s,
    }


def row_of_quarantined(value: Quarantined) -> dict[str, Any]:
    return {
        "digest": str(value.digest),
        "router": value.router or NOBODY,
        "reason": printable(value.reason),
        "since_s": value.since_s,
    }


def past_run(row: Found) -> PastRun:
    return PastRun(
        run_id=row[run.c.id],
        command=row[run.c.command],
        started_s=row[run.c.started_s],
        mtts_version=row[run.c.mtts_version],
        finished_s=row[run.c.finished_s],
        exit_code=row[run.c.exit_code],
    )


def past_result(row: Found) -> PastResult:
    """From a row that holds its run too."""
    return PastResult(
        run=past_run(row),
        router=row[result.c.router],
        node=row[result.c.node],
        outcome=row[result.c.outcome],
        strategy=row[result.c.strategy],
        from_version=row[result.c.from_version],
        to_version=row[result.c.to_version],
        from_digest=_digest(row[result.c.from_digest]),
        to_digest=_digest(row[result.c.to_digest]),
        downtime_s=row[result.c.downtime_s],
        evidence=row[result.c.evidence],
        code=row[result.c.code],
        message=row[result.c.message],
    )


def recorded_sample(row: Found) -> RecordedSample:
    """From a row that holds its run, and its result where there is one."""
    taken = FlashSample(
        router=row[sample.c.router],
        moment=Moment(row[sample.c.moment]),
        taken_s=row[sample.c.taken_s],
        free_bytes=row[sample.c.free_bytes],
        total_bytes=row[sample.c.total_bytes],
        write_sectors_since_reboot=row[sample.c.write_sectors_since_reboot],
        write_sectors_total=row[sample.c.write_sectors_total],
        bad_blocks_percent=row[sample.c.bad_blocks_percent],
        uptime_s=row[sample.c.uptime_s],
        routeros=row[sample.c.routeros],
    )
    its_result = past_result(row) if row[result.c.run_id] is not None else None
    return RecordedSample(past_run(row), row[sample.c.node], taken, its_result)


def known_release(row: Found) -> KnownRelease:
    return KnownRelease(
        image=row[release.c.image],
        platform=Platform.parse(row[release.c.platform]),
        manifest_digest=Digest.parse(row[release.c.manifest_digest]),
        index_digest=_digest(row[release.c.index_digest]),
        config_digest=Digest.parse(row[release.c.config_digest]),
        version=row[release.c.version],
        compressed_bytes=row[release.c.compressed_bytes],
        extracted_bytes=row[release.c.extracted_bytes],
        first_seen_s=row[release.c.first_seen_s],
    )


def quarantined(row: Found) -> Quarantined:
    return Quarantined(
        digest=Digest.parse(row[quarantine.c.digest]),
        router=row[quarantine.c.router] or None,
        reason=row[quarantine.c.reason],
        since_s=row[quarantine.c.since_s],
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else printable(text)


def _text(digest: Digest | None) -> str | None:
    return None if digest is None else str(digest)


def _digest(text: str | None) -> Digest | None:
    return None if text is None else Digest.parse(text)
