"""Reads a router into Facts. Reading never writes, and asks no more than the question at hand needs.

A converged router is judged from eleven prints; what only matters before a change (clock, DNS, device-mode, packages,
the `flash` trap, the state file) is read when there is one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Final

from mtts.core import rows
from mtts.core.desired import (
    EXTRA_MENUS,
    SERVE_FILE,
    STATE_FILE,
    TAILNET,
    bridge_name,
    extras,
    list_name,
    root_dir,
    state_dir,
    veth_name,
)
from mtts.core.dialect import Dialect, Term
from mtts.core.errors import CommandTrappedError, Problem, StepFailedError
from mtts.core.facts import ContainerRow, Facts, Item, Preconditions, Resource
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.node_context import FIRST_SLOT
from mtts.core.preflight import place_of
from mtts.core.self_updates import self_updates
from mtts.core.storage import AUTO, persistent_places
from mtts.core.tag import Tag
from mtts.core.trust import CHECKED, TRUST_MENU, Trust
from mtts.core.values import parse_size
from mtts.ports import Clock, RouterSession, Row

_RESOURCE_PROPS: Final = (
    "version", "architecture-name", "board-name", "cpu", "uptime", "free-memory", "total-memory",
    "free-hdd-space", "total-hdd-space", "write-sect-since-reboot", "write-sect-total", "bad-blocks",
)  # fmt: skip

# `container-size` and `data-size` are left out: RouterOS computes them at every read.
_CONTAINER_PROPS: Final = (
    ".id", ".about", "name", "comment", "status", "stopped", "starting", "running", "stopping",
    "downloading/extracting", "deleting", "download/extract failed", "starting-with-healthcheck", "healthy",
    "unhealthy", "restart-count", "tag", "repo", "remote-image", "image-id", "arch", "os", "root-dir",
    "interface", "hostname", "logging", "start-on-boot", "envlist", "envlists", "mounts", "mountlists", "tmpfs",
    "memory-high", "ignore-remote-image-change", "healthcheck-cmd", "restart-policy", "restart-interval",
    "auto-restart-interval", "entrypoint", "cmd",
)  # fmt: skip

_MENU_PROPS: Final[Mapping[str, Sequence[str]]] = {
    "/interface/bridge": (".id", "name", "comment"),
    "/interface/veth": (".id", "name", "address", "gateway", "comment"),
    "/interface/bridge/port": (".id", "interface", "bridge", "comment", "dynamic"),
    "/interface/list/member": (".id", "list", "interface", "comment", "dynamic"),
    "/ip/address": (".id", "address", "interface", "comment", "dynamic"),
    "/ip/route": (".id", "dst-address", "gateway", "comment", "dynamic"),
    "/ip/firewall/nat": (
        ".id", "chain", "action", "protocol", "dst-port", "to-addresses", "to-ports", "comment", "dynamic",
    ),
    "/ip/dns/static": (".id", "name", "type", "forward-to", "match-subdomain", "comment", "dynamic"),
    "/disk": (
        ".id", "slot", "type", "tmpfs-max-size", "mounted", "mount-point", "size", "free", "disabled", "comment",
    ),
    "/container/config": ("tmpdir",),
    "/container/mounts": (".id", "name", "list", "src", "dst", "comment"),
    "/container/envs": (".id", "name", "list", "key", "value", "comment"),
}  # fmt: skip

_OVERLAY_NETWORKS: Final = (ip_network(TAILNET), ip_network("fd7a:115c:a1e0::/48"))


async def gather(
    session: RouterSession, router: Router, nodes: Sequence[NodeSpec], *, with_extras: bool = False
) -> Facts:
    """What decides whether `nodes` are as the inventory wants them.

    Optional menus are read where a node uses them now or used them when it was recorded; with `with_extras`, anyway.
    """
    resource = await gather_resource(session, router)
    missing: set[str] = set()
    containers = tuple(
        rows.container_row(row) for row in await read_menu(session, "/container", missing, props=_CONTAINER_PROPS)
    )
    tables: dict[str, tuple[Item, ...]] = {}
    for path, where in _queries(nodes, containers, Dialect(resource.version), with_extras=with_extras).items():
        tables[path] = rows.items(await read_menu(session, path, missing, where=where, props=_MENU_PROPS[path]))
    return Facts(router.name, resource, containers, tables, missing_menus=frozenset(missing))


async def gather_resource(session: RouterSession, router: Router) -> Resource:
    """/system/resource alone."""
    found = await session.print("/system/resource", props=_RESOURCE_PROPS)
    try:
        return rows.resource(found[0] if found else {})
    except ValueError as error:
        raise StepFailedError(
            f"{router.name} does not say which RouterOS it runs", code="version-unsupported"
        ) from error


async def gather_containers(session: RouterSession, *, also: Iterable[str] = ()) -> tuple[ContainerRow, ...]:
    """/container alone, with settings besides those that mtts itself makes use of."""
    props = tuple(dict.fromkeys((*_CONTAINER_PROPS, *also)))
    return tuple(rows.container_row(row) for row in await session.print("/container", props=props))


async def gather_preconditions(
    session: RouterSession,
    facts: Facts,
    router: Router,
    node: NodeSpec,
    *,
    release: Release | None,
    clock: Clock,
    slot: str = FIRST_SLOT,
) -> Facts:
    """The same facts with what must be known before something is written for `node`, into `slot`."""
    packages = await session.print("/system/package", props=("name", "disabled", "available"))
    device_mode = await read_menu(session, "/system/device-mode", set())
    router_clock = await session.print("/system/clock", props=("date", "time", "gmt-offset"))
    dns = await session.print("/ip/dns", props=("servers", "dynamic-servers", "use-doh-server"))
    users = await read_menu(session, "/user/active", set(), props=("name", "address", "via"))
    scripts = await read_menu(session, "/system/script", set(), props=("name", "comment", "source"))
    schedule = await read_menu(session, "/system/scheduler", set(), props=("name", "comment", "on-event", "disabled"))
    known = Preconditions(
        container_package=rows.container_package(packages),
        device_mode_container=_flag(device_mode, "container"),
        device_mode_scheduler=_flag(device_mode, "scheduler"),
        clock_skew_s=rows.clock_skew_s(router_clock[0], clock.now()) if router_clock else None,
        dns_servers=rows.dns_servers(dns[0]) if dns else (),
        flash_disk=await read_file(session, "flash", "type") == "disk",
        state_bytes=None,
        self_updates=self_updates(scripts, schedule, node),
        tailnet_session=any(_is_overlay_api_session(row, router.username) for row in users),
    )
    if router.storage == AUTO and not any(
        "/mtts/root/" in f"/{row.root_dir}" for row in facts.containers_of(node.name)
    ):
        known = replace(known, state_home=await _state_home(session, facts, known, node))
    facts = replace(facts, preconditions=known)
    place = place_of(router, node, facts, release)
    if isinstance(place, Problem):
        return facts
    directory = state_dir(place, node)
    size = await read_file(session, f"{directory}/{STATE_FILE}", "size")
    known = replace(
        known,
        state_bytes=None if size is None else parse_size(size),
        leftover_root=await _is_leftover(session, facts, root_dir(place, node, slot)),
    )
    facts = replace(facts, preconditions=known)
    name = f"{directory}/{SERVE_FILE}"
    contents = await read_file(session, name, "contents")
    present = () if contents is None else (Item(id=name, props={"name": name, "contents": contents}),)
    return replace(facts, tables={**facts.tables, "/file": present})


async def gather_trust(session: RouterSession, facts: Facts, node: NodeSpec) -> Trust:
    """What the router's own settings say of certificates; asked by `mtts check` alone."""
    settings = await read_menu(session, TRUST_MENU, set())
    mine = {row.id for row in facts.containers_of(node.name)}
    containers = await gather_containers(session, also=(CHECKED,)) if mine else ()
    return Trust(facts.version, settings[0] if settings else {}, [row for row in containers if row.id in mine])


async def _state_home(session: RouterSession, facts: Facts, known: Preconditions, node: NodeSpec) -> str | None:
    """Prefix of the first persistent place that holds the node's state file."""
    for place in persistent_places(resource=facts.resource, disks=facts.table("/disk"), flash_disk=known.flash_disk):
        if await read_file(session, f"{state_dir(place, node)}/{STATE_FILE}", "type") is not None:
            return place.prefix
    return None


async def _is_leftover(session: RouterSession, facts: Facts, directory: str) -> bool:
    """Whether a root directory is there that no entry uses, nor anything below it."""
    if any(f"{row.root_dir}/".startswith(f"{directory}/") for row in facts.containers):
        return False
    return await read_file(session, directory, "type") is not None


async def read_menu(
    session: RouterSession,
    path: str,
    missing: set[str],
    *,
    where: Sequence[Mapping[str, str]] = (),
    props: Sequence[str] = (),
) -> list[Row]:
    """A menu that this router may not have; then it is noted in `missing` and reads as empty."""
    try:
        return await session.print(path, where=where, props=props)
    except CommandTrappedError as trap:
        if "no such command" not in trap.text:
            raise
        missing.add(path)
        return []


async def read_file(session: RouterSession, name: str, prop: str) -> str | None:
    """One property of a file by its name, or None where there is no such file.

    `/file/print` walks the whole tree even with a query, for minutes on a disk full of layers; `get` does not.
    """
    try:
        reply = await session.command("/file/get", {"number": name, "value-name": prop})
    except CommandTrappedError as trap:
        if "no such item" in trap.text or "does not match any value" in trap.text:
            return None
        raise
    return reply[-1].get("ret", "") if reply else ""


def _queries(
    nodes: Sequence[NodeSpec], containers: Iterable[ContainerRow], dialect: Dialect, *, with_extras: bool
) -> dict[str, list[dict[str, str]]]:
    """Menu → which rows are asked for; an empty list asks for all, where somebody else's matter too."""
    ours = [{"comment": str(Tag(node.name))} for node in nodes]
    names = {node.name for node in nodes}
    tags = [row.tag for row in containers if row.tag is not None and row.tag.node in names]
    env_list = dialect.require(Term.ENV_LIST)
    destinations = [TAILNET, *(str(route) for node in nodes for route in node.routes)]
    queries: dict[str, list[dict[str, str]]] = {
        "/interface/bridge": [{"name": bridge_name(node)} for node in nodes],
        "/interface/veth": [],
        "/interface/bridge/port": [*({"interface": veth_name(node)} for node in nodes), *ours],
        "/ip/address": [],
        "/ip/route": [*({"dst-address": destination} for destination in destinations), *ours],
        "/disk": [],
        "/container/config": [],
        "/container/mounts": [],
        "/container/envs": [*({env_list: list_name(node)} for node in nodes), *ours],
    }
    in_use = {extra for node in nodes for extra in extras(node)} | {extra for tag in tags for extra in tag.extras}
    identities: dict[str, list[dict[str, str]]] = {
        "lists": [{"interface": bridge_name(node)} for node in nodes],
        "nat": [{"chain": "dstnat", "dst-port": str(node.direct)} for node in nodes if node.direct is not None],
        "dns": [{"name": "ts.net"}],
    }
    for extra in sorted(EXTRA_MENUS if with_extras else in_use & set(EXTRA_MENUS)):
        queries[EXTRA_MENUS[extra]] = [*identities[extra], *ours]
    return queries


def _flag(found: Sequence[Row], prop: str) -> bool | None:
    value = found[0].get(prop) if found else None
    return None if value is None else value in ("true", "yes")


def _is_overlay_api_session(row: Row, username: str) -> bool:
    if row.get("name") != username or not row.get("via", "").startswith("api"):
        return False
    try:
        address = ip_address(row.get("address", ""))
    except ValueError:
        return False
    return any(address in network for network in _OVERLAY_NETWORKS)
