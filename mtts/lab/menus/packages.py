"""`/system/package`: the system and the container package, which can be scheduled away or back at the next boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.call import Call
from mtts.lab.menus.system import BUILD_TIME
from mtts.lab.reply import DONE, Reply, failure
from mtts.lab.table import Singleton, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

PACKAGE_BYTES = {"routeros": 13_000_000, "container": 110_000}
UP_TO_DATE = "System is already up to date"


class PackageTable(Table):
    """`/system/package`"""

    def __init__(self, device: Device) -> None:
        super().__init__(device, TableSpec("/system/package", defaults={"disabled": "false", "scheduled": ""}))
        self.verbs = {name: self.verbs[name] for name in ("print", "find", "get")} | {
            "enable": lambda call: self._schedule(call, "enable"),
            "disable": lambda call: self._schedule(call, "disable"),
            "uninstall": lambda call: self._schedule(call, "uninstall"),
            "unschedule": lambda call: self._schedule(call, ""),
            "apply-changes": self._apply,
        }
        for name, size in PACKAGE_BYTES.items():
            if name != "container" or device.build.container_package:
                row = {"name": name, "version": device.build.version, "build-time": BUILD_TIME, "size": str(size)}
                self.insert(row)

    def is_active(self, name: str) -> bool:
        """Whether a package is installed and not disabled."""
        return any(item.values["name"] == name and item.values["disabled"] == "false" for item in self.items.values())

    def booted(self) -> None:
        """Carry out what was scheduled."""
        for item in list(self.items.values()):
            verb = item.values["scheduled"].removeprefix("scheduled for ")
            item.values["scheduled"] = ""
            if verb == "uninstall":
                self.delete(item)
            elif verb:
                item.values["disabled"] = "true" if verb == "disable" else "false"

    def _schedule(self, call: Call, verb: str) -> Reply:
        for item in self.selected(call):
            if verb and item.values["name"] == "routeros":
                raise failure("cannot change system package")
            item.values["scheduled"] = f"scheduled for {verb}" if verb else ""
        return DONE

    def _apply(self, call: Call) -> Reply:
        self.device.log("system,info", f"router reboot by {call.caller.user}")
        self.device.restart_soon()
        return DONE


class Update(Singleton):
    """`/system/package/update`: there is never anything newer, and nothing is ever downloaded."""

    def __init__(self, device: Device) -> None:
        stored = {"channel": "stable", "installed-version": device.build.version}
        super().__init__(device, "/system/package/update", stored)
        self.verbs |= {"check-for-updates": self._check, "cancel": lambda _: DONE}

    def _check(self, _call: Call) -> Reply:
        self.values |= {"latest-version": self.values["installed-version"], "status": UP_TO_DATE}
        return Reply(rows=[self.view()])
