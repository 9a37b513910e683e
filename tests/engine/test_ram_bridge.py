"""Boards whose flash holds one release only: the node serves from memory while the flash is rewritten."""

import pytest

from mtts.core.events import Kind
from mtts.core.outcome import Outcome
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, versions
from tests.engine.watch import Watch

KIB = 1024
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
ROOM = 600 * KIB
"""Free beside the running release: less than another one takes."""


async def small_board(make: MakeDeployment, version: str) -> Deployment:
    """A deployed node on a router with room for one release."""
    here = await make(version=version)
    await here.deploy()
    await here.wait(60)
    free = here.router.device.storage.flash.free_bytes
    here.router.write_file("ballast", bytes(free - 1024 * KIB - ROOM))
    await here.wait(60)
    return here


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
