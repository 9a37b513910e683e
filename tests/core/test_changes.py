"""Changes as text for people and as JSON for files: nothing leaves its quotes, nothing secret is in them."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.changes import (
    Add,
    AwaitHealthy,
    AwaitPull,
    Change,
    PlaceKey,
    ProveImage,
    Record,
    Remove,
    RetireKey,
    RunInside,
    Set,
    Start,
    Stop,
    from_json,
    is_disruptive,
    quote,
    routeros_command,
    symbol,
    to_json,
)
from mtts.core.plan_file import dumps
from mtts.core.plan_node import plan_node
from mtts.core.secret import Literal, Secret
from tests.core.examples import a_node, a_release, a_router, facts_of
from tests.lab.desk import make_device, printed

EVERY_KIND: list[tuple[Change, str, str]] = [
    (
        Add("/interface/veth", "veth", "", {"name": "v"}, {"name": "v", "address": "172.20.0.2/30"}),
        "+",
        "/interface/veth/add name=v address=172.20.0.2/30",
    ),
    (
        Set("/container/envs", "env", "", {"list": "mtts-a", "key": "K"}, {"value": "a"}, {"value": "b c"}),
        "~",
        '/container/envs/set [find list=mtts-a key=K] value="b c"',
    ),
    (
        Set("/container/config", "tmpdir", "", {}, {"tmpdir": "x"}, {"tmpdir": ""}),
        "~",
        '/container/config/set tmpdir=""',
    ),
    (
        Remove("/ip/route", "route", "", {".id": "*8000", "comment": "mtts:a"}),
        "-",
        "/ip/route/remove [find .id=*8000 comment=mtts:a]",
    ),
    (
        Remove("/container", "container", "", {"root-dir": "usb 1/mtts/root/a.b"}),
        "-",
        '/container/remove [find where root-dir~"^/*usb 1/mtts/root/a\\\\.b\\$"]',
    ),
    (AwaitPull("r", "container", ""), ">", ""),
    (ProveImage("r", "container", ""), ">", ""),
    (PlaceKey("flash/mtts/k", "key", ""), ">", "/file/add name=flash/mtts/k contents=<auth key>"),
    (RetireKey("my disk/k", "key", ""), ">", '/file/remove "my disk/k"'),
    (Start("mtts/root/a", "container", ""), ">", '/container/start [find where root-dir~"^/*mtts/root/a\\$"]'),
    (Stop("mtts/root/a", "container", ""), ">", '/container/stop [find where root-dir~"^/*mtts/root/a\\$"]'),
    (
        RunInside("mtts/root/a", "container", "", "tailscale up --reset"),
        ">",
        '/container/shell [find where root-dir~"^/*mtts/root/a\\$"] cmd="tailscale up --reset"',
    ),
    (AwaitHealthy("r", "node", ""), ">", ""),
    (
        Record("mtts/root/a", "container", "", "mtts:a v=1", {"start-on-boot": "yes"}),
        ">",
        '/container/set [find where root-dir~"^/*mtts/root/a\\$"] comment="mtts:a v=1" start-on-boot=yes',
    ),
]


@pytest.mark.parametrize(("change", "mark", "command"), EVERY_KIND)
def test_a_change_is_shown_as_the_command_that_does_it(change: Change, mark: str, command: str) -> None:
    assert symbol(change) == mark
    assert routeros_command(change) == command


@given(root=st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20), other=st.text(max_size=3))
def test_a_container_is_found_by_its_root_directory_as_any_version_shows_it_and_no_other_is(
    root: str, other: str
) -> None:
    """RouterOS 7.22 and newer show it with a slash before it."""
    root = root.strip("/") or "a"
    pattern = routeros_command(Stop(root, "", "")).partition("~")[2].removesuffix("]")
    device = make_device("7.23.3")
    shown = {root: True, f"/{root}": True, f"{root}{other}x": False, f"x{other}/{root}": False}

    for text, is_found in shown.items():
        in_quotes = f'{quote(f"{text} ")[:-2]}"'
        assert printed(device, f":put ({in_quotes} ~ {pattern})") == str(is_found).lower(), text


def test_every_kind_of_change_is_tried_here() -> None:
    assert {type(change) for change, _, _ in EVERY_KIND} == set(get_args(Change))


@pytest.mark.parametrize("change", [change for change, _, _ in EVERY_KIND])
def test_a_change_survives_json(change: Change) -> None:
    assert from_json(to_json([change, change])) == (change, change)


def test_the_other_ways_of_writing_survive_json_too() -> None:
    change = Add("/container", "c", "", {}, {"tmpfs": "a:1"}, ({"tmpfs": "1@a"}, {}), disruptive=True)
    assert from_json(to_json([change])) == (change,)


@pytest.mark.parametrize(
    ("change", "disrupts"),
    [
        (Add("/file", "", "", {}, {}), False),
        (Add("/container/envs", "", "", {}, {}, disruptive=True), True),
        (Set("/container", "", "", {}, {}, {}), False),
        (Set("/container", "", "", {}, {}, {}, disruptive=True), True),
        (Remove("/container", "", "", {}), False),
        (Remove("/container", "", "", {}, disruptive=True), True),
        (Stop("", "", ""), True),
        (Stop("", "", "", disruptive=False), False),
        *((change, False) for change, _, _ in EVERY_KIND[4:] if not isinstance(change, Stop)),
    ],
)
def test_only_what_takes_the_node_off_the_tailnet_disrupts(change: Change, *, disrupts: bool) -> None:
    assert is_disruptive(change) is disrupts


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", '""'),
        ("plain-1.2_3/4:5", "plain-1.2_3/4:5"),
        ("two words", '"two words"'),
        ('"; /system/reset "', '"\\"; /system/reset \\""'),
        ("$(x) [find]", '"\\$(x) [find]"'),
        ("a\\", '"a\\\\"'),
        ("what?", '"what\\?"'),
        ("a\nb\r\t\x1b\x7f", '"a\\0Ab\\0D\\09\\1B\\7F"'),
        ("größe", '"größe"'),
        ("²", '"²"'),
        ("{x}", '"{x}"'),
        ("*1", '"*1"'),
        ("a=b", '"a=b"'),
        ("a;b", '"a;b"'),
        ("#c", '"#c"'),
    ],
)
def test_a_value_is_quoted_as_the_console_wants_it(value: str, quoted: str) -> None:
    assert quote(value) == quoted


_QUOTED = re.compile(r'"((?:[^"\\$\x00-\x1f]|\\["\\$?]|\\[0-9A-F]{2})*)"')
_ESCAPE = re.compile(r"\\([0-9A-F]{2}|.)")


def console_reads(text: str) -> str:
    """What the console makes of one word: the escapes of MikroTik's manual, and no `$` that is not escaped."""
    if re.fullmatch(r"[A-Za-z0-9._/:-]+", text):
        return text
    match = _QUOTED.fullmatch(text)
    assert match, f"{text} ends early or expands something"
    return _ESCAPE.sub(lambda found: found[1] if len(found[1]) == 1 else chr(int(found[1], 16)), match[1])


@given(st.text())
@pytest.mark.parametrize("around", ["{}", '"{}"', "$[{}]", "{}\\", "\n{}"])
def test_no_value_leaves_its_quotes(around: str, value: str) -> None:
    hostile = around.replace("{}", value)
    assert console_reads(quote(hostile)) == hostile


def test_no_secret_is_in_a_plan() -> None:
    node = a_node(auth_key=Literal(Secret("tskey-canary")))
    router = a_router(node, password=Literal(Secret("password-canary")))
    plan = plan_node(router=router, node=node, facts=facts_of(), release=a_release())
    assert any(isinstance(change, PlaceKey) for change in plan.changes)
    shown = dumps([plan]) + repr(plan) + "".join(map(routeros_command, plan.changes))
    assert "canary" not in shown
