"""The two ways in which a script fails: it cannot be read, or something goes wrong while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a script, both counted from 1."""

    line: int
    column: int


class ScriptError(Exception):
    """A run-time error: ends the script unless it is caught; the text is what `:onerror` hands over."""


class ScriptSyntaxError(ScriptError):
    """The script cannot be read, so nothing of it runs; the text ends with line and column, as the console says it."""

    def __init__(self, problem: str, at: Position) -> None:
        super().__init__(f"{problem} (line {at.line} column {at.column})")
        self.at = at
