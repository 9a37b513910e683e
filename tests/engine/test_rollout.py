"""Waves over a fleet: canary first, nothing begun once the budget is gone, everyone gets a result."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mtts.core.events import Event
from mtts.core.image import ImageRef
from mtts.core.inventory import NodeSpec, Router
from mtts.core.outcome import EXIT_ROLLOUT_STOPPED, NodeResult, Outcome, exit_code
from mtts.core.rollout import Rollout, Share, parse_serial
from mtts.core.secret import FromEnv
from mtts.engine.fleet import Drain, Fleet
from mtts.engine.rollout import roll_out

_NODE = NodeSpec("tailscale", ImageRef.parse("registry.example.net/mtts"), "edge")


def _routers(count: int) -> list[Router]:
    return [Router(f"r{number}", "192.0.2.1", "mtts", FromEnv("X"), nodes=(_NODE,)) for number in range(count)]


class _Rig:
    """Work that ends as told, and notes who was begun while whom was still at work."""

    def __init__(self, ends: dict[str, Outcome] | None = None) -> None:
        self.ends = ends or {}
        self.begun: list[str] = []
        self.at_once = 0
        self.drain = Drain()
        self.ended: set[str] = set()
        self.on_begin: Callable[[str], None] = lambda _: None
        self._working = 0

    async def __call__(self, router: Router) -> Sequence[NodeResult]:
        self.begun.append(router.name)
        self.on_begin(router.name)
        self._working += 1
        self.at_once = max(self.at_once, self._working)
        await asyncio.sleep(0)
        self._working -= 1
        return [NodeResult(router.name, "tailscale", self.ends.get(router.name, Outcome.UPDATED))]

    async def run(self, routers: Sequence[Router], rollout: Rollout, *, parallel: int = 32) -> list[NodeResult]:
        events: list[Event] = []
        waits = NodeResult("", "tailscale", Outcome.NO_OP, changes_pending=True)
        found = {router.name: [replace(waits, router=router.name)] for router in routers}
        async with Fleet(emit=events.append, parallel=parallel, drain=self.drain) as fleet:
            results = await roll_out(fleet, routers, rollout, self, found=found)
        self.ended = {result.router for result in fleet.results(routers)}
        return results


def _outcomes(results: Sequence[NodeResult]) -> list[tuple[str, str]]:
    return [(result.router, str(result.outcome)) for result in results]


async def test_a_good_release_reaches_everyone_after_its_canary() -> None:
    rig = _Rig()

    results = await rig.run(_routers(6), Rollout(serial=parse_serial("2,100%")))

    assert _outcomes(results) == [(f"r{number}", "updated") for number in range(6)]
    assert rig.begun == [f"r{number}" for number in range(6)]
    assert rig.at_once == 3


async def test_a_canary_that_is_rolled_back_keeps_the_release_from_all_others() -> None:
    rig = _Rig({"r0": Outcome.ROLLED_BACK})

    results = await rig.run(_routers(4), Rollout())

    assert rig.begun == ["r0"]
    assert _outcomes(results) == [("r0", "rolled-back"), ("r1", "refused"), ("r2", "refused"), ("r3", "refused")]
    assert {result.problem.code for result in results[1:] if result.problem} == {"rollout-stopped"}
    assert exit_code(results) == EXIT_ROLLOUT_STOPPED
    assert rig.ended == {"r0", "r1", "r2", "r3"}


async def test_a_wave_that_is_under_way_begins_no_more_routers_once_the_budget_is_gone() -> None:
    rig = _Rig({"r3": Outcome.BROKEN})

    results = await rig.run(_routers(40), Rollout(), parallel=2)

    assert len(rig.begun) <= 6
    assert len(results) == 40
    assert _outcomes(results)[-1] == ("r39", "refused")


async def test_failures_within_the_budget_do_not_stop_a_rollout() -> None:
    rig = _Rig({"r1": Outcome.UNKNOWN, "r4": Outcome.BROKEN})

    results = await rig.run(_routers(8), Rollout(max_fail=Share(2)))

    assert len(rig.begun) == 8
    assert exit_code(results) == 6


async def test_a_fault_of_ours_counts_as_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    rig = _Rig()

    def fail(router: str) -> None:
        raise ZeroDivisionError(router)

    rig.on_begin = fail
    results = await rig.run(_routers(3), Rollout(canary=0), parallel=1)

    assert rig.begun == ["r0"]
    assert _outcomes(results) == [("r0", "unknown"), ("r1", "refused"), ("r2", "refused")]
    assert "a fault in mtts on router=r0" in caplog.text


async def test_after_a_drain_no_further_router_is_begun_and_those_are_named() -> None:
    rig = _Rig()

    def drain(router: str) -> None:
        rig.drain.requested = router == "r1"

    rig.on_begin = drain
    results = await rig.run(_routers(5), Rollout(serial=parse_serial("1")))

    assert _outcomes(results) == [("r0", "updated"), ("r1", "updated")]
    assert rig.drain.skipped == ["r2", "r3", "r4"]


async def test_no_routers_are_no_rollout() -> None:
    assert await _Rig().run([], Rollout()) == []
