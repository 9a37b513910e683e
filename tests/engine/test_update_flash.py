"""The flash that an update says it cost is what the simulator itself accounts, to the byte."""

import pytest

from mtts.core.flash import Moment
from mtts.core.outcome import Outcome
from mtts.lab.images import build_image
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, Deployment, versions
from tests.engine.watch import flash_used


def _account(here: Deployment) -> tuple[int, int, int]:
    """What the router has free, and has written since its boot and ever, by its own books."""
    storage = here.router.device.storage
    return storage.reported_free_bytes, storage.sectors_since_reboot, storage.sectors_total


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("flash_trap", [False, True], ids=["flash", "flash trap"])
async def test_the_samples_of_an_update_are_the_simulators_own_books(
    deployment: MakeDeployment, store: Store, version: str, flash_trap: bool
) -> None:
    here = await deployment(version=version, flash_trap=flash_trap)
    await here.deploy()
    await here.wait(60)
    before, used_before = _account(here), flash_used(here)
    release = build_image("1.2.4", extracted_bytes=700_000)
    here.lab.registry.publish(release, repository=REPOSITORY)
    peak = [used_before]

    def at(_number: int, _entry: JournalEntry) -> None:
        peak.append(flash_used(here))

    here.router.faults.on_write(at)

    result = await here.update(store)

    assert result.outcome is Outcome.UPDATED
    moments = [sample.moment for sample in result.samples]
    assert moments == [Moment.BEFORE, Moment.STAGED, Moment.COMMITTED, Moment.SETTLED]
    first, staged, committed, last = result.samples
    assert (first.free_bytes, first.write_sectors_since_reboot, first.write_sectors_total) == before
    assert (last.free_bytes, last.write_sectors_since_reboot, last.write_sectors_total) == _account(here)
    total = here.router.device.storage.flash.total_bytes
    assert {sample.total_bytes for sample in result.samples} == {total}
    assert last.free_bytes == total - flash_used(here), "settled: nothing is on its way to the flash any more"
    assert last.taken_s - committed.taken_s >= here.spec.timing.settle_s
    assert result.flash is not None
    assert result.flash.delta_bytes == used_before - flash_used(here)
    assert result.flash.delta_bytes < 0, "the next release is the larger one"
    assert max(peak) - used_before >= 700_000, "both slots were there at once"
    sectors = [sample.write_sectors_total for sample in result.samples]
    assert sectors == sorted(sectors, key=lambda count: count or 0)
    assert staged.taken_s < committed.taken_s


async def test_an_update_that_came_to_nothing_costs_nothing_once_it_settled(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    await here.wait(60)
    used_before = flash_used(here)
    here.publish("1.2.4", behaviour="crash")

    result = await here.update(store)

    assert result.outcome is Outcome.ROLLED_BACK
    assert result.samples[-1].moment is Moment.SETTLED
    assert result.flash is not None
    assert result.flash.delta_bytes == used_before - flash_used(here) == 0


async def test_what_was_not_written_to_is_not_sampled(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    began_s = here.lab.clock.now

    result = await here.update(store)

    assert (result.outcome, result.samples, result.flash) == (Outcome.NO_OP, (), None)
    assert here.lab.clock.now - began_s < here.spec.timing.settle_s
