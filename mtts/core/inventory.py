"""What the inventory says, as frozen values: routers, their nodes, and the policies that govern them.

Parsing and validation of the YAML file live in the package adapters/inventory; here are the values
and the selection of routers by name, pattern and group.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import IPv4Interface, IPv4Network, IPv6Network
from typing import Final

from mtts.core.errors import UsageError
from mtts.core.image import ImageRef, Platform
from mtts.core.secret import SecretSource

DEFAULT_NODE: Final = "tailscale"
DEFAULT_POOL: Final = IPv4Network("172.20.0.0/16")
MIB: Final = 1024 * 1024


class TlsMode(StrEnum):
    """How the router's certificate is judged before a password is sent."""

    PINNED = "pinned"
    CA = "ca"
    ANONYMOUS = "anonymous"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait that is a policy, in seconds."""

    connect_s: float = 10
    login_s: float = 10
    command_s: float = 30
    pull_s: float = 900
    """The whole pull."""
    stall_s: float = 180
    """A pull without progress."""
    stop_s: float = 60
    healthy_s: float = 120
    """The time that a node has to become healthy."""
    observe_s: float = 30
    """How long it must then stay so."""
    settle_s: float = 60
    """Before the last flash sample; RouterOS writes late."""
    gap_s: float = 2
    """Between two samples that must agree."""
    confirm_s: float = 600
    """The patience of the guard on the router."""
    poll_s: float = 1


@dataclass(frozen=True, slots=True)
class FlashPolicy:
    reserve_bytes: int = MIB
    """What must stay free on the router's storage."""
    budget_per_month: int | None = None
    """Updates per month, where somebody set a limit."""


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """What the inventory says of one registry; absent means https and anonymous."""

    host: str
    username: str | None = None
    password: SecretSource | None = None
    ca_file: str | None = None
    insecure: bool = False
    """Plain http."""
    allow_hosts: tuple[str, ...] = ()
    """Further hosts that its token realm or redirects may lead to, private addresses included."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One Tailscale identity on a router, as the inventory wants it."""

    name: str
    image: ImageRef
    hostname: str
    auth_key: SecretSource | None = None
    login_server: str | None = None
    """None: Tailscale's own."""
    advertise_routes: tuple[IPv4Network | IPv6Network, ...] = ()
    exit_node: bool = False
    accept_routes: bool = False
    accept_dns: bool = False
    snat_subnet_routes: bool = True
    tags: tuple[str, ...] = ()
    """Each with its `tag:` prefix."""
    extra_args: tuple[str, ...] = ()
    serve: Mapping[int, str] = field(default_factory=dict)
    """HTTPS port → URL behind it."""
    service: str | None = None
    """`svc:name` of a Tailscale Service that `serve` is offered under."""
    direct: int | None = None
    """UDP port forwarded to the node so that peers reach it without a relay."""
    ephemeral: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    address: IPv4Interface | None = None
    """The container's own address; None: chosen from the pool."""
    bridge: str | None = None
    """An existing bridge to share; None: one of ours."""
    veth: str | None = None
    routes: tuple[IPv4Network, ...] = ()
    """Subnets behind other nodes that the router should reach through this one."""
    magicdns: bool = False
    interface_lists: tuple[str, ...] = ()
    tmpfs_size_bytes: int | None = None
    memory_high_bytes: int | None = None
    logging: bool = True
    start_on_boot: bool = True
    health: str | None = None
    """Command for RouterOS' own health check (7.22 and newer)."""
    keep_key: bool = False
    """Leave the auth key's file on the router after the login."""


@dataclass(frozen=True, slots=True)
class Router:
    """One RouterOS device in the inventory."""

    name: str
    host: str
    username: str
    password: SecretSource
    port: int | None = None
    """None: 8729, or 8728 where TLS is off."""
    tls: TlsMode = TlsMode.PINNED
    fingerprint: str | None = None
    """`sha256:` and 64 hex digits of the api-ssl certificate."""
    ca_file: str | None = None
    groups: tuple[str, ...] = ()
    storage: str = "auto"
    via: str | None = None
    """`tailnet` where the router is reached through its own node."""
    window: str | None = None
    platform: Platform | None = None
    """Overrides what the router's architecture-name suggests."""
    timing: Timing = field(default_factory=Timing)
    flash: FlashPolicy = field(default_factory=FlashPolicy)
    nodes: tuple[NodeSpec, ...] = ()

    @property
    def api_port(self) -> int:
        if self.port is not None:
            return self.port
        return 8728 if self.tls is TlsMode.OFF else 8729


@dataclass(frozen=True, slots=True)
class Inventory:
    path: str
    routers: tuple[Router, ...]
    registries: Mapping[str, RegistryAccess] = field(default_factory=dict)


def select_routers(
    inventory: Inventory,
    *,
    patterns: Sequence[str] = (),
    groups: Iterable[str] = (),
    everything: bool = False,
    exclude: Iterable[str] = (),
) -> tuple[Router, ...]:
    """The routers that the command line names, in the inventory's order; UsageError if a name fits none."""
    wanted_groups = set(groups)
    if not (patterns or wanted_groups or everything):
        raise UsageError(
            "no router was named",
            code="no-such-target",
            hint="name routers or patterns, or use --all or --group",
        )
    if everything and (patterns or wanted_groups):
        raise UsageError("--all and names or groups say different things", code="no-such-target", hint="leave one out")
    names = [router.name for router in inventory.routers]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"no router matches {pattern!r}", code="no-such-target", hint=_known(names))
    known_groups = {group for router in inventory.routers for group in router.groups}
    for group in sorted(wanted_groups - known_groups):
        raise UsageError(f"no router is in group {group!r}", code="no-such-target", hint=_known(sorted(known_groups)))
    excluded = tuple(exclude)

    def is_selected(router: Router) -> bool:
        named = (
            everything
            or not wanted_groups.isdisjoint(router.groups)
            or any(fnmatchcase(router.name, pattern) for pattern in patterns)
        )
        return named and not any(fnmatchcase(router.name, pattern) for pattern in excluded)

    selected = tuple(router for router in inventory.routers if is_selected(router))
    if not selected:
        raise UsageError("no router is left to work on", code="no-such-target", hint=_known(names))
    return selected


def _known(names: Sequence[str], limit: int = 8) -> str:
    if not names:
        return "the inventory has none"
    shown = ", ".join(names[:limit])
    return f"known: {shown}" + (f" and {len(names) - limit} more" if len(names) > limit else "")
