"""Values to begin from: a router, a node and a release as most tests want them; a test names only what it is about."""

from typing import Any

from mtts.core import rows
from mtts.core.facts import ContainerRow, Facts, Item, Preconditions, Resource
from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.secret import FromEnv

MIB = 1024 * 1024
IMAGE = "registry.example.net/team/mikrotik-tailscale:stable"


def digest(letter: str) -> Digest:
    """A digest that can be told from another at a glance."""
    return Digest.parse("sha256:" + letter * 64)


def a_release(**other: Any) -> Release:
    values: dict[str, Any] = {
        "image": ImageRef.parse(IMAGE),
        "platform": Platform.parse("linux/arm64"),
        "index_digest": digest("1"),
        "manifest_digest": digest("2"),
        "config_digest": digest("3"),
        "version": "1.90.1",
        "compressed_bytes": 4 * MIB,
        "extracted_bytes": 9 * MIB,
        "entrypoint": ("/entrypoint",),
    }
    return Release(**values | other)


def a_node(**other: Any) -> NodeSpec:
    values: dict[str, Any] = {
        "name": "tailscale",
        "image": ImageRef.parse(IMAGE),
        "hostname": "router1",
        "auth_key": FromEnv("TS_AUTHKEY"),
    }
    return NodeSpec(**values | other)


def a_router(*nodes: NodeSpec, **other: Any) -> Router:
    values: dict[str, Any] = {
        "name": "router1",
        "host": "192.168.88.1",
        "username": "mtts",
        "password": FromEnv("MTTS_PASSWORD"),
        "nodes": nodes or (a_node(),),
    }
    return Router(**values | other)


RESOURCE_ROW = {
    "version": "7.23.3 (stable)",
    "architecture-name": "arm64",
    "board-name": "RB5009UG+S+",
    "cpu": "ARM64",
    "uptime": "1w2d3h4m5s",
    "free-memory": str(600 * MIB),
    "total-memory": str(1024 * MIB),
    "free-hdd-space": str(900 * MIB),
    "total-hdd-space": str(1024 * MIB),
    "write-sect-since-reboot": "58279",
    "write-sect-total": "222100",
    "bad-blocks": "0",
}


def a_resource(**other: str) -> Resource:
    """A resource row of RouterOS with other values (`_` for `-` in names), decoded."""
    return rows.resource(RESOURCE_ROW | {name.replace("_", "-"): value for name, value in other.items()})


READY = Preconditions(
    container_package=True,
    device_mode_container=True,
    clock_skew_s=0.0,
    dns_servers=("9.9.9.9",),
    flash_disk=False,
    state_bytes=None,
    tailnet_session=False,
)


def facts_of(*containers: dict[str, str], tables: dict[str, list[dict[str, str]]] | None = None, **other: Any) -> Facts:
    """Facts out of raw rows, with nothing missing on the router."""
    values: dict[str, Any] = {
        "router": "router1",
        "resource": a_resource(),
        "containers": tuple(map(rows.container_row, containers)),
        "tables": {path: rows.items(found) for path, found in (tables or {}).items()},
        "preconditions": READY,
    }
    return Facts(**values | other)


def a_container(**other: str) -> ContainerRow:
    """A deployed container's row of 7.23 with other values (`_` for `-`), decoded."""
    row = {
        ".id": "*1",
        "name": "tailscale-a",
        "comment": "mtts:tailscale",
        "root-dir": "/mtts/root/tailscale/a",
        "interface": "veth-tailscale",
        "arch": "arm64",
        "image-id": str(digest("3")),
        "running": "true",
    }
    return rows.container_row(row | {name.replace("_", "-"): value for name, value in other.items()})


def an_item(**props: str) -> Item:
    """A row of any menu (`_` for `-`)."""
    values = {name.replace("_", "-"): value for name, value in props.items()}
    return Item(id=values.get("id", "*1"), props={".id": values.pop("id", "*1"), **values})
