"""The swap of a node's container for one of another release, as data: stage, switch, commit.

A/B: the next release is unpacked in the slot that is free while the old one serves, so that the node is away only
from the stop of one to the start of the other. The old container stays startable until the new one is proven and
recorded; nothing unproven starts by itself. An update changes the release and nothing else: whatever else differs
from the inventory is a deploy's business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    ProveImage,
    Record,
    Remove,
    Set,
    Start,
    Stop,
)
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
from mtts.core.facts import ContainerRow, Facts, Item
from mtts.core.health import Health
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.plan import path_through_node
from mtts.core.preflight import Level, check_node, place_of, scratch_bytes
from mtts.core.slots import Slots, other_slot, removals
from mtts.core.storage import Place
from mtts.core.tag import Tag
from mtts.core.values import UNLIMITED, normalise_path

STRATEGY: Final = "a/b"

COPIED: Final = (
    "interface", "hostname", "domain-name", "dns", "hosts", "logging", "envlist", "envlists", "env", "mounts",
    "mountlists", "mount", "tmpfs", "devices", "user", "workdir", "stop-signal", "stop-time", "memory-high",
    "memory-max", "cpu-list", "shm-size", "check-certificate", "ignore-remote-image-change", "healthcheck-cmd",
    "healthcheck-interval", "healthcheck-timeout", "healthcheck-retries", "healthcheck-start-period",
)  # fmt: skip
"""What a container that was set up by hand hands on to its successor."""

_COMMAND: Final = ("entrypoint", "cmd")
_BOOTING: Final = ("start-on-boot", "restart-policy", "restart-interval", "restart-max-count", "auto-restart-interval")


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """One swap: its changes in the order in which they are done."""

    staged_root: str
    """Root directory of the new entry."""
    stage: tuple[Change, ...]
    """Beside the running container: nothing of it is felt."""
    switch: tuple[Change, ...]
    """From the stop of the old one to the proof of the new one."""
    commit: tuple[Change, ...]
    before_start: tuple[Change, ...]
    """What any start of the node needs, the one of the old container as well."""
    warnings: tuple[Problem, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*self.stage, *self.switch, *self.commit)


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
) -> SwapPlan | Refused:
    """The swap of `live`, of `slots`, for `release`."""
    checks = check_node(facts=facts, router=router, node=node, release=release)
    problems = [check.problem for check in checks if check.level is Level.PROBLEM and check.problem is not None]
    warnings = [check.problem for check in checks if check.level is Level.WARNING and check.problem is not None]
    place = place_of(router, node, facts, release)
    through_node = path_through_node(router, facts)
    if through_node is not None:
        problems.append(through_node)
    scratch = diff_objects(scratch_objects(scratch_bytes(node, release)), facts, node=node.name, is_up=live.is_up)
    problems.extend(scratch.refusals)
    if problems or isinstance(place, Problem):  # a problem of the place is among the checks
        return Refused(tuple(problems), tuple(warnings))
    staged = _staged(node, facts, live, release, place)
    leftover_root = facts.preconditions is not None and facts.preconditions.leftover_root
    stage = (*scratch.changes, *removals(slots.leftovers), *_stage(staged, leftover_root=leftover_root))
    before_start = tuple(_before_start(node, place))
    return SwapPlan(
        staged_root=staged.identity["root-dir"],
        stage=stage,
        switch=tuple(_switch(node, facts, live, staged, before_start)),
        commit=tuple(_commit(node, facts, live, staged, release)),
        before_start=before_start,
        warnings=tuple(warnings),
    )


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


def state_not_mounted(router: str, live: ContainerRow) -> Problem:
    return Problem(
        "state-not-mounted",
        f"no state file of {live.label} is found outside the container, so that a swap could lose the node's identity",
        f"mount {STATE_DIR} from the router, or remove the container and: mtts deploy {router}",
    )


def _staged(node: NodeSpec, facts: Facts, live: ContainerRow, release: Release, place: Place) -> Add:
    """The entry of the next release, in the free slot."""
    dialect, slot = Dialect(facts.version), other_slot(live.root_dir)
    wanted = container_object(
        replace(node, image=release.image), dialect, release, veth=veth_name(node), place=place, slot=slot
    )
    props, alternatives = wanted.props, wanted.alternatives
    if live.tag is not None and live.tag.adopted:
        kept = ("remote-image", "root-dir", "start-on-boot", "comment", "name", *_COMMAND)
        props = {prop: value for prop, value in props.items() if prop in kept} | _copied(live, COPIED)
        command = _copied(live, _COMMAND)
        if command:  # somebody's own, or what RouterOS 7.22 and newer had to be told
            props = {prop: value for prop, value in props.items() if prop not in _COMMAND} | command
        alternatives = ()
    why = "the next release, beside the running one"
    return Add(wanted.path, wanted.label, why, wanted.identity, props, alternatives)


def _copied(live: ContainerRow, words: tuple[str, ...]) -> dict[str, str]:
    return {word: live.props[word] for word in words if live.props.get(word, UNLIMITED) not in ("", UNLIMITED)}


def _stage(staged: Add, *, leftover_root: bool) -> Iterator[Change]:
    root = staged.identity["root-dir"]
    if leftover_root:
        yield Remove("/file", f"directory {root}", "left by an entry that is gone", {"name": root})
    yield staged
    yield AwaitPull(root, staged.label, "the router pulls and unpacks the image by itself")
    yield ProveImage(root, staged.label, "the tag may have moved meanwhile")


def _before_start(node: NodeSpec, place: Place) -> Iterator[Change]:
    """A node without an identity of its own logs in at every start."""
    if node.ephemeral:
        yield PlaceKey(f"{state_dir(place, node)}/{KEY_FILE}", "auth key file", "it logs in anew at every start")


def _switch(
    node: NodeSpec, facts: Facts, live: ContainerRow, staged: Add, before_start: tuple[Change, ...]
) -> Iterator[Change]:
    root = staged.identity["root-dir"]
    yield Stop(live.root_dir, f"container {live.label}", "one veth serves one running container")
    yield from before_start
    yield Start(root, staged.label, "with the same state and the same veth")
    yield AwaitHealthy(root, f"node {node.name}", "proves it before it is recorded", node_id_of(node, facts))


def _commit(node: NodeSpec, facts: Facts, live: ContainerRow, staged: Add, release: Release) -> Iterator[Change]:
    """Recorded first: from then on it is the node, and either of the two boots. Then the old one steps down."""
    root, tag = staged.identity["root-dir"], live.tag or Tag(node.name)
    settings: Mapping[str, str] = committed_settings(node, Dialect(facts.version))
    if tag.adopted:
        settings = _copied(live, _BOOTING)
    yield Record(root, staged.label, "verified: recorded on the router", str(tag.recording(release)), settings)
    old = f"container {live.label}"
    yield Set(
        "/container",
        old,
        "it is not the node any more",
        {"root-dir": live.root_dir},
        {"comment": live.props.get("comment", ""), "start-on-boot": live.props.get("start-on-boot", "")},
        {"comment": str(Tag(node.name)), "start-on-boot": "no"},
    )
    yield Remove("/container", old, "its successor is proven", {"root-dir": live.root_dir})
