"""facts × inventory → Plan: the changes that bring one node to the inventory's state, or why there are none to be made.

Pure. Keeps I9: an object without our tag is never changed or removed; where one stands in the way, the plan refuses.
The diff of plain objects is in diff.py; here are the container, its key, its start and its record.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from mtts.core.address import NodeNetwork, choose_network
from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    Record,
    Remove,
    RetireKey,
    RunInside,
    Set,
    Start,
    Stop,
    is_disruptive,
)
from mtts.core.desired import (
    KEY_FILE,
    SERVE_FILE,
    Wanted,
    cleared_settings,
    command_settings,
    committed_settings,
    container_object,
    container_settings,
    env_objects,
    extras,
    mount_objects,
    network_objects,
    reauth_command,
    scratch_objects,
    serve_config,
    state_dir,
    veth_name,
)
from mtts.core.dialect import Dialect, Term
from mtts.core.diff import ObjectDiff, diff_objects
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState, Facts
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.preflight import Level, check_node, peak_flash_bytes, scratch_bytes
from mtts.core.storage import Place, choose_storage
from mtts.core.tag import Tag
from mtts.core.values import differing

FIRST_SLOT: Final = "a"

_HARMLESS_SETTINGS: Final = frozenset(
    {"start-on-boot", "restart-policy", "restart-interval", "auto-restart-interval", "ignore-remote-image-change"}
)
"""Container settings that a running container takes without a restart."""

_VOLATILE: Final = frozenset(
    {"memory-current", "cpu-usage", "container-size", "data-size", "free", "use", "bytes", "packets", "running"}
)
"""Properties that move by themselves and so say nothing about whether somebody changed the router."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one node needs; empty changes and no refusals mean converged."""

    router: str
    node: str
    routeros: str
    fingerprint: str
    """Of the facts that it was made from."""
    changes: tuple[Change, ...] = ()
    refusals: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    to_version: str | None = None
    """The release that a pull brings."""

    @property
    def is_converged(self) -> bool:
        return not self.changes and not self.refusals

    @property
    def pulls(self) -> bool:
        return any(isinstance(change, Add) and change.path == "/container" for change in self.changes)

    @property
    def disrupts(self) -> bool:
        return any(is_disruptive(change) for change in self.changes)


def plan_node(
    *, router: Router, node: NodeSpec, facts: Facts, release: Release | Problem | None = None, adopt: bool = False
) -> Plan:
    """The plan for one node.

    Without `facts.preconditions` the plan is a draft: it tells whether anything is to be done at all, so that
    the preconditions need to be read, and the registry asked, only then.
    """
    context = _Context(router, node, facts, release if isinstance(release, Release) else None)
    refusals: list[Problem] = []
    warnings: list[Problem] = []
    changes = _plan(context, adopt=adopt, refusals=refusals, warnings=warnings)
    plan = Plan(
        router=router.name,
        node=node.name,
        routeros=facts.resource.version_text,
        fingerprint=fingerprint(facts),
        changes=tuple(changes),
        to_version=context.release.version if context.release else None,
    )
    if changes or refusals:
        checks = check_node(facts=facts, router=router, node=node, release=release, pulls=plan.pulls)
        found = [(check.level, check.problem) for check in checks if check.problem is not None]
        # What keeps the router from any container comes before what is in the way of this one.
        refusals[:0] = [problem for level, problem in found if level is Level.PROBLEM]
        warnings[:0] = [problem for level, problem in found if level is not Level.PROBLEM]
    through_node = path_through_node(router, facts) if plan.disrupts else None
    if through_node is not None:
        refusals.append(through_node)
    return replace(plan, refusals=tuple(refusals), warnings=tuple(warnings))


def is_stale(plan: Plan, approved: Sequence[Plan], *, underway: bool) -> Problem | None:
    """Why `plan` is not what was approved; nothing where nothing had to be.

    `underway` says that another node of the router was written for meanwhile: what nodes share is there by now, so that
    less may be left to do than was approved, but never more.
    """
    if not approved:
        return None
    wanted = next((one for one in approved if (one.router, one.node) == (plan.router, plan.node)), None)
    if wanted is None:
        return Problem("plan-stale", f"nothing was approved for node {plan.node} on {plan.router}", "plan again")
    if underway:
        has_changed = any(change not in wanted.changes for change in plan.changes)
    else:
        has_changed = wanted.fingerprint != plan.fingerprint or wanted.changes != plan.changes
    if has_changed:
        return Problem("plan-stale", f"{plan.router} changed since the plan was made", "plan again, and look at it")
    return None


def fingerprint(facts: Facts) -> str:
    """A hash of everything in the facts that a plan rests on; the same router unchanged gives the same one."""
    stable = {
        "version": facts.resource.version_text,
        "containers": [_stable(row.props) for row in facts.containers],
        "tables": {path: [_stable(item.props) for item in rows] for path, rows in sorted(facts.tables.items())},
    }
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Context:
    router: Router
    node: NodeSpec
    facts: Facts
    release: Release | None

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.facts.version)

    @property
    def tag(self) -> Tag:
        return Tag(self.node.name, extras=extras(self.node))


def _plan(context: _Context, *, adopt: bool, refusals: list[Problem], warnings: list[Problem]) -> list[Change]:
    facts, node = context.facts, context.node
    mine = facts.containers_of(node.name)
    if len(mine) > 1:
        listed = ", ".join(row.label for row in mine)
        refusals.append(
            Problem("duplicate-node", f"several containers carry the tag of node {node.name}: {listed}", "remove one")
        )
        return []
    container = mine[0] if mine else None
    if container is None:
        foreign = lookalikes(facts)
        if foreign:
            return _plan_foreign(context, foreign, adopt=adopt, refusals=refusals)
    elif container.state is ContainerState.UNKNOWN:
        refusals.append(_state_unknown(container))
        return []
    elif container.tag and container.tag.adopted:
        return list(_bring_up(context, container, place=None, refusals=refusals))
    place = place_of(context.router, node, facts, context.release)
    network = choose_network(node, facts, veth=veth_name(node))
    refusals.extend(found for found in (place, network) if isinstance(found, Problem))
    if isinstance(place, Problem) or isinstance(network, Problem):
        return []
    if container is not None and not _fits_setting(context.router.storage, place):
        warnings.append(
            Problem(
                "storage-kept",
                f"node {node.name} lies on {place.prefix or 'internal storage'}, not on {context.router.storage!r}",
                "mtts remove and mtts deploy move it; its identity starts anew on the other storage",
            )
        )
    is_up = container is not None and container.is_up
    objects = diff_objects(_wanted(context, place, network), facts, node=node.name, is_up=is_up)
    refusals.extend(objects.refusals)
    warnings.extend(objects.warnings)
    return _with_container(context, container, place, objects, refusals)


def _wanted(context: _Context, place: Place, network: NodeNetwork) -> Iterator[Wanted]:
    node, dialect = context.node, context.dialect
    owns_tailnet_route = context.router.nodes[:1] == (node,)
    return chain(
        network_objects(node, network, owns_tailnet_route=owns_tailnet_route),
        scratch_objects(scratch_bytes(node, context.release)),
        mount_objects(node, dialect, place),
        env_objects(node, dialect),
    )


def _with_container(
    context: _Context,
    container: ContainerRow | None,
    place: Place,
    objects: ObjectDiff,
    refusals: list[Problem],
) -> list[Change]:
    """The objects' changes, and round them what the container needs."""
    serve = list(_serve_file(context, place))
    if container is None or container.state is ContainerState.DELETING:
        return [*objects.changes, *objects.removals, *_create(context, place, serve, refusals)]
    bad = _why_anew(context, container)
    if bad:
        identity = {"root-dir": container.root_dir}
        remove = Remove("/container", f"container {container.label}", bad, identity, disruptive=container.is_up)
        return [remove, *objects.changes, *objects.removals, *_create(context, place, serve, refusals)]
    settings = list(_container_settings(context, container, refusals))
    upkeep = list(_bring_up(context, container, place=place, refusals=refusals))
    # The comment says where to look for what is to be removed, so it changes last.
    changes = [*objects.changes, *settings, *objects.removals, *_menus_record(context, container)]
    restarts = container.is_up and any(is_disruptive(change) for change in changes)
    if restarts and not any(isinstance(change, Start) for change in upkeep):
        changes = _restarting(context, container, place, changes, refusals)
        upkeep = [step for step in upkeep if not isinstance(step, AwaitHealthy)]
    steps = [*serve, *changes, *upkeep]
    puts_files = bool(serve) or any(isinstance(step, PlaceKey) for step in steps)
    return [*(_directories(context, place) if puts_files else ()), *steps]


def _why_anew(context: _Context, container: ContainerRow) -> str:
    """Why the entry can only be made anew, or nothing: its pull failed, or its image never worked and is not proven.

    What was recorded has worked and is never replaced here. Before 7.21 a router does not say what it pulled: a stopped
    entry that no run recorded is pulled again, which costs little against starting a bad image for ever.
    """
    release, health = context.release, context.facts.health
    if container.state is ContainerState.FAILED:
        return f"its pull failed: {container.about or 'no reason given'}"
    if release is None or _is_recorded(container) or not container.is_imported:
        return ""
    is_stopped = container.state is ContainerState.STOPPED
    if not is_stopped and not (container.is_up and health is not None and not health.is_healthy):
        return ""
    if container.image_id is not None:
        return "" if release.is_shown_as(container.image_id) else "it never worked, and is not the image's release"
    return "" if context.dialect.shows_image_id or not is_stopped else "it never worked, nor says which image it is"


def _is_recorded(container: ContainerRow) -> bool:
    return container.tag is not None and container.tag.is_recorded


def _restarting(
    context: _Context, container: ContainerRow, place: Place, changes: Iterable[Change], refusals: list[Problem]
) -> list[Change]:
    """The changes between a stop and a start; another hostname is another identity, which logs in for itself."""
    node, root, label = context.node, container.root_dir, f"container {container.label}"
    steps: list[Change] = [Stop(root, label, "its settings change, and take effect at a start"), *changes]
    logs_in = not _has_identity(context)
    if logs_in:
        steps.append(_first_key(context, place, refusals))
    steps.append(Start(root, label, "with the new settings"))
    steps.append(AwaitHealthy(root, f"node {node.name}", "proves that it came back"))
    if logs_in and not _keeps_key(node):
        steps.append(_retire_key(context, place))
    return steps


def _create(context: _Context, place: Place, serve: Iterable[Change], refusals: list[Problem]) -> Iterator[Change]:
    node = context.node
    wanted = container_object(
        node, context.dialect, context.release, veth=veth_name(node), place=place, slot=FIRST_SLOT
    )
    root = wanted.identity["root-dir"]
    if context.facts.preconditions is not None and context.facts.preconditions.leftover_root:
        why = "left by an entry that is gone; older versions would run its files"
        yield Remove("/file", f"directory {root}", why, {"name": root})
    yield from _directories(context, place)
    yield from serve
    yield Add(wanted.path, wanted.label, wanted.why, wanted.identity, wanted.props, wanted.alternatives)
    yield AwaitPull(root, wanted.label, "the router pulls and unpacks the image by itself")
    if not _has_identity(context):
        yield _first_key(context, place, refusals)
    yield Start(root, wanted.label, "")
    yield AwaitHealthy(root, f"node {node.name}", "proves it before it is recorded")
    yield from _finish(context, root, wanted.label, place)


def _bring_up(
    context: _Context, container: ContainerRow, *, place: Place | None, refusals: list[Problem]
) -> Iterator[Change]:
    """What a standing container lacks: its image, its login, a start, its record. `place` is None when adopted."""
    node, root, label = context.node, container.root_dir, f"container {container.label}"
    is_recorded = _is_recorded(container)
    health = context.facts.health
    wait = AwaitHealthy(root, f"node {node.name}", "proves it before it is recorded")
    if not (container.is_imported or container.is_up):
        yield AwaitPull(root, label, "an earlier run asked for it")
    home = place if node.auth_key is not None else None
    logs_in = False
    if place is not None and not is_recorded and _waits_in_vain(context):
        refusals.append(_no_key(context))
    if not container.is_up:
        if home is not None and not _has_identity(context):
            logs_in = True
            yield _place_key(context, home)
        if container.state is ContainerState.STOPPING:
            yield Stop(root, label, "it is still ending", disruptive=False)
        yield Start(root, label, "it is not running")
        yield wait
    elif health is not None and health.needs_login and home is not None:
        logs_in = True
        yield _place_key(context, home)
        yield Stop(root, label, "the key is read at a start", disruptive=False)
        yield Start(root, label, "to log in")
        yield wait
    elif not is_recorded:
        yield wait
    if place is None:
        return
    if not is_recorded:
        yield from _finish(context, root, label, place)
    elif logs_in and not _keeps_key(node):
        yield _retire_key(context, place)


def _finish(context: _Context, root: str, label: str, place: Place) -> Iterator[Change]:
    node = context.node
    if not _keeps_key(node):
        yield _retire_key(context, place)
    tag = context.tag if context.release is None else context.tag.recording(context.release)
    yield Record(root, label, "verified: recorded on the router", str(tag), committed_settings(node, context.dialect))


def _container_settings(context: _Context, container: ContainerRow, refusals: list[Problem]) -> Iterator[Change]:
    """Settings of a standing container that differ, the restarting ones in a change of their own."""
    node = context.node
    wanted = container_settings(node, context.dialect, veth=veth_name(node)) | cleared_settings(node, context.dialect)
    tag = container.tag
    if tag is not None and (tag.platform is not None or tag.version is not None):
        wanted |= committed_settings(node, context.dialect)
    if _lacks_command(context, container):
        command = _command_of_release(context, container)
        if isinstance(command, Problem):
            refusals.append(command)
        else:
            wanted |= command
    after = differing(wanted, container.props)
    harmless = {prop: value for prop, value in after.items() if prop in _HARMLESS_SETTINGS}
    restarting = {prop: value for prop, value in after.items() if prop not in harmless}
    for part, disruptive in ((harmless, False), (restarting, container.is_up)):
        if part:
            yield Set(
                "/container",
                f"container {container.label}",
                "differs from the inventory",
                {"root-dir": container.root_dir},
                {prop: container.props.get(prop, "") for prop in part},
                part,
                disruptive,
            )


def _lacks_command(context: _Context, container: ContainerRow) -> bool:
    """Whether the entry was made by a RouterOS that took the command out of the image, and cannot start any more."""
    names_one = container.props.get("entrypoint") or container.props.get("cmd")
    return context.dialect.wants_explicit_command and not container.is_up and not names_one


def _command_of_release(context: _Context, container: ContainerRow) -> dict[str, str] | Problem:
    """A draft has no release and so a problem, which makes it ask for one."""
    if context.release is not None:
        return command_settings(context.release)
    return Problem(
        "image-without-command",
        f"container {container.label} names no entrypoint, without which RouterOS {context.facts.version} does not"
        " start it, and the registry did not say which is the image's",
        f"mtts deploy {context.router.name} again once the registry answers",
    )


def _menus_record(context: _Context, container: ContainerRow) -> Iterator[Change]:
    """The names of the optional menus in the comment of a container that was recorded."""
    tag = container.tag
    if tag is None or (tag.platform is None and tag.version is None) or tag.extras == extras(context.node):
        return
    yield Set(
        "/container",
        f"container {container.label}",
        "differs from the inventory",
        {"root-dir": container.root_dir},
        {"comment": container.props.get("comment", "")},
        {"comment": str(replace(tag, extras=extras(context.node)))},
    )


def _directories(context: _Context, place: Place) -> Iterator[Change]:
    """The state directory, so that the key can lie in it before the container's first start."""
    known = context.facts.preconditions
    if known is not None and known.state_bytes is not None:
        return
    path = state_dir(place, context.node)
    depth = len(place.prefix.split("/")) if place.prefix else 0
    parts = path.split("/")
    for end in range(depth + 1, len(parts) + 1):
        directory = "/".join(parts[:end])
        props = {"name": directory, "type": "directory"}
        yield Add("/file", f"directory {directory}", "home of the node's identity", {"name": directory}, props)


def _serve_file(context: _Context, place: Place) -> Iterator[Change]:
    name = f"{state_dir(place, context.node)}/{SERVE_FILE}"
    contents = serve_config(context.node)
    present = next((item for item in context.facts.table("/file") if item.get("name") == name), None)
    if not context.node.serve:
        if present is not None:
            yield Remove("/file", f"file {name}", "nothing is served any more", {"name": name})
    elif present is None:
        props = {"name": name, "contents": contents}
        yield Add("/file", f"file {name}", "`serve` of the node", {"name": name}, props)
    elif present.get("contents") != contents:
        before = {"contents": present.get("contents")}
        yield Set("/file", f"file {name}", "`serve` of the node", {"name": name}, before, {"contents": contents})


def _first_key(context: _Context, place: Place, refusals: list[Problem]) -> PlaceKey:
    """The key of a node that has no identity, which it must have to come online."""
    if context.node.auth_key is None:
        refusals.append(_no_key(context))
    return _place_key(context, place)


def _waits_in_vain(context: _Context) -> bool:
    """Whether the node can never come online: nobody logged in, and there is nothing to log in with."""
    facts = context.facts
    if context.node.auth_key is not None or facts.preconditions is None or _has_identity(context):
        return False
    return facts.health is None or not facts.health.is_healthy


def _no_key(context: _Context) -> Problem:
    return Problem(
        "auth-key-missing",
        f"node {context.node.name} has no identity on {context.router.name} yet and the inventory has no auth key",
        "set `auth_key:` of the node, for example {env: TS_AUTHKEY}",
    )


def _place_key(context: _Context, place: Place) -> PlaceKey:
    return PlaceKey(_key_file(context, place), "auth key file", "the image's entrypoint logs in with it and deletes it")


def _retire_key(context: _Context, place: Place) -> RetireKey:
    return RetireKey(_key_file(context, place), "auth key file", "a key is used once and leaves nothing behind")


def _keeps_key(node: NodeSpec) -> bool:
    return node.keep_key or node.ephemeral


def _key_file(context: _Context, place: Place) -> str:
    return f"{state_dir(place, context.node)}/{KEY_FILE}"


def _has_identity(context: _Context) -> bool:
    known = context.facts.preconditions
    return bool(known and known.state_bytes) and not context.node.ephemeral


def plan_login(*, router: Router, node: NodeSpec, facts: Facts, reauth: bool) -> Plan:
    """A fresh login of a standing node with the inventory's key, proven, and no key left behind.

    A node without an identity reads the key at its start; one that has an identity is told to log in anew (`reauth`).
    """
    context = _Context(router, node, facts, None)
    problem = _cannot_login(context, reauth=reauth)
    plan = Plan(router.name, node.name, facts.resource.version_text, fingerprint(facts))
    place = place_of(router, node, facts, None)
    if problem is not None or isinstance(place, Problem):
        return replace(plan, refusals=(problem,) if problem else (place,) if isinstance(place, Problem) else ())
    (container,) = facts.containers_of(node.name)
    root, label = container.root_dir, f"container {container.label}"
    changes: list[Change] = [_place_key(context, place)]
    if reauth and _has_identity(context) and container.is_up:
        changes.append(RunInside(root, label, "logs in anew", reauth_command(node)))
    else:
        if container.is_up:
            changes.append(Stop(root, label, "the key is read at a start"))
        changes.append(Start(root, label, "to log in"))
    changes.append(AwaitHealthy(root, f"node {node.name}", "proves the login"))
    if not _keeps_key(node):
        changes.append(_retire_key(context, place))
    return replace(plan, changes=tuple(changes))


def _cannot_login(context: _Context, *, reauth: bool) -> Problem | None:
    router, node, facts = context.router, context.node, context.facts
    containers = facts.containers_of(node.name)
    if len(containers) != 1 or (containers[0].tag and containers[0].tag.adopted):
        return Problem(
            "not-deployed", f"{router.name} has no node {node.name} that mtts made", f"mtts deploy {router.name}"
        )
    if node.auth_key is None:
        return Problem("auth-key-missing", f"node {node.name} has no auth key", "set `auth_key:` of the node")
    if reauth and context.dialect.word(Term.SHELL_COMMAND) is None:
        return Problem(
            "setting-unsupported",
            f"RouterOS {facts.version} runs no commands inside a container, so nothing can be told to log in anew",
            "delete the node in the tailnet's admin console; then mtts login without --reauth",
        )
    return path_through_node(router, facts)


def place_of(router: Router, node: NodeSpec, facts: Facts, release: Release | None) -> Place | Problem:
    """Where the node stands already, else where the inventory wants it."""
    for container in facts.containers_of(node.name):
        prefix, found, _ = f"/{container.root_dir}".rpartition("/mtts/root/")
        if found:
            return Place(prefix.strip("/"), None, None, is_internal=True)
    return choose_storage(
        router.storage,
        resource=facts.resource,
        disks=facts.table("/disk"),
        flash_disk=facts.preconditions is not None and facts.preconditions.flash_disk,
        state_home=facts.preconditions.state_home if facts.preconditions is not None else None,
        needed_bytes=0 if release is None else peak_flash_bytes(release) + router.flash.reserve_bytes,
    )


def _fits_setting(setting: str, place: Place) -> bool:
    return setting == "auto" or place.prefix == setting.strip("/")


def lookalikes(facts: Facts) -> tuple[ContainerRow, ...]:
    """Containers without a tag of ours that run Tailscale, by image, name or mount."""
    mounts = {
        name
        for item in facts.table("/container/mounts")
        if item.get("dst") == "/var/lib/tailscale" and item.tag is None
        for name in (item.get("name"), item.get("list"))
        if name
    }

    def is_lookalike(row: ContainerRow) -> bool:
        refers = {*row.props.get("mounts", "").split(","), *row.props.get("mountlists", "").split(",")}
        return "tailscale" in f"{row.image} {row.name} {row.root_dir}".lower() or not mounts.isdisjoint(refers)

    return tuple(row for row in facts.containers if row.tag is None and is_lookalike(row))


def _plan_foreign(
    context: _Context, foreign: Sequence[ContainerRow], *, adopt: bool, refusals: list[Problem]
) -> list[Change]:
    listed = ", ".join(f"{row.label} ({row.image or 'no image'}, {row.state})" for row in foreign)
    if len(foreign) > 1:
        refusals.append(
            Problem(
                "foreign-containers",
                f"several containers without mtts' tag could be this node: {listed}",
                "remove those that are not used any more",
            )
        )
        return []
    (row,) = foreign
    if not adopt:
        refusals.append(
            Problem(
                "foreign-container",
                f"a container that mtts did not make could be this node: {listed}",
                f"mtts deploy {context.router.name} --adopt takes it over as it is",
            )
        )
        return []
    if row.state is ContainerState.UNKNOWN:
        refusals.append(_state_unknown(row))
        return []
    tag = Tag(context.node.name, adopted=True)
    release = context.release
    if release is not None and row.image_id is not None and release.is_shown_as(row.image_id):
        tag = tag.recording(release)
    comment = Set(
        "/container",
        f"container {row.label}",
        "taken over as it stands",
        {"root-dir": row.root_dir},
        {"comment": row.props.get("comment", "")},
        {"comment": str(tag)},
    )
    return [*_bring_up(context, row, place=None, refusals=refusals), comment]


def _state_unknown(row: ContainerRow) -> Problem:
    return Problem(
        "state-unknown",
        f"the router shows {row.label} in a state that mtts does not know",
        "look at it with /container/print detail; where it changes by itself, run the command again",
    )


def path_through_node(router: Router, facts: Facts) -> Problem | None:
    """Why the node must not be stopped from here: it carries the very session that would stop it."""
    known = facts.preconditions
    if router.via != "tailnet" and not (known is not None and known.tailnet_session):
        return None
    return Problem(
        "path-through-node",
        f"{router.name} is reached through its own node, which this would stop",
        "run mtts from a place that reaches the router without the tailnet",
    )


def _stable(props: Mapping[str, str]) -> dict[str, Any]:
    return {prop: value for prop, value in sorted(props.items()) if prop not in _VOLATILE}
