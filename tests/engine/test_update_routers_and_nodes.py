"""Routers that are away or reached through their node, and nodes that are adopted or not alone, at an update."""

from dataclasses import replace

import pytest

from mtts.core.image import ImageRef
from mtts.core.outcome import Outcome, exit_code
from mtts.core.secret import Literal, Secret
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, lab_image, update_fleet, versions
from tests.engine.test_adoption import _set_up_by_hand
from tests.engine.updates import fleet_of, outcomes


async def test_an_unreachable_router_is_left_for_the_next_run(deployment: MakeDeployment, store: Store) -> None:
    fleet = await fleet_of(deployment, 3)
    fleet[0].publish("1.2.4")
    fleet[1].router.faults.power_cut()

    results = await update_fleet(fleet, store)

    assert outcomes(results) == [Outcome.UPDATED, Outcome.UNREACHABLE, Outcome.UPDATED]
    assert exit_code(results) == 4
    await fleet[1].wait(60)
    assert outcomes(await update_fleet(fleet, store)) == [Outcome.NO_OP, Outcome.UPDATED, Outcome.NO_OP]


async def test_a_router_that_is_reached_through_its_node_is_updated_by_its_guard(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    here.router.faults.tailnet_path()

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.connections[0] > 3


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_an_adopted_node_is_updated_with_all_that_somebody_gave_it(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await _set_up_by_hand(here)
    (node,) = here.online
    given = {"user": "0:0", "stop-signal": "2-SIGINT", "domain-name": "lan"}
    given = {name: value for name, value in given.items() if name in here.rows("/container")[0]}
    here.container.item.values.update(given)
    await here.deploy(adopt=True)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.online == [node]
    assert node.version == "1.2.4"
    (row,) = here.rows("/container")
    assert {name: row[name] for name in given} == given
    assert (row["interface"], row["start-on-boot"]) == ("veth1", "true")
    assert "adopted" in row["comment"]
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_each_of_two_nodes_on_a_router_is_updated_by_itself(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    web = replace(
        here.node,
        name="web",
        hostname="web1",
        image=ImageRef.parse(str(here.node.image).replace(":stable", ":web")),
        auth_key=Literal(Secret(here.lab.tailnet.issue_key())),
    )
    here.change(nodes=(here.node, web))
    here.lab.registry.publish(lab_image("1.2.3"), repository=REPOSITORY, tags=("web",))
    await here.deploy_all()
    before = here.online
    here.lab.registry.publish(lab_image("1.2.4"), repository=REPOSITORY, tags=("web",))

    results = await update_fleet([here], store)

    assert outcomes(results) == [Outcome.NO_OP, Outcome.UPDATED]
    assert {(row["name"], row["root-dir"].rpartition("/")[2]) for row in here.rows("/container")} == {
        ("tailscale-a", "a"),
        ("web-b", "b"),
    }
    here.publish("1.2.5", behaviour="crash-later")
    here.lab.registry.publish(lab_image("1.2.6"), repository=REPOSITORY, tags=("web",))

    results = await update_fleet([here], store)

    assert outcomes(results) == [Outcome.ROLLED_BACK, Outcome.UPDATED]
    assert {node.id for node in here.online} == {node.id for node in before}
