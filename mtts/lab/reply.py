"""What a command may answer, as values: a reply or a trap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

Row = Mapping[str, str]


class Category(IntEnum):
    """Trap categories of MikroTik's API description."""

    MISSING = 0
    ARGUMENT = 1
    INTERRUPTED = 2
    SCRIPTING = 3
    GENERAL = 4
    API = 5
    TTY = 6
    RETURN = 7


@dataclass(frozen=True, slots=True)
class Reply:
    """Rows (`!re`) and the value of `!done =ret=`; `listing` replies say `!empty` when there is no row."""

    rows: Sequence[Row] = ()
    ret: str | None = None
    listing: bool = False


class Trap(Exception):  # noqa: N818 - the protocol's own word
    """A command refused or failed; routers often leave the category out."""

    def __init__(self, message: str, category: Category | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


DONE = Reply()


def no_such_command() -> Trap:
    """The menu or the command does not exist in this version."""
    return Trap("no such command", Category.MISSING)


def no_such_item() -> Trap:
    """The selector names nothing that exists (any more)."""
    return Trap("no such item", Category.MISSING)


def no_match(argument: str) -> Trap:
    """A reference or an enumeration met an unknown value."""
    return Trap(f"input does not match any value of {argument}")


def invalid_value(argument: str) -> Trap:
    """A value that this argument cannot hold."""
    return Trap(f"invalid value for argument {argument}", Category.ARGUMENT)


def failure(text: str) -> Trap:
    """An execution error, with the prefix that routers give it."""
    return Trap(f"failure: {text}")
