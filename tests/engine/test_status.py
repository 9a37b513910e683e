"""`mtts status` while an update is open: what serves is shown, and what to type is `mtts resume`, nothing else."""

from mtts.core.outcome import NodeResult, Outcome
from mtts.core.status import NodeStatus
from mtts.engine.inspect import status_router
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, services_for
from tests.engine.guards import update_and_kill

HINT = "once no run is at work on router1: mtts resume router1"


async def status_of(here: Deployment) -> tuple[NodeResult, NodeStatus]:
    async with services_for(here.lab, []) as services:
        ((result, status),) = await status_router(services, here.spec)
    assert status is not None
    return result, status


async def test_a_release_that_is_staged_is_told_beside_the_node_that_serves(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    await update_and_kill(here, store, 1, path="/container/add")
    await here.wait(60)

    result, status = await status_of(here)

    assert (status.state, status.version) == ("running", "1.2.3")
    assert (result.outcome, result.problem) == (Outcome.NO_OP, None)
    said = [(warning.code, warning.hint) for warning in result.warnings]
    assert said == [("transaction-open", HINT), ("lock-left", "mtts resume router1")]


async def test_in_the_middle_of_a_swap_nobody_is_sent_to_a_deploy(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    await update_and_kill(here, store, 2)
    await here.wait(20)

    result, status = await status_of(here)

    assert (status.state, status.version) == ("stopped", "1.2.3")
    assert result.outcome is Outcome.PENDING
    assert result.problem is not None
    assert (result.problem.code, result.problem.hint) == ("transaction-open", HINT)
    assert result.problem.message == "the container is stopped, and an update of node tailscale is open"


async def test_once_the_update_is_over_nothing_is_said_of_it(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    assert (await here.update(store)).outcome is Outcome.UPDATED

    result, status = await status_of(here)

    assert (status.version, status.open_update, result.warnings) == ("1.2.4", None, ())
