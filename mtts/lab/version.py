"""Which RouterOS version does what: one table of behaviours that came or went, and how a version is read.

Words (commands and arguments) are not here but in the command trees that `schema` loads.
"""

from __future__ import annotations

import re
from typing import Literal

Version = tuple[int, int, int]

Trait = Literal[
    "empty-reply",
    "names",
    "flags",
    "false-flags-omitted",
    "repo",
    "config-json",
    "image-id",
    "mount-lists",
    "env-lists",
    "veth-in-container-package",
    "explicit-command",
    "leading-slash",
    "auto-repull",
    "health-checks",
    "size-properties",
    "swap",
    "image-defaults",
    "root-dir-must-be-absent",
    "restart-count",
    "sparse-rows",
    "needs-dns",
    "queued-start",
    "env-logged",
    "log-menu",
    "mounted-disks",
    "system-root-refused",
    "docker-by-default",
]

SINCE: dict[Trait, Version] = {
    "empty-reply": (7, 18, 0),
    "names": (7, 19, 0),
    "flags": (7, 20, 0),
    "config-json": (7, 20, 0),
    "env-lists": (7, 20, 0),
    "log-menu": (7, 20, 0),
    "system-root-refused": (7, 20, 0),
    "image-id": (7, 21, 0),
    "mount-lists": (7, 21, 0),
    "veth-in-container-package": (7, 21, 0),
    "mounted-disks": (7, 21, 2),
    "docker-by-default": (7, 21, 2),
    "explicit-command": (7, 22, 0),
    "leading-slash": (7, 22, 0),
    "auto-repull": (7, 22, 0),
    "health-checks": (7, 22, 0),
    "size-properties": (7, 23, 0),
    "swap": (7, 24, 0),
    "image-defaults": (7, 21, 0),
    "false-flags-omitted": (7, 23, 0),
    "root-dir-must-be-absent": (7, 23, 0),
    "restart-count": (7, 23, 0),
    "sparse-rows": (7, 23, 0),
    "needs-dns": (7, 24, 0),
    "queued-start": (7, 24, 0),
    "repo": (7, 18, 0),
    "env-logged": (7, 0, 0),
}
UNTIL: dict[Trait, Version] = {"repo": (7, 20, 0), "env-logged": (7, 24, 0)}

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse_version(text: str) -> Version:
    """`7.24` -> (7, 24, 0), `7.24rc2` -> (7, 24, 0); ValueError when there is no number to read."""
    match = _VERSION.match(text)
    if match is None:
        raise ValueError(f"no RouterOS version: {text!r}")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def has(version: Version, trait: Trait) -> bool:
    """Whether a router of this version behaves so."""
    return SINCE[trait] <= version < UNTIL.get(trait, (99, 0, 0))
