"""Addresses, routes, DNS, firewall and services: tables, with what a router adds to them by itself.

No packet is forwarded: a route is `active` when it would be so by the tables alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.call import Call
from mtts.lab.reply import DONE, Reply, Row, invalid_value, no_match
from mtts.lab.table import Item, Singleton, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

FIREWALL_DEFAULTS = {
    "action": "accept",
    "log": "false",
    "log-prefix": "",
    "bytes": "0",
    "packets": "0",
    "dynamic": "false",
    "invalid": "false",
    "disabled": "false",
}
DYNAMIC_IDS = 0x80000000
UPLINK_IDS = 0x30000000
UPLINK_GATEWAY = "192.0.2.1"
DNS_STATIC = TableSpec(
    "/ip/dns/static",
    defaults={"ttl": "1d", "disabled": "false", "dynamic": "false"},
    settings={"match-subdomain": "false"},
    unique=("name", "regexp", "type", "address", "cname", "forward-to", "text", "ns", "mx-exchange", "srv-target"),
    unique_text="entry already exists",
    booleans=frozenset({"disabled", "match-subdomain"}),
)
FILTER = TableSpec(
    "/ip/firewall/filter",
    defaults=FIREWALL_DEFAULTS,
    required=("chain",),
    booleans=frozenset({"disabled", "log"}),
    interface_matchers=("in-interface", "out-interface"),
)
NAT = TableSpec(
    "/ip/firewall/nat",
    defaults=FIREWALL_DEFAULTS,
    required=("chain",),
    booleans=frozenset({"disabled", "log"}),
    interface_matchers=("in-interface", "out-interface"),
)


class FirewallTable(Table):
    """`/ip/firewall/filter` and `nat`; no packet passes, so the counters stay at nothing."""

    def __init__(self, device: Device, spec: TableSpec) -> None:
        super().__init__(device, spec)
        self.verbs |= {"reset-counters": self._reset_counters, "reset-counters-all": lambda _: DONE}

    def normal(self, name: str, value: str) -> str:
        """Interface lists must exist."""
        if name in {"in-interface-list", "out-interface-list"}:
            lists = self.device.table("/interface/list").items.values()
            if value and all(item.values["name"] != value.removeprefix("!") for item in lists):
                raise no_match(name)
        return super().normal(name, value)

    def _reset_counters(self, call: Call) -> Reply:
        self.selected(call)
        return DONE


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
        """Gateways are addresses, on an interface or in a table where that is said, or interfaces."""
        if name == "gateway":
            for gateway in value.split(",") if value else ():
                target, _, interface = gateway.partition("@")[0].partition("%")
                known = values.is_address(target) or self.device.has_interface(target)
                if not known or (interface and not self.device.has_interface(interface)):
                    raise invalid_value(name)
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
        items = self.device.table(self.addresses).items.values()
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
            "doh-max-concurrent-queries": "50",
            "doh-max-server-connections": "5",
            "doh-timeout": "5s",
            "allow-remote-requests": "false",
            "max-udp-packet-size": "4096",
            "query-server-timeout": "2s",
            "query-total-timeout": "10s",
            "max-concurrent-queries": "100",
            "max-concurrent-tcp-sessions": "20",
            "cache-size": "2048KiB",
            "cache-max-ttl": "1w",
            "cache-used": "32KiB",
        }
        booleans = frozenset({"allow-remote-requests", "verify-doh-cert"})
        super().__init__(device, "/ip/dns", stored, booleans=booleans)


SERVICE_PORTS = {
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "winbox": 8291,
    "www": 80,
    "www-ssl": 443,
    "api": 8728,
    "api-ssl": 8729,
}
"""The ports that RouterOS uses; the lab's own ports are the lab's matter."""


class ServiceTable(Table):
    """`/ip/service`: fixed rows, of which `api` and `api-ssl` decide who may connect here."""

    def __init__(self, device: Device) -> None:
        defaults = {"address": "", "dynamic": "false", "disabled": "false"}
        super().__init__(device, TableSpec("/ip/service", defaults=defaults, settings={"max-sessions": "20"}))
        for name, port in SERVICE_PORTS.items():
            self.insert({"name": name, "port": str(port), "proto": "tcp"})
