"""Plain text for people: tables that need no colour, problems with their hints, plans as commands.

Text from routers and registries is made printable, and is never read as markup.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import IO, Final

from rich.box import SIMPLE
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from mtts.core.changes import headline, routeros_command, symbol
from mtts.core.errors import Problem
from mtts.core.image import Release
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.plan import Plan
from mtts.core.preflight import Check, Level
from mtts.core.status import NodeStatus
from mtts.core.strategy import Choice
from mtts.core.text import printable
from mtts.core.units import from_to, seconds, signed_size, size

_OUTCOME_STYLES = {
    "no-op": "dim",
    "deployed": "green",
    "updated": "green",
    "removed": "green",
    "unreachable": "yellow",
    "refused": "yellow",
    "kept-old": "yellow",
    "rolled-back": "yellow",
    "pending": "red",
    "unknown": "red",
    "broken": "red",
}
_NAMED: Final = 3
"""Of the nodes that share a problem: the table has them all."""
_LEVEL_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_SYMBOL_STYLES = {"+": "green", "~": "yellow", "-": "red", ">": "cyan"}
_console: Final = partial(Console, highlight=False, emoji=False, markup=False)


def stdout_console(*, no_color: bool) -> Console:
    """For results. Where nobody watches, lines are not folded to a terminal's width."""
    console = _console(no_color=no_color or None)
    return console if console.is_terminal else plain_console()


def plain_console(file: IO[str] | None = None) -> Console:
    """For what no terminal shows: wide, and without colour; stdout unless a file is given."""
    return _console(file=file, no_color=True, width=240)


def stderr_console(*, no_color: bool) -> Console:
    """For what is said to a person while a command runs."""
    return _console(stderr=True, no_color=no_color or None)


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table whose cells are plain text unless they are `Text` already."""
    made = Table(*headings, box=SIMPLE, show_edge=False, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return made


def results(found: Sequence[NodeResult]) -> Iterable[RenderableType]:
    """A line per node, then what is wrong and what to do, in the order of the routers."""
    columns = {heading: [cell(result) for result in found] for heading, cell in _CELLS.items()}
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    rows = [
        (result.router, result.node, _outcome(result), *cells)
        for result, *cells in zip(found, *([cell or "-" for cell in cells] for cells in shown.values()), strict=True)
    ]
    yield table(("ROUTER", "NODE", "OUTCOME", *shown), rows)
    yield from problems(found)


def _outcome(result: NodeResult) -> Text:
    due = ", a change is due" if result.changes_pending else ""
    return Text(f"{result.outcome}{due}", style=_OUTCOME_STYLES[result.outcome])


def problems(found: Sequence[NodeResult]) -> Iterable[Text]:
    """What is wrong, what is odd, and what to do, in the order of the routers; what is the same for many, once."""
    alike: dict[tuple[Problem | None, str, tuple[Problem, ...]], list[str]] = {}
    for result in found:
        said = (result.problem, result.next_step, result.warnings)
        alike.setdefault(said, []).append(f"{result.router}/{result.node}")
    for (wrong, next_step, warnings), places in alike.items():
        place = ", ".join(places[:_NAMED]) + (f" and {len(places) - _NAMED} more" if len(places) > _NAMED else "")
        if wrong is not None:
            yield from problem(wrong, place=place, style="red")
        if next_step and (wrong is None or next_step != wrong.hint):
            yield Text(f"  next: {printable(next_step)}")
        for warning in warnings:
            yield from problem(warning, place=place, style="yellow")


def problem(found: Problem, *, place: str = "", style: str = "red") -> Iterable[Text]:
    """The sentence with its code, and the hint on a line of its own."""
    where = f"{place}: " if place else ""
    yield Text.assemble((where, "bold"), (printable(found.message), style), f" [{found.code}]")
    if found.hint:
        yield Text(f"  hint: {printable(found.hint)}")


def plan(found: Plan) -> Iterable[RenderableType]:
    """Each change with what it does, property by property, and the RouterOS command that does the same."""
    yield Text(f"{found.router}/{found.node} (RouterOS {printable(found.routeros)})", style="bold")
    if found.is_converged:
        yield Text("  nothing to change")
    for change in found.changes:
        sign = symbol(change)
        reason = f"  # {printable(change.why)}" if change.why else ""
        yield Text.assemble("  ", (sign, _SYMBOL_STYLES[sign]), f" {printable(headline(change))}", (reason, "dim"))
        before, after = getattr(change, "before", None), getattr(change, "after", None)
        if before is not None and after is not None:
            for prop, value in after.items():
                yield Text(f"      {prop}: {printable(before.get(prop, '')) or '(unset)'} → {printable(value)}")
        command = routeros_command(change)
        if command:
            yield Text(f"      {printable(command)}", style="dim")
    for refusal in found.refusals:
        yield from problem(refusal, place="  refused")
    for warning in found.warnings:
        yield from problem(warning, place="  warning", style="yellow")


def checks(router: str, node: str, found: Sequence[Check]) -> Iterable[RenderableType]:
    """Every precondition, and under each problem what mends it."""
    yield Text(f"{router}/{node}", style="bold")
    for check in found:
        code = f" [{check.problem.code}]" if check.problem else ""
        yield Text.assemble(
            "  ",
            (f"{check.level:<8}", _LEVEL_STYLES[check.level]),
            f" {check.name:<12} {printable(check.detail)}{code}",
        )
        if check.problem and check.problem.hint:
            yield Text(f"             hint: {printable(check.problem.hint)}")


def statuses(found: Sequence[NodeStatus]) -> Iterable[RenderableType]:
    """A line per node: container, running and latest release, tailnet, free flash."""
    rows = [
        (
            status.router,
            status.node,
            status.routeros,
            status.state,
            status.version or "-",
            _latest(status),
            _tailnet(status),
            f"{size(status.free_flash_bytes)} of {size(status.total_flash_bytes)}",
        )
        for status in found
    ]
    yield table(("ROUTER", "NODE", "ROUTEROS", "CONTAINER", "RELEASE", "LATEST", "TAILNET", "FREE FLASH"), rows)


def _latest(status: NodeStatus) -> str:
    match status.latest:
        case Release() as release:
            name = release.version or release.manifest_digest.short
            return {True: f"{name} (current)", False: f"{name} (new)", None: name}[status.is_current]
        case Problem() as reason:
            return f"? [{reason.code}]"
        case None:
            return "-"


def _tailnet(status: NodeStatus) -> str:
    if status.health is None:
        return "-"
    return "online" if status.health.is_healthy else status.health.backend_state


def _release(result: NodeResult) -> str:
    if result.outcome is Outcome.REMOVED:
        return result.from_version or ""
    return from_to(result.from_version, result.to_version)


def _expected(show: Callable[[Choice], str]) -> Callable[[NodeResult], str]:
    return lambda result: "" if result.expected is None else show(result.expected)


def _flash(result: NodeResult) -> str:
    delta = result.flash.delta_bytes if result.flash else None
    return "" if delta is None else signed_size(delta)


_CELLS: Final[Mapping[str, Callable[[NodeResult], str]]] = {
    "RELEASE": _release,
    "STRATEGY": lambda result: result.strategy or "",
    "PEAK FLASH": _expected(lambda choice: size(choice.flash_bytes)),
    "MEMORY": _expected(lambda choice: size(choice.memory_bytes)),
    "AWAY": _expected(lambda choice: choice.gap),
    "DOWNTIME": lambda result: "" if result.downtime_s is None else seconds(result.downtime_s),
    "VERIFIED BY": lambda result: result.evidence or "",
    "FLASH": _flash,
}
"""Columns that are shown where at least one node has something in them."""
