"""The inventory file's shape as pydantic models: which key takes which form, at which level.

Every layer (`defaults`, a group, a router, a node) is checked by itself, so that an error is told once and where
it stands; what only the merged layers can show (a missing image) is loader.py's. The same models give the
JSON Schema, so descriptions here are what editors show.
"""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from mtts.adapters.inventory.complaints import KeyPath
from mtts.adapters.inventory.network_forms import Address, Network, RoutedNetwork
from mtts.adapters.inventory.quantity_forms import Duration, DurationOrZero, Reserve, Size
from mtts.adapters.inventory.secret_forms import AuthKey, EnvValue, ExtraArg, Password, Variable
from mtts.adapters.inventory.text_forms import (
    BoardPlatform,
    Boolean,
    Bridge,
    Count,
    Fingerprint,
    Host,
    Hostname,
    Image,
    InterfaceList,
    Line,
    LoginServer,
    Name,
    NodeName,
    Port,
    PortKey,
    Registry,
    RegistryHost,
    RouterPath,
    ServedUrl,
    Service,
    TailscaleTag,
    Tls,
    Veth,
    Via,
    Window,
    Word,
)


class Section(BaseModel):
    """A mapping with a fixed set of keys; `null` for a key means as if no layer had set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TimingSection(Section):
    """Waits that are a policy, like 30s, 15m, 1h30m or 250ms."""

    connect: Duration | None = Field(None, description="For the TCP connection and TLS. 10s")
    login: Duration | None = Field(None, description="For the login. 10s")
    command: Duration | None = Field(None, description="For the answer to one command. 30s")
    pull: Duration | None = Field(None, description="For the whole pull of an image. 15m")
    stall: Duration | None = Field(None, description="For a pull that makes no progress. 3m")
    stop: Duration | None = Field(None, description="For a container to stop. 60s")
    healthy: Duration | None = Field(None, description="For a node to become healthy. 2m")
    observe: DurationOrZero | None = Field(None, description="How long a node must then stay healthy. 30s")
    settle: DurationOrZero | None = Field(None, description="Before the last flash sample. 60s")
    gap: DurationOrZero | None = Field(None, description="Between two looks at the flash that must agree. 2s")
    confirm: Duration | None = Field(None, description="The patience of the guard on the router. 600s")
    poll: Duration | None = Field(None, description="Between two looks at something that is awaited. 1s")


class FlashSection(Section):
    """What updates may do to the router's flash."""

    reserve: Reserve | None = Field(None, description="What must stay free, like 1MiB (the built-in) or 512KiB.")
    budget: Count | None = Field(None, description="Releases in 30 days beyond which reports warn. None")


class NodeSection(Section):
    """One Tailscale identity on a router."""

    image: Image | None = Field(None, description="host[:port]/repository[:tag][@digest]")
    hostname: Hostname | None = Field(
        None, description="Name in the tailnet. The router's name for the node tailscale, else the node's"
    )
    auth_key: AuthKey | None = Field(None, description="Where the key for the first login comes from.")
    login_server: LoginServer | None = Field(None, description="A Headscale server. Tailscale's own")
    advertise_routes: tuple[Network, ...] | None = Field(
        None, description="Networks that peers reach through the node."
    )
    exit_node: Boolean | None = Field(None, description="Offer to carry all of a peer's traffic. false")
    accept_routes: Boolean | None = Field(None, description="Use the networks that peers advertise. false")
    accept_dns: Boolean | None = Field(None, description="Use the tailnet's DNS settings in the container. false")
    snat_subnet_routes: Boolean | None = Field(None, description="Hide peers behind the node's address. true")
    tags: tuple[TailscaleTag, ...] | None = Field(None, description="Tailscale tags, each with its tag: in front.")
    extra_args: tuple[ExtraArg, ...] | None = Field(None, description="Further arguments of `tailscale up`.")
    serve: dict[PortKey, ServedUrl] | None = Field(None, description="HTTPS port on the node → URL behind it.")
    service: Service | None = Field(None, description="Tailscale Service that `serve` is offered under, svc:name.")
    direct: Port | None = Field(None, description="UDP port forwarded to the node, for paths without a relay.")
    ephemeral: Boolean | None = Field(None, description="Forget the identity when the node stops. false")
    env: dict[Variable, EnvValue] | None = Field(None, description="Further environment variables; no secrets.")
    address: Address | None = Field(None, description="The container's IPv4 address, like 172.20.3.2/30. Chosen")
    bridge: Bridge | None = Field(None, description="An existing bridge to share. One of mtts' own")
    veth: Veth | None = Field(None, description="Name of the veth, at most 14 characters. veth-<node>")
    routes: tuple[RoutedNetwork, ...] | None = Field(
        None, description="Networks behind other nodes that the router shall reach through this one."
    )
    magicdns: Boolean | None = Field(None, description="Let the router resolve the tailnet's names. false")
    interface_lists: tuple[InterfaceList, ...] | None = Field(None, description="Lists that the veth joins, like LAN.")
    tmpfs_size: Size | None = Field(None, description="Size of the scratch in RAM, like 64M. From the image's size")
    memory_high: Size | None = Field(None, description="Memory above which the container is throttled, like 128M.")
    logging: Boolean | None = Field(None, description="Send the container's output to the router's log. true")
    start_on_boot: Boolean | None = Field(None, description="Start with the router. true")
    health: Line | None = Field(None, description="Command of RouterOS' own health check (7.22 and newer).")
    keep_key: Boolean | None = Field(None, description="Leave the auth key's file on the router. false")


class Settings(Section):
    """What defaults, groups and routers have in common."""

    username: Word | None = Field(None, description="The RouterOS user.")
    password: Password | None = Field(None, description="Where the user's password comes from.")
    port: Port | None = Field(None, description="8729, or 8728 where tls is off")
    tls: Tls | None = Field(None, description="How the router's certificate is judged. pinned")
    ca_file: Line | None = Field(None, description="CA for tls: ca, relative to this file. The system's")
    image: Image | None = Field(None, description="The image of all nodes; a node's own image comes first.")
    storage: RouterPath | None = Field(None, description="auto, or a place like disk1 or usb1/mtts. auto")
    via: Via | None = Field(None, description="tailnet: the router is reached through its own node.")
    window: Window | None = Field(None, description="When updates may swap, local time: Sat 02:00-04:00, comma list.")
    platform: BoardPlatform | None = Field(None, description="linux/arm/v5 and the like. From the architecture")
    timing: TimingSection | None = None
    node: NodeSection | None = Field(None, description="Settings of every node.")
    flash: FlashSection | None = None


class RouterSection(Settings):
    """One RouterOS device."""

    host: Host = Field(description="Host name or IP address of the router.")
    fingerprint: Fingerprint | None = Field(
        None, description="SHA-256 of the api-ssl certificate; `mtts trust` sets it."
    )
    groups: tuple[Name, ...] | None = Field(None, description="Groups whose settings apply, the last one strongest.")
    nodes: Annotated[dict[NodeName, NodeSection | None], Field(min_length=1)] | None = Field(
        None, description="Nodes by name. One, named tailscale"
    )


class RegistrySection(Section):
    """A registry that https without credentials does not serve."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"username": ["password"], "password": ["username"]}}
    )

    username: Word | None = None
    password: Password | None = None
    ca_file: Line | None = Field(None, description="CA of the registry, relative to this file. The system's")
    insecure: Boolean | None = Field(None, description="Plain http. false")
    allow_hosts: tuple[RegistryHost, ...] | None = Field(
        None, description="Further hosts that its token realm or redirects may lead to."
    )


class InventoryFile(Section):
    """Routers, their Tailscale nodes, and the settings they share."""

    defaults: Settings | None = None
    registries: dict[Registry, RegistrySection | None] | None = None
    groups: dict[Name, Settings | None] | None = None
    routers: Annotated[dict[Name, RouterSection], Field(min_length=1)]


def section_at(path: KeyPath) -> type[Section]:
    """The section that the keys of `path` lead to."""
    found: Any = InventoryFile
    for step in path:
        found = found.model_fields[step].annotation if _is_section(found) else get_args(found)[1]
        found = _without_none(found)
    return found  # type: ignore[no-any-return]  # what annotations hold is untyped


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _without_none(annotation: Any) -> Any:
    while get_origin(annotation) in (Union, UnionType, Annotated):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation
