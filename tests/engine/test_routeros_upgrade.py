"""A RouterOS upgrade under a deployed node: the next update finds its way in the words of the new version."""

import pytest

from mtts.core.outcome import Outcome
from mtts.engine.inspect import check_router
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, services_for


@pytest.mark.parametrize(("before", "after"), [("7.18.2", "7.20.8"), ("7.20.8", "7.21.5"), ("7.18.2", "7.24")])
async def test_an_update_after_it_swaps_as_ever(
    deployment: MakeDeployment, store: Store, before: str, after: str
) -> None:
    here = await deployment(version=before)
    await here.deploy()
    (node,) = here.online
    here.router.upgrade(after)
    await here.wait(BOOT_S + 60)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem, result.to_version) == (Outcome.UPDATED, None, "1.2.4")
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize(("before", "after"), [("7.18.2", "7.24"), ("7.20.8", "7.22.3")])
async def test_a_node_runs_on_after_an_upgrade_to_a_version_that_wants_its_command(
    deployment: MakeDeployment, before: str, after: str
) -> None:
    """F11: the image's own is not taken any more, so that it was named beforehand."""
    here = await deployment(version=before)
    await here.deploy()
    (node,) = here.online
    (row,) = here.rows("/container")
    assert row["entrypoint"] == "/entrypoint.sh"
    assert (await here.deploy()).outcome is Outcome.NO_OP

    here.router.upgrade(after)
    await here.wait(BOOT_S + 60)

    assert here.online == [node]


async def test_a_container_that_names_no_command_is_told_before_an_upgrade_and_mended_after_it(
    deployment: MakeDeployment,
) -> None:
    here = await deployment(version="7.20.8")
    await here.deploy()
    (node,) = here.online
    here.router.faults.foreign_command("/container/set", where={"name": "tailscale-a"}, values={"entrypoint": ""})
    async with services_for(here.lab, here.events) as services:
        ((result, _),) = await check_router(services, here.spec)
    assert "command-not-set" in [warning.code for warning in result.warnings]
    assert (await here.deploy()).outcome is Outcome.NO_OP

    here.router.upgrade("7.22.3")
    await here.wait(BOOT_S + 60)
    assert here.online == []

    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    assert here.online == [node]
