"""How a standing container differs from the inventory: its settings, its record of menus, its serve file."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from mtts.core.changes import (
    Add,
    Change,
    Remove,
    Set,
)
from mtts.core.desired import (
    SERVE_FILE,
    cleared_settings,
    command_settings,
    committed_settings,
    container_settings,
    extras,
    state_dir,
    veth_name,
)
from mtts.core.dialect import Dialect
from mtts.core.environment import serve_config
from mtts.core.errors import Problem
from mtts.core.facts import ContainerRow
from mtts.core.node_context import NodeContext
from mtts.core.preflight import Check, Level
from mtts.core.storage import Place
from mtts.core.values import differing

_HARMLESS_SETTINGS: Final = frozenset(
    {"start-on-boot", "restart-policy", "restart-interval", "auto-restart-interval", "ignore-remote-image-change"}
)
"""Container settings that a running container takes without a restart."""


def setting_changes(context: NodeContext, container: ContainerRow, refusals: list[Problem]) -> Iterator[Change]:
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


def _lacks_command(context: NodeContext, container: ContainerRow) -> bool:
    """Whether the entry was made by a RouterOS that took the command out of the image, and cannot start any more."""
    return context.dialect.wants_explicit_command and not container.is_up and not _names_command(container)


def _names_command(container: ContainerRow) -> bool:
    return bool(container.props.get("entrypoint") or container.props.get("cmd"))


def check_command(containers: Iterable[ContainerRow], dialect: Dialect, router: str) -> Iterator[Check]:
    """Whether a container that runs would still do so after an upgrade to RouterOS 7.22 or newer.

    It is not set on a running one: whether RouterOS takes that without a restart is not known.
    """
    for container in containers:
        if dialect.wants_explicit_command or not container.is_up or _names_command(container):
            continue
        problem = Problem(
            "command-not-set",
            f"{container.label} names no entrypoint, and RouterOS 7.22 and newer would not start it",
            f"its next release brings one; after an upgrade before that: mtts deploy {router}",
        )
        yield Check("command", Level.WARNING, problem.message, problem)


def _command_of_release(context: NodeContext, container: ContainerRow) -> dict[str, str] | Problem:
    """A draft has no release and so a problem, which makes it ask for one."""
    if context.release is not None:
        return command_settings(context.release)
    return Problem(
        "image-without-command",
        f"container {container.label} names no entrypoint, without which RouterOS {context.facts.version} does not"
        " start it, and the registry did not say which is the image's",
        f"mtts deploy {context.router.name} again once the registry answers",
    )


def menus_record(context: NodeContext, container: ContainerRow) -> Iterator[Change]:
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


def serve_file_changes(context: NodeContext, place: Place) -> Iterator[Change]:
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
