"""Words: every menu, command and argument is known or refused exactly as the version's command tree says."""

import gzip
import inspect
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.device import Device
from mtts.lab.fleet import Lab
from mtts.lab.menus.users import POLICIES
from mtts.lab.quirks import Quirks
from mtts.lab.reply import Trap
from mtts.lab.schema import DATA, load_schema, published
from mtts.lab.version import parse_version
from tools.make_schema import make

VERSIONS = sorted(path.stem for path in DATA.glob("*.json"))
ROOT = Caller("admin", frozenset(POLICIES))
SHARED = Path(__file__).parents[3] / "shared" / "routeros"
CHR_ALONE = {("/system/routerboard", "print", "oid")}
"""Words of the flat trees that the data leaves out: a CHR has no RouterBOARD, so another architecture's words serve."""


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


def every_word() -> dict[str, dict[str, set[str]]]:
    """Menu -> command -> every argument that any version has, and one that none has."""
    everything: dict[str, dict[str, set[str]]] = {}
    for version in VERSIONS:
        for menu, commands in words(version).items():
            for command, names in commands.items():
                everything.setdefault(menu, {}).setdefault(command, {"no-such-argument"}).update(names)
    return everything


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_version_knows_exactly_the_words_of_its_tree(version: str, lab: Lab) -> None:
    router = await lab.add_router("r", version=version, tls=False)
    tree = words(version)
    counted = Counter[str]()
    for menu, commands in every_word().items():
        for command, candidates in commands.items():
            known = tree.get(menu, {}).get(command)
            expected = "menu" if known is None else "known"
            assert verdict(router.device, menu, command) == expected, (menu, command)
            counted[f"commands {expected}"] += 1
            for name in sorted(candidates):
                expected = "menu" if known is None else "known" if name in known else "word"
                assert verdict(router.device, menu, command, **{name: ""}) == expected, (menu, command, name)
                counted[f"arguments {expected}"] += 1
    print(  # noqa: T201 - shown by `pytest -s`
        f"{version}: {len(tree)} menus, {counted['commands known']} commands and {counted['arguments known']} arguments"
        f" accepted; {counted['commands menu']} commands of other versions and {counted['arguments word']} arguments"
        " refused"
    )
    assert counted["commands known"] == sum(len(commands) for commands in tree.values())
    assert counted["arguments known"] == sum(len(names) for commands in tree.values() for names in commands.values())
    assert counted["arguments word"] >= counted["commands known"]


def test_the_data_is_what_the_tool_makes_of_the_published_trees() -> None:
    if not (SHARED / "schema").exists():
        pytest.skip("the published trees are not at hand")
    made = dict(make(SHARED / "schema", SHARED / "trees"))
    assert sorted(made) == VERSIONS
    assert all((DATA / f"{version}.json").read_text() == text for version, text in made.items())


def releases() -> list[str]:
    """Every release with a flat tree in a line that has a data file."""
    lines = {version[:2] for version in published()}
    names = (path.name.removesuffix(".json.gz") for path in (SHARED / "trees").glob("*.json.gz"))
    return sorted(name for name in names if parse_version(name)[:2] in lines)


@pytest.mark.skipif(not releases(), reason="the published trees are not at hand")
def test_every_release_of_a_line_has_the_words_that_the_lab_gives_it() -> None:
    for release in releases():
        with gzip.open(SHARED / "trees" / f"{release}.json.gz", "rt") as stream:
            tree = json.load(stream)["menus"]
        known = load_schema(parse_version(release)).menus
        for menu, commands in known.items():
            if menu == "/disk" or menu not in tree:  # the flat trees' /disk is that of a router without its package
                continue
            for command, names in commands.items():
                published_names = set(tree[menu].get(command, names))
                differing = {(menu, command, name) for name in names ^ published_names}
                assert differing <= CHR_ALONE, (release, differing)


@pytest.mark.parametrize(
    ("version", "source"),
    [
        ("7.9", "7.10.2"),
        ("7.17.2", "7.15.3"),
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
    assert "authorized-public-key-hash" in load_schema((7, 21, 3)).menus["/system/device-mode"]["update"]
    assert "authorized-public-key-hash" not in load_schema((7, 21, 4)).menus["/system/device-mode"]["update"]


def test_every_line_that_mtts_supports_is_published() -> None:
    assert {version[:2] for version in published()} >= {(7, minor) for minor in range(18, 25)}


@pytest.mark.parametrize(("version", "exists"), [("7.17.2", False), ("7.18", True), ("7.24", True)])
async def test_safe_mode_came_with_7_18_and_may_not_be_there_at_all(version: str, exists: bool, lab: Lab) -> None:
    usual = await lab.add_router("usual", version=version, tls=False)
    without = await lab.add_router("without", version=version, tls=False, quirks=Quirks(safe_mode_menu=False))
    assert verdict(usual.device, "/safe-mode", "print") == ("known" if exists else "menu")
    assert verdict(without.device, "/safe-mode", "print") == "menu"
