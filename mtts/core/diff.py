"""The difference between the objects that a node wants and those that a router has, as changes and refusals.

I9: only objects that carry our tag are changed or removed; what is somebody else's is used where the inventory
names it, and refused otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mtts.core.changes import Add, Change, Remove, Set
from mtts.core.desired import Wanted
from mtts.core.errors import Problem
from mtts.core.facts import Facts, Item
from mtts.core.tag import SHARED
from mtts.core.values import differing, is_true, normalise_path, parse_size, same

SWEPT_MENUS: Final = (
    "/container/envs",
    "/container/mounts",
    "/ip/dns/static",
    "/ip/firewall/nat",
    "/ip/route",
    "/ip/address",
    "/interface/list/member",
    "/interface/bridge/port",
    "/interface/veth",
)
"""Where a node has objects of its own, in the order in which they can be taken away (a port before its veth)."""

_AT_NEXT_START: Final = frozenset({"/container/envs", "/container/mounts", "/interface/veth"})
"""A running container takes changes here only when it starts again."""

_NAMING: Final = ("key", "dst", "dst-address", "dst-port", "name", "address", "interface")

_ANSWERS: Final[Mapping[str, str]] = {
    "bridge-not-ours": "name it with `bridge:` in the inventory to share it, or name another",
    "veth-not-ours": "name another with `veth:` in the inventory, or remove it",
    "route-occupied": "remove that route, or the node's from the inventory",
}


@dataclass(frozen=True, slots=True)
class ObjectDiff:
    changes: tuple[Change, ...]
    removals: tuple[Remove, ...]
    """Apart, since they come after the container has let go of what is removed."""
    refusals: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def diff_objects(wanted: Iterable[Wanted], facts: Facts, *, node: str, is_up: bool) -> ObjectDiff:
    """Adds and sets in the order given, and removals of what the node no longer wants.

    `is_up` says whether the node's container runs, and so whether a change of its settings disrupts it.
    """
    changes: list[Change] = []
    refusals: list[Problem] = []
    warnings: list[Problem] = []
    kept: set[tuple[str, str]] = set()
    for thing in wanted:
        found = _find(thing, facts.table(thing.path))
        if found is not None:
            kept.add((thing.path, found.id))
        match _compare(thing, found, facts, node=node, is_up=is_up):
            case Problem(code="tmpdir-on-flash") as warning:
                warnings.append(warning)
            case Problem() as problem:
                refusals.append(problem)
            case None:
                pass
            case change:
                changes.append(change)
    removals = tuple(_sweep(facts, node=node, kept=kept, is_up=is_up))
    return ObjectDiff(tuple(changes), removals, tuple(refusals), tuple(warnings))


def _find(thing: Wanted, rows: Sequence[Item]) -> Item | None:
    """The row of this identity, one of ours first; rows that RouterOS made by itself do not count."""
    matching = [
        row
        for row in rows
        if all(same(prop, value, row.get(prop)) for prop, value in thing.identity.items())
        and not is_true(row.get("dynamic"))
    ]
    return next((row for row in matching if row.tag is not None), matching[0] if matching else None)


def _compare(thing: Wanted, found: Item | None, facts: Facts, *, node: str, is_up: bool) -> Change | Problem | None:
    if not thing.identity:
        return _compare_setting(thing, found, facts)
    if found is None:
        disruptive = is_up and thing.path in _AT_NEXT_START
        return Add(thing.path, thing.label, thing.why, thing.identity, thing.props, thing.alternatives, disruptive)
    if found.tag is None or found.tag.node not in (node, SHARED):
        if thing.may_be_foreign or (thing.is_shared and found.tag is not None):
            return None
        return _conflict(thing, found)
    after = differing(thing.props, found.props)
    if _is_large_enough(found.get("tmpfs-max-size"), after.get("tmpfs-max-size")):
        del after["tmpfs-max-size"]
    if is_true(found.get("disabled")):
        after["disabled"] = "no"
    if not after:
        return None
    before = {prop: found.get(prop) for prop in after}
    disruptive = is_up and thing.path in _AT_NEXT_START and set(after) != {"comment"}
    return Set(thing.path, thing.label, "differs from the inventory", thing.identity, before, after, disruptive)


def _is_large_enough(present: str, wanted: str | None) -> bool:
    """Several nodes share a tmpfs: it grows to what one of them needs, and is never made smaller for another."""
    return wanted is not None and (parse_size(present) or 0) >= (parse_size(wanted) or 0)


def _compare_setting(thing: Wanted, found: Item | None, facts: Facts) -> Change | Problem | None:
    """A setting that belongs to the whole router: set where it is empty, left where somebody chose otherwise."""
    ((prop, value),) = thing.props.items()
    present = found.get(prop) if found else ""
    if same(prop, present, value):
        return None
    if not present:
        return Set(thing.path, thing.label, thing.why, {}, {prop: ""}, {prop: value})
    head = normalise_path(present).partition("/")[0]
    on_disk = any(head in (disk.get("slot"), normalise_path(disk.get("mount-point"))) for disk in facts.table("/disk"))
    if on_disk:
        return None
    return Problem(
        thing.conflict,
        f"{thing.path} {prop} is {present!r}, which is on the flash; it is left as it is",
        f'{thing.path}/set {prop}="" lets mtts put it on a tmpfs',
    )


def _conflict(thing: Wanted, found: Item) -> Problem:
    shown = " ".join(f"{prop}={found.get(prop)}" for prop in thing.props if prop != "comment" and found.get(prop))
    return Problem(
        thing.conflict,
        f"{thing.path} has an entry that is not mtts': {shown}",
        _ANSWERS.get(thing.conflict, "remove it, or give the node other names"),
    )


def _sweep(facts: Facts, *, node: str, kept: set[tuple[str, str]], is_up: bool) -> Iterable[Remove]:
    for path in SWEPT_MENUS:
        for item in facts.table(path):
            if item.tag is None or item.tag.node != node or (path, item.id) in kept:
                continue
            yield Remove(
                path,
                f"{path.rpartition('/')[2]} {_name(item)}",
                "nothing in the inventory asks for it any more",
                {".id": item.id, "comment": item.get("comment")},
                disruptive=is_up and path in _AT_NEXT_START,
            )


def _name(item: Item) -> str:
    """What tells it from its neighbours; the `name` of an entry of a list is the list's, before 7.20."""
    return next((item.get(prop) for prop in _NAMING if item.get(prop)), item.id)
