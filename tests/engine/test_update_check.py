"""`mtts update --check` foretells the swap or the refusal that the update would end with, and writes nothing at all."""

from collections.abc import Callable

import pytest

from mtts.core.outcome import Outcome, exit_code
from mtts.core.strategy import Strategy
from mtts.lab.boards import MIB
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment
from tests.engine.guards import update_and_kill
from tests.engine.test_router_lock import OTHER, lock_by
from tests.engine.updaters import Updater
from tests.engine.updates import close_the_window, code_of, home_board, outdated, small_board


def assert_untouched(here: Deployment) -> None:
    """The last run wrote nothing, its lock neither."""
    assert [entry.path for entry in here.journal if entry.is_write] == []


async def test_it_names_the_strategy_its_price_and_the_release(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    running = here.container.item.values["comment"]

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert here.container.item.values["comment"] == running
    assert (foretold.outcome, foretold.problem, foretold.changes_pending) == (Outcome.NO_OP, None, True)
    assert (foretold.from_version, foretold.to_version, foretold.strategy) == ("1.2.3", "1.2.4", "a/b")
    assert foretold.expected is not None
    assert foretold.expected.strategy is Strategy.A_B
    assert foretold.expected.flash_bytes > 400_000
    assert foretold.expected.memory_bytes > 0
    assert foretold.expected.gap == "seconds"
    assert exit_code([foretold]) == 3
    updated = await here.update(store)
    assert (updated.outcome, updated.strategy, updated.to_version) == (Outcome.UPDATED, "a/b", "1.2.4")


async def test_it_names_the_bridge_that_a_small_flash_takes(deployment: MakeDeployment, store: Store) -> None:
    here = await small_board(deployment, "7.23.3")
    here.publish("1.2.4")

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert foretold.expected is not None
    assert (foretold.strategy, foretold.expected.gap) == ("ram-bridge", "seconds, twice")
    assert foretold.expected.memory_bytes > foretold.expected.flash_bytes


def _fill(here: Deployment) -> None:
    here.router.faults.fill_disk(leave_bytes=MIB // 8)


def _unmount(here: Deployment) -> None:
    here.router.faults.foreign_command("/container/mounts/remove", where={"dst": "/var/lib/tailscale"})


def _renew_by_a_script(here: Deployment) -> None:
    script = "/container/remove [find where name=tailscale-a]; /container/add remote-image=x interface=veth-tailscale"
    Updater(here).ask("/system/scheduler/add", name="nightly", on_event=script, interval="1d", policy="read,write")


@pytest.mark.parametrize(
    ("befalls", "code"),
    [
        (_fill, "flash-too-small"),
        (_unmount, "state-not-mounted"),
        (_renew_by_a_script, "foreign-updater"),
        (lambda here: here.change_node(tmpfs_size_bytes=4096 * MIB), "memory-too-small"),
    ],
    ids=["full", "unmounted", "renewed by a script", "no memory"],
)
async def test_it_refuses_what_the_update_refuses_in_the_same_words(
    deployment: MakeDeployment, store: Store, befalls: Callable[[Deployment], object], code: str
) -> None:
    here = await outdated(deployment)
    befalls(here)
    await here.wait(60)

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert (foretold.outcome, code_of(foretold), foretold.changes_pending) == (Outcome.REFUSED, code, False)
    assert exit_code([foretold]) == 5
    refused = await here.update(store)
    assert (refused.outcome, refused.problem) == (foretold.outcome, foretold.problem)


async def test_in_place_is_foretold_where_it_is_allowed(deployment: MakeDeployment, store: Store) -> None:
    here = await home_board(deployment, "7.23.3")
    here.publish("1.2.4")

    refused = await here.update(store, check=True)
    allowed = await here.update(store, check=True, allow_in_place=True)

    assert_untouched(here)
    assert code_of(refused) == "flash-too-small"
    assert allowed.expected is not None
    assert (allowed.strategy, allowed.expected.gap) == ("in-place", "the whole pull")


async def test_outside_the_window_it_says_that_the_swap_waits(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    close_the_window(here)

    foretold = await here.update(store, check=True)

    assert [warning.code for warning in foretold.warnings] == ["outside-window"]
    assert (foretold.strategy, foretold.changes_pending) == ("a/b", True)


async def test_an_open_update_is_told_with_what_finishes_it(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    await update_and_kill(here, store, 2)
    await here.wait(20)

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert foretold.changes_pending
    assert [warning.code for warning in foretold.warnings] == ["transaction-open"]
    assert "mtts resume" in foretold.warnings[0].hint


async def test_a_release_that_waits_for_its_turn_is_foretold_as_the_swap_that_it_is(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    await update_and_kill(here, store, 1, path="/container/add")
    await here.wait(60)
    (lock,) = here.rows("/system/script")
    here.router.remove_row("/system/script", lock[".id"])

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert (foretold.problem, foretold.strategy, foretold.to_version) == (None, "a/b", "1.2.4")


async def test_a_router_on_which_another_run_is_at_work_is_refused(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    lock_by(here, OTHER, uptime_s=here.router.device.uptime_s)

    foretold = await here.update(store, check=True)

    assert_untouched(here)
    assert (foretold.outcome, code_of(foretold)) == (Outcome.REFUSED, "router-locked")
