"""Addresses and networks, refused with the sentence that says what was meant.

Veths are IPv4 only so far; a tailnet can carry IPv6 networks all the same.
"""

import re
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface
from typing import Annotated, Final

from mtts.adapters.inventory.complaints import shown
from mtts.adapters.inventory.form import Form, MisfitError, read_text, text_schema

_ONLY_IPV4: Final = "{text} is IPv6, and only IPv4 veths are handled yet"
_LONGEST_SHARED: Final = 30
_TAILNET: Final = IPv4Network("100.64.0.0/10")


def _interface(text: str, example: str) -> IPv4Interface | IPv6Interface:
    if re.fullmatch(r"[0-9a-fA-F.:]+(?:/[0-9]{1,3})?", text):  # no masks, no IPv6 zones
        try:
            return ip_interface(text)
        except ValueError:
            pass
    raise MisfitError(f"{shown(text)} is not {example}")


def _address(value: object) -> IPv4Interface:
    text = read_text(value)
    address = _interface(text, "an address with its prefix, like 172.20.3.2/30")
    if isinstance(address, IPv6Interface):
        raise MisfitError(_ONLY_IPV4.format(text=text))
    network = address.network
    if network.prefixlen > _LONGEST_SHARED:
        raise MisfitError(f"{text} needs a prefix of /30 or shorter: the router has its own address in the same subnet")
    if address.ip in (network.network_address, network.broadcast_address):
        raise MisfitError(f"{text} is the subnet's first or last address, which no container can have")
    if not _is_usable(address.ip):
        raise MisfitError(f"{text} is not an address that a container can have")
    return address


def _is_usable(ip: IPv4Address) -> bool:
    is_special = ip.is_loopback or ip.is_multicast or ip.is_link_local or ip.is_unspecified or ip.is_reserved
    return not is_special and ip not in _TAILNET


def _network(value: object) -> IPv4Network | IPv6Network:
    text = read_text(value)
    interface = _interface(text, "a network like 192.168.88.0/24")
    network = interface.network
    if "/" not in text:
        raise MisfitError(f"{text} has no prefix: a network is like 192.168.88.0/24, a single address like {network}")
    if interface.ip != network.network_address:
        raise MisfitError(f"{text} has host bits set: the network is {network}")
    if network.prefixlen == 0:
        raise MisfitError(f"{text} is everything; to route all traffic through a node, say exit_node: true")
    return network


def _ipv4_network(value: object) -> IPv4Network:
    network = _network(value)
    if isinstance(network, IPv4Network):
        return network
    raise MisfitError(_ONLY_IPV4.format(text=network))


_CIDR4: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}"
Address = Annotated[IPv4Interface, Form(_address, text_schema(_CIDR4))]
Network = Annotated[IPv4Network | IPv6Network, Form(_network, text_schema(r"[0-9a-fA-F.:]+/[0-9]{1,3}"))]
RoutedNetwork = Annotated[IPv4Network, Form(_ipv4_network, text_schema(_CIDR4))]
