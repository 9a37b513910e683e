"""The words that a RouterOS version knows: menus, commands and arguments, from `mtts/data/routeros`.

A version without a file of its own takes that of its own release line (7.20.1 that of 7.20.8, although 7.19.6
is the nearest older file), because words change between lines and hardly within one; a line without a file takes
the nearest older one. What did change within a line is put right by `WITHIN_LINES`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mtts.lab.version import Version, parse_version

DATA = Path(__file__).parent.parent / "data" / "routeros"


@dataclass(frozen=True, slots=True)
class Span:
    """An argument that came or went inside a release line: known from `first` up to, but not with, `end`."""

    menu: str
    commands: tuple[str, ...]
    argument: str
    first: Version
    end: Version

    def covers(self, version: Version) -> bool:
        """Whether this version knows the argument."""
        return self.first <= version < self.end


NEVER: Version = (99, 0, 0)
WITHIN_LINES = (
    Span("/container", ("add", "set"), "tmpfs", (7, 21, 2), NEVER),
    Span("/container", ("add", "set"), "shm-size", (7, 21, 2), NEVER),
    Span("/container", ("add", "set"), "ignore-remote-image-change", (7, 23, 2), NEVER),
    Span("/certificate/settings", ("set",), "current-defaults", (7, 22, 1), NEVER),
    Span("/system/device-mode", ("update",), "authorized-public-key-hash", (7, 21, 0), (7, 21, 4)),
)

UNPUBLISHED: dict[str, tuple[Version, dict[str, frozenset[str]]]] = {
    "/safe-mode": (
        (7, 18, 0),
        {"print": frozenset({"as-value"}), "take": frozenset(), "release": frozenset(), "unroll": frozenset()},
    ),
}
"""Menus that no published tree lists, with the first version that has them; public API clients use them."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One version's menus: menu -> command -> argument names; and what the tree says of some arguments' values."""

    source: str
    menus: Mapping[str, Mapping[str, frozenset[str]]]
    hints: Mapping[str, Mapping[str, str]]

    def arguments(self, menu: str, command: str) -> frozenset[str] | None:
        """The arguments of a command, None when this version has no such command."""
        return self.menus.get(menu, {}).get(command)

    def hint(self, menu: str, argument: str) -> str | None:
        """The router's own description of an argument's values, None where it gives none."""
        return self.hints.get(menu, {}).get(argument)


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
        menu: {command: frozenset(names) for command, names in commands.items()}
        for menu, commands in document["menus"].items()
    }
    for span in WITHIN_LINES:
        for command in span.commands:
            if command in menus.get(span.menu, {}) and version[:2] in {span.first[:2], span.end[:2]}:
                names = menus[span.menu][command]
                menus[span.menu][command] = names | {span.argument} if span.covers(version) else names - {span.argument}
    menus |= {menu: commands for menu, (first, commands) in UNPUBLISHED.items() if first <= version}
    return Schema(source=document["version"], menus=menus, hints=document["hints"])


def _nearest(version: Version, known: list[Version]) -> Version:
    line = [candidate for candidate in known if candidate[:2] == version[:2]]
    pool = line or known
    older = [candidate for candidate in pool if candidate <= version]
    return max(older) if older else min(pool)
