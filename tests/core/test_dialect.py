"""Every word that is sent to a router exists in its version's command tree, and the table dates each word rightly."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Never

import pytest

from mtts.adapters.clock import SystemClock
from mtts.core.changes import Add, Change, Record, Remove, Set
from mtts.core.desired import EXTRA_MENUS, unsupported_settings
from mtts.core.dialect import DIALECT, Dialect, Term
from mtts.core.tag import Tag
from mtts.core.version import NEWEST_KNOWN, OLDEST, Version
from mtts.engine import gather
from mtts.engine.observe import NodeObserver
from tests.core.examples import MIB, RESOURCE_ROW, a_container, a_node, a_release, a_router
from tests.core.paper_router import PaperRouter
from tests.core.test_plan_convergence import EDITS, RICH, deployed, plan_on

DATA = Path(__file__).parents[2] / "mtts" / "data" / "routeros"
PUBLISHED = Path(__file__).parents[3] / "shared" / "routeros" / "schema"
PUBLISHED_VERSIONS = sorted((path.stem for path in DATA.glob("*.json")), key=Version.parse)
VERSIONS = [version for version in PUBLISHED_VERSIONS if Version.parse(version) >= OLDEST]
FULL = RICH | {"memory_high_bytes": 64 * MIB, "health": "tailscale status"}

# What rows show and no command takes; the trees list arguments only.
_SHOWN_BY_CONTAINERS = (
    ".id|.about|status|stopped|starting|running|stopping|downloading/extracting|deleting|download/extract failed"
    "|starting-with-healthcheck|healthy|unhealthy|restart-count|tag|repo|image-id|arch|os"
)
SHOWN = {
    "/container": frozenset(_SHOWN_BY_CONTAINERS.split("|")),
    "/container/log": {".id", "time", "message"},
    "/disk": {"mounted", "mount-point", "size", "free"},
    "/ip/dns": {"dynamic-servers"},
    "/log": {"time", "topics", "message"},
    "/system/clock": {"gmt-offset"},
    "/system/package": {"name", "disabled", "available"},
    "/system/resource": set(RESOURCE_ROW),
    "/user/active": {"name", "address", "via"},
}
EVERYWHERE = {".id", "dynamic"}


@cache
def tree(version: str) -> dict[str, dict[str, list[str]]]:
    menus: dict[str, dict[str, list[str]]] = json.loads((DATA / f"{version}.json").read_text())["menus"]
    return menus


def words(version: str, menu: str, command: str) -> set[str]:
    """The arguments of a command, empty where the version has none such."""
    return set(tree(version).get(menu, {}).get(command, ()))


def commands_of(change: Change) -> list[tuple[str, str, set[str]]]:
    """What a change sends as (menu, command, arguments); `.id` is taken by every command."""
    match change:
        case Add(path=path, props=props, alternatives=alternatives):
            return [(path, "add", set(props).union(*alternatives))]
        case Set(path=path, after=after):
            return [(path, "set", set(after))]
        case Remove(path=path):
            return [(path, "remove", set())]
        case Record(settings=settings):
            return [("/container", "set", {"comment", *settings})]
        case _:
            return []


def everything_sent(version: str) -> list[Change]:
    """The changes of first deploys and edits of a node that uses every setting which the version has a word for."""
    settings = dict(FULL)
    for key in unsupported_settings(a_node(**FULL), Dialect(Version.parse(version))):
        del settings[f"{key}_bytes" if key == "memory_high" else key]
    router = a_router(a_node(**settings))
    paper = PaperRouter(version, a_release())
    changes = list(plan_on(paper, router, router.nodes[0]).changes)
    for edit in EDITS.values():
        edited = a_router(a_node(**settings | edit))
        changes += plan_on(deployed(version, router), edited, edited.nodes[0]).changes
    return changes


@pytest.mark.parametrize("version", VERSIONS)
def test_every_word_of_every_plan_is_in_the_version_s_tree(version: str) -> None:
    seen = set()
    for change in everything_sent(version):
        for menu, command, arguments in commands_of(change):
            seen.add((menu, command))
            assert command in tree(version)[menu], f"{menu}/{command}"
            assert not arguments - words(version, menu, command), f"{menu}/{command} of {change.label}"
    assert {menu for menu, _ in seen} >= {"/container", "/disk", "/file", *EXTRA_MENUS.values()}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("term", Term)
def test_a_version_has_the_word_of_the_table_and_none_of_the_others(version: str, term: Term) -> None:
    entry = DIALECT[term]
    spellings = {word for _, word in entry.words if word is not None}
    word = Dialect(Version.parse(version)).word(term)
    assert spellings & words(version, entry.menu, entry.command) == ({word} if word else set())


@dataclass(slots=True)
class Listener:
    """A session that answers next to nothing and notes what it was asked: (menu, properties, properties of queries)."""

    version: str
    container: Mapping[str, str]
    prints: list[tuple[str, set[str], set[str]]] = field(default_factory=list)
    commands: list[tuple[str, set[str]]] = field(default_factory=list)

    async def print(
        self, path: str, *, where: Sequence[Mapping[str, str]] = (), props: Sequence[str] = ()
    ) -> list[Mapping[str, str]]:
        self.prints.append((path, set(props), set().union(*where)))
        known = {"/system/resource": {"version": self.version}, "/container": self.container}
        return [known[path]] if path in known else []

    async def command(self, path: str, args: Mapping[str, str] | None = None, **_: object) -> list[Mapping[str, str]]:
        self.commands.append((path, set(args or ())))
        return []

    async def add(self, *_: object, **__: object) -> Never:
        raise AssertionError("reading adds")

    async def set(self, *_: object, **__: object) -> Never:
        raise AssertionError("reading sets")

    async def remove(self, *_: object, **__: object) -> Never:
        raise AssertionError("reading removes")

    async def close(self) -> None:
        pass


async def questions(version: str) -> Listener:
    """Everything that is read for a node which uses every menu, and all that is looked at while it comes up."""
    node = a_node(**RICH)
    router = a_router(node)
    comment = str(Tag(node.name, extras=frozenset(EXTRA_MENUS)))
    container = a_container(comment=comment)
    listener = Listener(version, container.props)
    facts = await gather.gather(listener, router, router.nodes)
    await gather.gather_preconditions(listener, facts, router, node, release=a_release(), clock=SystemClock())
    observer = NodeObserver(listener, Dialect(Version.parse(version)))
    await observer.log(container)
    await observer.status(container)
    return listener


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_menu_and_command_that_is_read_exists(version: str) -> None:
    heard = await questions(version)
    assert {menu for menu, _, _ in heard.prints} >= {"/container", "/disk", "/user/active", *EXTRA_MENUS.values()}
    for menu, _, _ in heard.prints:
        assert "print" in tree(version)[menu], menu
    for path, arguments in heard.commands:
        menu, _, command = path.rpartition("/")
        assert command in tree(version)[menu or "/"], path
        assert not arguments - words(version, menu or "/", command), path


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_property_that_is_asked_by_is_one_of_the_version(version: str) -> None:
    for menu, _, asked_by in (await questions(version)).prints:
        if menu != "/container/log":  # nothing can be added there; `container` is one of its columns
            assert not asked_by - words(version, menu, "add"), menu


async def test_every_property_that_is_read_is_one_of_routeros() -> None:
    # A name that no router knows is passed over without a word, so a slip would never be seen.
    for menu, props, _ in (await questions(VERSIONS[-1])).prints:
        settable = set().union(*(words(version, menu, verb) for version in VERSIONS for verb in ("add", "set")))
        assert not props - settable - EVERYWHERE - SHOWN.get(menu, set()), menu


@pytest.mark.parametrize("version", VERSIONS)
async def test_whatever_is_written_is_read_too(version: str) -> None:
    # What is compared and was not asked for would differ on every run.
    read = {menu: props for menu, props, _ in (await questions(version)).prints}
    written = [(menu, arguments) for change in everything_sent(version) for menu, _, arguments in commands_of(change)]
    for menu, arguments in written:
        if menu != "/file":  # read one property at a time
            assert not arguments - read[menu] - {"remote-image"}, menu  # shown as `tag` or `repo`


@pytest.mark.parametrize("version", VERSIONS)
def test_our_trees_say_what_the_published_ones_say(version: str) -> None:
    source = PUBLISHED / f"{version}.json"
    if not source.exists():
        pytest.skip("the published trees are not at hand")
    menus: dict[str, Any] = json.loads(source.read_text())["menus"]
    for term, entry in DIALECT.items():
        command = menus.get(entry.menu, {"commands": {}})["commands"].get(entry.command, {"args": {}})
        word = Dialect(Version.parse(version)).word(term)
        assert {word for _, word in entry.words if word} & command["args"].keys() == ({word} if word else set()), term


def test_the_trees_reach_from_the_oldest_to_the_newest_known_version() -> None:
    known = [Version.parse(version) for version in VERSIONS]
    assert (known[0].major, known[0].minor) == (OLDEST.major, OLDEST.minor)
    assert known[-1] == NEWEST_KNOWN


def test_every_term_is_in_the_table_in_ascending_order_from_the_oldest_version() -> None:
    assert set(DIALECT) == set(Term)
    for entry in DIALECT.values():
        since = [version for version, _ in entry.words]
        assert since == sorted(since)
        assert since[0] == OLDEST


def test_a_term_without_a_word_cannot_be_required() -> None:
    dialect = Dialect(Version(7, 18))
    assert dialect.word(Term.CONTAINER_NAME) is None
    with pytest.raises(LookupError, match="CONTAINER_NAME"):
        dialect.require(Term.CONTAINER_NAME)
    assert Dialect(Version(7, 19)).require(Term.CONTAINER_NAME) == "name"


def test_versions_outside_the_table_get_the_nearest_words() -> None:
    assert Dialect(Version(7, 10)).require(Term.ENV_LIST) == "name"
    assert Dialect(Version(8, 0)).require(Term.ENV_LIST) == "list"
    assert Dialect(Version(7, 24, 1)).is_untested
    assert not Dialect(NEWEST_KNOWN).is_untested
