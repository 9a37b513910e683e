"""`mtts remove`: everything of the node's goes, what others use and the identity stay."""

from dataclasses import replace
from typing import Any

import pytest

from mtts.core.changes import Change, Remove, Set
from mtts.core.plan import Plan
from mtts.core.removal import plan_removal
from mtts.core.rows import items
from tests.core.examples import READY, a_node, a_release, a_router
from tests.core.paper_router import PaperRouter
from tests.core.test_plan_convergence import RICH, VERSIONS, deployed, plan_on

RUNNING = {
    "/system/scheduler": items(
        [
            {".id": "*1", "name": "mtts-bridge-tailscale", "comment": "mtts:tailscale"},
            {".id": "*2", "name": "mtts-updater-tailscale", "comment": "mtts:updater"},
            {".id": "*3", "name": "mtts-updater-web", "comment": "mtts:updater"},
            {".id": "*4", "name": "mtts-updater-tailscale", "comment": "somebody's"},
        ]
    ),
    "/system/script": items(
        [
            {".id": "*1", "name": "mtts-updater-tailscale", "comment": "mtts:updater failed=sha256:00"},
            {".id": "*2", "name": "mtts-updater-web", "comment": "mtts:updater"},
            {".id": "*3", "name": "mtts-lock", "comment": "mtts:lock by=admin1/1 run=8c4f uptime=1"},
        ]
    ),
}


def removal(paper: PaperRouter, *nodes: Any, purge: bool = False, **router: Any) -> Plan:
    spec = a_router(*nodes, **router)
    facts = paper.facts(spec, nodes[0])
    # Every menu is read for a removal, whatever the comment names.
    tables = paper.everything().tables
    return plan_removal(router=spec, node=nodes[0], facts=replace(facts, tables=tables), purge_identity=purge)


def places(changes: tuple[Change, ...]) -> list[str]:
    return [change.path for change in changes if isinstance(change, Remove | Set)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_removed_node_leaves_an_untouched_router(version: str) -> None:
    node = a_node(**RICH)
    paper = deployed(version, a_router(node))
    state = f"mtts/state/by-hostname/{node.hostname}"
    fresh = PaperRouter(version, a_release())
    fresh.menus["/file"] = paper.menus["/file"]  # `serve` lies with the identity
    paper.apply_all(removal(paper, node).changes)
    assert paper.comparable() == fresh.comparable()
    assert state in paper.identities
    assert not removal(paper, node).changes


def test_what_others_use_stays_with_them() -> None:
    first, second = a_node(), a_node(name="web", hostname="web")
    paper = deployed("7.23.3", a_router(first, second))
    changes = removal(paper, first, second).changes
    assert "/interface/bridge" not in places(changes)
    assert "/disk" not in places(changes)
    paper.apply_all(changes)
    again = a_router(second, first)
    paper.apply_all(plan_on(paper, again, second).changes)
    assert plan_on(paper, again, second).is_converged
    last = removal(paper, second).changes
    assert {"/interface/bridge", "/disk", "/container/config"} <= set(places(last))


def test_what_the_router_does_for_the_node_by_itself_goes_first() -> None:
    node = a_node()
    paper = deployed("7.23.3", a_router(node))
    facts = replace(paper.facts(a_router(node), node), tables={**paper.everything().tables, **RUNNING})

    plan = plan_removal(router=a_router(node), node=node, facts=facts, purge_identity=False)

    firsts = [change for change in plan.changes if isinstance(change, Remove)][:4]
    assert [(change.path, change.identity.get("name")) for change in firsts[:3]] == [
        ("/system/scheduler", f"mtts-bridge-{node.name}"),
        ("/system/scheduler", f"mtts-updater-{node.name}"),
        ("/system/script", f"mtts-updater-{node.name}"),
    ]
    assert firsts[3].path == "/container"


def test_a_bridge_port_goes_before_its_veth_and_both_after_the_container() -> None:
    node = a_node()
    order = places(removal(deployed("7.23.3", a_router(node)), node).changes)
    ranks = [
        order.index(path) for path in ("/container", "/interface/bridge/port", "/interface/veth", "/interface/bridge")
    ]
    assert ranks == sorted(ranks)
    assert order.index("/container/config") < order.index("/disk")


def test_the_identity_goes_only_when_it_is_asked_for() -> None:
    node = a_node()
    paper = deployed("7.23.3", a_router(node))
    state = "mtts/state/by-hostname/router1"
    last = removal(paper, node, purge=True).changes[-1]
    assert isinstance(last, Remove)
    assert last.identity == {"name": state}
    assert state not in str(removal(paper, node).changes)


def test_a_tmpdir_of_somebody_s_stays() -> None:
    node = a_node()
    paper = deployed("7.23.3", a_router(node))
    paper.menus["/container/config"] = [{"tmpdir": "usb1/pull"}]
    assert "/container/config" not in places(removal(paper, node).changes)


def test_a_bridge_of_somebody_s_stays() -> None:
    node = a_node(bridge="bridge1")
    paper = deployed("7.23.3", a_router(node))
    paper.menus["/interface/bridge"] = [{".id": "*1", "name": "bridge1", "comment": "defconf"}]
    assert "/interface/bridge" not in places(removal(paper, node).changes)


def test_a_node_that_is_not_there_needs_no_change() -> None:
    assert not removal(PaperRouter("7.23.3", a_release()), a_node()).changes


def test_storage_that_is_gone_is_no_reason_to_keep_the_rest() -> None:
    node = a_node()
    paper = deployed("7.23.3", a_router(node))
    paper.menus["/container"] = []
    plan = removal(paper, node)
    assert "/interface/veth" in places(plan.changes)
    gone = plan_removal(
        router=a_router(node, storage="usb1"),
        node=node,
        facts=replace(paper.everything(), preconditions=READY),
        purge_identity=True,
    )
    assert "/file" not in places(gone.changes)


def test_a_node_that_carries_the_session_is_not_removed_through_itself() -> None:
    node = a_node()
    plan = removal(deployed("7.23.3", a_router(node)), node, via="tailnet")
    assert [problem.code for problem in plan.refusals] == ["path-through-node"]
