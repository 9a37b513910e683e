"""The kill matrix: mtts killed, the link cut, or the router's power cut after every single write of an update.

Whatever the router and mtts do about it, the next run with everything well ends with the new release, and no
invariant was broken at any instant. `make matrix` runs every case; without it a sample is run, one in SAMPLE.
"""

import asyncio
from typing import Any

import pytest

from mtts.core.outcome import Outcome
from mtts.ports import Store
from tests.engine.attempt import Attempt, assert_online, assert_told, begin, update
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Machine
from tests.matrix.cases import PATHS, STRATEGIES, VERSIONS, WAITS_S, Case, cases, held_for_s
from tests.matrix.interruption import at_point, interrupt

SAMPLE = 59
"""Prime to the number of points, so that the sample goes through all of them."""

ALWAYS = {"7.23.3-ram-bridge-tailnet-power-12", "7.22.3-a/b-lan-kill-13", "7.20.8-ram-bridge-lan-kill-21"}
"""What went wrong once."""


def _sampled() -> list[Any]:
    """Every case, all but each SAMPLE-th left to the slow run."""
    return [
        pytest.param(case, id=str(case), marks=() if number % SAMPLE == 0 or str(case) in ALWAYS else pytest.mark.slow)
        for number, case in enumerate(cases())
    ]


async def _begin(make: MakeDeployment, store: Store, *, version: str, strategy: str, path: str) -> Attempt:
    attempt = await begin(make, store, version, **STRATEGIES[strategy].router)
    if path == "tailnet":
        attempt.here.router.faults.tailnet_path()
    return attempt


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_points_are_all_writes_of_a_clean_update(
    deployment: MakeDeployment, store: Store, version: str, strategy: str, path: str
) -> None:
    attempt = await _begin(deployment, store, version=version, strategy=strategy, path=path)
    seen = at_point(attempt, 0, lambda: None)

    result = await update(attempt.here, store)

    assert (result.outcome, result.strategy) == (Outcome.UPDATED, strategy)
    assert len(seen) == STRATEGIES[strategy].points, seen
    await attempt.assert_converges()


@pytest.mark.parametrize("case", _sampled())
async def test_an_update_that_is_interrupted_at_a_write_is_made_good(
    deployment: MakeDeployment, store: Store, another_store: Store, case: Case, counted: None
) -> None:
    attempt = await _begin(deployment, store, version=case.version, strategy=case.strategy, path=case.path)

    result = await interrupt(attempt, case.kind, case.point)

    here = attempt.here
    if result is not None:
        assert_told(here, result)
    back_s = STRATEGIES[case.strategy].back_s
    await here.wait(case.wait_s + (BOOT_S + back_s if case.kind == "power" else 0))
    if case.wait_s >= WAITS_S[-1] or case.kind == "power":
        assert_online(here)  # by itself
    if case.has_other_controller:
        await here.wait(held_for_s(here))
        await attempt.assert_converges(another_store, machine=Machine("another"))
    else:
        await attempt.assert_converges()


async def test_the_router_alone_goes_back_from_a_release_that_never_comes_online(
    deployment: MakeDeployment, store: Store
) -> None:
    """With the controller gone, and no way to the router but the node that does not come."""
    attempt = await _begin(deployment, store, version="7.23.3", strategy="a/b", path="tailnet")
    here = attempt.here
    here.publish("1.2.4", behaviour="never-online")
    run = asyncio.ensure_future(here.update(store))
    attempt.watch.also = lambda entry: run.cancel() if entry.path == "/container/start" else None

    with pytest.raises(asyncio.CancelledError):
        await run

    attempt.watch.also = None
    await here.wait(here.spec.timing.confirm_s + 60)
    attempt.assert_serves()
