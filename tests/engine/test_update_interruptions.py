"""The link cut before or after any command of an update, or the power lost at any second of it.

Whatever the run could still do about it, the router ends with one release whole, and the next run has it current. What
happens right after a write has its own matrix (tests/matrix).
"""

import asyncio
from typing import Any

import pytest

from mtts.core.outcome import NodeResult, Outcome
from mtts.ports import Store
from tests.engine.attempt import NEW, OLD, Attempt, assert_told, begin
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S

VERSIONS = ("7.18.2", "7.21.5", "7.23.3")
"""State as text and mounts by name; flags; flags that are left out when false."""
LONGEST = 300
"""No clean update sends more commands than this, the login of its survey included; see the first test."""
LASTS_S = 90
"""No clean update takes longer, its settled sample left aside."""


def _points(last: int, stride: int, offset: int) -> list[Any]:
    """Every point on each of the versions, all but each `stride`-th left to the slow run."""
    return [
        pytest.param(
            version, k, id=f"{version}-{k}", marks=() if (k + 3 * row) % stride == offset else pytest.mark.slow
        )
        for row, version in enumerate(VERSIONS)
        for k in range(1, last + 1)
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_points_of_interruption_cover_a_whole_update(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    attempt = await begin(deployment, store, version)
    began_s = attempt.here.lab.clock.now

    result = await attempt.here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert len(attempt.here.journal) <= LONGEST
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
    await _cut_and_settle(await begin(deployment, store, version), k, before=True)


@pytest.mark.parametrize(("version", "k"), _points(LONGEST, 97, 60))
async def test_a_link_cut_after_a_command_took_effect_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    await _cut_and_settle(await begin(deployment, store, version), k, before=False)


@pytest.mark.parametrize(("version", "k"), _points(LASTS_S, 59, 4))
async def test_a_power_cut_at_any_second_is_made_good(
    deployment: MakeDeployment, store: Store, version: str, k: int
) -> None:
    attempt = await begin(deployment, store, version)
    attempt.here.lab.clock.call_later(k - 0.5, attempt.here.router.faults.power_cut)

    result = await attempt.here.update(store)

    await attempt.here.wait(BOOT_S + 10)
    _assert_settled(attempt, result)
    await _assert_converges(attempt)


def _assert_settled(attempt: Attempt, result: NodeResult) -> None:
    """What the run says is what the router holds."""
    assert_told(attempt.here, result)
    match result.outcome:
        case Outcome.UNREACHABLE | Outcome.REFUSED:
            assert attempt.here.writes == []
            attempt.assert_is_old()
        case Outcome.KEPT_OLD | Outcome.ROLLED_BACK:
            assert result.problem is not None
            assert result.problem.code in {"session-lost", "pull-failed", "start-failed", "crash-loop"}
            assert result.to_version == OLD
            attempt.assert_is_old()
            attempt.assert_serves()
        case Outcome.UPDATED:
            assert result.to_version == NEW
            attempt.assert_is_new()
        case _:
            pytest.fail(f"it ended {result.outcome}: {result.problem}")


async def _assert_converges(attempt: Attempt) -> None:
    attempt.here.router.faults.cut_after(LONGEST * LONGEST)
    await attempt.assert_converges()


async def test_a_router_that_is_lost_before_its_swap_still_tells_how_an_open_one_ended(
    deployment: MakeDeployment, store: Store
) -> None:
    attempt = await begin(deployment, store, "7.23.3")
    here = attempt.here
    here.publish("1.2.5", behaviour="never-online")
    run = asyncio.ensure_future(here.update(store))
    attempt.watch.also = lambda entry: run.cancel() if entry.path == "/container/start" else None
    with pytest.raises(asyncio.CancelledError):
        await run
    attempt.watch.also = None
    await here.wait(here.spec.timing.confirm_s + 60)
    here.publish("1.2.6")
    here.router.faults.at_command(1, here.router.faults.cut_link, path="/interface/bridge/print")

    result = await here.update(store)

    assert_told(here, result)
    assert result.outcome is Outcome.ROLLED_BACK
    assert {"swap-unconfirmed", "session-lost"} <= {
        problem.code for problem in (result.problem, *result.warnings) if problem
    }
    attempt.assert_serves()
