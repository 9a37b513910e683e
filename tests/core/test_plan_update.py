"""The swap as data: what it does in which order, and what every prefix of it leaves for the next run."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from mtts.core.changes import Add, AwaitHealthy, Change, ProveImage, Record, Remove
from mtts.core.dialect import Dialect
from mtts.core.facts import ContainerRow, Facts
from mtts.core.health import Evidence, Health
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec
from mtts.core.plan_update import Refused, SwapPlan, plan_swap, state_source
from mtts.core.rows import container_row
from mtts.core.slots import Slots, clearing, slots_of
from mtts.core.tag import Tag
from tests.core.examples import MIB, READY, a_container, a_node, a_release, a_router, an_item, digest, facts_of
from tests.core.paper_router import PaperRouter
from tests.core.test_plan_convergence import RICH, VERSIONS, deployed

NEXT = a_release(version="1.92.0", index_digest=digest("a"), manifest_digest=digest("b"), config_digest=digest("c"))
BOOTS = ("yes", "true")


def slots_on(paper: PaperRouter, node: NodeSpec) -> Slots:
    slots = slots_of(tuple(container_row(row) for row in paper.menus["/container"]), node.name)
    assert isinstance(slots, Slots)
    return slots


def plan_on(paper: PaperRouter, node: NodeSpec, release: Release = NEXT, **known: Any) -> SwapPlan | Refused:
    paper.release = release
    router, slots = a_router(node), slots_on(paper, node)
    assert slots.live is not None
    facts = replace(paper.facts(router, node), **known)
    return plan_swap(router=router, node=node, facts=facts, slots=slots, live=slots.live, release=release)


def swap_on(paper: PaperRouter, node: NodeSpec, release: Release = NEXT, **known: Any) -> SwapPlan:
    planned = plan_on(paper, node, release, **known)
    assert isinstance(planned, SwapPlan), planned
    return planned


def on_paper(changes: Iterable[Change]) -> list[Change]:
    """Those that do something on paper."""
    return [change for change in changes if not isinstance(change, ProveImage)]


def kinds(changes: Iterable[Change]) -> list[str]:
    """`Add /container`, `Start`, …"""
    return [f"{type(change).__name__} {getattr(change, 'path', '')}".rstrip() for change in changes]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_swap_stages_then_switches_then_commits(version: str) -> None:
    node = a_node()
    planned = swap_on(deployed(version, a_router(node)), node)

    assert kinds(planned.stage) == ["Add /container", "AwaitPull", "ProveImage"]
    assert kinds(planned.switch) == ["Stop", "Start", "AwaitHealthy"]
    assert kinds(planned.commit) == ["Record", "Set /container", "Remove /container"]
    assert planned.changes == (*planned.stage, *planned.switch, *planned.commit)
    a, b = "mtts/root/tailscale/a", "mtts/root/tailscale/b"
    assert planned.staged_root == b
    roots = [
        getattr(change, "root_dir", None) or getattr(change, "identity", {}).get("root-dir")
        for change in planned.changes
    ]
    assert roots == [b, b, b, a, b, b, b, a, a]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [{}, RICH, {"start_on_boot": False}], ids=["plain", "rich", "by hand"])
def test_a_swap_applied_whole_changes_the_container_alone(version: str, kind: dict[str, Any]) -> None:
    node = a_node(**kind)
    paper = deployed(version, a_router(node))
    planned = swap_on(paper, node)
    before = {path: rows for path, rows in paper.comparable().items() if path != "/container"}

    paper.apply_all(on_paper(planned.changes))

    (row,) = paper.menus["/container"]
    assert row["root-dir"].endswith("/b")
    tag = Tag.parse(row["comment"])
    assert tag is not None
    assert (tag.version, tag.platform, tag.index) == ("1.92.0", digest("b"), digest("a"))
    assert (row["start-on-boot"] in BOOTS) is node.start_on_boot
    assert {path: rows for path, rows in paper.comparable().items() if path != "/container"} == before
    back = swap_on(paper, node, a_release())
    assert back.staged_root == "mtts/root/tailscale/a"


@pytest.mark.parametrize("version", ["7.18.2", "7.21.5", "7.23.3"])
def test_every_prefix_of_a_swap_is_undone_or_finished_by_what_the_router_shows(version: str) -> None:
    node = a_node(**RICH)
    length = len(on_paper(swap_on(deployed(version, a_router(node)), node).changes))
    for number in range(length + 1):
        paper = deployed(version, a_router(node))
        old = paper.comparable()
        changes = on_paper(swap_on(paper, node).changes)
        for change in changes[:number]:
            paper.apply(change)
            assert_safe(paper)
        for change in clearing(slots_on(paper, node)):
            paper.apply(change)
            assert_safe(paper)

        (row,) = paper.menus["/container"]
        is_done = any(isinstance(change, Record) for change in changes[:number])
        assert row["root-dir"].endswith("/b" if is_done else "/a")
        assert "running" in (row.get("status"), *row)
        if not is_done:
            assert paper.comparable() == old
        assert not list(clearing(slots_on(paper, node))), "nothing is left to clear"


def assert_safe(paper: PaperRouter) -> None:
    """What holds at every moment of a swap."""
    rows = paper.menus["/container"]
    running = [row for row in rows if "running" in (row.get("status"), *row)]
    bootable = [row for row in rows if row.get("start-on-boot") in BOOTS]
    recorded = [row for row in rows if (tag := Tag.parse(row["comment"])) is not None and tag.is_recorded]
    assert len(running) <= 1, "I5"
    assert all(row in recorded for row in bootable), "nothing unproven boots"
    assert bootable, "I4: whatever happens, a boot brings the node back"
    assert all("arch" in row for row in recorded), "I16"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_staged_entry_neither_boots_nor_restarts_nor_is_recorded(version: str) -> None:
    node = a_node()
    add = next(change for change in swap_on(deployed(version, a_router(node)), node).stage if isinstance(change, Add))
    assert add.props["start-on-boot"] == "no"
    assert add.props["comment"] == "mtts:tailscale"
    assert not {"restart-policy", "auto-restart-interval"} & set(add.props)
    assert not any("restart-policy" in form or "start-on-boot" in form for form in add.alternatives)


def test_both_slots_share_veth_mounts_and_environment() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    (live,) = paper.menus["/container"]
    add = next(change for change in swap_on(paper, a_node()).stage if isinstance(change, Add))
    shared = ("interface", "mountlists", "envlists", "hostname", "tmpfs", "logging")
    assert {prop: add.props[prop] for prop in shared} == {prop: live[prop] for prop in shared}


def test_leftovers_go_before_the_next_release_comes() -> None:
    paper, node = deployed("7.23.3", a_router(a_node())), a_node()
    half = swap_on(paper, node)
    paper.apply_all(on_paper(half.stage))
    again = swap_on(paper, node)
    assert kinds(again.stage) == ["Remove /container", "Add /container", "AwaitPull", "ProveImage"]


def test_a_directory_that_no_entry_uses_goes_first() -> None:
    planned = swap_on(
        deployed("7.23.3", a_router(a_node())), a_node(), preconditions=replace(READY, leftover_root=True)
    )
    first = planned.stage[0]
    assert isinstance(first, Remove)
    assert (first.path, first.identity) == ("/file", {"name": planned.staged_root})


def test_scratch_space_that_went_missing_comes_first() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    paper.menus["/disk"].clear()
    paper.menus["/container/config"][0]["tmpdir"] = ""
    assert kinds(swap_on(paper, a_node()).stage)[:3] == ["Add /disk", "Set /container/config", "Add /container"]


@pytest.mark.parametrize(
    ("known", "node", "wanted"),
    [
        (Health(Evidence.STATUS, "Running", node_id="n1"), {}, "n1"),
        (Health(Evidence.LOG, "Running"), {}, None),
        (None, {}, None),
        (Health(Evidence.STATUS, "Running", node_id="n1"), {"ephemeral": True}, None),
    ],
    ids=["seen", "seen in the log", "not seen", "ephemeral"],
)
def test_the_node_must_come_back_as_whom_it_was_seen(
    known: Health | None, node: dict[str, Any], wanted: str | None
) -> None:
    planned = swap_on(deployed("7.23.3", a_router(a_node())), a_node(**node), health=known)
    (proof,) = (change for change in planned.switch if isinstance(change, AwaitHealthy))
    assert proof.node_id == wanted


REFUSALS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "no room": ("flash-too-small", {"preconditions": READY}, {"extracted_bytes": 2000 * MIB}),
    "through the node": ("path-through-node", {"preconditions": replace(READY, tailnet_session=True)}, {}),
    "clock": ("clock-wrong", {"preconditions": replace(READY, clock_skew_s=9000.0)}, {}),
    "device-mode": (
        "device-mode-forbids-container", {"preconditions": replace(READY, device_mode_container=False)}, {}
    ),
    "dns": ("dns-missing", {"preconditions": replace(READY, dns_servers=())}, {}),
    "no command": ("image-without-command", {"preconditions": READY}, {"entrypoint": (), "cmd": ()}),
}  # fmt: skip


@pytest.mark.parametrize(("code", "known", "release"), REFUSALS.values(), ids=REFUSALS)
def test_a_swap_that_must_not_be_is_refused(code: str, known: dict[str, Any], release: dict[str, Any]) -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    planned = plan_on(paper, a_node(), replace(NEXT, **release), **known)
    assert isinstance(planned, Refused)
    assert code in {problem.code for problem in planned.problems}


# a container that was set up by hand and adopted


def adopted(**other: str) -> tuple[Facts, ContainerRow]:
    row = {
        "comment": "mtts:tailscale adopted",
        "name": "ts",
        "root_dir": "/containers/ts",
        "interface": "veth1",
        "hostname": "old-router",
        "mountlists": "tailscale",
        "envlists": "tailscale",
        "dns": "192.168.88.1",
        "user": "0:0",
        "memory_high": "unlimited",
        "start_on_boot": "true",
        "restart_policy": "always",
        "entrypoint": "/usr/local/bin/containerboot",
        "cmd": "",
    }
    live = a_container(**row | other)
    return replace(facts_of(), containers=(live,)), live


def swap_adopted(**other: str) -> SwapPlan:
    facts, live = adopted(**other)
    node = a_node()
    planned = plan_swap(router=a_router(node), node=node, facts=facts, slots=Slots(live), live=live, release=NEXT)
    assert isinstance(planned, SwapPlan), planned
    return planned


def test_an_adopted_container_hands_its_settings_on() -> None:
    planned = swap_adopted()
    add = next(change for change in planned.stage if isinstance(change, Add) and change.path == "/container")
    assert add.props == {
        "remote-image": "registry.example.net/team/mikrotik-tailscale:stable",
        "root-dir": "mtts/root/tailscale/a",
        "name": "tailscale-a",
        "comment": "mtts:tailscale",
        "start-on-boot": "no",
        "interface": "veth1",
        "hostname": "old-router",
        "mountlists": "tailscale",
        "envlists": "tailscale",
        "dns": "192.168.88.1",
        "user": "0:0",
        "entrypoint": "/usr/local/bin/containerboot",
    }


def test_an_adopted_container_stays_adopted_and_boots_as_it_did() -> None:
    (record,) = (change for change in swap_adopted().commit if isinstance(change, Record))
    tag = Tag.parse(record.comment)
    assert tag is not None
    assert tag.adopted
    assert tag.platform == digest("b")
    assert record.settings == {"start-on-boot": "true", "restart-policy": "always"}


def test_an_adopted_container_without_a_command_is_given_the_image_s() -> None:
    (add,) = (change for change in swap_adopted(entrypoint="").stage if getattr(change, "path", "") == "/container")
    assert isinstance(add, Add)
    assert add.props["entrypoint"] == "/entrypoint"


# where the state lies


@pytest.mark.parametrize(
    ("row", "mounts", "source"),
    [
        ({"mountlists": "t"}, [{"list": "t", "src": "/disk1/ts", "dst": "/var/lib/tailscale"}], "disk1/ts"),
        ({"mountlists": "t"}, [{"list": "t", "src": "disk1/ts", "dst": "/var/lib/tailscale/"}], "disk1/ts"),
        ({"mountlists": "a,t"}, [{"list": "t", "src": "/disk1", "dst": "/var/lib"}], "disk1/tailscale"),
        ({"mountlists": "t"}, [{"list": "u", "src": "/disk1/ts", "dst": "/var/lib/tailscale"}], None),
        ({"mountlists": "t"}, [{"list": "t", "src": "/disk1/ts", "dst": "/var/lib/tailscale-old"}], None),
        ({"mountlists": "t"}, [{"list": "t", "src": "/disk1/ts", "dst": "/var/lib/tail"}], None),
        ({}, [], None),
    ],
)
def test_the_state_is_found_behind_the_mounts(
    row: dict[str, str], mounts: list[dict[str, str]], source: str | None
) -> None:
    dialect = Dialect(facts_of().version)
    assert state_source(a_container(**row), tuple(an_item(**mount) for mount in mounts), dialect) == source
