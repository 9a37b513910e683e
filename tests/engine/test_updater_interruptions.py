"""A router that updates itself loses its power, or its updater is ended: the next run, of either, makes it good."""

from typing import Any

import pytest

from mtts.core.outcome import Outcome
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S
from tests.engine.updaters import (
    EVERY,
    NAME,
    PLATFORM,
    VERSIONS,
    WRITES,
    B,
    Updater,
    assert_new_serves,
    assert_old_serves,
    changes,
    with_updater,
)
from tests.engine.watch import KEPT_BYTES, Watch, flash_used


def _cuts() -> list[Any]:
    """Every write on each version, all but some left to the slow run."""
    return [
        pytest.param(version, k, id=f"{version}-{k}", marks=() if (k + 3 * row) % 8 == 1 else pytest.mark.slow)
        for row, version in enumerate(VERSIONS)
        for k in range(1, WRITES[version] + 1)
    ]


async def cut_at_write(updater: Updater, k: int) -> Watch:
    """A run whose router loses its power when its k-th write took effect, and the boot after it."""
    here = updater.here
    watch, left = Watch(here), k

    def cut(entry: JournalEntry) -> None:
        nonlocal left
        left -= entry.script == NAME
        if left == 0:
            here.router.faults.power_cut()

    watch.also = cut
    await updater.run()
    watch.also = None
    await here.wait(BOOT_S + 20)
    assert len(here.online) == 1
    return watch


@pytest.mark.parametrize(("version", "k"), _cuts())
async def test_a_power_cut_at_any_write_is_made_good_by_the_next_run(
    deployment: MakeDeployment, version: str, k: int
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    used = flash_used(here)
    here.publish("1.2.4")
    watch = await cut_at_write(updater, k)

    await updater.run()

    assert_new_serves(here)
    watch.assert_kept()
    assert abs(flash_used(here) - used) <= KEPT_BYTES
    start = len(here.router.journal)
    await updater.run()
    assert changes(updater, start) == []


@pytest.mark.parametrize(("version", "k"), _cuts())
async def test_a_power_cut_at_any_write_is_made_good_by_mtts(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    here.publish("1.2.4")
    watch = await cut_at_write(updater, k)
    updater.ask("/system/script/remove", numbers=NAME)

    result = await here.update(store)

    assert (result.problem, result.to_version) == (None, "1.2.4")
    assert_new_serves(here)
    watch.assert_kept()
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []


@pytest.mark.parametrize("version", EVERY)
async def test_a_run_that_is_ended_while_the_new_one_is_watched_is_made_good_by_the_next(
    deployment: MakeDeployment, version: str
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    here.publish("1.2.4")

    def kill() -> None:
        mine = f'[/system/script/job/find where script="{NAME}"]'
        updater.ask("/execute", script=f":foreach id in={mine} do={{/system/script/job/remove $id}}")

    def end(_number: int, entry: JournalEntry) -> None:
        if entry.path == "/container/start" and entry.script == NAME:
            here.lab.clock.call_later(2, kill)

    here.router.faults.on_write(end)
    await updater.run()
    here.router.faults.on_write(None)
    assert updater.up == [B]

    await updater.run()

    assert_new_serves(here)


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("k", [1, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 4, 5)), 3])
async def test_a_power_cut_on_the_way_back_is_made_good_by_the_next_run(
    deployment: MakeDeployment, version: str, k: int
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    bad = here.publish("1.2.4", behaviour="never-online")
    watch, seen = Watch(here), 0

    def cut(entry: JournalEntry) -> None:
        nonlocal seen
        seen += bool(seen or any("failed=" in word for word in entry.words))
        if seen == k:
            here.router.faults.power_cut()

    watch.also = cut
    await updater.run()
    watch.also = None
    await here.wait(BOOT_S + 20)
    await updater.run()

    assert_old_serves(updater)
    watch.assert_kept()
    assert updater.memory == f"mtts:updater failed={bad.manifest_digest(str(PLATFORM))}"
