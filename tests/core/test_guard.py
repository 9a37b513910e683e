"""What mtts writes into the scripts that it leaves on a router: text stays text, whatever a name or a comment says."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtts.adapters.scripts import read_script
from mtts.core.guard import (
    RETURN_S,
    BridgeOrder,
    GuardOrder,
    copy_of,
    longest_s,
    render_bridge,
    render_guard,
    retired,
    without_marks,
)
from mtts.core.tag import Tag
from mtts.core.version import Version
from mtts.lab.script.errors import Position, ScriptSyntaxError
from mtts.lab.script.nodes import Block, Literal
from mtts.lab.script.parser import parse
from tests.core.examples import digest
from tests.lab.desk import make_device

GUARD, BRIDGE = read_script("guard"), read_script("bridge")
VERSIONS = ("7.18.2", "7.20.8", "7.22.3", "7.23.3", "7.24")
DEVICES = {version: make_device(version) for version in VERSIONS}

TAG = Tag(
    "tailscale", version="1.92.0", platform=digest("b"), index=digest("a"), extras=frozenset({"dns"}), next_in="t1"
)
ORDER = GuardOrder(
    transaction="t1",
    attempt=1,
    old_id="*1",
    new_id="*2",
    staged=TAG,
    boots=True,
    hands_over=True,
    stop_s=60,
    patience_s=600,
    state_file="mtts/state/tailscale/tailscaled.state",
)
BRIDGE_ORDER = BridgeOrder(
    transaction="t1",
    staged=TAG,
    props={
        "remote-image": "registry.example.net/a:stable",
        "comment": str(TAG),
        "interface": "veth1",
        "dns": "9.9.9.9",
    },
    pinned=f"registry.example.net/a@{digest('b')}",
)

HOSTILE = (
    '";/system/reset-configuration;"',
    '"; /system/reboot; :local x "',
    "[/system/reboot]",
    "$[/system/reboot]",
    "$(/system/reboot)",
    "$old",
    "}};/system/reboot;{{",
    "{{rehearsal}}",
    "\\",
    '\\"',
    '\\\\"; /system/reboot',
    "\n/system/reboot\n",
    "\r/system/reboot",
    "#",
    "\x00",
    "?",
    "",
)
TEXTS = (
    st.sampled_from(HOSTILE)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.text('"\\$[]{}();\n #?', max_size=12)
)


def shape(node: object) -> Any:
    """A parsed script without where its commands stand and without what its texts say."""
    match node:
        case Literal(value=str()):
            return "some text"
        case Block():
            return [shape(statement) for statement in node.statements]
        case Position():
            return None
        case Mapping():
            return {key: shape(value) for key, value in node.items()}
        case tuple() | list():
            return [shape(part) for part in node]
        case _ if is_dataclass(node):
            return (type(node).__name__, *(shape(getattr(node, field.name)) for field in fields(node)))
        case _:
            return node


def texts(node: object) -> Iterator[str]:
    """What the texts in a parsed script say."""
    match node:
        case Literal(value=str(value)):
            yield value
        case Mapping():
            for value in node.values():
                yield from texts(value)
        case tuple() | list():
            for part in node:
                yield from texts(part)
        case _ if is_dataclass(node):
            for field in fields(node):
                yield from texts(getattr(node, field.name))


def parsed(source: str, version: str = "7.23.3") -> Block:
    return parse(source, DEVICES[version].scripts.words)


PLAIN = {kind: shape(parsed(render_guard(GUARD, ORDER, is_rehearsal=kind))) for kind in (True, False)}
PLAIN_BRIDGE = shape(parsed(render_bridge(BRIDGE, BRIDGE_ORDER)))


# the guard


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_rehearsal", [True, False])
@pytest.mark.parametrize(
    "changed", [{}, {"boots": False}, {"hands_over": False}, {"state_file": None}, {"stop_s": 0.01, "patience_s": 0.2}]
)
def test_the_guard_is_understood_by_every_version(version: str, changed: dict[str, Any], is_rehearsal: bool) -> None:
    rendered = render_guard(GUARD, replace(ORDER, **changed), is_rehearsal=is_rehearsal)
    assert "{{" not in rendered
    assert str(TAG) in set(texts(parsed(rendered, version)))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_guard_that_kills_is_understood_where_there_is_a_command_for_that(version: str) -> None:
    rendered = render_guard(GUARD, replace(ORDER, can_kill=True), is_rehearsal=False)
    if Version.parse(version) >= Version(7, 21):
        parsed(rendered, version)
    else:
        with pytest.raises(ScriptSyntaxError):
            parsed(rendered, version)


@given(
    tag=st.builds(Tag, TEXTS, version=TEXTS, extras=st.frozensets(TEXTS), next_in=TEXTS),
    transaction=TEXTS,
    state_file=TEXTS,
)
@example(
    tag=Tag(HOSTILE[0], version=HOSTILE[1], extras=frozenset(HOSTILE), next_in=HOSTILE[2]),
    transaction=HOSTILE[3],
    state_file=HOSTILE[4],
)
@pytest.mark.parametrize("is_rehearsal", [True, False])
def test_no_text_changes_what_the_guard_does(tag: Tag, transaction: str, state_file: str, is_rehearsal: bool) -> None:
    order = replace(ORDER, staged=tag, transaction=transaction, state_file=state_file)
    found = parsed(render_guard(GUARD, order, is_rehearsal=is_rehearsal))
    assert shape(found) == PLAIN[is_rehearsal]
    assert {str(tag), " armed=1", f" tx={transaction}", f"mtts:{tag.node}", copy_of(state_file)} <= set(texts(found))


@given(st.text() | st.sampled_from((*HOSTILE, "1", "*", "*G", "*1 ", "*1\n", " *1", "*1;*2", "tailscale-a", "[find]")))
def test_only_ids_are_taken_for_ids(text: str) -> None:
    is_id = text[:1] == "*" and text[1:] != "" and set(text[1:]) <= set("0123456789abcdefABCDEF")
    for order in (replace(ORDER, old_id=text), replace(ORDER, new_id=text)):
        if is_id:
            assert text in render_guard(GUARD, order, is_rehearsal=True)
        else:
            with pytest.raises(ValueError, match="is no id of a container"):
                render_guard(GUARD, order, is_rehearsal=True)


def test_a_rehearsal_differs_from_the_guard_in_one_word() -> None:
    told, rehearsed = (render_guard(GUARD, ORDER, is_rehearsal=is_rehearsal) for is_rehearsal in (False, True))
    pairs = zip(told.splitlines(), rehearsed.splitlines(), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]] == [(":if (false) do={", ":if (true) do={")]


def test_a_guard_takes_as_long_as_its_two_stops_its_patience_and_its_starts() -> None:
    assert longest_s(stop_s=60, patience_s=600) == 2 * 60 + 600 + RETURN_S + 15


def test_marks_are_taken_off_and_one_that_gave_way_is_nobody_s_release() -> None:
    assert without_marks(replace(TAG, armed=2, failed="x", is_aborted=True, is_restored=True, is_back=True)) == TAG
    assert retired(replace(TAG, armed=2)) == Tag("tailscale")
    assert not retired(TAG).is_recorded


# the bridgehead


@pytest.mark.parametrize("version", VERSIONS)
def test_the_bridgehead_is_understood_by_every_version(version: str) -> None:
    rendered = render_bridge(BRIDGE, BRIDGE_ORDER)
    assert "{{" not in rendered
    assert str(TAG) in set(texts(parsed(rendered, version)))


@given(node=TEXTS, transaction=TEXTS, image=TEXTS, pinned=TEXTS, value=TEXTS)
@example(*HOSTILE[:5])
def test_no_text_changes_what_the_bridgehead_does(
    node: str, transaction: str, image: str, pinned: str, value: str
) -> None:
    order = replace(
        BRIDGE_ORDER,
        transaction=transaction,
        staged=replace(TAG, node=node),
        props={**BRIDGE_ORDER.props, "remote-image": image, "dns": value},
        pinned=pinned,
    )
    found = parsed(render_bridge(BRIDGE, order))
    assert shape(found) == PLAIN_BRIDGE
    assert {image, pinned, value, f"={transaction} "} <= set(texts(found))
