"""The node's own /30: chosen by hash from the pool, probed past what the router already has.

The same hostname starts at the same place on every run and every controller; a network that stands on the router
already (our own, from an earlier run) is kept.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import islice

from mtts.core.errors import Problem
from mtts.core.facts import Facts, Item
from mtts.core.inventory import DEFAULT_POOL, NodeSpec

_PREFIX_LENGTH = 30


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """The two ends of the veth, in one subnet."""

    container: IPv4Interface
    gateway: IPv4Interface


def choose_network(
    node: NodeSpec, facts: Facts, *, veth: str, pool: IPv4Network = DEFAULT_POOL
) -> NodeNetwork | Problem:
    """The node's network, or why it cannot have one (`subnet-occupied`)."""
    occupied = tuple(_foreign_networks(facts, node.name))
    if node.address is not None:
        wanted = _network_of(node.address)
        taken = next((item for network, item in occupied if network.overlaps(wanted.container.network)), None)
        return wanted if taken is None else _occupied(str(node.address), taken)
    subnets: int = 2 ** (_PREFIX_LENGTH - pool.prefixlen)
    start = int.from_bytes(hashlib.sha256(node.hostname.encode()).digest()[:8], "big") % subnets
    base = int(pool.network_address)
    size: int = 2 ** (32 - _PREFIX_LENGTH)

    def steps(network: NodeNetwork) -> int:
        """How far the probing goes to get there."""
        subnet = network.container.network
        if subnet.prefixlen != _PREFIX_LENGTH or not subnet.subnet_of(pool):
            return subnets
        return ((int(subnet.network_address) - base) // size - start) % subnets

    standing = min(_standing(facts, node.name, veth), key=steps, default=None)
    if standing is not None:
        return standing
    for step in range(subnets):
        subnet = IPv4Network((base + ((start + step) % subnets) * size, _PREFIX_LENGTH))
        if not any(network.overlaps(subnet) for network, _ in occupied):
            return _network_of(IPv4Interface((int(subnet.network_address) + 2, _PREFIX_LENGTH)))
    return _occupied(str(pool), occupied[0][1])


def interfaces(text: str) -> tuple[IPv4Interface, ...]:
    """The IPv4 addresses in a comma list as RouterOS writes it; IPv6 and anything unreadable left out."""
    found = []
    for part in text.split(","):
        try:
            found.append(IPv4Interface(part.strip()))
        except ValueError:
            continue
    return tuple(found)


def _network_of(container: IPv4Interface) -> NodeNetwork:
    first = next(host for host in container.network.hosts() if host != container.ip)
    return NodeNetwork(container, IPv4Interface((int(IPv4Address(first)), container.network.prefixlen)))


def _standing(facts: Facts, node: str, veth: str) -> Iterator[NodeNetwork]:
    """The node's network by each of its ends; they differ where somebody changed one by hand."""
    for item in facts.table("/interface/veth"):
        if item.get("name") == veth and item.tag is not None:
            # One smaller than that has no room for the router's end.
            roomy = (end for end in interfaces(item.get("address")) if end.network.prefixlen <= _PREFIX_LENGTH)
            yield from map(_network_of, islice(roomy, 1))
    for item in facts.table("/ip/address"):
        if item.tag is not None and item.tag.node == node:
            for interface in interfaces(item.get("address")):
                if interface.network.prefixlen == _PREFIX_LENGTH:  # a larger one does not tell where the other end is
                    yield _network_of(_network_of(interface).gateway)


def _foreign_networks(facts: Facts, node: str) -> Iterable[tuple[IPv4Network, Item]]:
    for path in ("/ip/address", "/interface/veth"):
        for item in facts.table(path):
            if item.tag is None or item.tag.node != node:
                for interface in interfaces(item.get("address")):
                    yield interface.network, item


def _occupied(wanted: str, by: Item) -> Problem:
    place = by.get("interface") or by.get("name")
    return Problem(
        "subnet-occupied",
        f"{wanted} overlaps {by.get('address')} on {place}",
        "set `address:` of the node to a free /30, for example 172.31.255.2/30",
    )
