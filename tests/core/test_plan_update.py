"""What is staged for a swap, and what its transaction says: the rest is the machine's (test_transaction.py)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from mtts.core.changes import Add, Change, PlaceKey, Remove
from mtts.core.dialect import Dialect
from mtts.core.facts import ContainerRow, Facts
from mtts.core.health import Evidence, Health
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec
from mtts.core.plan_update import Refused, SwapOrder, SwapPlan, open_swap, plan_swap, staged_before, state_source
from mtts.core.rows import container_row
from mtts.core.slots import Slots, clearing, slots_of
from mtts.core.tag import Tag
from tests.core.examples import MIB, READY, a_container, a_node, a_release, a_router, an_item, digest, facts_of
from tests.core.paper_router import PaperRouter
from tests.core.test_plan_convergence import RICH, VERSIONS, deployed

NEXT = a_release(version="1.92.0", index_digest=digest("a"), manifest_digest=digest("b"), config_digest=digest("c"))
A, B = "mtts/root/tailscale/a", "mtts/root/tailscale/b"
KINDS = pytest.mark.parametrize("kind", [{}, RICH, {"start_on_boot": False}], ids=["plain", "rich", "by hand"])


def slots_on(paper: PaperRouter, node: NodeSpec) -> Slots:
    slots = slots_of(tuple(container_row(row) for row in paper.menus["/container"]), node.name)
    assert isinstance(slots, Slots)
    return slots


def plan_on(
    paper: PaperRouter, node: NodeSpec, release: Release = NEXT, *, transaction: str = "t1", **known: Any
) -> SwapPlan | Refused:
    paper.release = release
    router, slots = a_router(node), slots_on(paper, node)
    assert slots.live is not None
    facts = replace(paper.facts(router, node), **known)
    return plan_swap(
        router=router,
        node=node,
        facts=facts,
        slots=slots,
        live=slots.live,
        release=release,
        order=SwapOrder(transaction, bridge=""),
    )


def swap_on(paper: PaperRouter, node: NodeSpec, release: Release = NEXT, **known: Any) -> SwapPlan:
    planned = plan_on(paper, node, release, **known)
    assert isinstance(planned, SwapPlan), planned
    return planned


def staged_entry(planned: SwapPlan) -> Add:
    (add,) = (change for change in planned.stage if isinstance(change, Add) and change.path == "/container")
    return add


def kinds(changes: Iterable[Change]) -> list[str]:
    """`Add /container`, `Start`, …"""
    return [f"{type(change).__name__} {getattr(change, 'path', '')}".rstrip() for change in changes]


def with_comment(paper: PaperRouter, root: str, comment: str) -> None:
    (row,) = (row for row in paper.menus["/container"] if row["root-dir"] == root)
    row["comment"] = comment


# what is staged


@pytest.mark.parametrize("version", VERSIONS)
@KINDS
def test_one_entry_is_staged_beside_the_one_that_serves_and_nothing_else_changes(
    version: str, kind: dict[str, Any]
) -> None:
    node = a_node(**kind)
    paper = deployed(version, a_router(node))
    (old,) = paper.comparable()["/container"]
    before = {path: rows for path, rows in paper.comparable().items() if path != "/container"}
    planned = swap_on(paper, node)

    assert kinds(planned.stage) == ["Add /container"]
    paper.apply_all(planned.stage)

    rows = paper.comparable()["/container"]
    assert old in rows
    assert sorted(row["root-dir"] for row in rows) == [A, B]
    assert planned.transaction.staged_root == B
    assert {path: found for path, found in paper.comparable().items() if path != "/container"} == before


@pytest.mark.parametrize("version", VERSIONS)
@KINDS
def test_the_staged_entry_says_what_it_is_meant_to_be_and_neither_boots_nor_restarts(
    version: str, kind: dict[str, Any]
) -> None:
    node = a_node(**kind)
    paper = deployed(version, a_router(node))
    planned = swap_on(paper, node)
    add, transaction = staged_entry(planned), planned.transaction

    assert add.props["start-on-boot"] == "no"
    assert not {"restart-policy", "auto-restart-interval"} & set(add.props)
    assert not any("restart-policy" in form or "start-on-boot" in form for form in add.alternatives)
    tag = Tag.parse(add.props["comment"])
    assert tag == transaction.staged
    assert tag is not None
    assert (tag.next_in, tag.version, tag.platform, tag.index) == ("t1", "1.92.0", digest("b"), digest("a"))
    assert not tag.is_recorded
    live = slots_on(paper, node).live
    assert live is not None
    assert live.tag is not None
    assert tag.extras == live.tag.extras


@pytest.mark.parametrize("version", ["7.18.2", "7.21.5", "7.23.3"])
@KINDS
def test_what_was_staged_is_cleared_without_a_trace(version: str, kind: dict[str, Any]) -> None:
    node = a_node(**kind)
    paper = deployed(version, a_router(node))
    before = paper.comparable()
    paper.apply_all(swap_on(paper, node).stage)
    cleared = list(clearing(slots_on(paper, node)))
    assert kinds(cleared) == ["Remove /container"]
    paper.apply_all(cleared)
    assert paper.comparable() == before


def test_both_slots_share_veth_mounts_and_environment() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    (live,) = paper.menus["/container"]
    add = staged_entry(swap_on(paper, a_node()))
    shared = ("interface", "mountlists", "envlists", "hostname", "tmpfs", "logging")
    assert {prop: add.props[prop] for prop in shared} == {prop: live[prop] for prop in shared}


def test_a_directory_that_no_entry_uses_goes_first() -> None:
    planned = swap_on(
        deployed("7.23.3", a_router(a_node())), a_node(), preconditions=replace(READY, leftover_root=True)
    )
    first = planned.stage[0]
    assert isinstance(first, Remove)
    assert (first.path, first.identity) == ("/file", {"name": planned.transaction.staged_root})


def test_scratch_space_that_went_missing_comes_first() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    paper.menus["/disk"].clear()
    paper.menus["/container/config"][0]["tmpdir"] = ""
    assert kinds(swap_on(paper, a_node()).stage)[:3] == ["Add /disk", "Set /container/config", "Add /container"]


# what an interrupted run staged


def test_the_same_release_that_is_staged_already_is_not_pulled_again() -> None:
    paper, node = deployed("7.23.3", a_router(a_node())), a_node()
    first = swap_on(paper, node, transaction="t1")
    paper.apply_all(first.stage)
    again = swap_on(paper, node, transaction="t2")
    assert again.stage == ()
    assert again.transaction == first.transaction, "it is the same transaction, with the id that the router shows"


def test_marks_of_the_run_that_staged_it_are_not_part_of_its_tag() -> None:
    paper, node = deployed("7.23.3", a_router(a_node())), a_node()
    first = swap_on(paper, node)
    paper.apply_all(first.stage)
    with_comment(paper, B, f"{first.transaction.staged} armed=2")
    assert swap_on(paper, node).transaction.staged == first.transaction.staged


@pytest.mark.parametrize(
    "comment",
    ["{staged} failed=unhealthy", "{staged} armed=1 abort", "mtts:tailscale", "mtts:tailscale next=t0"],
    ids=["went back", "was to go back", "belongs to no swap", "says nothing of its release"],
)
def test_what_was_staged_in_vain_goes_before_the_next_one_comes(comment: str) -> None:
    paper, node = deployed("7.23.3", a_router(a_node())), a_node()
    first = swap_on(paper, node)
    paper.apply_all(first.stage)
    with_comment(paper, B, comment.format(staged=first.transaction.staged))
    again = swap_on(paper, node, transaction="t2")
    assert kinds(again.stage) == ["Remove /container", "Add /container"]
    assert again.transaction.id == "t2"


def test_another_release_that_is_staged_makes_room() -> None:
    paper, node = deployed("7.23.3", a_router(a_node())), a_node()
    paper.apply_all(swap_on(paper, node).stage)
    newer = replace(NEXT, version="1.94.0", manifest_digest=digest("d"))
    again = swap_on(paper, node, newer, transaction="t2")
    assert kinds(again.stage) == ["Remove /container", "Add /container"]
    assert again.transaction.staged.platform == digest("d")


@pytest.mark.parametrize("state", ["download/extract failed", "deleting"])
def test_an_entry_whose_image_did_not_come_is_not_waited_for_again(state: str) -> None:
    tag = Tag("tailscale").staging(NEXT, "t1")
    staged = a_container(running="false", **{state: "true"}, comment=str(tag))
    assert staged_before(Slots(a_container(), (staged,)), NEXT) is None


# the transaction


@pytest.mark.parametrize("version", VERSIONS)
@KINDS
def test_once_verified_the_new_container_gets_what_a_deploy_gives_it(version: str, kind: dict[str, Any]) -> None:
    node = a_node(**kind)
    paper = deployed(version, a_router(node))
    (live,) = paper.menus["/container"]
    transaction = swap_on(paper, node).transaction

    assert (transaction.id, transaction.node) == ("t1", "tailscale")
    assert transaction.boots is node.start_on_boot
    assert "start-on-boot" not in transaction.settings, "the guard hands it over"
    assert {prop: live.get(prop) for prop in transaction.settings} == transaction.settings


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
    assert planned.transaction.node_id == wanted


def test_only_a_node_without_an_identity_of_its_own_needs_a_key_at_its_start() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    assert swap_on(paper, a_node()).transaction.before_start == ()
    (change,) = swap_on(paper, a_node(ephemeral=True)).transaction.before_start
    assert isinstance(change, PlaceKey)
    assert change.file == "mtts/state/by-hostname/router1/authkey"


@KINDS
@pytest.mark.parametrize("marks", ["", " armed=1", " armed=3 failed=unhealthy", " armed=1 abort"])
def test_an_open_swap_is_what_it_was_from_the_tags_alone(kind: dict[str, Any], marks: str) -> None:
    node = a_node(**kind)
    paper = deployed("7.23.3", a_router(node))
    planned = swap_on(paper, node).transaction
    paper.apply_all(swap_on(paper, node).stage)
    with_comment(paper, B, f"{planned.staged}{marks}")
    assert opened(paper, node) == planned


def test_an_open_swap_that_was_confirmed_is_the_one_that_was_staged() -> None:
    node = a_node()
    paper = deployed("7.23.3", a_router(node))
    planned = swap_on(paper, node).transaction
    paper.apply_all(swap_on(paper, node).stage)
    with_comment(paper, B, str(replace(planned.staged, next_in=None, tx="t1")))
    assert opened(paper, node) == planned


def opened(paper: PaperRouter, node: NodeSpec) -> object:
    """The open swap, as a run that knows nothing finds it."""
    old, new = (container_row(row) for row in sorted(paper.menus["/container"], key=lambda row: row["root-dir"]))
    id_ = slots_on(paper, node).open_transaction
    assert id_ is not None
    found = open_swap(id_, node=node, dialect=Dialect(facts_of().version), old=old, new=new)
    return replace(found, staged_root=found.staged_root.lstrip("/"))


# what is refused


REFUSALS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "no room": ("flash-too-small", {"preconditions": READY}, {"extracted_bytes": 2000 * MIB}),
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


def test_a_session_through_the_node_itself_is_no_reason_against_a_swap() -> None:
    paper = deployed("7.23.3", a_router(a_node()))
    through = swap_on(paper, a_node(), preconditions=replace(READY, tailnet_session=True))
    assert through == swap_on(paper, a_node(), preconditions=READY)


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
    planned = plan_swap(
        router=a_router(node),
        node=node,
        facts=facts,
        slots=Slots(live),
        live=live,
        release=NEXT,
        order=SwapOrder("t1", bridge=""),
    )
    assert isinstance(planned, SwapPlan), planned
    return planned


def test_an_adopted_container_hands_its_settings_on() -> None:
    add = staged_entry(swap_adopted())
    assert add.props == {
        "remote-image": "registry.example.net/team/mikrotik-tailscale:stable",
        "root-dir": "mtts/root/tailscale/a",
        "name": "tailscale-a",
        "comment": str(replace(Tag("tailscale"), adopted=True).staging(NEXT, "t1")),
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
    transaction = swap_adopted().transaction
    assert transaction.staged.adopted
    assert transaction.staged.platform == digest("b")
    assert transaction.boots
    assert transaction.settings == {"restart-policy": "always"}
    assert not swap_adopted(start_on_boot="false").transaction.boots


def test_an_adopted_container_without_a_command_is_given_the_image_s() -> None:
    assert staged_entry(swap_adopted(entrypoint="")).props["entrypoint"] == "/entrypoint"


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
