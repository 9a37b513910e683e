"""`/log` and `/system/script/job`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.call import Call, Menu, list_rows
from mtts.lab.reply import DONE, Reply

if TYPE_CHECKING:
    from mtts.lab.device import Device


class LogMenu(Menu):
    """The router's log: newest last, a thousand lines, gone at reboot."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/log")
        self.verbs = {"print": lambda call: list_rows(device.log_rows, call.command)}
        for level in ("debug", "error", "info", "warning"):
            self.verbs[level] = self._write

    def _write(self, call: Call) -> Reply:
        self.device.log(f"script,{call.command.verb}", call.command.args.get("message", ""))
        return DONE


class NoJobs(Menu):
    """No script runs in the lab yet, so no job is ever listed."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/system/script/job")
        self.verbs = {"print": lambda call: list_rows((), call.command)}
