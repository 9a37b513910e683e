"""What a router says of itself: resources, packages, device mode, clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.call import Call, Menu, list_rows
from mtts.lab.reply import DONE, Category, Reply, Trap, failure
from mtts.lab.table import Singleton, value_of

if TYPE_CHECKING:
    from mtts.lab.device import Device
    from mtts.lab.storage import Storage

CHANNEL = "stable"
BUILD_TIME = "2026-06-01 09:00:00"
ACTIVATION_TIMEOUT_S = 300.0
FORBIDDEN = "not allowed by device-mode"


class Resource(Menu):
    """`/system/resource`: live figures."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/system/resource")
        self.verbs = {
            "print": lambda call: list_rows([self.view()], call.command),
            "get": lambda call: value_of(self.view(), call),
        }

    def view(self) -> dict[str, str]:
        """Everything as of now; flash figures as late as the router's caches."""
        board, storage = self.device.build.board, self.device.storage
        return {
            "uptime": values.duration(int(self.device.uptime_s)),
            "version": f"{self.device.build.version} ({CHANNEL})",
            "build-time": BUILD_TIME,
            "free-memory": str(storage.free_memory_bytes),
            "total-memory": str(storage.ram_bytes),
            "cpu": board.cpu,
            "cpu-count": str(board.cpu_count),
            "cpu-frequency": "1400",
            "cpu-load": "1",
            "free-hdd-space": str(storage.reported_free_bytes),
            "total-hdd-space": str(storage.flash.total_bytes),
            "write-sect-since-reboot": str(storage.sectors_since_reboot),
            **({} if board.is_virtual else _flash_health(storage)),
            "architecture-name": board.architecture,
            "board-name": board.name,
            "platform": "MikroTik",
        }


def _flash_health(storage: Storage) -> dict[str, str]:
    return {"write-sect-total": str(storage.sectors_total), "bad-blocks": str(storage.bad_blocks_percent)}


class Clock(Singleton):
    """`/system/clock`: the router's own idea of the time."""

    def __init__(self, device: Device) -> None:
        stored = {
            "time-zone-autodetect": "true",
            "time-zone-name": "manual",
            "gmt-offset": "+00:00",
            "dst-active": "false",
        }
        super().__init__(device, "/system/clock", stored, booleans=frozenset({"time-zone-autodetect"}))

    def view(self) -> dict[str, str]:
        """The time now."""
        wall = self.device.wall
        return {"time": wall.strftime("%H:%M:%S"), "date": wall.strftime("%Y-%m-%d"), **self.values}

    def before_set(self, changes: dict[str, str]) -> None:
        """Setting the time is not modelled; the lab's time is everyone's."""
        if {"time", "date"} & set(changes):
            raise Trap("setting the time is not modelled in the lab", Category.GENERAL)


class DeviceMode(Singleton):
    """`/system/device-mode`: what the person at the device has allowed; nobody is there to press a button."""

    def __init__(self, device: Device) -> None:
        stored = {
            "mode": "advanced",
            "allowed-versions": "7.13+",
            "flagged": "false",
            "flagging-enabled": "true",
            "scheduler": "true",
            "fetch": "true",
            "container": "true" if device.build.device_mode_container else "false",
            "attempt-count": "0",
        }
        super().__init__(device, "/system/device-mode", stored)
        self.verbs["update"] = lambda _: self._update()

    async def _update(self) -> Reply:
        await self.device.clock.wait(ACTIVATION_TIMEOUT_S)
        raise Trap("update canceled")

    def allows(self, feature: str) -> bool:
        """Whether a feature may be used."""
        return self.values[feature] == "true"


class Power(Menu):
    """`/system reboot` and `shutdown`."""

    def __init__(self, device: Device) -> None:
        super().__init__(device, "/system")
        self.verbs = {"reboot": self._reboot, "shutdown": self._shutdown}

    def _reboot(self, call: Call) -> Reply:
        self.device.log("system,info", f"router reboot by {call.caller.user}")
        self.device.restart_soon()
        return DONE

    def _shutdown(self, call: Call) -> Reply:
        self.device.log("system,info", f"router shutdown by {call.caller.user}")
        self.device.shut_down_soon()
        return DONE


def require(device: Device, feature: str) -> None:
    """Refuse what device mode forbids."""
    if not device.menu_of(DeviceMode, "/system/device-mode").allows(feature):
        raise failure(FORBIDDEN)


def make_identity(device: Device) -> Singleton:
    """`/system/identity`"""
    return Singleton(device, "/system/identity", {"name": device.build.name})


def make_routerboard(device: Device) -> Singleton:
    """`/system/routerboard`"""
    stored = {
        "routerboard": "true",
        "board-name": device.build.board.name,
        "model": device.build.board.name,
        "serial-number": "LAB00000001",
        "firmware-type": "lab",
        "factory-firmware": "7.18",
        "current-firmware": device.build.version,
        "upgrade-firmware": device.build.version,
    }
    menu = Singleton(device, "/system/routerboard", stored)
    del menu.verbs["set"]
    return menu
