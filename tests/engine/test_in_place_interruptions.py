"""An update in place that is interrupted after any of its writes: one more command of mtts ends with the new release.

Between the removal of the old container and the record of the new one nothing proven is on the router, and a restart
leaves the node down until mtts comes back: that is what `--allow-in-place` allows, so that I1, I4 and I16 are not held
there. Everything else is, and whatever a run says to do next has to help.
"""

from typing import Any, Final

import pytest

from mtts.core.outcome import NodeResult, Outcome
from mtts.lab.table import Singleton
from mtts.ports import Store
from tests.engine.attempt import Attempt, assert_has_nothing_to_do, assert_online, assert_told, begin, update
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S
from tests.matrix.cases import KINDS, WAITS_S
from tests.matrix.interruption import at_point, interrupt

VERSIONS: Final = ("7.20.8", "7.23.3")
POINTS: Final = 16
"""The writes of a clean update in place, those of the job on the router and each start of a script included."""
SAMPLE: Final = 7
"""Prime to the number of points."""
VOID: Final = ("I1, I16:", "I4:")
"""What holds before the removal and after the record only."""


def _sampled() -> list[Any]:
    """Every case, all but each SAMPLE-th left to the slow run."""
    every = [
        (version, kind, point, WAITS_S[(point + number) % len(WAITS_S)])
        for version in VERSIONS
        for number, kind in enumerate(KINDS)
        for point in range(1, POINTS + 1)
    ]
    return [
        pytest.param(case, id="-".join(map(str, case[:3])), marks=() if number % SAMPLE == 0 else pytest.mark.slow)
        for number, case in enumerate(every)
    ]


async def _begin(make: MakeDeployment, store: Store, version: str) -> Attempt:
    """A router with room for one release, whose device-mode forbids what a bridge needs."""
    attempt = await begin(make, store, version, flash_free=2_000_000)
    attempt.here.router.device.menu_of(Singleton, "/system/device-mode").values["scheduler"] = "false"
    return attempt


def _assert_kept(attempt: Attempt) -> None:
    attempt.watch.violations = [one for one in attempt.watch.violations if not one.startswith(VOID)]
    attempt.watch.assert_kept()
    assert_online(attempt.here)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_points_are_all_writes_of_a_clean_update(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    attempt = await _begin(deployment, store, version)
    seen = at_point(attempt, 0, lambda: None)

    result = await update(attempt.here, store, allow_in_place=True)

    assert (result.outcome, result.strategy) == (Outcome.UPDATED, "in-place")
    assert len(seen) == POINTS, seen
    _assert_kept(attempt)
    attempt.assert_is_new()
    attempt.watch.assert_settled()


@pytest.mark.parametrize("case", _sampled())
async def test_one_more_command_makes_good_what_was_interrupted_at_a_write(
    deployment: MakeDeployment, store: Store, case: tuple[str, str, int, float]
) -> None:
    version, kind, point, wait_s = case
    attempt = await _begin(deployment, store, version)
    here = attempt.here

    first = await interrupt(attempt, kind, point, allow_in_place=True)
    if first is not None:
        assert_told(here, first)
    await here.wait(wait_s + (BOOT_S if kind == "power" else 0))
    second = await _make_good(attempt, first)

    assert second.problem is None, (first, second)
    assert second.to_version == "1.2.4"
    await here.wait(65)  # what the job on the router has still to do
    _assert_kept(attempt)
    attempt.assert_is_new()
    attempt.watch.assert_settled()
    await assert_has_nothing_to_do(here, store)


async def _make_good(attempt: Attempt, first: NodeResult | None) -> NodeResult:
    """What the hint of the interrupted run names, or an update; and what that one's hint names where it was refused."""
    here = attempt.here
    if first is not None and "mtts deploy" in first.next_step:
        return await here.deploy()
    result = await update(here, attempt.store, allow_in_place=True)
    if result.outcome is Outcome.REFUSED and "mtts deploy" in result.next_step:  # nothing of the node is left
        return await here.deploy()
    return result
