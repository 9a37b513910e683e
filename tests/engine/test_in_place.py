"""Boards on which neither two releases fit nor a bridge can be built: in place, when somebody allows that."""

import asyncio

import pytest

from mtts.core.outcome import Outcome
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, versions
from tests.engine.updates import home_board

VERSIONS = versions("7.18.2", "7.21.5", "7.23.3")


async def test_without_leave_nothing_is_written(deployment: MakeDeployment, store: Store) -> None:
    here = await home_board(deployment, "7.23.3")
    here.publish("1.2.4")

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "flash-too-small")
    assert "scheduler" in result.problem.message
    assert "--allow-in-place" in result.problem.hint
    assert here.writes == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_release_takes_the_old_one_s_room_once_a_pull_proved_that_it_can(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await home_board(deployment, version)
    (node,) = here.online
    here.publish("1.2.4")

    result = await here.update(store, allow_in_place=True)

    assert (result.outcome, result.problem, result.strategy) == (Outcome.UPDATED, None, "in-place")
    assert (result.from_version, result.to_version) == ("1.2.3", "1.2.4")
    assert here.online == [node]
    assert len(here.rows("/container")) == 1
    await here.wait(60)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 60)
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


async def test_until_the_old_one_is_removed_a_power_cut_has_it_boot(deployment: MakeDeployment, store: Store) -> None:
    here = await home_board(deployment, "7.23.3")
    (node,) = here.online
    here.publish("1.2.4")
    run = asyncio.ensure_future(here.update(store, allow_in_place=True))

    def at(_number: int, entry: JournalEntry) -> None:
        if entry.path == "/container/stop" and entry.script:
            here.router.faults.power_cut()
            run.cancel()

    here.router.faults.on_write(at)
    with pytest.raises(asyncio.CancelledError):
        await run
    await here.wait(BOOT_S + 60)

    assert here.online == [node]


async def test_an_old_one_that_does_not_stop_is_back_after_the_reboot_that_it_takes(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await home_board(deployment, "7.20.8")
    (node,) = here.online
    here.publish("1.2.4")
    here.router.faults.stick_stopping()

    result = await here.update(store, allow_in_place=True)
    here.router.faults.stick_stopping(off=True)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 60)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "stop-stuck")
    assert here.online == [node]
    assert (await here.update(store, allow_in_place=True)).outcome is Outcome.UPDATED


async def test_a_release_that_cannot_be_pulled_leaves_the_old_one_alone(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await home_board(deployment, "7.23.3")
    (node,) = here.online
    here.publish("1.2.4")
    here.router.faults.fail_pull()

    result = await here.update(store, allow_in_place=True)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.KEPT_OLD, "pull-failed")
    assert here.online == [node]
    assert here.container.root == "mtts/root/tailscale/a"


@pytest.mark.parametrize("k", range(1, 10))
async def test_a_run_that_is_killed_leaves_the_rest_to_the_router(
    deployment: MakeDeployment, store: Store, k: int
) -> None:
    here = await home_board(deployment, "7.23.3")
    (node,) = here.online
    here.publish("1.2.4")
    left = k

    def cut(_number: int, _entry: JournalEntry) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            here.router.faults.cut_link()

    here.router.faults.on_write(cut)
    first = await here.update(store, allow_in_place=True)
    await here.wait(200)

    assert here.online == [node], first
    second = await here.update(store, allow_in_place=True)
    assert Outcome.UPDATED in {first.outcome, second.outcome}, (first, second)
    assert (await here.update(store)).outcome is Outcome.NO_OP
