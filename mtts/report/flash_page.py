"""The flash report as one HTML page that needs nothing but itself: no network, and tables where scripts do not run.

Whatever a router or a registry said is escaped by the template; a content security policy that names the page's own
two scripts by their hashes keeps any other from running.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mtts.core.errors import Problem
from mtts.core.flash import FlashSample
from mtts.core.flash_history import FlashHistory, FlashReport
from mtts.core.flash_runs import RunCost
from mtts.core.text import printable
from mtts.core.units import day, minute, signed_size, size
from mtts.core.wear import DAY_S
from mtts.report import flash_words as words

CHARTED: Final = 24
"""Routers with charts: more would make the page slow to open."""
_POINTS: Final = 400
_SPARK_POINTS: Final = 32
_DAILY_S: Final = 45 * DAY_S
"""Up to this span wear is drawn by the day, by the week beyond it."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One router as the page shows it."""

    name: str
    anchor: str
    """Empty where it has no charts."""
    history: FlashHistory
    is_silent: bool
    seen: str


def flash_page(report: FlashReport, problems: Sequence[tuple[str, Problem]]) -> str:
    """The page; `problems` are those of routers that did not answer."""
    charted = {history.router: f"r{place}" for place, history in enumerate(_most_telling(report))}
    routers = [
        _Line(
            printable(history.router),
            charted.get(history.router, ""),
            history,
            history.router in report.silent,
            words.seen(history, report),
        )
        for history in report.histories
    ]
    scripts = [_script("chart.umd.min.js"), _script("flash_report.js")]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"size": size, "signed": signed_size, "day": day, "minute": minute, "shown": printable}
    template = environment.from_string(_text("flash_report.html.jinja"))
    return template.render(
        report=report,
        routers=routers,
        detailed=[router for router in routers if router.anchor],
        problems=problems,
        warnings=[(line, warning) for line in routers for warning in line.history.warnings],
        data=[_chart(line) for line in routers if line.anchor],
        style=Markup(_text("flash_report.css")),  # noqa: S704 - our own file
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        words=words,
        spark=_spark,
    )


def _most_telling(report: FlashReport) -> list[FlashHistory]:
    """The routers with warnings first, then those with the most runs and samples; none without two samples."""
    candidates = [history for history in report.histories if len(history.samples) > 1]
    candidates.sort(key=lambda history: (-len(history.warnings), -len(history.runs), -len(history.samples)))
    chosen = {history.router for history in candidates[:CHARTED]}
    return [history for history in report.histories if history.router in chosen]


def _spark(samples: Sequence[FlashSample]) -> str:
    """The points of a line in a box of 100 by 20; empty without two figures."""
    figures = words.evenly(samples, _SPARK_POINTS)
    if len(figures) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    low, span = min(figures), max(figures) - min(figures)
    total = samples[-1].total_bytes or 0
    scale = max(span, total // 200, 1)
    lift = (scale - span) / 2
    return " ".join(
        f"{index * 100 / (len(figures) - 1):.1f},{19 - (figure - low + lift) / scale * 18:.1f}"
        for index, figure in enumerate(figures)
    )


def _chart(line: _Line) -> dict[str, Any]:
    """What the page's script draws; times in milliseconds."""
    history = line.history
    return {
        "id": line.anchor,
        "free": [
            [round(sample.taken_s * 1000), sample.free_bytes]
            for sample in _thinned(words.resting(history))
            if sample.free_bytes is not None
        ],
        "floor": history.forecast.floor_bytes,
        "runs": [_run(run) for run in history.runs if run.delta_bytes is not None],
        "wear": _wear(history),
    }


def _run(run: RunCost) -> dict[str, Any]:
    return {
        "at": round(run.after.taken_s * 1000),
        "free": run.after.free_bytes,
        "used": -(run.delta_bytes or 0),
        "expected": run.expected_bytes,
        "first": run.expected_bytes is None and any(change.is_first for change in run.changes),
        "leak": run.is_leak,
        "what": f"{printable(run.run.command)}: {words.releases(run)}",
    }


def _wear(history: FlashHistory) -> dict[str, Any]:
    """Sectors by day or week, those written during runs apart; a step that spans several is spread over them."""
    steps = [step for step in history.wear.steps if step.sectors is not None]
    if not steps:
        return {"unit": "day", "bins": []}
    began_s, ended_s = steps[0].began_s, steps[-1].ended_s
    width_s, unit = (DAY_S, "day") if ended_s - began_s <= _DAILY_S else (7 * DAY_S, "week")
    first = int(began_s // width_s)
    bins = [[0.0, 0.0] for _ in range(int(ended_s // width_s) - first + 1)]
    runs = [(run.before.taken_s, run.after.taken_s) for run in history.runs]
    for step in steps:
        is_ours = any(began <= step.began_s and step.ended_s <= ended for began, ended in runs)
        length_s = step.ended_s - step.began_s
        for place in range(int(step.began_s // width_s), int(step.ended_s // width_s) + 1):
            inside_s = min(step.ended_s, (place + 1) * width_s) - max(step.began_s, place * width_s)
            bins[place - first][is_ours] += (step.sectors or 0) * inside_s / length_s
    return {
        "unit": unit,
        "bins": [
            [round((first + place) * width_s * 1000), round(others), round(ours)]
            for place, (others, ours) in enumerate(bins)
        ],
    }


def _thinned(samples: Sequence[FlashSample]) -> Sequence[FlashSample]:
    """Every so-manieth sample and the last one."""
    every = -(-len(samples) // _POINTS)
    return samples if every <= 1 else [*samples[:-1:every], samples[-1]]


def _text(name: str) -> str:
    return files("mtts").joinpath("data", name).read_text(encoding="utf-8")


def _script(name: str) -> Markup:
    """A file of ours without its pointer to a source map, which the page could not load."""
    lines = [line for line in _text(name).splitlines() if not line.startswith("//# sourceMappingURL")]
    return Markup("\n".join(lines))  # noqa: S704 - our own files


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
