"""Bridges, veths, addresses, routes, DNS, firewall and services, and how they refer to each other.

A reference to a removed interface stays and is shown as `*XX`, as on routers; renaming is followed. No
packet is forwarded: `active` and `running` are what would be so by the tables alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.reply import Row, Trap, failure, no_match
from mtts.lab.table import Item, Singleton, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

FIREWALL_DEFAULTS = {
    "action": "accept",
    "bytes": "0",
    "packets": "0",
    "dynamic": "false",
    "invalid": "false",
    "disabled": "false",
}
INTERFACE_TAKEN = "already have interface with such name"
REFERRING = (
    ("/interface/bridge/port", "interface"),
    ("/interface/bridge/port", "bridge"),
    ("/interface/list/member", "interface"),
    ("/ip/address", "interface"),
    ("/ipv6/address", "interface"),
    ("/container", "interface"),
)
"""Where interface names are kept and follow a renaming."""
DYNAMIC_IDS = 0x80000000
UPLINK_IDS = 0x30000000
UPLINK_GATEWAY = "192.0.2.1"

DNS_STATIC = TableSpec(
    "/ip/dns/static",
    defaults={"ttl": "1d", "disabled": "false", "dynamic": "false"},
    booleans=frozenset({"disabled", "match-subdomain"}),
    durations=frozenset({"ttl"}),
    enums={"type": frozenset({"A", "AAAA", "CNAME", "FWD", "MX", "NS", "NXDOMAIN", "SRV", "TXT"})},
)
FILTER = TableSpec(
    "/ip/firewall/filter",
    defaults=FIREWALL_DEFAULTS,
    required=("chain",),
    booleans=frozenset({"disabled", "log"}),
    interface_properties=("in-interface", "out-interface"),
)
NAT = TableSpec(
    "/ip/firewall/nat",
    defaults=FIREWALL_DEFAULTS,
    required=("chain",),
    booleans=frozenset({"disabled", "log"}),
    interface_properties=("in-interface", "out-interface"),
)


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
        if old == new:
            return
        for path, name in REFERRING:
            for row in self.device.menu_of(Table, path).items.values():
                if row.values.get(name) == old:
                    row.values[name] = new


class BridgeTable(InterfaceTable):
    """`/interface/bridge`"""

    prefix = "bridge"

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                "/interface/bridge",
                defaults={
                    "mtu": "auto",
                    "actual-mtu": "1500",
                    "arp": "enabled",
                    "protocol-mode": "rstp",
                    "vlan-filtering": "false",
                    "running": "true",
                    "dynamic": "false",
                    "disabled": "false",
                },
                booleans=frozenset({"disabled", "vlan-filtering", "igmp-snooping", "dhcp-snooping", "auto-mac"}),
                enums={"protocol-mode": frozenset({"mstp", "none", "rstp", "stp"})},
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

    def normal(self, name: str, value: str) -> str:
        """Addresses must be addresses."""
        if name == "address" and value:
            return ",".join(values.interface_address(name, part) for part in value.split(","))
        if name in {"gateway", "gateway6"} and value and not values.is_address(value):
            raise Trap(f"invalid value for argument {name}")
        return super().normal(name, value)

    def before_remove(self, item: Item) -> None:
        """A veth that a container refers to stays."""
        name = item.values["name"]
        for row in self.device.menu_of(Table, "/container").items.values():
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
                defaults={
                    "pvid": "1",
                    "priority": "0x80",
                    "horizon": "none",
                    "hw": "true",
                    "dynamic": "false",
                    "disabled": "false",
                },
                required=("bridge", "interface"),
                booleans=frozenset({"disabled", "hw", "auto-isolate", "bpdu-guard", "trusted"}),
                unique=("interface",),
                unique_text="device already added as bridge port",
                interface_properties=("interface",),
            ),
        )

    def normal(self, name: str, value: str) -> str:
        """The bridge must be one."""
        if name == "bridge":
            bridges = self.device.menu_of(Table, "/interface/bridge").items.values()
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


def make_lists(device: Device) -> Table:
    """`/interface/list`, with the lists that every router has."""
    spec = TableSpec(
        "/interface/list",
        defaults={"include": "", "exclude": "", "builtin": "false", "dynamic": "false"},
        required=("name",),
        unique=("name",),
        unique_text="already have such list",
    )
    table = Table(device, spec)
    for name in ("all", "none", "dynamic", "static"):
        table.insert({"name": name, "builtin": "true"})
    for name in ("WAN", "LAN"):
        table.insert({"name": name, "comment": "defconf"})
    return table


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
            lists = self.device.menu_of(Table, "/interface/list").items.values()
            if all(item.values["name"] != value for item in lists):
                raise no_match("list")
        return super().normal(name, value)


class AddressTable(Table):
    """`/ip/address`"""

    path_name = "/ip/address"

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                self.path_name,
                defaults={"dynamic": "false", "disabled": "false"},
                required=("address", "interface"),
                booleans=frozenset({"disabled", "advertise", "eui-64", "no-dad"}),
                unique=("address", "interface"),
                unique_text="already have such address",
                interface_properties=("interface",),
            ),
        )

    def normal(self, name: str, value: str) -> str:
        """Addresses must be addresses."""
        return values.interface_address(name, value) if name == "address" else super().normal(name, value)

    def before_add(self, new: dict[str, str]) -> None:
        """The network follows from the address."""
        new.setdefault("network", str(ip_interface(new["address"]).network.network_address))

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """The network follows a changed address."""
        if item.values["address"] != before["address"]:
            item.values["network"] = str(ip_interface(item.values["address"]).network.network_address)

    def view(self, item: Item) -> dict[str, str]:
        """An address on a vanished interface is invalid."""
        interface = item.values["interface"]
        invalid = not self.device.has_interface(interface)
        shown = {"invalid": "true"} if invalid else {"actual-interface": interface, "invalid": "false"}
        return {**super().view(item), **shown}


class Address6Table(AddressTable):
    """`/ipv6/address`"""

    path_name = "/ipv6/address"

    def before_add(self, new: dict[str, str]) -> None:
        """IPv6 rows show no network."""

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """Nothing follows."""


class RouteTable(Table):
    """`/ip/route`, with the routes that come from addresses and the uplink."""

    path_name = "/ip/route"
    addresses = "/ip/address"
    everything = "0.0.0.0/0"
    uplink_gateway: str | None = UPLINK_GATEWAY

    def __init__(self, device: Device) -> None:
        super().__init__(
            device,
            TableSpec(
                self.path_name,
                defaults={
                    "dst-address": self.everything,
                    "routing-table": "main",
                    "distance": "1",
                    "scope": "30",
                    "target-scope": "10",
                    "static": "true",
                    "dynamic": "false",
                    "disabled": "false",
                },
                booleans=frozenset({"disabled", "blackhole"}),
            ),
        )

    def normal(self, name: str, value: str) -> str:
        """Destinations are networks."""
        if name == "dst-address":
            try:
                return str(ip_network(value))
            except ValueError:
                raise Trap("invalid value for argument dst-address") from None
        return super().normal(name, value)

    def views(self) -> Iterator[Row]:
        """The uplink's default route, a route per address, and what was configured."""
        if self.uplink_gateway is not None:
            yield {
                ".id": f"*{UPLINK_IDS:X}",
                "dst-address": self.everything,
                "gateway": self.uplink_gateway,
                "distance": "1",
                "dhcp": "true",
                "dynamic": "true",
                "active": "true",
            }
        for address in self._addresses():
            yield {
                ".id": f"*{DYNAMIC_IDS + address.id:X}",
                "dst-address": str(ip_interface(address.values["address"]).network),
                "gateway": address.values["interface"],
                "distance": "0",
                "connect": "true",
                "dynamic": "true",
                "active": "true",
            }
        yield from super().views()

    def view(self, item: Item) -> dict[str, str]:
        """A route is active when its gateway is an interface or lies in a connected network."""
        disabled = item.values["disabled"] == "true"
        active = not disabled and (
            item.values.get("blackhole") == "true" or self._reaches(item.values.get("gateway", ""))
        )
        return {
            **super().view(item),
            "active": "true" if active else "false",
            "inactive": "false" if active else "true",
        }

    def _reaches(self, gateway: str) -> bool:
        host = gateway.partition("%")[0]
        if not values.is_address(host):
            return self.device.has_interface(gateway)
        return any(ip_address(host) in ip_interface(row.values["address"]).network for row in self._addresses())

    def _addresses(self) -> list[Item]:
        items = self.device.menu_of(Table, self.addresses).items.values()
        return [
            item
            for item in items
            if item.values["disabled"] == "false" and self.device.has_interface(item.values["interface"])
        ]


class Route6Table(RouteTable):
    """`/ipv6/route`"""

    path_name = "/ipv6/route"
    addresses = "/ipv6/address"
    everything = "::/0"
    uplink_gateway = None


class Dns(Singleton):
    """`/ip/dns`: what the uplink gave is dynamic, what somebody set is not."""

    def __init__(self, device: Device) -> None:
        stored = {
            "servers": "",
            "dynamic-servers": ",".join(device.build.dns),
            "use-doh-server": "",
            "verify-doh-cert": "false",
            "allow-remote-requests": "false",
            "max-udp-packet-size": "4096",
            "cache-size": "2048",
            "cache-used": "32",
        }
        super().__init__(device, "/ip/dns", stored)

    def before_set(self, changes: dict[str, str]) -> None:
        """Booleans are stored as such."""
        for name in {"allow-remote-requests", "verify-doh-cert"} & set(changes):
            changes[name] = values.boolean(name, changes[name])


def make_services(device: Device) -> Table:
    """`/ip/service`, with the ports that RouterOS uses (the lab's own ports are the lab's matter)."""
    spec = TableSpec(
        "/ip/service",
        defaults={"address": "", "max-sessions": "20", "dynamic": "false", "disabled": "false"},
    )
    table = Table(device, spec)
    services = {"ftp": 21, "ssh": 22, "telnet": 23, "winbox": 8291, "www": 80, "www-ssl": 443}
    for name, port in {**services, "api": 8728, "api-ssl": 8729}.items():
        table.insert({"name": name, "port": str(port), "proto": "tcp"})
    return table
