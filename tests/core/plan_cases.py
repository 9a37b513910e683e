"""Reads the case files of the planner: raw rows of a router and inventory settings in, changes and codes out.

A file in tests/cases/plan is one story; a file in tests/cases/routers is a router that stories start from (`like`).
All values are text, as a router sends it, and go through `mtts.core.rows` like a router's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Interface, ip_network
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from mtts.core import rows
from mtts.core.errors import Problem
from mtts.core.facts import Facts, Preconditions
from mtts.core.health import Evidence, Health
from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.secret import FromEnv
from mtts.core.values import is_true, parse_size
from tests.core.examples import RESOURCE_ROW, a_node, a_release, a_router

CASES: Final = Path(__file__).parents[1] / "cases"
NOW_S: Final = 1_790_000_000.0
"""The controller's clock: 2026-09-21 14:13:20 UTC, which the routers' `/system/clock` is compared with."""

Rows = list[dict[str, str]]

_ASKED_BEFORE_WRITING: Final = ("/system/package", "/system/device-mode", "/system/clock", "/ip/dns", "/user/active")

_TEXT_SETTINGS: Final = frozenset({"name", "hostname", "login_server", "service", "veth", "bridge", "health"})
_NODE_SETTINGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "image": ImageRef.parse,
    "auth_key": lambda value: FromEnv(value) if value else None,
    "advertise_routes": lambda values: tuple(map(ip_network, values)),
    "routes": lambda values: tuple(map(ip_network, values)),
    "address": IPv4Interface,
    "tags": tuple,
    "extra_args": tuple,
    "interface_lists": tuple,
    "serve": lambda ports: {int(port): url for port, url in ports.items()},
    "direct": int,
    "env": dict,
    "tmpfs_size_bytes": parse_size,
    "memory_high_bytes": parse_size,
}
_FLAGS: Final = frozenset(
    {
        "exit_node", "accept_routes", "accept_dns", "snat_subnet_routes", "ephemeral", "magicdns", "logging",
        "start_on_boot", "keep_key",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One story: what is there, what is wanted, and what the plan must say."""

    name: str
    router: Router
    node: NodeSpec
    facts: Facts
    release: Release | Problem | None
    adopt: bool
    expected: Mapping[str, Any]


@cache
def read(folder: str, name: str) -> dict[str, Any]:
    """A file's text values; whoever changes them changes a copy."""
    loaded: dict[str, Any] = YAML(typ="base", pure=True).load((CASES / folder / f"{name}.yaml").read_text("utf-8"))
    return loaded


def case_names() -> list[str]:
    return sorted(path.stem for path in (CASES / "plan").glob("*.yaml"))


def load_case(name: str) -> Case:
    story = read("plan", name)
    nodes = tuple(node_of(settings) for settings in story.get("nodes", [{}]))
    router = a_router(*nodes, **{key: _router_setting(key, value) for key, value in story.get("router", {}).items()})
    index = int(story.get("plan_for", "0"))
    return Case(
        name=name,
        router=router,
        node=nodes[index],
        facts=facts_of_story(story),
        release=release_of(story.get("release", {})),
        adopt=is_true(story.get("adopt")),
        expected=story["expect"],
    )


def node_of(settings: Mapping[str, Any]) -> NodeSpec:
    """A node of the inventory, in the inventory's words."""
    return a_node(**{key: _node_setting(key, value) for key, value in settings.items()})


def raw_rows(story: Mapping[str, Any]) -> dict[str, Rows]:
    """Every menu of the router that a story tells of, `like` another one with what differs."""
    menus = raw_rows(read("routers", story["like"])) if "like" in story else {}
    menus = {path: [dict(row) for row in found] for path, found in menus.items()}
    menus |= {path: [dict(row) for row in found] for path, found in story.get("menus", {}).items()}
    for edit in story.get("edits", []):
        found = menus.setdefault(edit["menu"], [])
        matching = [row for row in found if edit.get("where", {}).items() <= row.items()]
        if "where" in edit and not matching:
            raise LookupError(f"{edit['menu']} has no row {edit['where']}")
        if "remove" in edit:
            menus[edit["menu"]] = [row for row in found if row not in matching]
        elif "add" in edit:
            found.append(dict(edit["add"]))
        else:
            for row in matching:
                row.update(edit.get("set", {}))
                for prop in edit.get("unset", []):
                    del row[prop]
    return menus


def facts_of_story(story: Mapping[str, Any]) -> Facts:
    menus = raw_rows(story)
    asked = {path: menus.pop(path, []) for path in _ASKED_BEFORE_WRITING}
    missing = frozenset(story.get("missing_menus", []))
    before_writing = story.get("before_writing", {})
    known = None if before_writing == "unread" else _preconditions(asked, before_writing)
    return facts_of_menus(menus, known, health=_health(story.get("health")), missing=missing)


def facts_of_menus(
    menus: Mapping[str, Rows],
    known: Preconditions | None,
    *,
    health: Health | None = None,
    missing: frozenset[str] = frozenset(),
) -> Facts:
    """What the engine would have read, out of raw rows."""
    resource = RESOURCE_ROW | next(iter(menus.get("/system/resource", [])), {})
    tables = {
        path: rows.items(found) for path, found in menus.items() if path not in ("/system/resource", "/container")
    }
    return Facts(
        router="router1",
        resource=rows.resource(resource),
        containers=tuple(map(rows.container_row, menus.get("/container", []))),
        tables=tables,
        health=health,
        preconditions=known,
        missing_menus=missing,
    )


def release_of(settings: Mapping[str, Any] | str) -> Release | Problem | None:
    """What the registry says: a release, `none` when it was not asked, or a problem by its code."""
    if isinstance(settings, str):
        return None if settings == "none" else Problem(settings, "the registry's words", "the registry's hint")
    kinds: Mapping[str, Callable[[Any], Any]] = {
        "platform": Platform.parse,
        "manifest_digest": Digest.parse,
        "config_digest": Digest.parse,
        "index_digest": Digest.parse,
        "compressed_bytes": parse_size,
        "extracted_bytes": parse_size,
        "version": str,
        "entrypoint": tuple,
        "cmd": tuple,
    }
    return a_release(**{key: kinds[key](value) for key, value in settings.items()})


def _preconditions(asked: Mapping[str, Rows], known: Mapping[str, str]) -> Preconditions:
    device_mode, clock, dns = (next(iter(asked[path]), None) for path in _ASKED_BEFORE_WRITING[1:4])
    return Preconditions(
        container_package=rows.container_package(asked["/system/package"]),
        device_mode_container=None if device_mode is None else is_true(device_mode.get("container")),
        clock_skew_s=None if clock is None else rows.clock_skew_s(clock, NOW_S),
        dns_servers=() if dns is None else rows.dns_servers(dns),
        flash_disk=is_true(known.get("flash_disk")),
        state_bytes=parse_size(known.get("state_bytes", "")),
        tailnet_session=is_true(known.get("tailnet_session")),
        state_home=known.get("state_home"),
        leftover_root=is_true(known.get("leftover_root")),
    )


def _health(seen: Mapping[str, str] | None) -> Health | None:
    if seen is None:
        return None
    return Health(Evidence.LOG, seen["backend_state"])


def _node_setting(key: str, value: Any) -> Any:
    if key in _TEXT_SETTINGS:
        return value
    return is_true(value) if key in _FLAGS else _NODE_SETTINGS[key](value)


def _router_setting(key: str, value: str) -> Any:
    return Platform.parse(value) if key == "platform" else value
