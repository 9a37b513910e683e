"""Words: every menu, command and argument is known or refused exactly as the version's command tree says."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.device import Device
from mtts.lab.fleet import Lab
from mtts.lab.menus.users import POLICIES
from mtts.lab.reply import Trap
from mtts.lab.schema import DATA, load_schema, published
from mtts.lab.version import parse_version

VERSIONS = sorted(path.stem for path in DATA.glob("*.json"))
ROOT = Caller("admin", frozenset(POLICIES))
TREES = Path(__file__).parents[3] / "shared" / "routeros" / "schema"


def words(version: str) -> dict[str, dict[str, list[str]]]:
    document: dict[str, Any] = json.loads((DATA / f"{version}.json").read_text())
    menus: dict[str, dict[str, list[str]]] = document["menus"]
    return menus


def verdict(device: Device, menu: str, verb: str, **args: str) -> str:
    """`menu` when the command is unknown, `word` when its argument is, `known` otherwise."""
    try:
        answer = device.perform(Call(Command(menu, verb, args), ROOT))
    except Trap as trap:
        if trap.message == "no such command":
            return "menu"
        if trap.message.startswith("unknown parameter"):
            return "word"
    else:
        if inspect.iscoroutine(answer):
            answer.close()  # it was accepted; nobody waits for its end
    return "known"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_version_knows_exactly_the_words_of_its_tree(version: str, lab: Lab) -> None:
    everything: dict[str, dict[str, set[str]]] = {}
    for other in VERSIONS:
        for menu, words_of in words(other).items():
            for command, names in words_of.items():
                everything.setdefault(menu, {}).setdefault(command, {"no-such-argument"}).update(names)
    router = await lab.add_router("r", version=version, tls=False)
    tree = words(version)
    counted = {"menu": 0, "word": 0, "known": 0}
    for menu, candidates_of in everything.items():
        for command, candidates in candidates_of.items():
            known = tree.get(menu, {}).get(command)
            expected = "menu" if known is None else "known"
            assert verdict(router.device, menu, command) == expected, (menu, command)
            counted[expected] += 1
            for name in candidates if known is not None else ():
                expected = "known" if name in (known or ()) else "word"
                assert verdict(router.device, menu, command, **{name: ""}) == expected, (menu, command, name)
                counted[expected] += 1
    assert counted["known"] == sum(1 + len(names) for commands in tree.values() for names in commands.values())
    assert counted["word"] >= sum(len(commands) for commands in tree.values()), counted


@pytest.mark.parametrize("version", VERSIONS)
def test_the_data_says_what_the_published_tree_says(version: str) -> None:
    source = TREES / f"{version}.json"
    if not source.exists():
        pytest.skip("the published trees are not at hand")
    menus = json.loads(source.read_text())["menus"]
    for menu, commands in words(version).items():
        for command, names in commands.items():
            if menu in menus and command in menus[menu]["commands"]:
                assert names == sorted(menus[menu]["commands"][command]["args"]), (menu, command)


@pytest.mark.parametrize(
    ("version", "source"),
    [
        ("7.17.2", "7.18.2"),
        ("7.18.1", "7.18.2"),
        ("7.20.1", "7.20.8"),
        ("7.22.1", "7.22.3"),
        ("7.23.5", "7.23.3"),
        ("7.24.5", "7.24"),
        ("7.25.1", "7.24"),
    ],
)
def test_versions_between_take_the_words_of_their_line(version: str, source: str) -> None:
    assert load_schema(parse_version(version)).source == source


def test_what_came_within_a_line_is_unknown_before() -> None:
    assert "tmpfs" not in load_schema((7, 21, 1)).menus["/container"]["add"]
    assert "tmpfs" in load_schema((7, 21, 2)).menus["/container"]["add"]
    assert "ignore-remote-image-change" not in load_schema((7, 23, 1)).menus["/container"]["add"]


def test_every_line_from_7_18_to_7_24_is_published() -> None:
    assert {version[:2] for version in published()} == {(7, minor) for minor in range(18, 25)}
