"""Menus of rows that live elsewhere (log lines, sessions, layers): they can be printed, found and got, not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mtts.lab.call import Call, Menu, list_rows
from mtts.lab.reply import Category, Reply, Row, Trap, no_such_item
from mtts.lab.table import value_of

if TYPE_CHECKING:
    from mtts.lab.device import Device


class Listing(Menu):
    """A menu over rows that somebody else keeps; every row has an `.id`."""

    def __init__(self, device: Device, path: str, rows: Callable[[], Iterable[Row]]) -> None:
        super().__init__(device, path)
        self.rows = rows
        self.verbs = {
            "print": lambda call: list_rows(self.rows(), call.command),
            "find": self._find,
            "get": lambda call: value_of(self.selected(call)[0], call),
        }

    def selected(self, call: Call) -> list[Row]:
        """The rows that a command names, at least one."""
        selector = call.command.selector()
        if not selector:
            raise Trap("missing value(s) of argument(s) numbers", Category.ARGUMENT)
        known = list(self.rows())
        return [_row(known, part) for part in selector]

    def _find(self, call: Call) -> Reply:
        return Reply(ret=";".join(row[".id"] for row in list_rows(self.rows(), call.command).rows))


def _row(rows: list[Row], selector: str) -> Row:
    for row in rows:
        if selector in {row[".id"], row.get("name")}:
            return row
    raise no_such_item()
