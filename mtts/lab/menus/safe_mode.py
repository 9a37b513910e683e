"""`/safe-mode` (from 7.18): configuration changes that are undone when the session that took it goes away.

No published command tree lists the menu; its words are those that public API clients use (`take`, `release`, `unroll`,
and `print` with `enabled`). One session holds it at a time, any may release or unroll it. What containers, disks,
files and the scheduler did is not undone here: only rows and settings are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.call import Call, Menu, list_rows
from mtts.lab.reply import DONE, Reply, Trap
from mtts.lab.table import Item, Singleton, Table

if TYPE_CHECKING:
    from mtts.lab.device import Device

NOT_UNDONE = ("/container", "/disk", "/system/scheduler", "/system/package")
"""Tables whose rows stand for something that lives on its own."""


class SafeMode(Menu):
    """`/safe-mode`"""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/safe-mode")
        self.verbs = {"print": self._print, "take": self._take, "release": self._release, "unroll": self._unroll}
        self._holder: int | None = None
        self._rows: dict[str, dict[int, dict[str, str]]] = {}
        self._settings: dict[str, dict[str, str]] = {}

    def session_ended(self, number: int) -> None:
        """Undo everything when the holder is gone."""
        if self._holder == number:
            self._restore()

    def _print(self, call: Call) -> Reply:
        return list_rows([{"enabled": "true" if self._holder is not None else "false"}], call.command)

    def _take(self, call: Call) -> Reply:
        if self._holder is not None:
            raise Trap(self.device.quirks.safe_mode_taken_text)
        self._holder = call.caller.session
        for path in self.device.schema.menus:
            menu = self.device.menu(path)
            if isinstance(menu, Singleton):
                self._settings[path] = dict(menu.values)
            elif isinstance(menu, Table) and path not in NOT_UNDONE:
                self._rows[path] = {item.id: dict(item.values) for item in menu.items.values()}
        return DONE

    def _release(self, _call: Call) -> Reply:
        self._forget()
        return DONE

    def _unroll(self, _call: Call) -> Reply:
        self._restore()
        return DONE

    def _restore(self) -> None:
        for path, rows in self._rows.items():
            table = self.device.table(path)
            for number, values in rows.items():
                if number in table.items:
                    table.items[number].values = dict(values)
            table.items = {number: table.items.get(number) or Item(number, dict(rows[number])) for number in rows}
        for path, values in self._settings.items():
            self.device.menu_of(Singleton, path).values = dict(values)
        self._forget()

    def _forget(self) -> None:
        self._holder = None
        self._rows.clear()
        self._settings.clear()
