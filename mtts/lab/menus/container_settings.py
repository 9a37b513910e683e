"""What containers refer to: `/container/config`, `/container/envs` and `/container/mounts`, by version.

Rows are kept here; what a start makes of them is for `surroundings` to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.reply import invalid_value
from mtts.lab.table import Item, Singleton, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device


class ContainerConfig(Singleton):
    """`/container/config`"""

    def __init__(self, device: Device) -> None:
        limit = "memory-high" if device.has("flags") else "ram-high"
        stored = {"registry-url": "", "tmpdir": "", "layer-dir": "", "username": "", limit: "unlimited"}
        super().__init__(device, "/container/config", stored)

    def view(self) -> dict[str, str]:
        """The password stays in the router."""
        return {name: value for name, value in self.values.items() if name != "password"}


class EnvTable(Table):
    """`/container/envs`"""

    def __init__(self, device: Device) -> None:
        column = "list" if device.has("env-lists") else "name"
        defaults = {"disabled": "false"} if device.has("mount-lists") else {}
        spec = TableSpec(
            "/container/envs",
            defaults=defaults,
            required=(column, "key"),
            unique=(column, "key"),
            unique_text="same key already exists",
        )
        super().__init__(device, spec)

    def name_of(self, _item: Item) -> str | None:
        """Entries have no name of their own."""
        return None


class MountTable(Table):
    """`/container/mounts`"""

    def __init__(self, device: Device) -> None:
        self._by_list = device.has("mount-lists")
        defaults = {"disabled": "false"} if self._by_list else {}
        known = device.schema.menus["/container/mounts"]["add"]
        if "read-only" in known:
            defaults["read-only"] = "false"
        if "mode" in known:
            defaults["mode"] = "rw"
        column = "list" if self._by_list else "name"
        spec = TableSpec(
            "/container/mounts",
            defaults=defaults,
            required=(column, "src", "dst"),
            booleans=frozenset({"disabled", "read-only"}),
            unique=(column, "dst") if self._by_list else ("name",),
            unique_text="same dst already exists" if self._by_list else "mount with the same name already exists",
        )
        super().__init__(device, spec)

    def normal(self, name: str, value: str) -> str:
        """Sources are paths of the router; the container's root cannot be mounted over."""
        if name == "src":
            return stored_path(self.device, value)
        if name == "dst" and not values.path_key(value):
            raise invalid_value("dst")
        return super().normal(name, value)

    def name_of(self, item: Item) -> str | None:
        """Up to 7.20 entries have names of their own."""
        return None if self._by_list else item.values.get("name")


def stored_path(device: Device, path: str) -> str:
    """A router path as this version reads it back."""
    setting = device.quirks.root_dir_slash
    slash = device.has("leading-slash") if setting == "by-version" else setting == "always"
    key = values.path_key(path)
    return f"/{key}" if slash else (key if setting == "never" else path)
