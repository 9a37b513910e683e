"""The copy of a node's state that the guard keeps during a swap, for an old release that cannot read a newer one's."""

import asyncio
import json

import pytest

from mtts.core.desired import STATE_FILE
from mtts.core.guard import copy_of
from mtts.core.outcome import Outcome
from mtts.lab.journal import JournalEntry
from mtts.lab.quirks import Quirks
from mtts.lab.tailscaled import NEWER_FORMAT, STATE_BYTES
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, services_for
from tests.engine.guards import LIMIT_S, SOON_S, TRIGGER, VERSIONS, deployed, jobs, tags, up, update_and_kill
from tests.engine.watch import Watch


async def migrating(make: MakeDeployment, version: str) -> tuple[Deployment, Watch]:
    """A release to be had that writes the node's state anew and never comes online."""
    here = await deployed(make, version, behaviour="migrates-state")
    state = json.loads(here.router.files()[f"{here.state_dir}/{STATE_FILE}"])
    body = json.dumps({**state, "format": NEWER_FORMAT})
    padded = body[:-1] + " " * (STATE_BYTES - len(body)) + "}"
    return here, Watch(here, forms=frozenset({padded.encode()}))


def state_files(here: Deployment) -> set[str]:
    return {path.rpartition("/")[2] for path in here.router.files() if path.startswith(f"{here.state_dir}/")}


@VERSIONS
async def test_an_old_release_that_refuses_the_state_gets_its_own_back_with_no_controller_at_all(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)
    (node,) = here.online
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    assert state_files(here) == {STATE_FILE, copy_of(STATE_FILE)}
    assert here.router.files()[f"{here.state_dir}/{STATE_FILE}"] in watch.forms

    await here.wait(here.spec.timing.confirm_s + LIMIT_S - SOON_S)

    assert here.online == [node]
    assert (up(here), jobs(here), state_files(here)) == (["a"], [], {STATE_FILE})
    assert (tags(here)["b"].failed, tags(here)["b"].is_restored) == ("unconfirmed", True)
    watch.assert_kept()


@VERSIONS
async def test_a_run_says_that_the_old_release_got_its_state_back(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.ROLLED_BACK, "not-healthy")
    assert [warning.code for warning in result.warnings] == ["state-restored"]
    assert state_files(here) == {STATE_FILE}
    here.publish("1.2.5")
    assert (await here.update(store)).outcome is Outcome.UPDATED
    watch.assert_kept()
    watch.assert_settled()


async def test_where_it_was_not_the_state_the_newer_one_stays(deployment: MakeDeployment, store: Store) -> None:
    here, watch = await migrating(deployment, "7.23.3")
    watch.also = lambda entry: spoil_old(here) if entry.path == "/container/start" else None

    def spoil_old(here: Deployment) -> None:
        (old,) = (one for one in here.router.device.engine.containers.values() if one.root.endswith("/a"))
        here.router.device.files.entries[old.root].image = None

    result = await here.update(store)

    assert result.outcome is Outcome.BROKEN
    await here.wait(2 * LIMIT_S)
    assert (here.online, jobs(here)) == ([], [])
    files = here.router.files()
    assert files[f"{here.state_dir}/{STATE_FILE}"] in watch.forms
    assert copy_of(STATE_FILE) in state_files(here)


@VERSIONS
async def test_a_state_that_a_power_cut_left_to_the_old_release_is_put_back_by_the_command_in_the_hint(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)
    (node,) = here.online
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + SOON_S)
    assert (here.online, state_files(here)) == ([], {STATE_FILE, copy_of(STATE_FILE)})
    here.publish("1.2.5")

    for _ in range(2):
        result = await here.update(store)

        assert (result.outcome, state_files(here)) == (Outcome.BROKEN, {STATE_FILE, copy_of(STATE_FILE)})
    assert watch.violations == []
    _, _, command = result.next_step.partition("on the router: ")
    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        await session.command("/execute", {"script": command})
    result = await here.update(store, force=True)

    assert result.outcome is Outcome.UPDATED
    assert (here.online, state_files(here)) == ([node], {STATE_FILE})
    watch.assert_settled()


async def test_a_state_without_room_for_a_copy_has_none(deployment: MakeDeployment, store: Store) -> None:
    here = await deployed(deployment, "7.23.3", quirks=Quirks(flash_flush_s=0))
    watch = Watch(here)
    watch.also = lambda entry: fill_up(here) if entry.path == "/container/stop" else None

    def fill_up(here: Deployment) -> None:
        here.router.faults.fill_disk(leave_bytes=here.spec.flash.reserve_bytes + STATE_BYTES // 2)

    result = await here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert "/file/add" not in [entry.path for entry in here.router.writes() if entry.script]
    watch.assert_kept()


@pytest.mark.parametrize("command", ["/file/add", "/file/get"])
async def test_a_copy_that_fails_does_not_hold_up_the_swap(
    deployment: MakeDeployment, store: Store, command: str
) -> None:
    here = await deployed(deployment, "7.23.3")
    watch = Watch(here)
    watch.also = lambda entry: refuse(here) if entry.path == "/container/stop" else None

    def refuse(here: Deployment) -> None:
        here.router.faults.trap_next(command, "failure: not today")

    result = await here.update(store)

    assert (result.outcome, result.warnings) == (Outcome.UPDATED, ())
    watch.assert_kept()
    watch.assert_settled()


@pytest.mark.parametrize("outcome", [Outcome.UPDATED, Outcome.ROLLED_BACK])
async def test_a_copy_that_a_power_cut_left_goes_with_the_next_swap(
    deployment: MakeDeployment, store: Store, outcome: Outcome
) -> None:
    here = await deployed(deployment, "7.23.3")
    watch = Watch(here)
    run = asyncio.ensure_future(here.update(store))

    def end(entry: JournalEntry) -> None:
        if entry.path == "/file/add":
            run.cancel()
            here.router.faults.power_cut()

    watch.also = end
    with pytest.raises(asyncio.CancelledError):
        await run
    assert state_files(here) == {STATE_FILE, copy_of(STATE_FILE)}
    watch.also = None
    await here.wait(BOOT_S + SOON_S)
    here.publish("1.2.5", behaviour="ok" if outcome is Outcome.UPDATED else "never-online")

    result = await here.update(store)

    assert (result.outcome, state_files(here)) == (outcome, {STATE_FILE})
    watch.assert_kept()
    watch.assert_settled()
