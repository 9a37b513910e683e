"""`/log`: what the router, its containers and its scripts wrote."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Stream, list_rows
from mtts.lab.listing import Listing
from mtts.lab.query import compile_query
from mtts.lab.reply import DONE, Reply, Row

if TYPE_CHECKING:
    from mtts.lab.device import Device


class LogMenu(Listing):
    """The router's log: newest last, a thousand lines, gone at reboot."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/log", lambda: list(device.log_rows))
        self.verbs["print"] = self._print
        for level in ("debug", "error", "info", "warning"):
            self.verbs[level] = self._write

    def _print(self, call: Call) -> Answer:
        if "follow-only" in call.command.args:
            return _Follow(self.device, call, [])
        if "follow" in call.command.args:
            return _Follow(self.device, call, list(self.device.log_rows))
        return list_rows(self.device.log_rows, call.command)

    def _write(self, call: Call) -> Reply:
        self.device.log(f"script,{call.command.verb}", call.command.args.get("message", ""))
        return DONE


class _Follow(Stream):
    """Log lines that match, those that are there first and then every new one."""

    def __init__(self, device: Device, call: Call, past: list[Row]) -> None:
        self._device = device
        self._matches = compile_query(call.command.queries)
        self._news: asyncio.Queue[Row] = asyncio.Queue()
        for row in past:
            self._news.put_nowait(row)
        self._watcher = self._news.put_nowait
        device.log_watchers.add(self._watcher)

    async def __anext__(self) -> Row:
        while not self._matches(row := await self._news.get()):
            pass
        return row

    def close(self) -> None:
        """Follow no longer."""
        self._device.log_watchers.discard(self._watcher)
