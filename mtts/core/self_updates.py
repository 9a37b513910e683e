"""Scripts on a router that renew its containers by themselves: mtts' own updater, and those of others (F46).

Two that renew the same container undo each other's work, so mtts leaves a node alone that something else renews. What
is looked for is code that makes, removes or pulls containers. Only what the scheduler starts is known to run; what it
does to a container that is not the node's is nobody's business here. No source leaves this module.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from mtts.core.desired import veth_name
from mtts.core.errors import Problem
from mtts.core.facts import SelfUpdate
from mtts.core.inventory import NodeSpec
from mtts.core.updater import node_of
from mtts.core.values import is_true

_OURS: Final = "mtts:"
_RENEWS: Final = re.compile(r"\bcontainer[\s/]+(?:add|remove|repull|update)\b|\brepull\b", re.IGNORECASE)
_FINDS_ALL: Final = re.compile(r"\bfind\s*\]")


def self_updates(
    scripts: Sequence[Mapping[str, str]], schedule: Sequence[Mapping[str, str]], node: NodeSpec
) -> tuple[SelfUpdate, ...]:
    """What renews containers, from the rows of `/system/script` and `/system/scheduler`; of mtts' own, the node's."""
    enabled = [entry for entry in schedule if not is_true(entry.get("disabled"))]
    return (*_of_scripts(scripts, enabled, node), *_of_entries(enabled, node))


def foreign_updater(found: SelfUpdate) -> Problem:
    """What another updater on the router means."""
    if found.is_in_the_way:
        return Problem(
            "foreign-updater",
            f"the router's scheduler runs {found.name!r}, which renews containers by itself",
            f'/system/scheduler/disable [find where name="{found.started_by}"]',
        )
    return Problem(
        "foreign-updater",
        f"the script {found.name!r} renews containers, though nothing shows that it is run for this node",
        "remove it where it is not used any more",
    )


def updates_itself(found: Iterable[SelfUpdate], router: str) -> Problem | None:
    """Why an update is left to the router; None where it has no updater of mtts that runs."""
    for one in found:
        if one.is_own and one.started_by is not None:
            return Problem(
                "updates-itself",
                f"{router} updates the node by itself, by the script {one.name}",
                f'where mtts shall do it: /system/scheduler/disable [find where name="{one.started_by}"]',
            )
    return None


def _of_scripts(
    scripts: Iterable[Mapping[str, str]], schedule: Sequence[Mapping[str, str]], node: NodeSpec
) -> Iterator[SelfUpdate]:
    for script in scripts:
        name, source, comment = (script.get(prop, "") for prop in ("name", "source", "comment"))
        is_own = node_of(script) == node.name
        if is_own or (_RENEWS.search(source) and not comment.startswith(_OURS)):
            starter = next(
                (entry.get("name", "") for entry in schedule if _names(entry.get("on-event", ""), name)), None
            )
            yield SelfUpdate(name, starter, is_own, is_own or _concerns(source, node))


def _of_entries(schedule: Iterable[Mapping[str, str]], node: NodeSpec) -> Iterator[SelfUpdate]:
    for entry in schedule:
        name, event = entry.get("name", ""), entry.get("on-event", "")
        if _RENEWS.search(event) and not entry.get("comment", "").startswith(_OURS):
            yield SelfUpdate(name, name, is_own=False, concerns_node=_concerns(event, node))


def _concerns(source: str, node: NodeSpec) -> bool:
    ours = ("tailscale", node.name, node.hostname, veth_name(node), node.image.repository.rpartition("/")[2])
    return _FINDS_ALL.search(source) is not None or any(_names(source, name) for name in ours)


def _names(text: str, name: str) -> bool:
    """Whether a name stands in a text, in whatever case and not as part of another word."""
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", text, re.IGNORECASE) is not None
