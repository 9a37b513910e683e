"""What `mtts gc` takes off a router: what an interrupted run of mtts left there and nothing uses.

Never what serves, never what an open update still needs, and never a state directory: that is the node (I2). A copy of
its state that a guard left beside it goes once the node is up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtts.core.changes import Change, Remove
from mtts.core.desired import KEY_FILE, STATE_FILE, root_dir, state_dir
from mtts.core.dialect import Dialect
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.guard import copy_of
from mtts.core.inventory import NodeSpec, Router
from mtts.core.node_context import keeps_key
from mtts.core.plan import Plan, fingerprint
from mtts.core.plan_update import state_source
from mtts.core.preflight import place_of
from mtts.core.router_lock import NAME, PATH, HeldLock
from mtts.core.slots import SLOTS, Slots, slots_of, transaction_open
from mtts.core.storage import Place
from mtts.core.tag import Tag
from mtts.core.updater import node_of

BACKUP = ".backup"
"""What RouterOS appends to the name of a root directory that it moves out of the way of a new one."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is there on the router beside its containers."""

    files: Sequence[str] = ()
    """Of `candidates`, those that are there."""
    schedulers: Sequence[str] = ()
    """Names of entries that carry the node's tag."""
    updaters: Sequence[tuple[str, str]] = ()
    """Menu and name of what is there of updaters whose node is not on the router."""
    lock: HeldLock | None = None
    """One that nobody holds any more."""


def candidates(*, router: Router, node: NodeSpec, facts: Facts) -> tuple[str, ...]:
    """Files and directories of the node that a run may have left, by name; none where nothing tells its place."""
    place = place_of(router, node, facts, None)
    if not isinstance(place, Place):
        return ()
    roots = [root_dir(place, node, slot) for slot in SLOTS]
    found = [name for root in roots for name in (root, f"{root}{BACKUP}") if not _is_used(name, facts)]
    if not keeps_key(node):
        found.append(f"{state_dir(place, node)}/{KEY_FILE}")
    if not node.ephemeral:
        dialect, mounts = Dialect(facts.version), facts.table("/container/mounts")
        mine = [row for row in facts.containers if row.tag is not None and row.tag.node == node.name]
        mounted = {state_source(row, mounts, dialect) for row in mine}  # one that was taken over has a place of its own
        homes = sorted({state_dir(place, node), *(source for source in mounted if source is not None)})
        found.extend(copy_of(f"{home}/{STATE_FILE}") for home in homes)
    return tuple(found)


def orphans(menus: Mapping[str, Sequence[Mapping[str, str]]], facts: Facts) -> tuple[tuple[str, str], ...]:
    """Menu and name of what is there of updaters whose node has neither container nor a way back on the router.

    `menus` are rows of the scheduler and of scripts, in the order in which they are to go.
    """
    there = {str(Tag(row.tag.node)) for row in facts.containers if row.tag is not None}
    there |= {row.get("comment", "") for found in menus.values() for row in found}
    named = [(path, row["name"], node_of(row)) for path, found in menus.items() for row in found]
    return tuple((path, name) for path, name, node in named if node is not None and str(Tag(node)) not in there)


def plan_collection(*, router: Router, node: NodeSpec, facts: Facts, left: Left) -> Plan:
    """The changes that take it away; a refusal where nothing tells which container is the node."""
    slots = slots_of(facts.containers, node.name)
    refusals = (slots,) if isinstance(slots, Problem) else ()
    changes = () if isinstance(slots, Problem) else tuple(_changes(slots, left))
    return Plan(
        router=router.name,
        node=node.name,
        routeros=facts.resource.version_text,
        fingerprint=fingerprint(facts),
        changes=changes,
        refusals=refusals,
        warnings=tuple(_warnings(router, node, slots)) if isinstance(slots, Slots) else (),
    )


def _changes(slots: Slots, left: Left) -> Iterator[Change]:
    if left.lock is not None:
        holder = f" of {left.lock.holder}" if left.lock.holder else ""
        yield Remove(PATH, f"lock{holder}", "its run is gone", {"name": NAME, "comment": left.lock.comment})
    for path, name in left.updaters:
        kind = "scheduler entry" if path == "/system/scheduler" else "script"
        yield Remove(path, f"{kind} {name}", "its node is not on the router", {"name": name})
    if slots.open_transaction is not None:
        return
    for row in slots.leftovers:
        if not row.is_up:
            yield Remove("/container", f"container {row.label}", "no update needs it", {"root-dir": row.root_dir})
    if slots.live is not None and slots.live.tag is not None and not slots.live.tag.in_ram:  # else it is the way back
        for name in left.schedulers:
            yield Remove("/system/scheduler", f"scheduler entry {name}", "no update needs it", {"name": name})
    for name in left.files:
        label, why = f"directory {name}", "no container uses it"
        if name.endswith(f"/{KEY_FILE}"):
            label, why = name, "the login is over"
        elif name.endswith(f"/{copy_of(STATE_FILE)}"):
            if slots.live is None or not slots.live.is_up:  # it may be all that brings the node back
                continue
            label, why = name, "the swap for which it was kept is over"
        yield Remove("/file", label, why, {"name": name})


def _warnings(router: Router, node: NodeSpec, slots: Slots) -> Iterator[Problem]:
    if slots.open_transaction is not None:
        yield transaction_open(router.name, node.name)
    for row in slots.leftovers:
        if row.is_up and slots.open_transaction is None:
            yield Problem(
                "duplicate-node",
                f"{row.label} runs beside the node",
                f"the next run stops it: mtts update {router.name}",
            )


def _is_used(directory: str, facts: Facts) -> bool:
    return any(f"{row.root_dir}/".startswith(f"{directory}/") for row in facts.containers)
