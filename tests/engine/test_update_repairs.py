"""A node that is down at an update: started where that helps, pulled again once where its image was lost."""

from dataclasses import replace

import pytest

from mtts.core.outcome import Outcome, exit_code
from mtts.lab.container import Phase
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, lab_image, update_fleet, versions
from tests.engine.updates import code_of, fleet_of, outcomes
from tests.engine.watch import Watch


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_a_node_that_is_down_is_started_and_that_is_said(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    here.router.device.engine.stop(here.container)
    await here.wait(5)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert [warning.code for warning in result.warnings] == ["node-repaired"]
    assert here.writes == ["/container/start"]
    assert here.online == [node]
    assert exit_code([result]) == 0
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_a_node_that_is_starting_is_waited_for_and_nothing_is_written(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.router.device.engine.start(here.container)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.NO_OP, None)
    assert result.evidence == "tailscale status"
    assert here.writes == []
    assert len(here.online) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (RegistryFault("status", on="any", status=429), "registry-rate-limited"),
        (RegistryFault("status", on="any", status=500), "registry-unavailable"),
        (RegistryFault("status", on="token", status=503), "registry-unavailable"),
        (RegistryFault("status", on="manifests", status=404), "image-not-found"),
    ],
    ids=["429", "500", "no tokens", "404"],
)
async def test_without_a_registry_nothing_is_written_but_what_is_down_is_started(
    deployment: MakeDeployment, store: Store, fault: RegistryFault, code: str
) -> None:
    up, down = await fleet_of(deployment, 2)
    up.publish("1.2.4")
    down.router.device.engine.stop(down.container)
    await down.wait(5)
    up.lab.registry.faults.add(fault)

    refused, repaired = await update_fleet([up, down], store)

    assert (refused.outcome, code_of(refused)) == (Outcome.REFUSED, code)
    assert up.writes == []
    assert (repaired.outcome, repaired.problem) == (Outcome.DEPLOYED, None)
    assert down.writes == ["/container/start"]
    assert exit_code([refused, repaired]) == 5

    up.lab.registry.faults.clear()
    assert outcomes(await update_fleet([up, down], store)) == [Outcome.UPDATED, Outcome.UPDATED]


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_an_image_that_was_lost_is_pulled_again_beside_its_remains(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    await _lose_image(here)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.container.root.endswith("/b")
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


async def test_a_node_that_is_starting_and_does_not_come_up_is_no_no_op(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    await _lose_image(here)
    here.router.device.engine.start(here.container)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.online == [node]


async def _lose_image(here: Deployment) -> None:
    """As after a flash that lost the root directory: the entry stays, and starts no more."""
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.router.device.files.remove(here.container.root)


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_an_image_that_was_lost_for_good_is_pulled_again_once_and_not_every_night(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, image=lab_image("1.2.3"))
    await here.deploy()
    await _lose_image(here)
    # What a power cut can do to a board: this release does not run on it any more, wherever it is unpacked.
    here.router.device.build = replace(
        here.router.device.build, board=replace(here.router.device.build.board, cpu="EN7562CT")
    )

    first = await here.update(store)
    added = here.writes.count("/container/add")
    directories = here.router.directories()
    second = await here.update(store)

    assert (first.outcome, added) == (Outcome.BROKEN, 1)
    assert not any(path.endswith("/b") for path in directories), "the attempt is still on the flash"
    assert exit_code([first]) == 6
    assert (second.outcome, code_of(second)) == (Outcome.BROKEN, "release-quarantined")
    assert "/container/add" not in here.writes
    (entry,) = await store.quarantined()
    assert entry.router == "router1"


async def test_a_pull_that_fails_for_a_passing_reason_holds_nothing_back(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    await _lose_image(here)
    here.router.faults.fail_pull("fetch manifest failed: auth error")

    result = await here.update(store)

    assert result.outcome is Outcome.BROKEN
    assert "auth error" in str(result.problem)
    assert await store.quarantined() == []
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_node_that_lost_its_image_is_not_said_to_serve_while_the_registry_is_away(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.container.phase = Phase.FAILED
    here.lab.registry.faults.add(RegistryFault("status", on="any", status=500))

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.BROKEN, "registry-unavailable")
    assert here.writes == []
    assert exit_code([result]) == 6


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_a_node_that_waits_for_a_login_is_told_and_costs_no_flash_every_night(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    here.online[0].expired = True
    here.router.faults.reboot()
    await here.wait(60)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.BROKEN, "needs-login")
    assert "mtts login router1" in result.next_step
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_an_ephemeral_node_logs_in_at_each_start_of_its_update(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, node={"ephemeral": True})
    here.new_key(reusable=True)
    await here.deploy()
    here.publish("1.2.4")
    assert (await here.update(store)).outcome is Outcome.UPDATED
    here.publish("1.2.5", behaviour="crash")

    result = await here.update(store)

    assert (result.outcome, result.to_version) == (Outcome.ROLLED_BACK, "1.2.4")
    assert [node.version for node in here.online] == ["1.2.4"]


async def test_a_tailnet_that_goes_away_in_mid_update_holds_no_release_back(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    watch = Watch(here)

    def at_stop(entry: JournalEntry) -> None:
        if entry.path == "/container/stop":
            here.lab.tailnet.reachable = False

    watch.also = at_stop

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.BROKEN, "not-healthy")
    assert here.container.root.endswith("/a"), "nothing of the attempt remains all the same"
    assert await store.quarantined() == []
    watch.assert_kept()
    watch.also = None
    here.lab.tailnet.reachable = True
    assert (await here.update(store)).outcome is Outcome.UPDATED
