"""A plan shown is the plan applied: over a file, to the router that it was made for, or not at all."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mtts.core import plan_file
from mtts.core.events import Event
from mtts.core.outcome import Outcome, exit_code
from mtts.core.plan import Plan
from mtts.core.secret import Literal, Secret
from mtts.engine.inspect import plan_router
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import VERSIONS, Deployment, services_for


async def _plan(here: Deployment) -> tuple[Plan, ...]:
    """A plan as it comes out of its file; making it writes nothing."""
    events: list[Event] = []
    before = len(here.router.writes())
    async with services_for(here.lab, events) as services:
        plans = [plan for _, plan in await plan_router(services, here.spec, adopt=False) if plan]
    assert len(here.router.writes()) == before
    loaded = plan_file.loads(plan_file.dumps(plans))
    assert loaded == tuple(plans)
    return loaded


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_approved_plan_is_applied(deployment: MakeDeployment, version: str) -> None:
    here = await deployment(version=version)
    approved = await _plan(here)

    result = await here.deploy(approved=approved)

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert (await _plan(here))[0].is_converged
    assert (await here.deploy()).outcome is Outcome.NO_OP


def _drop_route(here: Deployment) -> None:
    here.router.add_row("/ip/route", dst_address="100.64.0.0/10", gateway="192.0.2.1", comment="mtts:tailscale")


def _other_container(here: Deployment) -> None:
    here.router.add_row("/container", name="pihole", root_dir="/pihole", remote_image="pihole/pihole:latest")


def _foreign_address(here: Deployment) -> None:
    here.router.add_row("/ip/address", address="10.1.1.1/24", network="10.1.1.0", interface="ether1")


def _option(here: Deployment) -> None:
    here.change_node(magicdns=True)


def _tmpdir(here: Deployment) -> None:
    here.router.add_row("/disk", slot="tmp9", type="tmpfs")


@pytest.mark.parametrize("change", [_drop_route, _other_container, _foreign_address, _option, _tmpdir])
async def test_a_plan_for_a_router_that_changed_since_is_stale(
    deployment: MakeDeployment, change: Callable[[Deployment], None]
) -> None:
    here = await deployment()
    approved = await _plan(here)
    change(here)

    result = await here.deploy(approved=approved)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "plan-stale")
    assert result.problem.hint
    assert here.writes == []
    assert exit_code([result]) == 5


async def test_a_plan_stays_good_while_only_time_passes(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    await here.wait(600)
    here.change_node(exit_node=True)
    approved = await _plan(here)
    await here.wait(7200)

    assert (await here.deploy(approved=approved)).outcome is Outcome.DEPLOYED


async def test_a_plan_that_was_applied_is_stale_the_second_time_and_writes_nothing(deployment: MakeDeployment) -> None:
    here = await deployment()
    approved = await _plan(here)
    await here.deploy(approved=approved)

    result = await here.deploy(approved=approved)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "plan-stale")
    assert here.writes == []


async def test_a_plan_for_another_router_is_stale(deployment: MakeDeployment) -> None:
    here = await deployment()
    approved = await _plan(await deployment("other"))

    result = await here.deploy(approved=approved)

    assert result.problem is not None
    assert result.problem.code == "plan-stale"
    assert here.writes == []


async def test_a_plan_of_several_nodes_is_applied_as_a_whole(deployment: MakeDeployment) -> None:
    here = await deployment()
    second = replace(here.node, name="guest", hostname="guest", auth_key=Literal(Secret(here.lab.tailnet.issue_key())))
    here.spec = replace(here.spec, nodes=(here.node, second))
    approved = await _plan(here)

    results = await here.deploy_all(approved=approved)

    assert [result.outcome for result in results] == [Outcome.DEPLOYED, Outcome.DEPLOYED]


async def test_a_stale_plan_of_several_nodes_touches_none_of_them(deployment: MakeDeployment) -> None:
    here = await deployment()
    second = replace(here.node, name="guest", hostname="guest")
    here.spec = replace(here.spec, nodes=(here.node, second))
    approved = await _plan(here)
    _foreign_address(here)

    results = await here.deploy_all(approved=approved)

    assert [result.problem.code for result in results if result.problem] == ["plan-stale", "plan-stale"]
    assert here.writes == []


async def test_what_changes_while_a_plan_is_applied_is_left_alone(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    here.change_node(env={"A": "1"}, exit_node=True, hostname=here.node.hostname)
    (name,) = [row[".id"] for row in here.rows("/container/envs") if row["key"] == "TS_HOSTNAME"]
    here.router.set_row("/container/envs", name, value="drifted")

    def meddle(_number: int, entry: object) -> None:
        here.router.set_row("/container/envs", name, value="somebody is typing")

    here.router.faults.on_write(meddle)

    result = await here.deploy()

    assert result.problem is not None
    assert result.problem.code == "changed-underway"
    (row,) = [row for row in here.rows("/container/envs") if row["key"] == "TS_HOSTNAME"]
    assert row["value"] == "somebody is typing"
    here.router.faults.on_write(None)

    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    assert (await here.deploy()).outcome is Outcome.NO_OP
