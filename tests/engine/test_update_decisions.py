"""Where nothing changed an update does nothing, and a check writes nothing; what changed is swapped, and that alone."""

import pytest

from mtts.core.outcome import Outcome, exit_code
from mtts.lab.images import replace_platforms
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, lab_image, update_fleet, versions
from tests.engine.updates import fleet_of, outcomes

ARCHITECTURES = ("arm64", "x86_64", "arm")


async def test_only_the_routers_whose_platform_was_rebuilt_are_swapped(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = [
        await deployment(f"router{number}", arch=arch, node={"hostname": f"edge{number}"})
        for number, arch in enumerate((*ARCHITECTURES, *ARCHITECTURES))
    ]
    for here in fleet:
        await here.deploy()
    rebuilt = replace_platforms(lab_image("1.2.3"), lab_image("1.2.4"), "linux/arm64")
    fleet[0].lab.registry.publish(rebuilt, repository=REPOSITORY)

    results = await update_fleet(fleet, store)

    assert outcomes(results) == [Outcome.UPDATED, Outcome.NO_OP, Outcome.NO_OP] * 2
    for here in fleet[1:3] + fleet[4:]:
        assert here.writes == []
        assert here.connections == (1, 1)
        assert here.container.root.endswith("/a")
    assert exit_code(results) == 0

    again = await update_fleet(fleet, store)
    assert outcomes(again) == [Outcome.NO_OP] * 6
    assert [here.writes for here in fleet] == [[]] * 6


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_where_nothing_changed_a_router_is_asked_one_question(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    asked = len(here.lab.registry.requests)

    result = await here.update(store)

    assert (result.outcome, result.problem, result.samples) == (Outcome.NO_OP, None, ())
    assert (here.connections, here.commands, here.writes) == ((1, 1), 1, [])
    manifests = [request for request in here.lab.registry.requests[asked:] if "/manifests/" in request.path]
    assert {request.method for request in manifests} == {"HEAD"}


async def test_a_check_writes_nothing_and_says_what_is_pending(deployment: MakeDeployment, store: Store) -> None:
    outdated, down, current = await fleet_of(deployment, 3)
    outdated.publish("1.2.4")
    assert (await current.update(store)).outcome is Outcome.UPDATED
    down.router.device.engine.stop(down.container)
    await down.wait(5)
    before = [here.snapshot() for here in (outdated, down, current)]

    results = await update_fleet([outdated, down, current], store, check=True)

    assert [here.writes for here in (outdated, down, current)] == [[], [], []]
    assert [here.snapshot() for here in (outdated, down, current)] == before
    assert [result.changes_pending for result in results] == [True, True, False]
    assert (results[0].from_version, results[0].to_version) == ("1.2.3", "1.2.4")
    assert exit_code(results) == 3
