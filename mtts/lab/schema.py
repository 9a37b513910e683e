"""The words that a RouterOS version knows: menus, commands and arguments, from `mtts/data/routeros`.

A version without a file of its own takes that of its own release line, else the nearest older one.
Arguments that came later within a line are taken away again, so that 7.21 does not know what 7.21.2
brought.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mtts.lab.version import Version, parse_version

DATA = Path(__file__).parent.parent / "data" / "routeros"

# (menu, argument) -> first version, where that lies inside a release line
LATE_ARGUMENTS: dict[tuple[str, str], Version] = {
    ("/container", "tmpfs"): (7, 21, 2),
    ("/container", "shm-size"): (7, 21, 2),
    ("/container", "ignore-remote-image-change"): (7, 23, 2),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """One version's menus: menu -> command -> argument names."""

    source: str
    menus: Mapping[str, Mapping[str, frozenset[str]]]

    def arguments(self, menu: str, command: str) -> frozenset[str] | None:
        """The arguments of a command, None when this version has no such command."""
        return self.menus.get(menu, {}).get(command)


def published() -> dict[Version, Path]:
    """Every version that has a file."""
    return {parse_version(path.stem): path for path in DATA.glob("*.json")}


@cache
def load_schema(version: Version) -> Schema:
    """The words of a version, or of the published one that is nearest."""
    files = published()
    path = files[_nearest(version, list(files))]
    document = json.loads(path.read_text())
    menus = {
        menu: {
            command: frozenset(name for name in names if LATE_ARGUMENTS.get((menu, name), version) <= version)
            for command, names in commands.items()
        }
        for menu, commands in document["menus"].items()
    }
    return Schema(source=document["version"], menus=menus)


def _nearest(version: Version, known: list[Version]) -> Version:
    line = [candidate for candidate in known if candidate[:2] == version[:2]]
    pool = line or known
    older = [candidate for candidate in pool if candidate <= version]
    return max(older) if older else min(pool)
