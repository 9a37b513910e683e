"""Makes `mtts/data/routeros/<version>.json` from published RouterOS command trees.

Input: one directory of trees as JSON, `{"version", "menus": {menu: {"commands": {command: {"args": …}}}}}`,
and optionally `.json.gz` files of the flatter shape `{"version", "menus": {menu: {command: {argument:
hint}}}}` for the menus that the first lacks. Only menus and words that the lab serves are kept, as names
alone, and beside them the hints of `add` and `set` that say which values there are; everything else is dropped.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

WHOLE_MENUS = (
    "/certificate",
    "/certificate/settings",
    "/container",
    "/container/config",
    "/container/envs",
    "/container/layers",
    "/container/log",
    "/container/mounts",
    "/disk",
    "/disk/settings",
    "/file",
    "/interface/bridge",
    "/interface/bridge/port",
    "/interface/list",
    "/interface/list/member",
    "/interface/veth",
    "/ip/address",
    "/ip/dns",
    "/ip/dns/static",
    "/ip/firewall/filter",
    "/ip/firewall/nat",
    "/ip/route",
    "/ip/service",
    "/ipv6/address",
    "/ipv6/route",
    "/log",
    "/system/clock",
    "/system/device-mode",
    "/system/identity",
    "/system/package",
    "/system/package/update",
    "/system/resource",
    "/system/routerboard",
    "/system/scheduler",
    "/system/script",
    "/system/script/job",
    "/user",
    "/user/active",
    "/user/group",
)
SINGLE_COMMANDS = {
    "/": ("execute",),
    "/system": ("reboot", "shutdown"),
    "/tool": ("fetch", "ping"),
}
CONSOLE_ONLY = ("edit", "export", "reset", "recursive-print")
"""Commands of the interactive console, of no meaning to an API client."""

TELLING_HINTS = ("time interval", "(MAC address)", "(IP prefix)", " length ")
"""Parts of hints that rule values out; the others say next to nothing."""

Tree: TypeAlias = dict[str, dict[str, Mapping[str, str]]]
Words: TypeAlias = Mapping[str, Mapping[str, list[str]]]
Hints: TypeAlias = Mapping[str, Mapping[str, str]]


def read_nested(path: Path) -> Tree:
    """Menu -> command -> argument names, from the nested shape."""
    menus: Mapping[str, Any] = json.loads(path.read_text())["menus"]
    return {
        menu: {command: body["args"] for command, body in entry["commands"].items()} for menu, entry in menus.items()
    }


def read_flat(path: Path) -> Tree:
    """Menu -> command -> argument names, from the flat gzipped shape; nothing when there is no such file."""
    if not path.exists():
        return {}
    with gzip.open(path, "rt") as stream:
        menus: Tree = json.load(stream)["menus"]
    return menus


def keep(tree: Tree) -> dict[str, dict[str, list[str]]]:
    """What the lab serves of a tree, everything sorted."""
    kept: dict[str, dict[str, list[str]]] = {}
    for menu in sorted((*WHOLE_MENUS, *SINGLE_COMMANDS)):
        wanted = SINGLE_COMMANDS.get(menu)
        commands = {
            command: sorted(arguments)
            for command, arguments in sorted(tree.get(menu, {}).items())
            if command not in CONSOLE_ONLY and (wanted is None or command in wanted)
        }
        if commands:
            kept[menu] = commands
    return kept


def telling_hints(tree: Tree, words: Words) -> dict[str, dict[str, str]]:
    """Menu -> argument -> hint, of what `add` and `set` take."""
    kept: dict[str, dict[str, str]] = {}
    for menu in words:
        for command in {"add", "set"} & set(words[menu]):
            for argument, hint in sorted(tree.get(menu, {}).get(command, {}).items()):
                if any(part in hint for part in TELLING_HINTS):
                    kept.setdefault(menu, {})[argument] = " ".join(hint.split())
    return kept


def render(version: str, menus: Words, hints: Hints) -> str:
    """The file's text: one line per command, so that differences between versions read well."""
    blocks = []
    for menu, commands in sorted(menus.items()):
        lines = [f"      {json.dumps(command)}: {json.dumps(names)}" for command, names in commands.items()]
        blocks.append(f"    {json.dumps(menu)}: {{\n" + ",\n".join(lines) + "\n    }")
    said = [f"    {json.dumps(menu)}: {json.dumps(arguments, sort_keys=True)}" for menu, arguments in hints.items()]
    parts = (f'  "version": {json.dumps(version)}', _block("menus", blocks), _block("hints", said))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _block(name: str, lines: Iterable[str]) -> str:
    return f"  {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n  }"


def make(nested: Path, flat: Path) -> Iterator[tuple[str, str]]:
    """Version and text of every data file that these two directories of trees give, newest first."""
    newest_first = sorted(
        nested.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")], reverse=True
    )
    boards: dict[str, list[str]] = {}
    for path in newest_first:
        tree = read_flat(flat / f"{path.stem}.json.gz") | read_nested(path)
        menus = keep(tree)
        # A CHR has no such menu, so the trees of old versions lack it: the next newer one that has it serves.
        boards = menus.setdefault("/system/routerboard", boards)
        yield path.stem, render(path.stem, menus, telling_hints(tree, menus))


def main() -> None:
    """Writes one data file per tree."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("nested", type=Path, help="directory of <version>.json trees")
    parser.add_argument("flat", type=Path, help="directory of <version>.json.gz trees")
    parser.add_argument("--out", type=Path, default=Path("mtts/data/routeros"))
    options = parser.parse_args()
    for version, text in make(options.nested, options.flat):
        (options.out / f"{version}.json").write_text(text)
        print(version, text.count("\n"), "lines")


if __name__ == "__main__":
    main()
