"""What surrounds a router: slow and half-open links, the way through the node, others who write meanwhile."""

from collections.abc import AsyncIterator

import pytest

from mtts.core.inventory import Timing
from mtts.core.outcome import Outcome
from mtts.lab.fleet import Lab
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment, deployments_in


@pytest.fixture
async def leaping() -> AsyncIterator[Lab]:
    async with Lab(clock="leaping") as lab:
        yield lab


async def test_an_update_over_a_slow_link_takes_longer_and_ends_well(leaping: Lab, store: Store) -> None:
    here = await deployments_in(leaping)()
    await here.deploy()
    here.publish("1.2.4")
    here.router.faults.slow_link(bytes_per_s=2000, latency_s=0.6)
    began_s = leaping.clock.now

    result = await here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert leaping.clock.now - began_s >= 0.6 * here.commands
    assert len(here.online) == 1


async def test_a_router_that_hangs_in_an_update_is_given_up_and_made_good_by_the_next(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")
    here.change(timing=Timing(command_s=0.2, login_s=0.2))
    here.router.faults.at_command(1, here.router.faults.hang, path="/container/add")

    result = await here.update(store)

    assert result.outcome in {Outcome.UNKNOWN, Outcome.UNREACHABLE}
    assert here.online == [node]
    here.router.faults.clear()
    here.change(timing=Timing())
    await here.wait(60)
    assert (await here.update(store)).outcome in {Outcome.UPDATED, Outcome.NO_OP}
    assert [one.version for one in here.online] == ["1.2.4"]


async def test_what_was_deployed_from_near_is_updated_through_its_own_node(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    here.router.faults.tailnet_path()
    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    assert (await here.update(store)).outcome is Outcome.NO_OP
    (node,) = here.online
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert [(one.id, one.version) for one in here.online] == [(node.id, "1.2.4")]


@pytest.mark.parametrize("path", ["/container/add", "/execute", "/container/set"])
async def test_a_container_that_somebody_takes_for_their_own_during_an_update_stays_theirs(
    deployment: MakeDeployment, store: Store, path: str
) -> None:
    """F46: from the moment that its comment is another, nothing but what was under way is done to it."""
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")

    def edit() -> None:
        here.router.faults.foreign_command(
            "/container/set", where={"name": "tailscale-a"}, values={"comment": "mine now"}
        )

    here.router.faults.at_command(1, edit, path=path)

    result = await here.update(store)

    assert "mine now" in [row.get("comment") for row in here.rows("/container")], result
    assert [one.id for one in here.online] == [node.id]
    await here.update(store)
    assert "mine now" in [row.get("comment") for row in here.rows("/container")]
    assert [one.id for one in here.online] == [node.id]


async def test_a_new_container_that_somebody_removes_during_an_update_is_told_and_the_old_one_serves_on(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")

    def remove() -> None:
        here.router.faults.foreign_command("/container/remove", where={"name": "tailscale-b"})

    here.router.faults.at_command(1, remove, path="/container/add")

    result = await here.update(store)

    assert result.problem is not None
    assert result.problem.code == "changed-underway"
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.UPDATED
    assert [one.id for one in here.online] == [node.id]
