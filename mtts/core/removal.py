"""What `mtts remove` takes off a router: everything that carries the node's tag, and what nobody else needs any more.

The state directory is the node's identity and stays, unless its removal is asked for by name (I2).
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from mtts.core.changes import Change, Remove, Set
from mtts.core.desired import TMPFS_SLOT, state_dir
from mtts.core.diff import SWEPT_MENUS
from mtts.core.facts import Facts, Item
from mtts.core.inventory import NodeSpec, Router
from mtts.core.plan import Plan, fingerprint, path_through_node
from mtts.core.preflight import place_of
from mtts.core.storage import Place
from mtts.core.tag import SHARED, Tag
from mtts.core.updater import node_of
from mtts.core.values import same

RUNNING_MENUS: Final = ("/system/scheduler", "/system/script")
"""Where what the router does for a node by itself is kept: its updater, and the way back over a bridge. It goes first,
and its moments before its text, since it would make a container again."""


def plan_removal(*, router: Router, node: NodeSpec, facts: Facts, purge_identity: bool) -> Plan:
    """The changes that leave nothing of the node on the router; empty when there is nothing."""
    changes = list(_changes(router, node, facts, purge_identity=purge_identity))
    refusal = path_through_node(router, facts) if changes else None
    return Plan(
        router=router.name,
        node=node.name,
        routeros=facts.resource.version_text,
        fingerprint=fingerprint(facts),
        changes=tuple(changes),
        refusals=(refusal,) if refusal else (),
    )


def _changes(router: Router, node: NodeSpec, facts: Facts, *, purge_identity: bool) -> Iterator[Change]:
    containers = facts.containers_of(node.name)
    for path in RUNNING_MENUS:
        for item in facts.table(path):
            if node_of(item.props) == node.name or item.get("comment") == str(Tag(node.name)):
                yield Remove(path, _label(path, item), "", {".id": item.id, "name": item.get("name")})
    for row in containers:
        label = f"container {row.label}"
        yield Remove("/container", label, "", {"root-dir": row.root_dir}, disruptive=row.is_up)
    for path in SWEPT_MENUS:
        for item in facts.table(path):
            if item.tag is not None and item.tag.node == node.name:
                yield Remove(path, _label(path, item), "", {".id": item.id})
    if not _others(facts, node.name):
        yield from _shared(facts)
    place = place_of(router, node, facts, None)
    if not isinstance(place, Place):
        return
    known = facts.preconditions
    if containers:
        root = place.path("mtts", "root", node.name)
        yield Remove("/file", f"directory {root}", "empty once its container is gone", {"name": root})
    if purge_identity and known is not None and known.state_bytes is not None:
        state = state_dir(place, node)
        yield Remove("/file", f"directory {state}", "the node's identity, as asked", {"name": state})


def _shared(facts: Facts) -> Iterator[Change]:
    """What the last node leaves behind: the setting first, so that it never points at a disk that is gone."""
    for config in facts.table("/container/config"):
        if same("tmpdir", config.get("tmpdir"), TMPFS_SLOT):
            before = {"tmpdir": config.get("tmpdir")}
            yield Set("/container/config", "container tmpdir", "no node needs it", {}, before, {"tmpdir": ""})
    for path in ("/disk", "/interface/bridge"):
        for item in facts.table(path):
            if item.tag is not None and item.tag.node == SHARED:
                yield Remove(path, _label(path, item), "no node needs it", {".id": item.id})


def _others(facts: Facts, node: str) -> bool:
    tags = chain(
        (row.tag for row in facts.containers),
        (item.tag for item in facts.table("/interface/veth")),
    )
    return any(tag is not None and tag.node not in (node, SHARED) for tag in tags)


def _label(path: str, item: Item) -> str:
    name = item.get("name") or item.get("slot") or item.get("key") or item.get("dst-address") or item.get("address")
    return f"{path.rpartition('/')[2]} {name or item.get('dst') or item.get('interface') or item.id}"
