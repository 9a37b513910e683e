"""What a value of each property may look like: one table, by menu and property, of checks with RouterOS's own words.

A number that is none and an address that is none are an `invalid value for argument`, a number beyond its limits is
`out of range`, a word that is not in a list `does not match any value`. Limits are those of MikroTik's documentation.
Booleans, times that a command tree describes, and references to other rows are not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network

from mtts.lab import values
from mtts.lab.reply import invalid_value, no_match

Form = Callable[[str, str], str]
"""Takes the name of an argument and its value, returns the value as it is stored, or raises a Trap."""

USER_POLICIES = (
    *("local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox", "password", "web"),
    *("sniff", "sensitive", "api", "romon", "rest-api"),
)
PROTOCOLS = (
    *("icmp", "igmp", "ggp", "ip-encap", "st", "tcp", "egp", "pup", "udp", "hmp", "xns-idp", "rdp", "iso-tp4", "dccp"),
    *("xtp", "ddp", "idpr-cmtp", "ipv6-encap", "rsvp", "gre", "ipsec-esp", "ipsec-ah", "rspf", "vmtp", "ospf", "ipip"),
    *("etherip", "encap", "pim", "vrrp", "l2tp", "sctp", "udp-lite"),
)
_HOST_NAME = re.compile(r"[A-Za-z0-9_*]([A-Za-z0-9_.*-]*[A-Za-z0-9_])?\.?")
_PORT_LIMIT = 65_535
_COUNT_LIMIT = 4_294_967_295


def named(argument: str, value: str) -> str:
    """Any text but none."""
    if not value:
        raise invalid_value(argument)
    return value


def one_of(*words: str) -> Form:
    """One of these words."""

    def form(argument: str, value: str) -> str:
        if value not in words:
            raise no_match(argument)
        return value

    return form


def number(low: int, high: int, *words: str) -> Form:
    """A whole number between two others, decimal or with `0x`, as typed; or one of these words."""

    def form(argument: str, value: str) -> str:
        if value not in words:
            digits = str(int(value, 16)) if re.fullmatch(r"0x[0-9A-Fa-f]{1,8}", value) else value
            values.whole(argument, digits, low, high)
        return value

    return form


def size(*words: str) -> Form:
    """A size, stored in bytes; or one of these words."""

    def form(argument: str, value: str) -> str:
        return value if value in words else str(values.size_bytes(argument, value))

    return form


def kibibytes(argument: str, value: str) -> str:
    """A number of KiB, which is how a cache of names is measured."""
    return f"{values.whole(argument, value.removesuffix('KiB'), 64, _COUNT_LIMIT)}KiB"


def time(*words: str) -> Form:
    """A time; or one of these words."""

    def form(argument: str, value: str) -> str:
        return value if value in words else values.duration(values.duration_s(argument, value))

    return form


def address(argument: str, value: str) -> str:
    """An IPv4 or IPv6 address without a prefix."""
    if not values.is_address(value):
        raise invalid_value(argument)
    return value


def destination(argument: str, value: str) -> str:
    """A network, without bits of a host in it."""
    try:
        return str(ip_network(value))
    except ValueError:
        raise invalid_value(argument) from None


def host(argument: str, value: str) -> str:
    """An address or the name of a host."""
    if not values.is_address(value) and not _HOST_NAME.fullmatch(value):
        raise invalid_value(argument)
    return value


def matched_addresses(argument: str, value: str) -> str:
    """What a firewall rule compares an address with: an address, a prefix or a range, `!` for all others."""
    first, dash, last = value.removeprefix("!").partition("-")
    if dash:
        address(argument, first)
        address(argument, last)
        if ip_address(first).version != ip_address(last).version:
            raise invalid_value(argument)
    else:
        values.networks(argument, named(argument, first))
    return value


def matched_ports(argument: str, value: str) -> str:
    """What a firewall rule compares a port with: a list of ports and ranges, `!` for all others."""
    for part in value.removeprefix("!").split(","):
        for port in part.split("-", 1):
            values.whole(argument, port, 0, _PORT_LIMIT)
    return value


def matched_protocol(argument: str, value: str) -> str:
    """A protocol's name or number, `!` for all others."""
    protocol = value.removeprefix("!")
    if protocol.isdecimal():
        values.whole(argument, protocol, 0, 255)
    elif protocol not in PROTOCOLS:
        raise no_match(argument)
    return value


def each(form: Form, mark: str = "") -> Form:
    """A comma list of such values, each of which may have a mark in front."""

    def whole_list(argument: str, value: str) -> str:
        parts = value.split(",")
        return ",".join(mark * part.startswith(mark) + form(argument, part.removeprefix(mark)) for part in parts)

    return whole_list


def maybe(form: Form) -> Form:
    """Such a value, or nothing."""
    return lambda argument, value: form(argument, value) if value else value


BRIDGING: Mapping[str, Form] = {
    "frame-types": one_of("admit-all", "admit-only-untagged-and-priority-tagged", "admit-only-vlan-tagged"),
    "multicast-router": one_of("disabled", "permanent", "temporary-query"),
    "pvid": number(1, 4094),
}
ACTIONS = ("accept", "add-dst-to-address-list", "add-src-to-address-list", "jump", "log", "passthrough", "return")
FILTER_ACTIONS = ("drop", "fasttrack-connection", "reject", "tarpit")
NAT_ACTIONS = (
    *("dst-nat", "endpoint-independent-nat", "masquerade", "netmap", "redirect", "same", "socksify", "src-nat"),
)
MATCHING: Mapping[str, Form] = {
    "chain": named,
    "protocol": maybe(matched_protocol),
    **dict.fromkeys(("src-address", "dst-address"), maybe(matched_addresses)),
    **dict.fromkeys(("src-port", "dst-port", "port"), maybe(matched_ports)),
}
FORMS: Mapping[str, Mapping[str, Form]] = {
    "/certificate": {"days-valid": number(1, 36_500), "name": named},
    "/container": {
        "name": named,
        "dns": maybe(each(address)),
        "restart-max-count": maybe(number(0, _COUNT_LIMIT)),
        "healthcheck-retries": maybe(number(0, _COUNT_LIMIT)),
        **dict.fromkeys(("auto-restart-interval", "restart-interval", "stop-time"), maybe(time())),
        "restart-policy": one_of("no", "on-failure", "always"),
        **dict.fromkeys(("memory-high", "memory-max", "swap-max", "shm-size"), maybe(size("unlimited"))),
    },
    "/container/config": dict.fromkeys(("memory-high", "memory-max", "swap-max", "ram-high"), size("unlimited")),
    "/container/envs": dict.fromkeys(("key", "list", "name"), named),
    "/container/mounts": {
        **dict.fromkeys(("src", "dst", "list", "name"), named),
        "mode": one_of("rw", "ro", "rw,noexec", "ro,noexec"),
    },
    "/disk": {
        "slot": named,
        "tmpfs-max-size": maybe(size()),
        "type": one_of("file", "hardware", "partition", "smb", "sshfs", "tmpfs"),
    },
    "/interface/bridge": {
        **BRIDGING,
        "name": named,
        "arp": one_of("disabled", "enabled", "local-proxy-arp", "proxy-arp", "reply-only"),
        "arp-timeout": time("auto"),
        "ether-type": one_of("0x8100", "0x88a8", "0x9100"),
        "igmp-version": number(2, 3),
        "mld-version": number(1, 2),
        "last-member-query-count": number(0, _COUNT_LIMIT),
        "max-hops": number(6, 40),
        "max-learned-entries": number(0, _COUNT_LIMIT, "auto", "unlimited"),
        "mtu": number(68, 65_535, "auto"),
        "port-cost-mode": one_of("long", "short"),
        "priority": number(0, 65_535),
        "protocol-mode": one_of("mstp", "none", "rstp", "stp"),
        "region-revision": number(0, 65_535),
        "startup-query-count": number(0, _COUNT_LIMIT),
        "transmit-hold-count": number(1, 10),
    },
    "/interface/bridge/port": {
        **BRIDGING,
        "edge": one_of("auto", "no", "no-discover", "yes", "yes-discover"),
        "horizon": number(0, 429_496_729, "none"),
        **dict.fromkeys(("path-cost", "internal-path-cost"), maybe(number(1, 200_000_000))),
        **dict.fromkeys(("learn", "point-to-point"), one_of("auto", "no", "yes")),
        "priority": number(0, 240),
    },
    "/interface/list": {"name": named},
    "/interface/veth": {
        "name": named,
        "address": maybe(each(values.interface_address)),
        **dict.fromkeys(("gateway", "gateway6"), maybe(address)),
    },
    "/ip/address": {
        "address": values.interface_address,
        **dict.fromkeys(("network", "netmask", "broadcast"), maybe(address)),
    },
    "/ip/dns": {
        "servers": maybe(each(address)),
        "cache-size": kibibytes,
        "max-udp-packet-size": number(50, 65_507),
        **dict.fromkeys(
            (
                *("doh-max-concurrent-queries", "doh-max-server-connections"),
                *("max-concurrent-queries", "max-concurrent-tcp-sessions"),
            ),
            number(1, _COUNT_LIMIT),
        ),
    },
    "/ip/dns/static": {
        "name": maybe(host),
        "address": maybe(address),
        **dict.fromkeys(("forward-to", "cname", "ns", "mx-exchange", "srv-target"), maybe(host)),
        **dict.fromkeys(("mx-preference", "srv-port", "srv-priority", "srv-weight"), number(0, _PORT_LIMIT)),
        "ttl": time(),
        "type": one_of("A", "AAAA", "CNAME", "FWD", "MX", "NS", "NXDOMAIN", "SRV", "TXT"),
    },
    "/ip/firewall/filter": {
        **MATCHING,
        "action": one_of(*ACTIONS, *FILTER_ACTIONS),
        "connection-state": maybe(each(one_of("established", "invalid", "new", "related", "untracked"), "!")),
        "connection-nat-state": maybe(each(one_of("dstnat", "srcnat"), "!")),
    },
    "/ip/firewall/nat": {
        **MATCHING,
        "action": one_of(*ACTIONS, *NAT_ACTIONS),
        "to-addresses": maybe(matched_addresses),
        "to-ports": maybe(matched_ports),
    },
    "/ip/route": {
        "dst-address": destination,
        "check-gateway": one_of("arp", "bfd", "bfd-multihop", "none", "ping"),
        "distance": number(1, 255),
        "pref-src": maybe(address),
        **dict.fromkeys(("scope", "target-scope"), number(0, 255)),
    },
    "/ip/service": {
        "address": values.networks,
        "max-sessions": number(1, 1000),
        "port": number(1, _PORT_LIMIT),
        "tls-version": one_of("any", "only-1.2"),
    },
    "/ipv6/address": {"address": values.interface_address},
    "/ipv6/route": {
        "dst-address": destination,
        "distance": number(1, 255),
        **dict.fromkeys(("scope", "target-scope"), number(0, 255)),
    },
    "/system/scheduler": {"name": named, "interval": time()},
    "/system/script": {"name": named},
    "/user": {"name": named, "address": values.networks},
    "/user/group": {"name": named, "policy": maybe(each(one_of(*USER_POLICIES), "!"))},
}


def stored(menu: str, argument: str, value: str) -> str:
    """The value as a router stores it: as it is, where nothing here says what it may look like."""
    form = FORMS.get(menu, {}).get(argument)
    return value if form is None else form(argument, value)
