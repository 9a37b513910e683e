"""What only the merged inventory can show: what is missing, undefined, or claimed by two.

Every rule here catches a copy-paste mistake that would otherwise be met on a router, halfway through.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from mtts.adapters.inventory.complaints import KeyPath, did_you_mean, shown
from mtts.adapters.inventory.layers import MergedRouter
from mtts.adapters.inventory.schema import InventoryFile, NodeSection, RegistrySection, RouterSection, Settings
from mtts.adapters.inventory.text_forms import HOSTNAME_PATTERN
from mtts.core.desired import veth_name
from mtts.core.inventory import NodeSpec, Router
from mtts.core.secret import Literal

Finding = tuple[KeyPath, str]
"""Where, and what is wrong there."""

_DAEMON_ARGUMENTS: Final = "TS_TAILSCALED_EXTRA_ARGS"
"""The variable that mtts tells `direct` and `ephemeral` by."""

_NODE_CLAIMS: Final[tuple[tuple[str, str, Callable[[NodeSpec], Hashable | None]], ...]] = (
    ("hostname", "hostname (and with it the state directory)", lambda node: node.hostname.lower()),
    ("veth", "veth", veth_name),
    ("address", "address", lambda node: node.address.ip if node.address else None),
    ("direct", "UDP port", lambda node: node.direct),
)
"""Key, words and value of what two nodes on one router cannot share."""


def find_gaps(file: InventoryFile, merged: Iterable[MergedRouter]) -> Iterator[Finding]:
    """Required keys that no layer sets, groups that do not exist, and keys that need one another."""
    groups = tuple(file.groups or ())
    for name, router in file.routers.items():
        for index, group in enumerate(router.groups or ()):
            if group not in groups:
                yield ("routers", name, "groups", index), f"no group {shown(group)}{did_you_mean(group, groups)}"
    for whole in merged:
        yield from _router_gaps(whole)
    for host, registry in (file.registries or {}).items():
        if registry is not None:
            yield from _registry_gaps(("registries", host), registry)


def find_clashes(routers: Iterable[Router]) -> Iterator[Finding]:
    """Two routers at one address, and two nodes of a router that claim the same thing."""
    places: dict[Hashable, str] = {}
    for router in routers:
        first = places.setdefault((router.host.lower(), router.api_port), router.name)
        if first != router.name:
            yield ("routers", router.name, "host"), f"{router.host} port {router.api_port} is {first} already"
        for key, words, claim in _NODE_CLAIMS:
            claimed: dict[Hashable, str] = {}
            for node in router.nodes:
                value = claim(node)
                holder = claimed.setdefault(value, node.name) if value is not None else node.name
                if holder != node.name:
                    where = ("routers", router.name, "nodes", node.name, key)
                    yield where, f"node {holder} on this router has the same {words}"


def find_impatience(file: InventoryFile, routers: Iterable[Router]) -> Iterator[Finding]:
    """Guards that would go back while their node still has time to prove itself, each where that is set, once."""
    found: dict[KeyPath, str] = {}
    for router in routers:
        timing = router.timing
        needed_s = timing.healthy_s + timing.observe_s
        if timing.confirm_s < needed_s:
            text = f"the guard would go back after {timing.confirm_s:g}s, and healthy and observe take {needed_s:g}s"
            found.setdefault(_where_timed(file, router.name), text)
    yield from found.items()


def _where_timed(file: InventoryFile, router: str) -> KeyPath:
    """The strongest layer that sets any of the times that do not go together."""
    own = file.routers[router]
    layers: list[tuple[KeyPath, Settings | None]] = [(("routers", router), own)]
    layers += [(("groups", name), (file.groups or {}).get(name)) for name in reversed(own.groups or ())]
    layers.append((("defaults",), file.defaults))
    for path, layer in layers:
        timing = layer.timing if layer is not None else None
        for key in ("confirm", "healthy", "observe"):
            if timing is not None and key in timing.model_fields_set:
                return (*path, "timing", key)
    return ("routers", router)


def find_literal_secrets(file: InventoryFile) -> Iterator[KeyPath]:
    """The keys whose secret is written out in the file."""
    layers: list[tuple[KeyPath, Settings | None]] = [(("defaults",), file.defaults)]
    layers += [(("groups", name), group) for name, group in (file.groups or {}).items()]
    layers += [(("routers", name), router) for name, router in file.routers.items()]
    for path, layer in layers:
        if layer is not None:
            yield from _literals(path, layer)
    for host, registry in (file.registries or {}).items():
        if registry is not None and isinstance(registry.password, Literal):
            yield ("registries", host, "password")


def _literals(path: KeyPath, layer: Settings) -> Iterator[KeyPath]:
    if isinstance(layer.password, Literal):
        yield (*path, "password")
    nodes: list[tuple[KeyPath, NodeSection | None]] = [((*path, "node"), layer.node)]
    if isinstance(layer, RouterSection):
        nodes += [((*path, "nodes", name), node) for name, node in (layer.nodes or {}).items()]
    for where, node in nodes:
        if node is not None and isinstance(node.auth_key, Literal):
            yield (*where, "auth_key")


def _router_gaps(router: MergedRouter) -> Iterator[Finding]:
    here: KeyPath = ("routers", router.name)
    for key in ("username", "password"):
        if key not in router.settings:
            yield here, f"has no {key}: set it here, in a group or in defaults"
    for name, node in router.nodes.items():
        there = (*here, "nodes", name)
        if "image" not in node:
            yield there, "has no image: set it here, for the router, in a group or in defaults"
        if not re.fullmatch(HOSTNAME_PATTERN, node["hostname"]):
            yield there, f"{shown(node['hostname'])} cannot be a hostname (only letters, digits and -): set hostname"
        if _DAEMON_ARGUMENTS in node.get("env", {}):
            for key in ("direct", "ephemeral"):
                if node.get(key):
                    yield (*there, "env", _DAEMON_ARGUMENTS), f"would take the place of {key}, which is set as well"
        if "service" in node and not node.get("serve"):
            yield (*there, "service"), "a service offers what serve: lists, and the node has none"


def _registry_gaps(here: KeyPath, registry: RegistrySection) -> Iterator[Finding]:
    if (registry.username is None) != (registry.password is None):
        yield here, "username and password come together"
    if registry.insecure and registry.ca_file is not None:
        yield here, "insecure is plain http, which has no use for ca_file"
