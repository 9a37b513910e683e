"""`/log` and `/system/script/job`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Menu, list_rows
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
            return self._follow(call, [])
        if "follow" in call.command.args:
            return self._follow(call, list(self.device.log_rows))
        return list_rows(self.device.log_rows, call.command)

    async def _follow(self, call: Call, past: list[Row]) -> AsyncIterator[Row]:
        matches = compile_query(call.command.queries)
        news: asyncio.Queue[Row] = asyncio.Queue()
        for row in past:
            news.put_nowait(row)
        self.device.log_watchers.add(news.put_nowait)
        try:
            while True:
                row = await news.get()
                if matches(row):
                    yield row
        finally:
            self.device.log_watchers.discard(news.put_nowait)

    def _write(self, call: Call) -> Reply:
        self.device.log(f"script,{call.command.verb}", call.command.args.get("message", ""))
        return DONE


class NoJobs(Menu):
    """No script runs in the lab yet, so no job is ever listed."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/system/script/job")
        self.verbs = {"print": lambda call: list_rows((), call.command)}
