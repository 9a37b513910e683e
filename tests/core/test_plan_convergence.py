"""What a plan promises: applied whole it leaves nothing to do, and applied half it is finished by the next one."""

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from mtts.core.inventory import NodeSpec, Router
from mtts.core.plan import Plan
from mtts.core.plan_node import plan_node
from tests.core.examples import MIB, a_node, a_release, a_router
from tests.core.paper_router import PaperRouter

VERSIONS = ("7.18.2", "7.19.6", "7.20.8", "7.21", "7.21.5", "7.22.3", "7.23.1", "7.23.3", "7.24")

RICH: dict[str, Any] = {
    "advertise_routes": (IPv4Network("192.168.88.0/24"),),
    "exit_node": True,
    "accept_routes": True,
    "tags": ("tag:router",),
    "serve": {443: "http://192.168.88.10:8080"},
    "direct": 41641,
    "routes": (IPv4Network("10.9.0.0/16"),),
    "magicdns": True,
    "interface_lists": ("LAN",),
    "tmpfs_size_bytes": 16 * MIB,
}

EDITS: dict[str, dict[str, Any]] = {
    "hostname": {"hostname": "router9"},
    "poor": dict.fromkeys(("advertise_routes", "tags", "routes", "interface_lists"), ())
    | {"exit_node": False, "accept_routes": False, "serve": {}, "direct": None, "magicdns": False},
    "address": {"address": IPv4Interface("172.31.255.2/30")},
    "bridge": {"bridge": "bridge1"},
    "veth": {"veth": "ts0"},
    "quiet": {"logging": False, "start_on_boot": False},
    "port": {"direct": 41642, "interface_lists": ("WAN",)},
    "everything": {"hostname": "router9", "veth": "ts0", "bridge": "bridge1", "magicdns": False, "direct": 41642},
}


def plan_on(paper: PaperRouter, router: Router, node: NodeSpec) -> Plan:
    return plan_node(router=router, node=node, facts=paper.facts(router, node), release=paper.release)


def deployed(version: str, router: Router) -> PaperRouter:
    paper = PaperRouter(version, a_release())
    for node in router.nodes:
        paper.apply_all(plan_on(paper, router, node).changes)
    return paper


def assert_converged(paper: PaperRouter, router: Router) -> None:
    for node in router.nodes:
        plan = plan_on(paper, router, node)
        assert plan.is_converged, plan.changes
        unread = replace(paper.facts(router, node), preconditions=None)
        if not node.serve:  # the file that `serve` lies in is read with the preconditions
            assert plan_node(router=router, node=node, facts=unread).is_converged
        assert not any(name.endswith("authkey") for name in paper.files)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("settings", [{}, RICH], ids=["plain", "rich"])
def test_a_deploy_killed_after_any_change_is_finished_by_the_next(version: str, settings: dict[str, Any]) -> None:
    router = a_router(a_node(**settings))
    (node,) = router.nodes
    whole = deployed(version, router)
    assert_converged(whole, router)
    changes = plan_on(PaperRouter(version, a_release()), router, node).changes
    assert len(changes) > 20
    for killed_after in range(len(changes)):
        paper = PaperRouter(version, a_release())
        paper.apply_all(changes[:killed_after])
        paper.apply_all(plan_on(paper, router, node).changes)
        assert_converged(paper, router)
        assert paper.comparable() == whole.comparable(), f"killed after {changes[:killed_after][-1:]}"


@pytest.mark.parametrize("version", ["7.18.2", "7.20.8", "7.23.3"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_killed_after_any_change_is_finished_by_the_next(version: str, edit: str) -> None:
    before = a_router(a_node(**RICH))
    after = a_router(a_node(**RICH | EDITS[edit]))
    (node,) = after.nodes
    changes = plan_on(deployed(version, before), after, node).changes
    assert changes
    whole = deployed(version, before)
    whole.apply_all(changes)
    assert_converged(whole, after)
    for killed_after in range(1, len(changes)):
        paper = deployed(version, before)
        paper.apply_all(changes[:killed_after])
        paper.apply_all(plan_on(paper, after, node).changes)
        assert_converged(paper, after)
        assert paper.comparable() == whole.comparable(), f"killed after {changes[:killed_after][-1:]}"


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
def test_two_nodes_converge_side_by_side(version: str) -> None:
    router = a_router(a_node(), a_node(name="web", hostname="web", interface_lists=("LAN",)))
    assert_converged(deployed(version, router), router)


def test_an_edit_leaves_what_a_first_deploy_of_it_makes() -> None:
    # The address was chosen by the former hostname, and stays.
    address = IPv4Interface("172.31.255.2/30")
    before, after = a_router(a_node(**RICH, address=address)), a_router(a_node(address=address))
    paper = deployed("7.23.3", before)
    paper.apply_all(plan_on(paper, after, after.nodes[0]).changes)
    fresh = deployed("7.23.3", after).comparable()
    found = paper.comparable()
    del fresh["/disk"], found["/disk"]  # a shared tmpfs never shrinks
    assert found == fresh
