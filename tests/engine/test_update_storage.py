"""A flash that shrinks more than a pull explains, or goes bad, while a release is unpacked (F15, F19)."""

from collections.abc import Mapping
from typing import Any

import pytest

from mtts.core.outcome import Outcome
from mtts.lab.boards import MIB
from mtts.lab.faults import OTHERS_FILE
from mtts.lab.images import build_image
from mtts.lab.quirks import Quirks
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, Deployment, versions
from tests.engine.updates import code_of
from tests.engine.watch import Watch

PLENTY: Mapping[str, Any] = {"quirks": Quirks(flash_flush_s=0), "flash_free": 40 * MIB, "link_bytes_per_s": 50_000.0}
"""Of flash, whose figures follow at once; and a pull takes some looks."""


async def _serving(make: MakeDeployment, version: str = "7.23.3") -> Deployment:
    """A node with plenty of flash."""
    here = await make(version=version, **PLENTY)
    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    await here.wait(60)
    return here


def _fill_soon(here: Deployment) -> None:
    """Somebody writes 8 MiB while the router pulls."""
    faults, flash = here.router.faults, here.router.device.storage.flash

    def fill() -> None:
        faults.fill_disk(leave_bytes=flash.free_bytes - 8 * MIB)

    faults.at_command(1, lambda: faults.at_command(3, fill, path="/system/resource/print"), path="/container/add")


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_a_pull_during_which_the_flash_shrinks_too_much_is_ended(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await _serving(deployment, version)
    before, (node,) = here.snapshot(), here.online
    here.publish("1.2.4")
    watch = Watch(here)
    _fill_soon(here)

    result = await here.update(store)

    assert (result.outcome, code_of(result), result.downtime_s) == (Outcome.KEPT_OLD, "flash-overrun", None)
    assert result.problem is not None
    assert "8.0 MiB" in result.problem.message
    assert "0.9 MiB at most" in result.problem.message
    watch.assert_kept()
    assert here.online == [node]
    here.router.device.files.remove(OTHERS_FILE)
    await here.wait(60)
    assert here.snapshot() == before
    assert await store.quarantined() == []
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_tmpfs_that_somebody_takes_away_before_the_pull_does_not_cost_the_flash(
    deployment: MakeDeployment, store: Store
) -> None:
    """F15: then its name is a directory on the flash, and the packed layers land there."""
    here = await _serving(deployment)
    here.lab.registry.publish(build_image("1.2.4", extracted_bytes=6 * MIB), repository=REPOSITORY)

    def take_away() -> None:
        here.router.faults.foreign_command("/disk/remove", where={"slot": "mtts-tmp"})

    here.router.faults.at_command(1, take_away, path="/container/add", before=True)

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.KEPT_OLD, "flash-overrun")
    assert "/disk/add" not in here.writes
    here.router.device.files.remove("mtts-tmp")  # a directory on the flash by now, which a person takes away
    second = await here.update(store)
    assert (second.outcome, second.problem) == (Outcome.UPDATED, None)
    assert "/disk/add" in here.writes


async def test_a_first_pull_that_takes_too_much_is_ended_and_taken_away(deployment: MakeDeployment) -> None:
    here = await deployment(**PLENTY)
    _fill_soon(here)

    result = await here.deploy()

    assert (result.outcome, code_of(result)) == (Outcome.BROKEN, "flash-overrun")
    assert here.rows("/container") == []
    here.router.device.files.remove(OTHERS_FILE)
    assert (await here.deploy()).outcome is Outcome.DEPLOYED


@pytest.mark.parametrize("flash_free", [40 * MIB, 2_000_000], ids=["a/b", "ram-bridge"])
async def test_blocks_that_go_bad_while_a_release_is_unpacked_keep_the_old_one(
    deployment: MakeDeployment, store: Store, flash_free: int
) -> None:
    here = await deployment(flash_free=flash_free)
    await here.deploy()
    await here.wait(60)
    (node,) = here.online
    here.publish("1.2.4")
    watch = Watch(here)
    here.router.faults.at_command(1, lambda: here.router.faults.bad_blocks(3), path="/container/add")

    result = await here.update(store)

    assert (result.outcome, code_of(result), result.downtime_s) == (Outcome.KEPT_OLD, "flash-failing", None)
    assert result.problem is not None
    assert "3 %" in result.problem.message
    assert "0 %" in result.problem.message
    assert here.online == [node]
    assert [row["root-dir"][-1] for row in here.rows("/container")] == ["a"]
    watch.assert_kept()
    assert await store.quarantined() == []
    after = await here.update(store)
    assert (after.outcome, [warning.code for warning in after.warnings]) == (Outcome.UPDATED, ["flash-bad-blocks"])
