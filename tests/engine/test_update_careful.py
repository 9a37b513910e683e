"""What an update takes care of: the state, figures that move, what is pulled, and an image that is not whole."""

import pytest

from mtts.core.outcome import Outcome
from mtts.lab.boards import MIB
from mtts.lab.quirks import Quirks
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import versions
from tests.engine.guards import TRIGGER, update_and_kill
from tests.engine.updates import code_of
from tests.engine.watch import Watch


@pytest.mark.parametrize("version", versions("7.18.2", "7.21.5", "7.23.3"))
async def test_a_node_whose_state_would_not_come_along_is_not_swapped(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    """F28: without its mount the next container would be another node of the tailnet."""
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")
    here.router.faults.foreign_command("/container/mounts/remove", where={"dst": "/var/lib/tailscale"})

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "state-not-mounted")
    assert here.writes == []
    assert here.online == [node]


async def test_free_flash_is_believed_once_it_holds_still(deployment: MakeDeployment, store: Store) -> None:
    """F19: RouterOS accounts for writes late, so that the first figure may be one that is gone."""
    here = await deployment(quirks=Quirks(flash_flush_s=0))
    await here.deploy()
    here.publish("1.2.4")
    here.router.faults.at_command(
        2, lambda: here.router.faults.fill_disk(leave_bytes=MIB), path="/system/resource/print"
    )

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "flash-too-small")
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_nothing_is_pulled_over_a_container_that_is_there(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    """F30, F31: its image is never set anew, nor pulled again in its place, which may leave it without any."""
    here = await deployment(version=version)
    await here.deploy()
    here.publish("1.2.4")
    before = len(here.router.journal)
    assert (await here.update(store)).outcome is Outcome.UPDATED
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.router.device.files.remove(here.container.root)

    assert (await here.update(store)).outcome is Outcome.UPDATED

    commands = [entry for entry in here.router.journal[before:] if entry.path.startswith("/container/")]
    assert "/container/repull" not in {entry.path for entry in commands}
    for entry in commands:
        if entry.path == "/container/set":
            assert not any(word.startswith(("=remote-image=", "=file=")) for word in entry.words)
    if here.router.device.version >= (7, 23, 2):
        (row,) = here.rows("/container")
        assert row["ignore-remote-image-change"] == "true"


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_an_extraction_that_lost_the_program_gives_way_and_the_image_is_pulled_once_more(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    """F13: it looks like any other until it is started, and says nothing of the release."""
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")
    watch = Watch(here)
    here.router.faults.hollow_extraction()

    result = await here.update(store)

    assert (result.outcome, result.problem, result.to_version) == (Outcome.UPDATED, None, "1.2.4")
    assert [warning.code for warning in result.warnings] == ["extraction-damaged"]
    assert "No such file" in result.warnings[0].message
    assert any("once more, from a clean pull" in event.text for event in here.events)
    assert [(one.id, one.version) for one in here.online] == [(node.id, "1.2.4")]
    assert here.writes.count("/container/add") == 2
    assert await store.quarantined() == []
    watch.assert_kept()
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_an_image_that_lacks_its_program_twice_is_held_back_after_exactly_two_pulls(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    """F13, I19: a second clean pull that ends the same is the release's fault."""
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    image = here.publish("1.2.4")
    watch = Watch(here)
    here.router.faults.hollow_extraction(n=5)

    result = await here.update(store)

    assert (result.outcome, code_of(result), result.to_version) == (Outcome.ROLLED_BACK, "crash-loop", "1.2.3")
    assert [warning.code for warning in result.warnings] == ["extraction-damaged"]
    assert here.writes.count("/container/add") == 2
    assert here.online == [node]
    assert [row["root-dir"][-1] for row in here.rows("/container")] == ["a"]
    assert [str(entry.digest) for entry in await store.quarantined()] == [image.manifest_digest("linux/arm64")]
    watch.assert_kept()
    assert code_of(await here.update(store)) == "release-quarantined"
    assert here.writes == []
    here.router.faults.clear()
    assert (await here.update(store, force=True)).outcome is Outcome.UPDATED


async def test_a_second_pull_that_fails_says_nothing_of_the_release(deployment: MakeDeployment, store: Store) -> None:
    """F13: the old one serves, as the first attempt left it, and the next run tries again."""
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")
    here.router.faults.hollow_extraction()

    def spoil() -> None:
        here.router.faults.fail_pull("fetch manifest failed: auth error")

    here.router.faults.at_command(2, spoil, path="/container/add", before=True)

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.ROLLED_BACK, "pull-failed")
    assert [warning.code for warning in result.warnings] == ["extraction-damaged"]
    assert here.online == [node]
    assert await store.quarantined() == []
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_hollow_image_that_a_killed_run_left_is_pulled_anew_by_the_next(
    deployment: MakeDeployment, store: Store
) -> None:
    """F13: what the guard went back from is judged by the run that finds it, by the same words."""
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.publish("1.2.4")
    here.router.faults.hollow_extraction()
    await update_and_kill(here, store, TRIGGER)
    await here.wait(900)

    result = await here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert [(one.id, one.version) for one in here.online] == [(node.id, "1.2.4")]
    assert await store.quarantined() == []


async def test_what_was_staged_of_a_release_that_is_over_does_not_keep_the_next_one_out(
    deployment: MakeDeployment, store: Store
) -> None:
    """F17: a killed run's unpacked image takes the very room that the next release would need."""
    here = await deployment()
    await here.deploy()
    await here.wait(60)
    (node,) = here.online
    here.publish("1.2.4")
    await update_and_kill(here, store, 1)
    here.router.faults.fill_disk(leave_bytes=1200 * 1024)
    await here.wait(60)
    here.publish("1.2.5")

    first = await here.update(store)

    assert "leftover-removed" in {warning.code for warning in first.warnings}
    await here.wait(60)  # until the flash is accounted for
    await here.update(store)
    assert [(one.id, one.version) for one in here.online] == [(node.id, "1.2.5")]
    assert (await here.update(store)).outcome is Outcome.NO_OP
