"""facts × inventory → Plan: the changes that bring one node to the inventory's state, or why there are none to be made.

Pure. Keeps I9: an object without our tag is never changed or removed; where one stands in the way, the plan refuses.
Plain objects are compared in diff.py, the container's settings in container_settings.py; here is the order of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from mtts.core.address import NodeNetwork, choose_network
from mtts.core.adoption import lookalikes
from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    Record,
    Remove,
    Set,
    Start,
    Stop,
    is_disruptive,
)
from mtts.core.container_settings import menus_record, serve_file_changes, setting_changes
from mtts.core.desired import (
    Wanted,
    committed_settings,
    container_object,
    mount_objects,
    network_objects,
    scratch_objects,
    state_dir,
    veth_name,
)
from mtts.core.diff import ObjectDiff, diff_objects
from mtts.core.environment import env_objects
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow, ContainerState, Facts
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.node_context import (
    FIRST_SLOT,
    NodeContext,
    fits_setting,
    has_identity,
    keeps_key,
    no_key,
    place_key,
    retire_key,
)
from mtts.core.plan import Plan, fingerprint, path_through_node
from mtts.core.preflight import Level, check_node, place_of, scratch_bytes
from mtts.core.pull_room import pull_flash_bytes
from mtts.core.slots import bridge_down, clearing, is_in_memory, slots_of, state_unknown
from mtts.core.storage import Place
from mtts.core.tag import Tag


def plan_node(
    *, router: Router, node: NodeSpec, facts: Facts, release: Release | Problem | None = None, adopt: bool = False
) -> Plan:
    """The plan for one node.

    Without `facts.preconditions` the plan is a draft: it tells whether anything is to be done at all, so that
    the preconditions need to be read, and the registry asked, only then.
    """
    context = NodeContext(router, node, facts, release if isinstance(release, Release) else None)
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
        freed = _freed_bytes(context, changes)
        checks = check_node(facts=facts, router=router, node=node, release=release, pulls=plan.pulls, freed_bytes=freed)
        found = [(check.level, check.problem) for check in checks if check.problem is not None]
        # What keeps the router from any container comes before what is in the way of this one.
        refusals[:0] = [problem for level, problem in found if level is Level.PROBLEM]
        warnings[:0] = [problem for level, problem in found if level is not Level.PROBLEM]
    through_node = path_through_node(router, facts) if plan.disrupts else None
    if through_node is not None:
        refusals.append(through_node)
    return replace(plan, refusals=tuple(refusals), warnings=tuple(warnings))


def _plan(context: NodeContext, *, adopt: bool, refusals: list[Problem], warnings: list[Problem]) -> list[Change]:
    """What an interrupted update left is settled first, then the one container that is the node is looked at."""
    facts, node = context.facts, context.node
    slots = slots_of(facts.containers, node.name)
    if isinstance(slots, Problem):
        refusals.append(slots)
        return []
    if slots.is_bridge_down:
        refusals.append(bridge_down(context.router.name, node.name, slots))
        return []
    container, settling = slots.live, list(clearing(slots)) if slots.leftovers else []
    if settling and container is not None:
        container = replace(container, state=ContainerState.RUNNING)  # by then
    return [*settling, *_plan_container(context, container, adopt=adopt, refusals=refusals, warnings=warnings)]


def _plan_container(
    context: NodeContext,
    container: ContainerRow | None,
    *,
    adopt: bool,
    refusals: list[Problem],
    warnings: list[Problem],
) -> list[Change]:
    facts, node = context.facts, context.node
    if container is None:
        foreign = lookalikes(facts)
        if foreign:
            return _plan_foreign(context, foreign, adopt=adopt, refusals=refusals)
    elif container.state is ContainerState.UNKNOWN:
        refusals.append(state_unknown(container))
        return []
    elif container.tag and container.tag.adopted:
        return list(_bring_up(context, container, place=None, refusals=refusals))
    place = place_of(context.router, node, facts, context.release)
    network = choose_network(node, facts, veth=veth_name(node))
    refusals.extend(found for found in (place, network) if isinstance(found, Problem))
    if isinstance(place, Problem) or isinstance(network, Problem):
        return []
    if container is not None and not fits_setting(context.router.storage, place):
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


def _freed_bytes(context: NodeContext, changes: Sequence[Change]) -> int:
    """What a container takes that makes room: about as much as the release that comes after it."""
    gone = [change.identity.get("root-dir") for change in changes if isinstance(change, Remove)]
    rows = context.facts.containers_of(context.node.name)
    takes = any(row.root_dir in gone and row.is_imported and not is_in_memory(row) for row in rows)
    return context.release.extracted_bytes if takes and context.release is not None else 0


def _wanted(context: NodeContext, place: Place, network: NodeNetwork) -> Iterator[Wanted]:
    node, dialect = context.node, context.dialect
    owns_tailnet_route = context.router.nodes[:1] == (node,)
    return chain(
        network_objects(node, network, owns_tailnet_route=owns_tailnet_route),
        scratch_objects(scratch_bytes(node, context.release)),
        mount_objects(node, dialect, place),
        env_objects(node, dialect),
    )


def _with_container(
    context: NodeContext,
    container: ContainerRow | None,
    place: Place,
    objects: ObjectDiff,
    refusals: list[Problem],
) -> list[Change]:
    """The objects' changes, and round them what the container needs."""
    serve = list(serve_file_changes(context, place))
    if container is None or container.state is ContainerState.DELETING:
        return [*objects.changes, *objects.removals, *_create(context, place, serve, refusals)]
    bad = _why_anew(context, container)
    if bad:
        identity = {"root-dir": container.root_dir}
        remove = Remove("/container", f"container {container.label}", bad, identity, disruptive=container.is_up)
        return [remove, *objects.changes, *objects.removals, *_create(context, place, serve, refusals)]
    settings = list(setting_changes(context, container, refusals))
    upkeep = list(_bring_up(context, container, place=place, refusals=refusals))
    # The comment says where to look for what is to be removed, so it changes last.
    changes = [*objects.changes, *settings, *objects.removals, *menus_record(context, container)]
    restarts = container.is_up and any(is_disruptive(change) for change in changes)
    if restarts and not any(isinstance(change, Start) for change in upkeep):
        changes = _restarting(context, container, place, changes, refusals)
        upkeep = [step for step in upkeep if not isinstance(step, AwaitHealthy)]
    steps = [*serve, *changes, *upkeep]
    puts_files = bool(serve) or any(isinstance(step, PlaceKey) for step in steps)
    return [*(_directories(context, place) if puts_files else ()), *steps]


def _why_anew(context: NodeContext, container: ContainerRow) -> str:
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
    staged = container.tag.platform if container.tag is not None else None
    if container.image_id is None and staged is not None and staged != release.manifest_digest:
        return "it never worked, and was pulled as another release"
    if container.image_id is not None:
        return "" if release.is_shown_as(container.image_id) else "it never worked, and is not the image's release"
    return "" if context.dialect.shows_image_id or not is_stopped else "it never worked, nor says which image it is"


def _is_recorded(container: ContainerRow) -> bool:
    return container.tag is not None and container.tag.is_recorded


def _restarting(
    context: NodeContext, container: ContainerRow, place: Place, changes: Iterable[Change], refusals: list[Problem]
) -> list[Change]:
    """The changes between a stop and a start; another hostname is another identity, which logs in for itself."""
    node, root, label = context.node, container.root_dir, f"container {container.label}"
    steps: list[Change] = [Stop(root, label, "its settings change, and take effect at a start"), *changes]
    logs_in = not has_identity(context)
    if logs_in:
        steps.append(_first_key(context, place, refusals))
    steps.append(Start(root, label, "with the new settings"))
    steps.append(AwaitHealthy(root, f"node {node.name}", "proves that it came back"))
    if logs_in and not keeps_key(node):
        steps.append(retire_key(context, place))
    return steps


def _create(context: NodeContext, place: Place, serve: Iterable[Change], refusals: list[Problem]) -> Iterator[Change]:
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
    release = context.release
    takes = None if release is None else pull_flash_bytes(context.facts, release, place)
    yield AwaitPull(root, wanted.label, "the router pulls and unpacks the image by itself", takes)
    if not has_identity(context):
        yield _first_key(context, place, refusals)
    yield Start(root, wanted.label, "")
    yield AwaitHealthy(root, f"node {node.name}", "proves it before it is recorded")
    yield from _finish(context, root, wanted.label, place)


def _bring_up(
    context: NodeContext, container: ContainerRow, *, place: Place | None, refusals: list[Problem]
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
        refusals.append(no_key(context))
    if not container.is_up:
        if home is not None and not has_identity(context):
            logs_in = True
            yield place_key(context, home)
        if container.state is ContainerState.STOPPING:
            yield Stop(root, label, "it is still ending", disruptive=False)
        yield Start(root, label, "it is not running")
        yield wait
    elif health is not None and health.needs_login and home is not None:
        logs_in = True
        yield place_key(context, home)
        yield Stop(root, label, "the key is read at a start", disruptive=False)
        yield Start(root, label, "to log in")
        yield wait
    elif not is_recorded:
        yield wait
    if place is None:
        return
    if not is_recorded:
        yield from _finish(context, root, label, place)
    elif logs_in and not keeps_key(node):
        yield retire_key(context, place)


def _finish(context: NodeContext, root: str, label: str, place: Place) -> Iterator[Change]:
    node = context.node
    if not keeps_key(node):
        yield retire_key(context, place)
    tag = context.tag if context.release is None else context.tag.recording(context.release)
    yield Record(root, label, "verified: recorded on the router", str(tag), committed_settings(node, context.dialect))


def _directories(context: NodeContext, place: Place) -> Iterator[Change]:
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


def _first_key(context: NodeContext, place: Place, refusals: list[Problem]) -> PlaceKey:
    """The key of a node that has no identity, which it must have to come online."""
    if context.node.auth_key is None:
        refusals.append(no_key(context))
    return place_key(context, place)


def _waits_in_vain(context: NodeContext) -> bool:
    """Whether the node can never come online: nobody logged in, and there is nothing to log in with."""
    facts = context.facts
    if context.node.auth_key is not None or facts.preconditions is None or has_identity(context):
        return False
    return facts.health is None or not facts.health.is_healthy


def _plan_foreign(
    context: NodeContext, foreign: Sequence[ContainerRow], *, adopt: bool, refusals: list[Problem]
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
        refusals.append(state_unknown(row))
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
