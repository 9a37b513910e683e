"""One command on its way to a menu: who asks, of which router, what; and what a menu is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtts.lab.command import Command
from mtts.lab.query import compile_query
from mtts.lab.reply import Category, Reply, Row, Trap

if TYPE_CHECKING:
    from mtts.lab.device import Device
    from mtts.lab.script.job import Job

Answer = Reply | Awaitable[Reply] | AsyncIterator[Row]
"""At once, later, or row by row until it is cancelled."""
Handler = Callable[["Call"], Answer]


class Stream(AsyncIterator[Row]):
    """Rows that gather from the moment of the command on, not only once they are waited for; to be closed."""

    @abstractmethod
    def close(self) -> None:
        """Gather no more."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody logged in (or a script's owner) with the policies of their group."""

    user: str
    policies: frozenset[str]
    session: int = 0
    """The number of the session that asks, 0 for nobody's."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command and the one who sent it."""

    command: Command
    caller: Caller
    job: Job | None = None
    """The script that gives it; None when it came through a session."""


class Menu:
    """One menu of a router; subclasses say which of the tree's commands they model, in `verbs`."""

    def __init__(self, device: Device, path: str) -> None:
        self.device = device
        self.path = path
        self.verbs: dict[str, Handler] = {}

    def run(self, call: Call, verb: str) -> Answer:
        """Answer a command whose words are known to be right; Trap when it is refused."""
        handler = self.verbs.get(verb)
        if handler is None:
            raise Trap(f"{self.path}/{verb} is not modelled in the lab", Category.GENERAL)
        return handler(call)


def list_rows(rows: Iterable[Row], command: Command) -> Reply:
    """Answer a print: rows that match the query, cut down to the wanted properties, or their count.

    The console's `where` never comes here from a script; what a router makes of it from a client is not published.
    """
    if "where" in command.args:
        raise Trap("where is for the console, a client asks by query", Category.ARGUMENT)
    matches = compile_query(command.queries)
    found = [row for row in rows if matches(row)]
    if "count-only" in command.args:
        return Reply(ret=str(len(found)))
    if command.proplist is not None:
        wanted = command.proplist
        found = [{name: row[name] for name in wanted if name in row} for row in found]
    return Reply(rows=found, listing=True)
