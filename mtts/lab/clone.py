"""Gives a router what another one was given, so that a large fleet is made of one deploy.

Copies the rows that carry a comment tag and lets the copied containers run; files and the tailnet's view of the node
stay the template's own, so a clone is good for being looked at, not for being restarted.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mtts.lab.container import Phase
from mtts.lab.router import LabRouter

_TABLES: Final[Sequence[str]] = (
    "/interface/bridge", "/interface/veth", "/interface/bridge/port", "/ip/address", "/ip/route", "/disk",
    "/container/mounts", "/container/envs", "/container",
)  # fmt: skip


def clone(template: LabRouter, router: LabRouter) -> None:
    """Every tagged row of `template` on `router`, under its own name, with the containers running."""

    def renamed(text: str) -> str:
        return re.sub(rf"\b{re.escape(template.name)}\b", router.name, text)

    for path in _TABLES:
        for item in template.device.table(path).items.values():
            if not item.values.get("comment", "").startswith("mtts:"):
                continue
            copied = router.device.table(path).insert({name: renamed(value) for name, value in item.values.items()})
            if path == "/container":
                running = template.device.engine.containers[item.id]
                router.device.engine.containers[copied.id] = replace(
                    running, item=copied, root=renamed(running.root), phase=Phase.RUNNING, process=None
                )
