"""The flash report for programs: a key of the run's JSON document, or CSV with a row per sample."""

import csv
import io
from typing import Any, Final

from mtts.core.flash import FlashSample
from mtts.core.flash_history import FlashHistory, FlashReport
from mtts.core.flash_runs import RunCost
from mtts.core.ledger import RecordedSample
from mtts.core.text import printable
from mtts.report.document import change_json, moment, problem_json

_COLUMNS: Final = (
    "router", "node", "taken", "moment", "free_bytes", "total_bytes", "write_sectors_total",
    "write_sectors_since_reboot", "bad_blocks_percent", "uptime_s", "routeros", "run_id", "command", "outcome",
    "from_version", "to_version", "from_digest", "to_digest",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@")


def flash_json(report: FlashReport) -> list[dict[str, Any]]:
    """The document's `flash`: every router with its samples, its runs and what follows from them."""
    return [_history(history, is_silent=history.router in report.silent) for history in report.histories]


def flash_csv(report: FlashReport) -> str:
    """A line of headings, then one for each sample; a sample that several nodes share comes with each of them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for history in report.histories:
        writer.writerows([_cell(value) for value in _row(record)] for record in history.records)
    return text.getvalue()


def _row(record: RecordedSample) -> tuple[object, ...]:
    sample, result = record.sample, record.result
    return (
        sample.router,
        record.node,
        moment(sample.taken_s),
        str(sample.moment),
        sample.free_bytes,
        sample.total_bytes,
        sample.write_sectors_total,
        sample.write_sectors_since_reboot,
        sample.bad_blocks_percent,
        sample.uptime_s,
        sample.routeros,
        record.run.run_id,
        record.run.command,
        result and result.outcome,
        result and result.from_version,
        result and result.to_version,
        result and result.from_digest,
        result and result.to_digest,
    )


def _cell(value: object) -> object:
    """Numbers as they are; text so that no spreadsheet takes it for a formula."""
    if value is None or isinstance(value, int | float):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _history(history: FlashHistory, *, is_silent: bool) -> dict[str, Any]:
    wear, expected = history.wear, history.forecast
    return {
        "router": history.router,
        "answered": not is_silent,
        "samples": [_sample(sample) for sample in history.samples],
        "runs": [_run(history, run) for run in history.runs],
        "total_delta": history.total_delta_bytes,
        "wear": {
            "sectors": wear.sectors,
            "counted_s": wear.counted_s,
            "per_day": wear.per_day,
            "is_at_least": wear.is_at_least,
            "during_runs": history.own_sectors,
        },
        "forecast": {
            "next_release": expected.staged_bytes,
            "floor": expected.floor_bytes,
            "growth_per_update": expected.growth_bytes,
            "updates": expected.updates,
            "bound": str(expected.bound),
        },
        "warnings": [problem_json(warning) for warning in history.warnings],
        "notes": list(history.notes),
    }


def _sample(sample: FlashSample) -> dict[str, Any]:
    return {
        "taken": moment(sample.taken_s),
        "moment": str(sample.moment),
        "free": sample.free_bytes,
        "total": sample.total_bytes,
        "write_sectors_total": sample.write_sectors_total,
        "write_sectors_since_reboot": sample.write_sectors_since_reboot,
        "bad_blocks_percent": sample.bad_blocks_percent,
        "uptime_s": sample.uptime_s,
        "routeros": sample.routeros,
    }


def _run(history: FlashHistory, run: RunCost) -> dict[str, Any]:
    return {
        "run_id": run.run.run_id,
        "command": run.run.command,
        "began": moment(run.before.taken_s),
        "ended": moment(run.after.taken_s),
        "settled": run.is_settled,
        "before": run.before.free_bytes,
        "after": run.after.free_bytes,
        "delta": run.delta_bytes,
        "expected_delta": None if run.expected_bytes is None else -run.expected_bytes,
        "is_leak": run.is_leak,
        "sectors": history.sectors_of(run),
        "nodes": [change_json(change.result) | {"delta": change.delta_bytes} for change in run.changes],
    }
