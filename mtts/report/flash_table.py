"""The flash report for people at a terminal: a line per router, its trend, and what to look at."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from mtts.core.flash_history import FlashHistory, FlashReport
from mtts.core.outcome import NodeResult
from mtts.core.text import printable
from mtts.core.units import UNKNOWN, minute, signed_size, size
from mtts.report import flash_words as words
from mtts.report import lines

_BARS: Final = "▁▂▃▄▅▆▇█"
_FLAT: Final = "▄"
_SPARK_WIDTH: Final = 12
_FLAT_PART: Final = 200
"""A trend that moves by less than this part of the flash is drawn flat."""
_DETAILED: Final = 3
"""Up to so many routers are shown run by run."""
_RUNS_SHOWN: Final = 10
_NAMES_SHOWN: Final = 5


def flash_table(report: FlashReport, results: Sequence[NodeResult]) -> Iterable[RenderableType]:
    """A line per router, the runs where few routers were asked for, then problems, warnings and notes."""
    rows = [_row(history, report) for history in report.histories]
    yield lines.table(
        ("ROUTER", "FREE", "OF", "TREND", "RUNS", "LAST", "ALL RUNS", "STILL FIT", "WRITES/DAY", "OURS", "SEEN"), rows
    )
    if len(report.histories) <= _DETAILED:
        for history in report.histories:
            yield from _runs(history)
    problems = {result.router: result.problem for result in results if result.problem is not None}
    for history in report.histories:
        if history.router in problems:
            yield from lines.problem(problems[history.router], place=history.router, style="yellow")
        for warning in history.warnings:
            yield from lines.problem(warning, place=history.router, style="yellow")
    yield from _notes(report.histories)


def flash_text(report: FlashReport, results: Sequence[NodeResult]) -> str:
    """The same without colour, for a file."""
    text = io.StringIO()
    console = lines.plain_console(text)
    for renderable in flash_table(report, results):
        console.print(renderable, soft_wrap=True)
    return text.getvalue()


def sparkline(figures: Sequence[int], *, total: int | None) -> str:
    """One character for each figure, the lowest bar for the least of them."""
    if not figures:
        return ""
    low, span = min(figures), max(figures) - min(figures)
    if span * _FLAT_PART <= (total or 0) or not span:
        return _FLAT * len(figures)
    return "".join(_BARS[(figure - low) * (len(_BARS) - 1) // span] for figure in figures)


def _row(history: FlashHistory, report: FlashReport) -> Sequence[str | Text]:
    last = history.last
    total = last.total_bytes if last else None
    return (
        history.router,
        size(last.free_bytes if last else None),
        size(total),
        sparkline(words.evenly(words.resting(history), _SPARK_WIDTH), total=total),
        str(len(history.runs)),
        signed_size(history.runs[-1].delta_bytes) if history.runs else UNKNOWN,
        signed_size(history.total_delta_bytes),
        words.fits(history.forecast),
        words.writes_per_day(history),
        words.own_share(history),
        Text(words.seen(history, report), style="yellow" if history.router in report.silent else "dim"),
    )


def _runs(history: FlashHistory) -> Iterable[RenderableType]:
    shown = history.runs[-_RUNS_SHOWN:]
    if not shown:
        return
    rows = [
        (
            minute(run.before.taken_s),
            run.run.command,
            words.outcomes(run),
            words.releases(run),
            size(run.before.free_bytes),
            size(run.after.free_bytes),
            signed_size(run.delta_bytes) + ("" if run.is_settled else " (not settled)"),
            signed_size(None if run.expected_bytes is None else -run.expected_bytes),
            UNKNOWN if (sectors := history.sectors_of(run)) is None else str(sectors),
            Text("leak", style="yellow") if run.is_leak else "",
        )
        for run in shown
    ]
    yield Text()
    older = f" (the last {len(shown)} of {len(history.runs)} runs)" if len(shown) < len(history.runs) else ""
    yield Text(f"{printable(history.router)}{older}", style="bold")
    headings = ("WHEN (UTC)", "COMMAND", "OUTCOME", "RELEASE", "BEFORE", "AFTER", "COST", "BY SIZE", "SECTORS", "")
    yield lines.table(headings, rows)


def _notes(histories: Sequence[FlashHistory]) -> Iterable[Text]:
    """Each note once, with the routers that it is about."""
    about: dict[str, list[str]] = {}
    for history in histories:
        for note in history.notes:
            about.setdefault(note, []).append(printable(history.router))
    for note, routers in about.items():
        more = f" and {len(routers) - _NAMES_SHOWN} more" if len(routers) > _NAMES_SHOWN else ""
        yield Text(f"note: {', '.join(routers[:_NAMES_SHOWN])}{more}: {printable(note)}", style="dim")
