"""What `mtts history` shows: one line per node and run, newest first, and the runs that never ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from mtts.core.flash import FlashDelta, FlashSample, delta_of
from mtts.core.ledger import PastResult, PastRun, RecordedSample
from mtts.core.text import printable
from mtts.core.units import UNKNOWN, from_to, minute, seconds, signed_size
from mtts.report.document import change_json, delta_json, moment
from mtts.report.lines import table

_HEADINGS: Final = (
    "WHEN (UTC)", "COMMAND", "EXIT", "ROUTER", "NODE", "OUTCOME", "RELEASE", "DOWNTIME", "FLASH", "PROBLEM",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class History:
    """Past results, newest first, with what each cost in flash."""

    results: Sequence[PastResult]
    samples: Sequence[RecordedSample]
    """Of the same runs at least, oldest first."""
    unfinished: Sequence[PastRun]

    def costs(self) -> Mapping[tuple[str, str, str], FlashDelta | None]:
        """(run, router, node) → what the work cost in flash."""
        taken: dict[tuple[str, str, str], list[FlashSample]] = {}
        for recorded in self.samples:
            key = (recorded.run.run_id, recorded.sample.router, recorded.node)
            taken.setdefault(key, []).append(recorded.sample)
        return {key: delta_of(samples) for key, samples in taken.items()}


def history_lines(found: History) -> Iterable[RenderableType]:
    """A table for people, and below it what is missing from it."""
    costs = found.costs()
    rows = [
        (
            minute(past.run.started_s),
            past.run.command,
            "unfinished" if past.run.exit_code is None else str(past.run.exit_code),
            past.router,
            past.node,
            past.outcome,
            from_to(past.from_version, past.to_version) or UNKNOWN,
            seconds(past.downtime_s),
            signed_size(cost.delta_bytes if (cost := costs.get(_key(past))) else None),
            past.code or UNKNOWN,
        )
        for past in found.results
    ]
    yield table(_HEADINGS, rows)
    for run in found.unfinished:
        when = f"{printable(run.command)} of {minute(run.started_s)}"
        yield Text(f"unfinished: {when} was killed or goes on; what it had not recorded is not in the list", "yellow")


def history_json(found: History) -> dict[str, Any]:
    """The command's own keys of the document."""
    costs = found.costs()
    return {
        "history": [_result(past, costs.get(_key(past))) for past in found.results],
        "unfinished": [_run(run) for run in found.unfinished],
    }


def _result(past: PastResult, cost: FlashDelta | None) -> dict[str, Any]:
    return {
        **_run(past.run),
        "router": past.router,
        **change_json(past),
        "downtime_s": past.downtime_s,
        "flash": delta_json(cost),
        "evidence": past.evidence,
        "error": {"code": past.code, "message": past.message} if past.code else None,
    }


def _run(run: PastRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "command": run.command,
        "started": moment(run.started_s),
        "finished": None if run.finished_s is None else moment(run.finished_s),
        "exit_code": run.exit_code,
        "mtts": run.mtts_version,
    }


def _key(past: PastResult) -> tuple[str, str, str]:
    return past.run.run_id, past.router, past.node
