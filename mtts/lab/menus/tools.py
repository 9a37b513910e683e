"""`/execute`, `/tool/ping` and `/tool/fetch`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Menu
from mtts.lab.menus.fetch import fetch
from mtts.lab.menus.system import require
from mtts.lab.reply import Category, Reply, Row, Trap
from mtts.lab.script.errors import ScriptSyntaxError
from mtts.lab.values import whole

if TYPE_CHECKING:
    from mtts.lab.device import Device


PING_INTERVAL_S = 1.0


class Console(Menu):
    """Commands without a menu of their own."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/")
        self.verbs = {"execute": self._execute}

    def _execute(self, call: Call) -> Answer:
        args = call.command.args
        if "script" not in args:
            raise Trap("missing value(s) of argument(s) script", Category.ARGUMENT)
        if "file" in args:
            raise Trap("execute to a file is not modelled in the lab", Category.GENERAL)
        scripts = self.device.scripts
        try:
            job = scripts.start(args["script"], call.caller, parent=call.job, is_heard="as-string" in args)
        except ScriptSyntaxError as error:
            scripts.log_error(f"script error: {error}")
            return Reply(ret=str(error) if "as-string" in args else scripts.spent_number())
        scripts.report(job)
        if "as-string" not in args:
            return Reply(ret=job.ref)
        return scripts.answer(job, lambda: Reply(ret="\n".join(job.printed())))


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
