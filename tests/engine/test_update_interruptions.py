"""The link cut, the controller killed or the power lost at any moment of an update.

Whatever the run could still do about it, the router ends with one release whole, and the next run has it current. A
cut link is met by the same run, which comes back and puts things in order; a killed one leaves that to the next.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mtts.core.outcome import NodeResult, Outcome
from mtts.lab.images import LabImage
from mtts.lab.journal import JournalEntry
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, lab_image
from tests.engine.watch import KEPT_BYTES, Watch, flash_used

VERSIONS = ("7.18.2", "7.21.5", "7.23.3")
"""State as text and mounts by name; flags; flags that are left out when false."""
LONGEST = 240
"""No clean update sends more commands than this, the login of its survey included; see the first test."""
WRITES = 8
"""Of a clean update, on each version."""
LASTS_S = 90
"""No clean update takes longer, its settled sample left aside."""
PLATFORM = "linux/arm64"


def _points(last: int, stride: int, offset: int) -> list[Any]:
    """Every point on each of the versions, all but each `stride`-th left to the slow run."""
    return [
        pytest.param(
            version, k, id=f"{version}-{k}", marks=() if (k + 3 * row) % stride == offset else pytest.mark.slow
        )
        for row, version in enumerate(VERSIONS)
        for k in range(1, last + 1)
    ]


@dataclass(slots=True)
class Attempt:
    """A router with a deployed node, about to be updated."""

    here: Deployment
    store: Store
    image: LabImage
    watch: Watch
    before: dict[str, Any]
    used_bytes: int

    def assert_is_old(self) -> None:
        """As if nothing had been tried."""
        assert self.here.snapshot() == self.before
        assert abs(flash_used(self.here) - self.used_bytes) <= KEPT_BYTES

    def assert_is_new(self) -> None:
        """As before, but for the release and the slot that it is in."""
        assert _without_config(self.here.snapshot()) == self._expected()
        assert abs(flash_used(self.here) - self.used_bytes) <= KEPT_BYTES

    def assert_serves(self) -> None:
        """The same node as ever is online, once."""
        self.watch.assert_kept()
        (node,) = self.here.online
        assert self.here.lab.tailnet.online[node.id] == 1
        assert len(self.here.lab.tailnet.nodes) == 1

    def _expected(self) -> Any:
        text = json.dumps(_without_config(self.before))
        old = lab_image("1.2.3")
        pairs = {
            "root/tailscale/a": "root/tailscale/b",
            '"tailscale-a"': '"tailscale-b"',
            "1.2.3": "1.2.4",
            old.index_digest: self.image.index_digest,
            old.manifest_digest(PLATFORM): self.image.manifest_digest(PLATFORM),
            _config_digest(old): _config_digest(self.image),
        }
        for before, after in pairs.items():
            text = text.replace(before, after)
        return json.loads(text)


def _without_config(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without what a row may copy from the image (its digest says as much), and which transaction brought it."""
    copied = ("config-json", "layers")
    rows = [{name: row[name] for name in row if name not in copied} for row in snapshot["/container"]]
    for row in rows:
        row["comment"] = re.sub(r" tx=\w+", "", row["comment"])
    return {**snapshot, "/container": rows}


def _config_digest(image: LabImage) -> str:
    return str(json.loads(image.manifests[image.manifest_digest(PLATFORM)])["config"]["digest"])


async def _begin(make: MakeDeployment, store: Store, version: str) -> Attempt:
    here = await make(version=version)
    await here.deploy()
    await here.wait(60)
    before, used_bytes = here.snapshot(), flash_used(here)
    return Attempt(here, store, here.publish("1.2.4"), Watch(here), before, used_bytes)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_points_of_interruption_cover_a_whole_update(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    attempt = await _begin(deployment, store, version)
    began_s = attempt.here.lab.clock.now

    result = await attempt.here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert len(attempt.here.journal) <= LONGEST
    assert len(attempt.here.writes) == WRITES
    assert attempt.here.lab.clock.now - began_s - attempt.here.spec.timing.settle_s <= LASTS_S
    attempt.assert_is_new()
    attempt.assert_serves()


async def _cut_and_settle(attempt: Attempt, k: int, *, before: bool) -> None:
    """An update whose link is cut at command `k`, and the next one."""
    attempt.here.router.faults.cut_after(k, before=before)

    _assert_settled(attempt, await attempt.here.update(attempt.store))

    await _assert_converges(attempt)


@pytest.mark.parametrize(("version", "k"), _points(LONGEST, 97, 11))
async def test_a_link_cut_before_a_command_took_effect_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    await _cut_and_settle(await _begin(deployment, store, version), k, before=True)


@pytest.mark.parametrize(("version", "k"), _points(LONGEST, 97, 60))
async def test_a_link_cut_after_a_command_took_effect_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    await _cut_and_settle(await _begin(deployment, store, version), k, before=False)


@pytest.mark.parametrize(("version", "k"), _points(WRITES, 6, 1))
async def test_a_killed_update_is_made_good_by_the_next_one(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    attempt = await _begin(deployment, store, version)

    await _update_and_kill(attempt, k)

    await attempt.here.wait(k * 7.0)
    await _assert_converges(attempt)


@pytest.mark.parametrize(("version", "k"), _points(WRITES, 6, 2))
async def test_a_power_cut_after_a_killed_update_is_made_good_by_the_next_one(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    attempt = await _begin(deployment, store, version)

    await _update_and_kill(attempt, k)

    attempt.here.router.faults.power_cut()
    await attempt.here.wait(BOOT_S + 10)
    attempt.assert_serves()
    await _assert_converges(attempt)


@pytest.mark.parametrize(("version", "k"), _points(WRITES, 6, 3))
async def test_a_power_cut_at_a_write_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    attempt = await _begin(deployment, store, version)
    _at_write(attempt, k, attempt.here.router.faults.power_cut)

    result = await attempt.here.update(store)

    await attempt.here.wait(BOOT_S + 10)
    _assert_settled(attempt, result)
    await _assert_converges(attempt)


@pytest.mark.parametrize(("version", "k"), _points(LASTS_S, 59, 4))
async def test_a_power_cut_at_any_second_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    attempt = await _begin(deployment, store, version)
    attempt.here.lab.clock.call_later(k - 0.5, attempt.here.router.faults.power_cut)

    result = await attempt.here.update(store)

    await attempt.here.wait(BOOT_S + 10)
    _assert_settled(attempt, result)
    await _assert_converges(attempt)


def _at_write(attempt: Attempt, k: int, do: Callable[[], object]) -> None:
    """Have something done when the k-th write took effect."""
    left = k

    def at(_entry: JournalEntry) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            do()

    attempt.watch.also = at


async def _update_and_kill(attempt: Attempt, k: int) -> None:
    """An update whose controller is gone when the k-th write took effect."""
    run = asyncio.ensure_future(attempt.here.update(attempt.store))
    _at_write(attempt, k, run.cancel)
    with pytest.raises(asyncio.CancelledError):
        await run
    attempt.watch.also = None


def _assert_settled(attempt: Attempt, result: NodeResult) -> None:
    """What the run says is what the router holds."""
    match result.outcome:
        case Outcome.UNREACHABLE | Outcome.REFUSED:
            assert attempt.here.writes == []
            attempt.assert_is_old()
        case Outcome.KEPT_OLD | Outcome.ROLLED_BACK:
            assert result.problem is not None
            assert result.problem.code in {"session-lost", "pull-failed", "start-failed", "crash-loop"}
            assert result.to_version == "1.2.3"
            attempt.assert_is_old()
            attempt.assert_serves()
        case Outcome.UPDATED:
            assert result.to_version == "1.2.4"
            attempt.assert_is_new()
        case _:
            pytest.fail(f"it ended {result.outcome}: {result.problem}")


async def _assert_converges(attempt: Attempt) -> None:
    """One more update brings the new release, or finds it there, and another one has nothing to do."""
    here = attempt.here
    here.router.faults.cut_after(LONGEST * LONGEST)
    attempt.watch.also = None
    assert await attempt.store.quarantined() == []

    result = await here.update(attempt.store)

    assert (result.problem, result.to_version) == (None, "1.2.4")
    assert result.outcome in {Outcome.UPDATED, Outcome.NO_OP}
    attempt.assert_is_new()
    attempt.assert_serves()
    assert (await here.update(attempt.store)).outcome is Outcome.NO_OP
    assert here.writes == []
