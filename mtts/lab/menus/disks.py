"""`/disk`: tmpfs disks that somebody adds, and USB disks that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab.reply import failure
from mtts.lab.storage import Volume
from mtts.lab.table import Item, Singleton, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

SETTINGS = {
    "auto-media-interface": "none",
    "auto-media-sharing": "false",
    "auto-smb-sharing": "false",
    "auto-smb-user": "guest",
    "default-mount-point-template": "[slot]",
}


class DiskTable(Table):
    """A tmpfs is configuration and survives a reboot; what is in it does not."""

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/disk",
                defaults={"disabled": "false"},
                required=("type",),
                unique=("slot",),
                unique_text="slot already in use",
            ),
        )
        for slot, size_bytes in (device.build.usb or {}).items():
            self.insert({"slot": slot, "type": "hardware", "fs": "ext4", "size": str(size_bytes)})

    def name_of(self, item: Item) -> str | None:
        """Disks are called by their slot."""
        return item.values.get("slot")

    def before_add(self, new: dict[str, str]) -> None:
        """Only tmpfs disks can be made here."""
        if new["type"] != "tmpfs":
            raise failure(f"disks of type {new['type']} are not modelled in the lab")
        number = 1
        while "slot" not in new:
            if f"tmp{number}" not in self.device.storage.volumes:
                new["slot"] = f"tmp{number}"
            number += 1
        if new["slot"] in self.device.storage.volumes or new["slot"] in self.device.files:
            raise failure("slot already in use")

    def after_add(self, item: Item) -> None:
        """Mount it."""
        limit = int(item.values.get("tmpfs-max-size") or self.device.storage.ram_bytes // 2)
        self.device.mount(Volume(item.values["slot"], limit, volatile=True))

    def after_remove(self, item: Item) -> None:
        """Take it away with what it holds."""
        self.device.unmount(item.values["slot"])

    def view(self, item: Item) -> dict[str, str]:
        """With live figures."""
        slot = item.values["slot"]
        volume = self.device.storage.volumes.get(slot)
        shown = super().view(item)
        if volume is None:
            return {**shown, "mounted": "false"}
        live = {
            "size": str(volume.total_bytes),
            "free": str(volume.free_bytes),
            "use": f"{100 * volume.used_bytes // max(volume.total_bytes, 1)}%",
            "mounted": "true",
            "mount-point": slot,
            "fs": "tmpfs" if volume.volatile else item.values.get("fs", ""),
        }
        return {**shown, **live}


def make_settings(device: Device) -> Singleton:
    """`/disk/settings`"""
    booleans = frozenset({"auto-media-sharing", "auto-smb-sharing"})
    return Singleton(device, "/disk/settings", SETTINGS, booleans=booleans)
