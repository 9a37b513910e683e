"""What is staged for the swap of a node's container, and the transaction (transaction.py) that it opens.

The next release is unpacked while the old one serves: in the slot that is free, or in memory where the flash has no
room for both (strategy.py). The old container stays startable until the new one is proven and recorded, but in place;
nothing unproven starts by itself. An update changes the release and nothing else: whatever else differs
from the inventory is a deploy's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.changes import Add, Change, PlaceKey, Remove
from mtts.core.desired import (
    KEY_FILE,
    STATE_DIR,
    committed_settings,
    container_object,
    scratch_objects,
    state_dir,
    veth_name,
)
from mtts.core.dialect import Dialect, Term
from mtts.core.diff import diff_objects
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState, Facts, Item, container_label
from mtts.core.guard import BridgeOrder, render_bridge, without_marks
from mtts.core.health import Health
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.preflight import Level, check_node, place_of, scratch_bytes
from mtts.core.pull_room import pull_flash_bytes
from mtts.core.self_updates import updates_itself
from mtts.core.slots import Slots, other_slot, ram_root, removals
from mtts.core.storage import Place
from mtts.core.strategy import Choice, Strategy, choose_strategy, in_its_room, second_half
from mtts.core.tag import Tag
from mtts.core.transaction import Transaction
from mtts.core.values import UNLIMITED, normalise_path

COPIED: Final = (
    "interface", "hostname", "domain-name", "dns", "hosts", "logging", "envlist", "envlists", "env", "mounts",
    "mountlists", "mount", "tmpfs", "devices", "user", "workdir", "stop-signal", "stop-time", "memory-high",
    "memory-max", "cpu-list", "shm-size", "check-certificate", "ignore-remote-image-change", "healthcheck-cmd",
    "healthcheck-interval", "healthcheck-timeout", "healthcheck-retries", "healthcheck-start-period",
)  # fmt: skip
"""What a container that was set up by hand hands on to its successor."""

_LISTS: Final = ("envlist", "envlists", "mounts", "mountlists")
"""What surrounds the node, by whichever names: a router that was upgraded to RouterOS 7.21 keeps those that it had."""

_COMMAND: Final = ("entrypoint", "cmd")
_BOOTING: Final = ("start-on-boot", "restart-policy", "restart-interval", "restart-max-count", "auto-restart-interval")


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """One swap: what is staged, and the transaction that brings it into the node's place."""

    choice: Choice
    stage: tuple[Change, ...]
    """Beside the running container: nothing of it is felt. Nothing where an earlier run staged the same already."""
    transaction: Transaction
    pull_flash_bytes: int
    """What the pull of what is staged takes of the internal flash."""
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SwapOrder:
    """What a swap is to be like, beyond where it leads."""

    transaction: str
    """The id of a new one."""
    bridge: str
    """The text of `routeros/bridge.rsc`."""
    old_bytes: int | None = None
    """What the running release takes on the flash, where that is known."""
    allow_in_place: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no swap; at least one reason."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def plan_swap(
    *,
    router: Router,
    node: NodeSpec,
    facts: Facts,
    slots: Slots,
    live: ContainerRow,
    release: Release,
    order: SwapOrder,
) -> SwapPlan | Refused:
    """The swap of `live`, of `slots`, for `release`; of a RAM bridge, the half that comes next."""
    checks = check_node(facts=facts, router=router, node=node, release=release)
    problems = [check.problem for check in checks if check.level is Level.PROBLEM and check.problem is not None]
    warnings = [check.problem for check in checks if check.level is Level.WARNING and check.problem is not None]
    by_itself = updates_itself(facts.preconditions.self_updates, router.name) if facts.preconditions else None
    problems = [*([by_itself] if by_itself else []), *problems]
    problems = [problem for problem in problems if problem.code != "flash-too-small"]  # a strategy is what says that
    place = place_of(router, node, facts, release)
    if isinstance(place, Problem):  # it is among the problems
        return Refused(tuple(problems), tuple(warnings))
    choice = _choose(router=router, node=node, facts=facts, live=live, release=release, place=place, order=order)
    if isinstance(choice, Problem):
        return Refused((*problems, choice), tuple(warnings))
    is_alone = live.tag is not None and live.tag.is_unproven
    is_in_place = choice.strategy is Strategy.IN_PLACE and not is_alone
    from_ram = _in_ram(live) and not is_alone
    to_ram = is_in_place or (choice.strategy is Strategy.RAM_BRIDGE and not from_ram)
    scratch_size = choice.memory_bytes if to_ram else scratch_bytes(node, release)
    scratch = diff_objects(scratch_objects(scratch_size), facts, node=node.name, is_up=live.is_up)
    problems.extend(scratch.refusals)
    warnings.extend(scratch.warnings)
    if problems:
        return Refused(tuple(problems), tuple(warnings))
    waiting = staged_before(slots, release, in_ram=to_ram)
    leftovers = removals(row for row in slots.leftovers if row is not waiting)
    stage: tuple[Change, ...]
    if waiting is not None and waiting.tag is not None and waiting.tag.next_in is not None:
        stage, tag, root, id_ = (*leftovers,), without_marks(waiting.tag), waiting.root_dir, waiting.tag.next_in
    else:
        id_, tag = order.transaction, (live.tag or Tag(node.name)).staging(release, order.transaction)
        tag = replace(tag, in_ram=to_ram)
        gone = (_without_proof(live),) if is_alone else ()
        staged = _staged(node, facts, live, release, place=place, tag=tag)
        root = staged.identity["root-dir"]
        leftover_root = facts.preconditions is not None and facts.preconditions.leftover_root and not to_ram
        before = _built(node, release, order, staged=staged, tag=tag) if from_ram else ()
        stage = (*scratch.changes, *before, *leftovers, *gone, *_stage(staged, leftover_root=leftover_root))
    settings, does_boot = _once_verified(node, Dialect(facts.version), live)
    planned = Transaction(
        id=id_,
        node=node.name,
        staged=tag,
        staged_root=root,
        settings=settings,
        boots=does_boot and (is_in_place or not to_ram),
        strategy=str(choice.strategy),
        before_start=tuple(_before_start(node, live, place)),
        node_id=node_id_of(node, facts),
        in_place=_in_its_room(node, facts, live, release, place=place, tag=tag) if is_in_place else None,
        afterwards=tuple(bridge_taken_down(node)) if from_ram else (),
    )
    takes = pull_flash_bytes(facts, release, place, in_ram=to_ram)
    return SwapPlan(choice, stage, planned, takes, tuple(warnings))


def _choose(
    *,
    router: Router,
    node: NodeSpec,
    facts: Facts,
    live: ContainerRow,
    release: Release,
    place: Place,
    order: SwapOrder,
) -> Choice | Problem:
    freed = order.old_bytes
    if live.tag is not None and live.tag.is_unproven:
        takes_none = live.state is ContainerState.FAILED or _in_ram(live)
        freed = 0 if takes_none else release.extracted_bytes if freed is None else freed
        return in_its_room(router=router, node=node, release=release, place=place, freed_bytes=freed)
    if _in_ram(live):
        return second_half(node, release)
    return choose_strategy(
        router=router,
        node=node,
        facts=facts,
        release=release,
        place=place,
        old_bytes=freed,
        allow_in_place=order.allow_in_place,
    )


def _in_ram(row: ContainerRow) -> bool:
    return row.tag is not None and row.tag.in_ram


def _without_proof(live: ContainerRow) -> Remove:
    why = "nobody proved it, and nothing else fits beside it"
    return Remove("/container", f"container {live.label}", why, {"root-dir": live.root_dir})


def _built(node: NodeSpec, release: Release, order: SwapOrder, *, staged: Add, tag: Tag) -> Iterator[Change]:
    """What brings the node back from the registry, should the power fail while it lives in memory alone."""
    script = render_bridge(order.bridge, BridgeOrder(order.transaction, tag, staged.props, _pinned(release)))
    props = {
        "start-time": "startup",
        "interval": "0s",
        "policy": "read,write",
        "on-event": script,
        "comment": str(Tag(node.name)),
    }
    for left in bridge_taken_down(node):
        yield replace(left, label=f"any earlier {left.label}")
    identity = {"name": bridge_entry(node)}
    why = "brings the node back should the power fail meanwhile"
    yield Add("/system/scheduler", f"scheduler entry {bridge_entry(node)}", why, identity, identity | props)


def _in_its_room(
    node: NodeSpec, facts: Facts, live: ContainerRow, release: Release, *, place: Place, tag: Tag
) -> BridgeOrder:
    tag = replace(tag, in_ram=False)
    staged = _staged(node, facts, live, release, place=place, tag=tag)
    return BridgeOrder(tag.next_in or "", tag, staged.props, _pinned(release), live.id)


def _pinned(release: Release) -> str:
    return f"{release.image.name}@{release.index_digest or release.manifest_digest}"


def bridge_taken_down(node: NodeSpec) -> Iterator[Remove]:
    """Nothing more happens to the node at a boot."""
    name = bridge_entry(node)
    yield Remove("/system/scheduler", f"scheduler entry {name}", "nothing needs it any more", {"name": name})


def bridge_entry(node: NodeSpec) -> str:
    """The name of the scheduler entry that guards a node while it lives in memory."""
    return f"mtts-bridge-{node.name}"


def staged_before(slots: Slots, release: Release, *, in_ram: bool = False) -> ContainerRow | None:
    """What an interrupted run staged of the same release, so that it need not be pulled again."""
    for row in slots.leftovers:
        tag = row.tag
        if tag is None or tag.next_in is None or tag.failed or tag.is_aborted or row.state is ContainerState.FAILED:
            continue
        if (
            tag.in_ram is in_ram
            and tag.platform == release.manifest_digest
            and row.state is not ContainerState.DELETING
        ):
            return row
    return None


def is_superseded(slots: Slots, release: Release) -> bool:
    """Whether what an interrupted run staged only takes the room that `release` needs, and nothing else rests on it."""
    live = slots.live
    if live is None or not live.is_up or _in_ram(live) or not slots.leftovers:
        return False
    return all(staged_before(slots, release, in_ram=in_ram) is None for in_ram in (False, True))


def open_swap(id_: str, *, node: NodeSpec, dialect: Dialect, old: ContainerRow, new: ContainerRow) -> Transaction:
    """A swap that an earlier run began, from the tags alone."""
    settings, does_boot = _once_verified(node, dialect, old)
    tag = replace(without_marks(new.tag or Tag(node.name)), next_in=id_, tx=None)
    strategy = str(Strategy.RAM_BRIDGE if tag.in_ram or _in_ram(old) else Strategy.A_B)
    afterwards = tuple(bridge_taken_down(node)) if _in_ram(old) else ()
    boots = does_boot and not tag.in_ram
    return Transaction(id_, node.name, tag, new.root_dir, settings, boots, strategy, afterwards=afterwards)


def _once_verified(node: NodeSpec, dialect: Dialect, old: ContainerRow) -> tuple[dict[str, str], bool]:
    """What the new container gets once it is verified, and whether it starts by itself then."""
    settings: dict[str, str] = committed_settings(node, dialect)
    if old.tag is not None and old.tag.adopted:
        settings = _copied(old, _BOOTING)
    does_boot = settings.pop("start-on-boot", "no") in ("yes", "true")
    return settings, does_boot or _in_ram(old)  # only what boots is bridged over


def state_source(live: ContainerRow, mounts: tuple[Item, ...], dialect: Dialect) -> str | None:
    """The directory on the router that a container's state is mounted from; None where it lies in the container."""
    word = dialect.require(Term.CONTAINER_MOUNTS)
    names = live.props.get(word, "").split(",")
    key = dialect.require(Term.MOUNT_LIST)
    for item in mounts:
        target = item.get("dst").rstrip("/")
        if item.get(key) in names and (target == STATE_DIR or STATE_DIR.startswith(f"{target}/")):
            return normalise_path(item.get("src")) + STATE_DIR.removeprefix(target)
    return None


def node_id_of(node: NodeSpec, facts: Facts) -> str | None:
    """Who the node must be in the tailnet after any restart; None where it was not seen, or is a new one each time."""
    return None if node.ephemeral or facts.health is None else facts.health.node_id


def needs_login(router: str, node: str, health: Health) -> Problem:
    """Why no other release is tried: none could be proven, and each attempt costs flash."""
    return Problem(
        "needs-login",
        f"node {node} says {health.backend_state}, so that no release of it can be proven",
        f"put a fresh key where the inventory points, then: mtts login {router}",
    )


def no_key_for_starts(router: str, node: str) -> Problem:
    """Why a node that logs in at every start is not stopped: the next start could be in vain, the old one's as well."""
    return Problem(
        "auth-key-missing",
        f"node {node} logs in at every start, and neither {router} nor the inventory has its auth key",
        "set `auth_key:` of the node, for example {env: TS_AUTHKEY}",
    )


def state_not_mounted(router: str, live: ContainerRow) -> Problem:
    return Problem(
        "state-not-mounted",
        f"no state file of {live.label} is found outside the container, so that a swap could lose the node's identity",
        f"mount {STATE_DIR} from the router, or remove the container and: mtts deploy {router}",
    )


def _staged(node: NodeSpec, facts: Facts, live: ContainerRow, release: Release, *, place: Place, tag: Tag) -> Add:
    """The entry of the next release, in the free slot."""
    dialect, slot = Dialect(facts.version), other_slot(live.root_dir)
    wanted = container_object(
        replace(node, image=release.image), dialect, release, veth=veth_name(node), place=place, slot=slot
    )
    props, alternatives, identity = (
        {**wanted.props, **_copied(live, _LISTS), "comment": str(tag)},
        wanted.alternatives,
        wanted.identity,
    )
    if tag.in_ram:
        identity = {"root-dir": ram_root(node.name, slot)}
        props |= {**identity, "name": f"{node.name}-ram"} if "name" in props else identity
    if live.tag is not None and live.tag.adopted:
        kept = ("remote-image", "root-dir", "start-on-boot", "comment", "name", *_COMMAND)
        props = {prop: value for prop, value in props.items() if prop in kept} | _copied(live, COPIED)
        command = _copied(live, _COMMAND)
        if command:  # somebody's own, or what RouterOS 7.22 and newer had to be told
            props = {prop: value for prop, value in props.items() if prop not in _COMMAND} | command
        alternatives = ()
    label, why = f"container {container_label(identity['root-dir'])}", "the next release, beside the running one"
    return Add(wanted.path, label, why, identity, props, alternatives)


def _copied(live: ContainerRow, words: tuple[str, ...]) -> dict[str, str]:
    return {word: live.props[word] for word in words if live.props.get(word, UNLIMITED) not in ("", UNLIMITED)}


def _stage(staged: Add, *, leftover_root: bool) -> Iterator[Change]:
    root = staged.identity["root-dir"]
    if leftover_root:
        yield Remove("/file", f"directory {root}", "left by an entry that is gone", {"name": root})
    yield staged


def _before_start(node: NodeSpec, live: ContainerRow, place: Place) -> Iterator[Change]:
    """A node without an identity of its own logs in at every start, by what the inventory has for it now."""
    is_adopted = live.tag is not None and live.tag.adopted
    if node.ephemeral and node.auth_key is not None and not is_adopted:
        yield PlaceKey(f"{state_dir(place, node)}/{KEY_FILE}", "auth key file", "it logs in anew at every start")
