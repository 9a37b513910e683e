"""What a script and its router have to do with each other: what it may ask, and what it waits for."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mtts.lab.call import Answer
from mtts.lab.reply import Reply
from mtts.lab.script.nodes import MenuCommand
from mtts.lab.script.values import Value
from mtts.lab.script.vocabulary import Words

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delay:
    """So much simulated time has to pass."""

    seconds: float


Wait = Delay | Answer
StepsTo = Generator[Wait, Reply | None, T]
"""A part of a run: hands out what it waits for, takes the reply where that is an answer, ends with a result."""
Steps = StepsTo[Value]


class Host(Protocol):
    """What a script finds on its router."""

    name: str
    words: Words
    globals: dict[str, Value]

    def put(self, text: str) -> None:
        """Print a line."""

    def keep(self, name: str, value: Value) -> None:
        """Give a global variable a value; ScriptError when there is no room for it."""

    def perform(self, command: MenuCommand, args: Mapping[str, str]) -> Answer:
        """Give a command to a menu; Trap when it is refused."""

    def now_s(self) -> float:
        """Seconds of the router's own clock since 1970."""

    def elapsed_s(self) -> float:
        """Simulated seconds."""

    def random(self, low: int, high: int) -> int:
        """A number between two others."""
