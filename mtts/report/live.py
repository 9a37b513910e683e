"""Progress on stderr: a live display on a terminal, one plain line per event otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mtts.core.events import Emit, Event, Kind
from mtts.core.outcome import Outcome
from mtts.core.text import printable
from mtts.report.lines import stderr_console

_SHOWN_ROUTERS = 20


class _LiveDisplay:
    """One line per router at work; what is finished moves up and stays."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._working: dict[str, Event] = {}
        self._is_settling = False
        """From the first router that waits on; nothing tells when the last one is done but the end."""
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        if event.kind is Kind.SETTLING:
            self._is_settling = True
        elif event.kind is Kind.FINISHED:
            self._working.pop(event.router, None)
            if not _is_idle(event):
                self._console.print(Text(line(event)))
        else:
            self._working[event.router] = event

    def _render(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        for event in list(self._working.values())[:_SHOWN_ROUTERS]:
            grid.add_row(Text("•", style="cyan"), Text(line(event)))
        if self._is_settling and not self._working:
            grid.add_row(Text("•", style="cyan"), Text("done; waiting for flash to settle (Ctrl-C ends the wait)"))
        return grid


def line(event: Event) -> str:
    """An event as one line of plain text."""
    place = "/".join(part for part in (event.router, event.node) if part)
    return f"{place}: {printable(event.text) or event.kind}"


def _is_idle(event: Event) -> bool:
    """Whether it only says that there is nothing to say."""
    return event.kind in (Kind.STARTED, Kind.WAITING, Kind.SETTLING) or event.text == Outcome.NO_OP


@contextmanager
def progress(*, quiet: bool, verbosity: int, no_color: bool) -> Iterator[Emit]:
    """Where events go: to a live display, to plain lines, or nowhere.

    Plain lines leave out what ticks and what says nothing, unless `verbosity` asks for it.
    """
    console = stderr_console(no_color=no_color)
    if quiet:
        yield lambda _: None
        return
    if console.is_terminal and not verbosity:
        with _LiveDisplay(console) as display:
            yield display.show
        return

    def print_line(event: Event) -> None:
        if verbosity or not _is_idle(event):
            console.print(Text(line(event)), soft_wrap=True)

    yield print_line
