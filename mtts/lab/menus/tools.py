"""`/execute`, `/tool/ping` and `/tool/fetch`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Menu
from mtts.lab.console import ConsoleError, run_line
from mtts.lab.menus.fetch import fetch
from mtts.lab.menus.system import require
from mtts.lab.reply import Category, Reply, Row, Trap
from mtts.lab.values import whole

if TYPE_CHECKING:
    from mtts.lab.device import Device


PING_INTERVAL_S = 1.0


class Console(Menu):
    """Commands without a menu of their own."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/")
        self.verbs = {"execute": self._execute}
        self._jobs = 0

    def _execute(self, call: Call) -> Reply:
        if "file" in call.command.args:
            raise Trap("execute to a file is not modelled in the lab", Category.GENERAL)
        printed = []
        try:
            for line in call.command.args.get("script", "").splitlines():
                printed.append(run_line(self.device, line, call.caller))  # noqa: PERF401 - what was printed before an error counts
        except ConsoleError as error:
            printed.append(str(error))
        if "as-string" in call.command.args:
            return Reply(ret="\n".join(part for part in printed if part))
        self._jobs += 1
        return Reply(ret=f"*{self._jobs:X}")


class Tool(Menu):
    """`/tool`"""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/tool")
        self.verbs = {"ping": self._ping, "fetch": self._fetch}

    def _ping(self, call: Call) -> Answer:
        args = call.command.args
        count = whole("count", args["count"], 1, 4_294_967_295) if "count" in args else None
        return self._pings(args.get("address", ""), count)

    async def _pings(self, address: str, count: int | None) -> AsyncIterator[Row]:
        sent = 0
        while count is None or sent < count:
            sent += 1
            yield {
                "seq": str(sent - 1),
                "host": address,
                "size": "56",
                "ttl": "64",
                "time": "1ms",
                "sent": str(sent),
                "received": str(sent),
                "packet-loss": "0",
            }
            if sent != count:
                await self.device.clock.wait(PING_INTERVAL_S)

    def _fetch(self, call: Call) -> Answer:
        require(self.device, "fetch")
        return fetch(self.device, call)
