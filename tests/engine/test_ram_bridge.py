"""Boards whose flash holds one release only: the node serves from memory while the flash is rewritten."""

import asyncio

import pytest

from mtts.core.events import Kind
from mtts.core.outcome import Outcome
from mtts.engine.inspect import log_router, status_router
from mtts.engine.operate import login_router
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.attempt import Attempt, assert_online, begin
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, services_for, versions
from tests.engine.updates import code_of, small_board
from tests.engine.watch import Watch

STEPS = [
    "+ container tailscale-ram",
    "> wait for the pull of container tailscale-ram",
    "> prove the image of container tailscale-ram",
    "> record the release of container tailscale-ram",
    "- container tailscale-a",
    "+ container tailscale-b",
    "> wait for the pull of container tailscale-b",
    "> prove the image of container tailscale-b",
    "> record the release of container tailscale-b",
    "- container tailscale-ram",
]


@pytest.mark.parametrize("version", versions("7.18.2", "7.21.5", "7.23.3"))
async def test_a_release_takes_the_place_of_one_that_fills_the_flash(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await small_board(deployment, version)
    (node,) = here.online
    watch = Watch(here)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem, result.strategy) == (Outcome.UPDATED, None, "ram-bridge")
    assert (result.from_version, result.to_version) == ("1.2.3", "1.2.4")
    assert here.container.root == "mtts/root/tailscale/b"
    assert here.online == [node]
    assert here.rows("/system/scheduler") == []
    steps = [event.text for event in here.events if event.kind is Kind.STEP]
    assert [step for step in steps if "container tailscale" in step] == STEPS
    assert not any("/" in step for step in steps if not step.startswith("ram-bridge"))
    watch.assert_kept()
    await here.wait(60)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 60)
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize(
    ("version", "k"),
    [
        pytest.param(version, k, marks=() if (k + 3 * row) % 9 == 1 else pytest.mark.slow)
        for row, version in enumerate(("7.18.2", "7.21.5", "7.23.3"))
        for k in range(1, 24)
    ],
)
async def test_a_power_cut_at_any_write_ends_with_the_new_release_after_another_run(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    here = await small_board(deployment, version)
    (node,) = here.online
    watch = Watch(here)
    here.publish("1.2.4")
    left = k

    def cut(_entry: JournalEntry) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            here.router.faults.power_cut()

    watch.also = cut
    first = await here.update(store)
    watch.also = None
    await here.wait(BOOT_S + 400)

    assert here.online == [node], first
    second = await here.update(store)
    third = await here.update(store)

    assert Outcome.UPDATED in {first.outcome, second.outcome, third.outcome}, (first, second, third)
    assert third.outcome is Outcome.NO_OP
    assert here.container.root.startswith("mtts/root/")
    assert here.rows("/system/scheduler") == []
    assert here.online == [node]
    watch.assert_kept()


async def test_what_a_restart_took_from_memory_is_staged_again_by_the_same_run(
    deployment: MakeDeployment, store: Store
) -> None:
    attempt = await begin(deployment, store, "7.23.3", flash_free=2_000_000)
    here = attempt.here
    run = asyncio.ensure_future(here.update(store))

    def kill(entry: JournalEntry) -> None:
        if any("armed=1" in word for word in entry.words):
            run.cancel()

    attempt.watch.also = kill
    await asyncio.gather(run, return_exceptions=True)
    attempt.watch.also = None
    await here.wait(60)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + 130)

    await attempt.assert_converges()


async def _broken_bridge(make: MakeDeployment, store: Store, version: str, *, point: int) -> Attempt:
    """A node that the router brought back by itself: mtts and the power were gone while it lived in memory."""
    attempt = await begin(make, store, version, flash_free=2_000_000)
    here = attempt.here
    run = asyncio.ensure_future(here.update(store))
    left = point

    def cut(_entry: JournalEntry) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            here.router.faults.power_cut()
            run.cancel()

    attempt.watch.also = attempt.watch.at_launch = cut
    await asyncio.gather(run, return_exceptions=True)
    attempt.watch.also = attempt.watch.at_launch = None
    await here.wait(BOOT_S + 400)
    assert_online(here)
    return attempt


@pytest.mark.parametrize(
    ("version", "point"),
    [
        ("7.18.2", 13),
        ("7.23.3", 16),
        pytest.param("7.18.2", 16, marks=pytest.mark.slow),
        pytest.param("7.23.3", 13, marks=pytest.mark.slow),
    ],
)
async def test_a_deploy_leaves_alone_what_the_router_brought_back_and_says_what_finishes_it(
    deployment: MakeDeployment, store: Store, version: str, point: int
) -> None:
    attempt = await _broken_bridge(deployment, store, version, point=point)
    here = attempt.here

    result = await here.deploy()

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "transaction-open")
    assert result.next_step == "once no run is at work on router1: mtts resume router1"
    assert here.writes == []
    await here.wait(900)
    assert_online(here)
    finished = await here.resume(store)
    assert (finished.outcome, finished.problem, finished.to_version) == (Outcome.UPDATED, None, "1.2.4")
    assert (await here.deploy()).outcome is Outcome.NO_OP
    await attempt.assert_converges()


async def test_status_logs_and_login_take_what_runs_for_the_node_and_not_what_was_lost_in_memory(
    deployment: MakeDeployment, store: Store
) -> None:
    here = (await _broken_bridge(deployment, store, "7.23.3", point=16)).here
    here.note_start([])
    said: list[str] = []

    async with services_for(here.lab, here.events) as services:
        ((found, status),) = await status_router(services, here.spec)
        await log_router(services, here.spec, follow=lambda: False, show=lambda _node, line: said.append(line))
        (login,) = await login_router(services, here.spec, reauth=False)
        (anew,) = await login_router(services, here.spec, reauth=True)

    assert (found.outcome, found.problem) == (Outcome.NO_OP, None)
    assert [warning.code for warning in found.warnings] == ["transaction-open", "lock-left"]
    assert status is not None
    assert (status.state, status.version) == ("running", None)
    assert any("-> Running" in line for line in said)
    assert (login.outcome, login.problem) == (Outcome.NO_OP, None)
    assert (anew.outcome, code_of(anew)) == (Outcome.REFUSED, "transaction-open")
    assert here.writes == []


async def test_where_an_upgrade_cut_off_the_router_s_own_way_back_the_second_update_pulls_anew(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await small_board(deployment, "7.19.6")
    here.publish("1.2.4")
    run = asyncio.ensure_future(here.update(store))

    def at(_number: int, entry: JournalEntry) -> None:
        is_second_pull = entry.path == "/container/add" and any("=root-dir=mtts/root" in word for word in entry.words)
        if is_second_pull:
            here.router.faults.cut_link()
            run.cancel()

    here.router.faults.on_write(at)
    with pytest.raises(asyncio.CancelledError):
        await run
    here.router.faults.on_write(None)
    here.router.upgrade("7.21.5")  # the scheduler's entry is in the words of 7.19 now
    await here.wait(BOOT_S + 700)
    assert here.online == []

    first, second = [await here.update(store) for _ in range(2)]

    assert (first.outcome, code_of(first)) == (Outcome.BROKEN, "pull-failed")
    assert (second.outcome, second.problem) == (Outcome.UPDATED, None)
    assert_online(here)
    assert here.rows("/system/scheduler") == []
    assert (await here.update(store)).outcome is Outcome.NO_OP
