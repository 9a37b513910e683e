"""How the figures of a flash report are said, the same in a table and on a page."""

from collections.abc import Sequence
from typing import Final

from mtts.core.flash import FlashSample
from mtts.core.flash_forecast import Bound, Forecast
from mtts.core.flash_history import FlashHistory, FlashReport
from mtts.core.flash_runs import RunCost
from mtts.core.units import UNKNOWN, from_to
from mtts.core.wear import DAY_S

_AGES: Final = ((2 * DAY_S, DAY_S, "d"), (2 * 3600.0, 3600.0, "h"), (0.0, 60.0, "min"))
_MAX_COUNT: Final = 999


def seen(history: FlashHistory, report: FlashReport) -> str:
    """When the router last said something."""
    if history.last is None:
        return "never"
    if history.router not in report.silent:
        return "now"
    age_s = max(report.made_s - history.last.taken_s, 0.0)
    unit_s, unit = next((unit_s, unit) for least_s, unit_s, unit in _AGES if age_s >= least_s)
    return f"{age_s / unit_s:.0f} {unit} ago"


def fits(expected: Forecast) -> str:
    """How many more updates fit."""
    match expected.bound:
        case Bound.UNKNOWN:
            return "?"
        case Bound.UNLIMITED:
            return "no limit"
        case Bound.AT_LEAST:
            return f"at least {expected.updates}"
        case Bound.ABOUT:
            count = expected.updates or 0
            return "none" if not count else f"about {count}" if count <= _MAX_COUNT else f"over {_MAX_COUNT}"


def writes_per_day(history: FlashHistory) -> str:
    per_day = history.wear.per_day
    at_least = "≥ " if history.wear.is_at_least else ""
    return UNKNOWN if per_day is None else f"{at_least}{per_day:,.0f}".replace(",", " ")


def own_share(history: FlashHistory) -> str:
    """The part of all sectors that was written during runs."""
    own, all_sectors = history.own_sectors, history.wear.sectors
    return UNKNOWN if own is None or not all_sectors else f"{own / all_sectors:.0%}"


def releases(run: RunCost) -> str:
    """From which release to which, node by node where there are several."""
    return ", ".join(
        f"{f'{change.result.node}: ' if len(run.changes) > 1 else ''}"
        f"{from_to(change.result.from_version, change.result.to_version) or UNKNOWN}"
        for change in run.changes
    )


def outcomes(run: RunCost) -> str:
    return ", ".join(dict.fromkeys(change.result.outcome for change in run.changes))


def resting(history: FlashHistory) -> list[FlashSample]:
    """The samples but those in the middle of a run, while the next release lay beside the running one."""
    passing = {sample for run in history.runs for change in run.changes for sample in change.samples}
    ends = {sample for run in history.runs for sample in (run.before, run.after)}
    return [sample for sample in history.samples if sample not in passing or sample in ends]


def evenly(samples: Sequence[FlashSample], count: int) -> list[int]:
    """At most `count` figures of free bytes, evenly over the time; where none was taken, the one before goes on."""
    known = [(sample.taken_s, sample.free_bytes) for sample in samples if sample.free_bytes is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return [free for _, free in known]
    began_s, ended_s = known[0][0], known[-1][0]
    figures: list[int] = []
    index = 0
    for place in range(count):
        until_s = began_s + (ended_s - began_s) * (place + 1) / count
        while index + 1 < len(known) and (known[index + 1][0] <= until_s or place == count - 1):
            index += 1
        figures.append(known[index][1])
    return figures
