"""Bridges, veths, bridge ports and interface lists, and how other rows refer to interfaces.

A reference to a removed interface stays and is shown as `*XX`, as on routers; renaming is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mtts.lab.reply import failure, no_match
from mtts.lab.table import Item, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

INTERFACE_TAKEN = "already have interface with such name"
BRIDGE_SETTINGS = {
    "ageing-time": "5m",
    "arp": "enabled",
    "arp-timeout": "auto",
    "auto-mac": "true",
    "dhcp-snooping": "false",
    "fast-forward": "true",
    "forward-delay": "15s",
    "forward-reserved-addresses": "false",
    "igmp-snooping": "false",
    "max-learned-entries": "auto",
    "max-message-age": "20s",
    "mtu": "auto",
    "port-cost-mode": "long",
    "priority": "0x8000",
    "protocol-mode": "rstp",
    "transmit-hold-count": "6",
    "vlan-filtering": "false",
}
PORT_SETTINGS = {
    "auto-isolate": "false",
    "bpdu-guard": "false",
    "broadcast-flood": "true",
    "edge": "auto",
    "fast-leave": "false",
    "frame-types": "admit-all",
    "horizon": "none",
    "hw": "true",
    "ingress-filtering": "true",
    "learn": "auto",
    "multicast-router": "temporary-query",
    "point-to-point": "auto",
    "priority": "0x80",
    "pvid": "1",
    "restricted-role": "false",
    "restricted-tcn": "false",
    "tag-stacking": "false",
    "trusted": "false",
    "unknown-multicast-flood": "true",
    "unknown-unicast-flood": "true",
}
"""What a new bridge and a new port have when nobody says otherwise."""
REFERRING = (
    ("/interface/bridge/port", "interface"),
    ("/interface/bridge/port", "bridge"),
    ("/interface/list/member", "interface"),
    ("/ip/address", "interface"),
    ("/ipv6/address", "interface"),
    ("/ip/route", "gateway"),
    ("/ip/firewall/filter", "in-interface"),
    ("/ip/firewall/filter", "out-interface"),
    ("/ip/firewall/nat", "in-interface"),
    ("/ip/firewall/nat", "out-interface"),
    ("/container", "interface"),
)
"""Where interface names are kept and follow a renaming."""
REFERRING_TO_LISTS = (
    ("/interface/list/member", "list"),
    ("/ip/firewall/filter", "in-interface-list"),
    ("/ip/firewall/filter", "out-interface-list"),
    ("/ip/firewall/nat", "in-interface-list"),
    ("/ip/firewall/nat", "out-interface-list"),
)
"""Where names of interface lists are kept."""


def _switches(settings: Mapping[str, str]) -> set[str]:
    return {name for name, value in settings.items() if value in {"true", "false"}}


class InterfaceTable(Table):
    """Interfaces that somebody made: their names are unique among all interfaces."""

    prefix = ""

    def before_add(self, new: dict[str, str]) -> None:
        """Give a name where none was asked for."""
        number = 1
        while "name" not in new:
            candidate = f"{self.prefix}{number}"
            if not self.device.has_interface(candidate):
                new["name"] = candidate
            number += 1
        if self.device.has_interface(new["name"]):
            raise failure(INTERFACE_TAKEN)

    def before_set(self, item: Item, changes: dict[str, str]) -> None:
        """Refuse a name that another interface has."""
        name = changes.get("name", item.values["name"])
        if name != item.values["name"] and self.device.has_interface(name):
            raise failure(INTERFACE_TAKEN)

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """Follow a renaming wherever the interface is referred to."""
        self._refer(before["name"], item.values["name"])

    def after_remove(self, item: Item) -> None:
        """Leave dangling references behind."""
        self._refer(item.values["name"], item.ref)

    def _refer(self, old: str, new: str) -> None:
        refer(self.device, REFERRING, old, new)


class BridgeTable(InterfaceTable):
    """`/interface/bridge`"""

    prefix = "bridge"

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/bridge",
                defaults={"actual-mtu": "1500", "running": "true", "dynamic": "false", "disabled": "false"},
                settings=BRIDGE_SETTINGS,
                booleans=frozenset({"disabled", *_switches(BRIDGE_SETTINGS), "multicast-querier"}),
            ),
        )


class VethTable(InterfaceTable):
    """`/interface/veth`"""

    prefix = "veth"

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/veth",
                defaults={"address": "", "gateway": "", "gateway6": "", "disabled": "false"},
                booleans=frozenset({"disabled", "dhcp"}),
            ),
        )

    def before_remove(self, item: Item) -> None:
        """A veth that a container refers to stays."""
        name = item.values["name"]
        for row in self.device.table("/container").items.values():
            if name in row.values.get("interface", "").split(","):
                raise failure(f"interface {name} in use by container")

    def view(self, item: Item) -> dict[str, str]:
        """A veth runs while a container's process holds it."""
        holder = self.device.engine.holder_of(item.values["name"])
        return {**super().view(item), "running": "true" if holder is not None else "false"}


class PortTable(Table):
    """`/interface/bridge/port`"""

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/bridge/port",
                defaults={"dynamic": "false", "disabled": "false"},
                settings=PORT_SETTINGS,
                required=("bridge", "interface"),
                booleans=frozenset({"disabled", *_switches(PORT_SETTINGS)}),
                unique=("interface",),
                unique_text="device already added as bridge port",
                interface_properties=("interface",),
            ),
        )

    def normal(self, name: str, value: str) -> str:
        """The bridge must be one."""
        if name == "bridge":
            bridges = self.device.table("/interface/bridge").items.values()
            if all(item.values["name"] != value for item in bridges):
                raise no_match("bridge")
        return super().normal(name, value)

    def before_remove(self, item: Item) -> None:
        """What the router made by itself, it keeps."""
        if item.values["dynamic"] == "true":
            raise failure("can not remove dynamic port")

    def view(self, item: Item) -> dict[str, str]:
        """A port whose interface is gone or down is inactive."""
        inactive = not self.device.has_interface(item.values["interface"])
        return {**super().view(item), "inactive": "true" if inactive else "false"}


class ListTable(Table):
    """`/interface/list`, with the lists that every router has."""

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/list",
                defaults={"include": "", "exclude": "", "builtin": "false", "dynamic": "false"},
                required=("name",),
                unique=("name",),
                unique_text="already have such list",
            ),
        )
        for name in ("all", "none", "dynamic", "static"):
            self.insert({"name": name, "builtin": "true"})
        for name in ("WAN", "LAN"):
            self.insert({"name": name, "comment": "defconf"})

    def before_set(self, item: Item, _changes: dict[str, str]) -> None:
        """Lists that are part of RouterOS stay as they are."""
        self._refuse_builtin(item)

    def before_remove(self, item: Item) -> None:
        """Lists that are part of RouterOS stay."""
        self._refuse_builtin(item)

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """Follow a renaming wherever the list is referred to."""
        refer(self.device, REFERRING_TO_LISTS, before["name"], item.values["name"])

    def after_remove(self, item: Item) -> None:
        """Leave dangling references behind."""
        refer(self.device, REFERRING_TO_LISTS, item.values["name"], item.ref)

    def _refuse_builtin(self, item: Item) -> None:
        if item.values["builtin"] == "true":
            raise failure("cannot change builtin list")


def refer(device: Device, referring: Iterable[tuple[str, str]], old: str, new: str) -> None:
    """Have every row that refers to something by its old name refer to it by the new one."""
    if old == new:
        return
    for path, name in referring:
        for row in device.table(path).items.values():
            if row.values.get(name) == old:
                row.values[name] = new


class MemberTable(Table):
    """`/interface/list/member`"""

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/list/member",
                defaults={"dynamic": "false", "disabled": "false"},
                required=("interface", "list"),
                unique=("interface", "list"),
                unique_text="already have such member",
                interface_properties=("interface",),
            ),
        )

    def normal(self, name: str, value: str) -> str:
        """The list must exist."""
        if name == "list":
            lists = self.device.table("/interface/list").items.values()
            if all(item.values["name"] != value for item in lists):
                raise no_match("list")
        return super().normal(name, value)
