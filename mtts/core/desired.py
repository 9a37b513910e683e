"""Inventory + dialect + network → everything that a node consists of on its router, as objects to be compared.

Each `Wanted` says how to find the object and what it must hold. Who may already own such an object,
and what to do about differences, is decided in plan.py.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mtts.core.address import NodeNetwork
from mtts.core.dialect import Dialect, Term
from mtts.core.errors import Problem
from mtts.core.image import Release
from mtts.core.inventory import MIB, NodeSpec
from mtts.core.storage import Place
from mtts.core.tag import SHARED, Tag
from mtts.core.values import UNLIMITED

TAILNET: Final = "100.64.0.0/10"
BRIDGE: Final = "mtts"
TMPFS_SLOT: Final = "mtts-tmp"
STATE_DIR: Final = "/var/lib/tailscale"
RUN_DIR: Final = "/var/run/tailscale"
KEY_FILE: Final = "authkey"
STATE_FILE: Final = "tailscaled.state"
SERVE_FILE: Final = "serve.json"
RUN_TMPFS_BYTES: Final = 1 * MIB

RESTART_INTERVAL: Final = "10s"
_MAX_VETH_NAME: Final = 14

EXTRA_MENUS: Final[Mapping[str, str]] = {
    "lists": "/interface/list/member",
    "nat": "/ip/firewall/nat",
    "dns": "/ip/dns/static",
}
"""Menus that only some nodes have entries in, by their word in the container's comment."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object on the router."""

    path: str
    label: str
    identity: Mapping[str, str]
    """Properties that find it."""
    props: Mapping[str, str]
    """What it must hold, identity and comment included."""
    why: str
    conflict: str = "object-not-ours"
    """The code of the refusal when an object of this identity is somebody else's."""
    is_shared: bool = False
    may_be_foreign: bool = False
    """Use somebody else's object of this identity as it stands, since the inventory names it."""
    alternatives: tuple[Mapping[str, str], ...] = field(default=())
    """Other ways of writing some properties, tried in turn when the router refuses the value."""


def veth_name(node: NodeSpec) -> str:
    """At most 14 characters: longer ones are cropped inside the container. Names that begin alike stay apart."""
    name = f"veth-{node.name}"
    if len(name) > _MAX_VETH_NAME:
        name = f"{name[:9]}-{hashlib.sha256(node.name.encode()).hexdigest()[:4]}"
    return node.veth or name


def bridge_name(node: NodeSpec) -> str:
    return node.bridge or BRIDGE


def list_name(node: NodeSpec) -> str:
    """Of the node's mounts and environment."""
    return f"mtts-{node.name}"


def state_dir(place: Place, node: NodeSpec) -> str:
    """The identity's home: by hostname, so that it outlives containers, versions and re-deploys."""
    return place.path("mtts", "state", "by-hostname", node.hostname)


def root_dir(place: Place, node: NodeSpec, slot: str) -> str:
    return place.path("mtts", "root", node.name, slot)


def extras(node: NodeSpec) -> frozenset[str]:
    """Which of EXTRA_MENUS the node has entries in."""
    used = {"lists": bool(node.interface_lists), "nat": node.direct is not None, "dns": node.magicdns}
    return frozenset(word for word, is_used in used.items() if is_used)


def network_objects(node: NodeSpec, network: NodeNetwork, *, owns_tailnet_route: bool) -> Iterator[Wanted]:
    """Bridge, veth, port, gateway address, routes, and what the node's options ask for."""
    tag, veth, bridge = str(Tag(node.name)), veth_name(node), bridge_name(node)
    yield Wanted(
        "/interface/bridge",
        f"bridge {bridge}",
        {"name": bridge},
        {"name": bridge, "comment": str(Tag(SHARED))},
        why="the nodes' own bridge",
        conflict="bridge-not-ours",
        is_shared=True,
        may_be_foreign=node.bridge is not None,
    )
    yield Wanted(
        "/interface/veth",
        f"veth {veth}",
        {"name": veth},
        {
            "name": veth,
            "address": str(network.container),
            "gateway": str(network.gateway.ip),
            "comment": tag,
        },
        why="the container's end of the link",
        conflict="veth-not-ours",
    )
    yield Wanted(
        "/interface/bridge/port",
        f"bridge port {veth}",
        {"interface": veth},
        {"interface": veth, "bridge": bridge, "comment": tag},
        why="joins the veth to the bridge",
    )
    for name in node.interface_lists:
        yield Wanted(
            "/interface/list/member",
            f"member {bridge} of list {name}",
            {"list": name, "interface": bridge},
            {"list": name, "interface": bridge, "comment": tag},
            why="`interface_lists` of the node",
            may_be_foreign=True,
        )
    yield Wanted(
        "/ip/address",
        f"address {network.gateway}",
        {"address": str(network.gateway)},
        {"address": str(network.gateway), "interface": bridge, "comment": tag},
        why="the router's end of the link",
    )
    destinations = ([TAILNET] if owns_tailnet_route else []) + [str(route) for route in node.routes]
    for destination in destinations:
        yield Wanted(
            "/ip/route",
            f"route {destination}",
            {"dst-address": destination},
            {"dst-address": destination, "gateway": str(network.container.ip), "comment": tag},
            why="the tailnet, through the node" if destination == TAILNET else "`routes` of the node",
            conflict="route-occupied",
        )
    if node.direct is not None:
        yield Wanted(
            "/ip/firewall/nat",
            f"port forward udp {node.direct}",
            {"chain": "dstnat", "protocol": "udp", "dst-port": str(node.direct)},
            {
                "chain": "dstnat",
                "action": "dst-nat",
                "protocol": "udp",
                "dst-port": str(node.direct),
                "to-addresses": str(network.container.ip),
                "to-ports": str(node.direct),
                "comment": tag,
            },
            why="`direct` of the node: peers reach it without a relay",
        )
    if node.magicdns:
        yield Wanted(
            "/ip/dns/static",
            "forwarder for ts.net",
            {"name": "ts.net", "type": "FWD"},
            {
                "name": "ts.net",
                "type": "FWD",
                "forward-to": "100.100.100.100",
                "match-subdomain": "yes",
                "comment": tag,
            },
            why="`magicdns` of the node",
        )


def scratch_objects(size_bytes: int) -> Iterator[Wanted]:
    """The tmpfs disk that pulls unpack on, and the setting that says so."""
    yield Wanted(
        "/disk",
        f"tmpfs {TMPFS_SLOT}",
        {"slot": TMPFS_SLOT},
        {"slot": TMPFS_SLOT, "type": "tmpfs", "tmpfs-max-size": str(size_bytes), "comment": str(Tag(SHARED))},
        why="pulls unpack in memory, not on the flash",
        is_shared=True,
    )
    yield Wanted(
        "/container/config",
        "container tmpdir",
        {},
        {"tmpdir": TMPFS_SLOT},
        why="pulls unpack in memory, not on the flash",
        conflict="tmpdir-on-flash",
        is_shared=True,
    )


def mount_objects(node: NodeSpec, dialect: Dialect, place: Place) -> Iterator[Wanted]:
    """The state directory, and before 7.21.2 the socket's directory on the tmpfs disk."""
    entries = [("state", state_dir(place, node), STATE_DIR, "the node's identity lives here")]
    if dialect.word(Term.CONTAINER_TMPFS) is None:
        entries.append(("run", f"{TMPFS_SLOT}/{list_name(node)}", RUN_DIR, "the socket needs no flash"))
    key = dialect.require(Term.MOUNT_LIST)
    for short, source, target, why in entries:
        name = list_name(node) if dialect.mounts_by_list else f"{list_name(node)}-{short}"
        yield Wanted(
            "/container/mounts",
            f"mount {target}",
            {key: name, "dst": target},
            {key: name, "src": source, "dst": target, "comment": str(Tag(node.name))},
            why=why,
        )


def container_settings(node: NodeSpec, dialect: Dialect, *, veth: str) -> dict[str, str]:
    """What an entry holds from the first to the last moment, whatever its release and slot."""
    mounts = [list_name(node)]
    if not dialect.mounts_by_list:
        mounts = [f"{list_name(node)}-state", f"{list_name(node)}-run"]
    settings = {
        "interface": veth,
        "hostname": node.hostname,
        "logging": "yes" if node.logging else "no",
        dialect.require(Term.CONTAINER_ENVS): list_name(node),
        dialect.require(Term.CONTAINER_MOUNTS): ",".join(mounts),
    }
    optional = {
        Term.CONTAINER_TMPFS: f"{RUN_DIR}:{RUN_TMPFS_BYTES}:0755",
        Term.CONTAINER_IGNORE_IMAGE_CHANGE: "yes",
        Term.CONTAINER_MEMORY_HIGH: str(node.memory_high_bytes) if node.memory_high_bytes else "",
        Term.CONTAINER_HEALTH_COMMAND: node.health or "",
    }
    for term, value in optional.items():
        word = dialect.word(term)
        if word and value:
            settings[word] = value
    return settings


def cleared_settings(node: NodeSpec, dialect: Dialect) -> dict[str, str]:
    """What a standing entry is given where the inventory asks for no value any more."""
    cleared = {}
    memory, health = dialect.word(Term.CONTAINER_MEMORY_HIGH), dialect.word(Term.CONTAINER_HEALTH_COMMAND)
    if memory and not node.memory_high_bytes:
        cleared[memory] = UNLIMITED
    if health and not node.health:
        cleared[health] = ""
    return cleared


def committed_settings(node: NodeSpec, dialect: Dialect) -> dict[str, str]:
    """What an entry gets only after it was verified: nothing may start or restart an unproven one by itself."""
    settings = {"start-on-boot": "yes" if node.start_on_boot else "no"}
    policy, interval = dialect.word(Term.CONTAINER_RESTART_POLICY), dialect.word(Term.CONTAINER_RESTART_INTERVAL)
    if policy:
        settings[policy] = "on-failure"
    if interval:
        settings[interval] = RESTART_INTERVAL
    return settings


def container_object(
    node: NodeSpec, dialect: Dialect, release: Release | None, *, veth: str, place: Place, slot: str
) -> Wanted:
    """The entry as it is added: not bootable, not restarting, and without a release in its comment."""
    root = root_dir(place, node, slot)
    settings = container_settings(node, dialect, veth=veth)
    props = {
        "remote-image": f"{node.image.name}:{node.image.tag}" if node.image.digest is None else _pinned(node),
        "root-dir": root,
        **settings,
        "start-on-boot": "no",
        "comment": str(Tag(node.name)),
    }
    name_word = dialect.word(Term.CONTAINER_NAME)
    if name_word:
        props[name_word] = f"{node.name}-{slot}"
    if release is not None:
        command = command_settings(release)
        props |= {} if isinstance(command, Problem) else command  # a problem is preflight's to tell
    tmpfs = dialect.word(Term.CONTAINER_TMPFS)
    other_forms: tuple[Mapping[str, str], ...] = ()
    if tmpfs:
        # MikroTik's manual writes it both ways, on two pages.
        other_forms = ({tmpfs: f"{RUN_TMPFS_BYTES}@{RUN_DIR}"},)
    return Wanted(
        "/container",
        f"container {node.name}-{slot}",
        {"root-dir": root},
        props,
        why="the node itself",
        conflict="foreign-container",
        alternatives=other_forms,
    )


def command_settings(release: Release) -> dict[str, str] | Problem:
    """The image's own command as an entry's settings, which RouterOS 7.22 and newer want to be named."""
    argv = (*release.entrypoint, *release.cmd)
    if not argv:
        return Problem(
            "image-without-command",
            f"{release.image} has neither entrypoint nor cmd, so that there is nothing to start",
            "use an image that has one",
        )
    unsure = next((word for word in argv if not word or any(c.isspace() or c in "\"'\\" for c in word)), None)
    if unsure is not None:
        return Problem(
            "image-without-command",
            f"the command of {release.image} has the argument {unsure!r}: `cmd` is one line to RouterOS,"
            " and how it takes blanks and quotes in an argument is not known",
            "use an image whose entrypoint and cmd need no quotes",
        )
    settings = {"entrypoint": argv[0]}
    if argv[1:]:
        settings["cmd"] = " ".join(argv[1:])
    return settings


def _pinned(node: NodeSpec) -> str:
    return f"{node.image.name}@{node.image.digest}"


def unsupported_settings(node: NodeSpec, dialect: Dialect) -> Iterator[str]:
    """Node keys that the inventory sets and the router's version has no word for."""
    if node.memory_high_bytes and dialect.word(Term.CONTAINER_MEMORY_HIGH) is None:
        yield "memory_high"
    if not node.logging and dialect.word(Term.SHELL_COMMAND) is None:
        yield "logging"  # nothing but the log tells whether the node is online
    if node.health and dialect.word(Term.CONTAINER_HEALTH_COMMAND) is None:
        yield "health"
