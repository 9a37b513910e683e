"""Anything that happens to a router, its registry and its controllers, in any order, with every invariant kept.

Each rule is one event, or one run of `mtts update` in which one event happens; after each the watch must have seen
nothing that must not be. At the end everything is healed and a new release published: one run brings it, or finds it
there, and the next one has nothing to write. A neighbour in the same fleet serves on through all of it (I20).
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mtts.adapters.store.place import find_place
from mtts.adapters.store.store import SqlStore
from mtts.core.outcome import NodeResult, Outcome
from mtts.lab.fleet import Lab
from mtts.lab.journal import JournalEntry
from tests.engine.attempt import assert_has_nothing_to_do, assert_online, assert_told, free_of_locks, update
from tests.engine.conftest import deployments_in
from tests.engine.fleet import BOOT_S, Deployment, Machine, update_fleet
from tests.engine.watch import Watch, is_proven
from tests.matrix.cases import KINDS, SETTLED_S, VERSIONS, WAITS_S, held_for_s

LONGEST_POINT: Final = 14
EXAMPLES, STEPS = 60, 40
"""Of each version, when asked for all."""
T = TypeVar("T")


class AnyOrder(RuleBasedStateMachine):
    """One router, its neighbour, and two controllers that know nothing of each other."""

    version: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._ending = AsyncExitStack()
        self._number = 3
        self._run(self._begin())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _begin(self) -> None:
        place = Path(self._ending.enter_context(TemporaryDirectory()))
        self.lab = await self._ending.enter_async_context(Lab())
        self.stores = [SqlStore(find_place(str(place / name), {})) for name in ("one", "another")]
        for store in self.stores:
            self._ending.callback(store.close)
        self.machines = [Machine("one"), Machine("another")]
        make = deployments_in(self.lab)
        self.here: Deployment = await make(version=self.version)
        self.neighbour: Deployment = await make("router2", node={"hostname": "edge2"})
        for one in (self.here, self.neighbour):
            assert (await one.deploy()).outcome is Outcome.DEPLOYED
        await self.here.wait(60)
        self.watch = Watch(self.here)
        self.beside = Watch(self.neighbour)

    # the controllers

    @rule(which=st.sampled_from([0, 1]))
    def update(self, which: int) -> None:
        self._run(update(self.here, self.stores[which], machine=self.machines[which]))

    @rule(which=st.sampled_from([0, 1]), kind=st.sampled_from(list(KINDS)), point=st.integers(1, LONGEST_POINT))
    def update_with_an_event(self, which: int, kind: str, point: int) -> None:
        result = self._run(self._update_with_an_event(which, kind, point))
        if result is not None:
            self._run(self.here.wait(BOOT_S + 10 if kind == "power" else 0))
            assert_told(self.here, result)

    async def _update_with_an_event(self, which: int, kind: str, point: int) -> NodeResult | None:
        run = asyncio.ensure_future(self.here.update(self.stores[which], machine=self.machines[which]))
        left = point

        def at(_entry: JournalEntry) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                KINDS[kind](self.here.router.faults)
                if kind == "kill":
                    run.cancel()

        self.watch.also = self.watch.at_launch = at
        (result,) = await asyncio.gather(run, return_exceptions=True)
        self.watch.also = self.watch.at_launch = None
        if isinstance(result, asyncio.CancelledError):
            return None
        assert isinstance(result, NodeResult), result
        return result

    @rule()
    def update_by_both_at_once(self) -> None:
        self._run(self._update_by_both_at_once())

    async def _update_by_both_at_once(self) -> None:
        both = zip(self.stores, self.machines, strict=True)
        await asyncio.gather(*(self.here.update(store, machine=machine) for store, machine in both))

    @rule(which=st.sampled_from([0, 1]))
    def update_with_the_neighbour(self, which: int) -> None:
        _, beside = self._run(self._update_fleet(which))
        assert beside.outcome not in {Outcome.BROKEN, Outcome.UNKNOWN, Outcome.PENDING, Outcome.UNREACHABLE}

    async def _update_fleet(self, which: int) -> list[NodeResult]:
        return await update_fleet([self.here, self.neighbour], self.stores[which], machine=self.machines[which])

    @rule(n=st.integers(1, 2))
    def another_controller_gives_the_same_commands(self, n: int) -> None:
        self.here.router.faults.second_controller(n)

    # the registry

    @rule(behaviour=st.sampled_from(["ok", "ok", "ok", "never-online", "crash", "crash-later", "unhealthy"]))
    def the_tag_moves(self, behaviour: str) -> None:
        self._number += 1
        self.here.publish(f"1.2.{self._number}", behaviour=behaviour)

    @rule()
    def the_next_pull_fails(self) -> None:
        self.here.router.faults.fail_pull()

    # the router

    @rule()
    def the_link_drops(self) -> None:
        self.here.router.faults.cut_link()

    @rule()
    def the_power_is_cut(self) -> None:
        self.here.router.faults.power_cut()

    @rule(seconds=st.sampled_from([-86_400.0, 3600.0, 86_400.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.here.router.faults.clock_jump(seconds)

    @rule(leave=st.sampled_from([300_000, 1_500_000]))
    def others_fill_the_disk(self, leave: int) -> None:
        free = self.here.router.device.storage.flash.free_bytes
        self.here.router.faults.fill_disk(leave_bytes=min(leave, free))

    @rule()
    def the_disk_is_freed(self) -> None:
        self._clear()

    @precondition(lambda self: self.here.router.device.build.version != VERSIONS[-1])
    @rule()
    def routeros_is_upgraded(self) -> None:
        now = self.here.router.device.version
        later = [one for one in VERSIONS if tuple(map(int, one.split("."))) > now[: len(one.split("."))]]
        self.here.router.upgrade(later[0])
        self._run(self.here.wait(BOOT_S + 1))
        self.watch.rebase()  # what a newer one shows of everybody's containers

    @rule(edit=st.sampled_from(["stop", "neighbour", "rule"]))
    def somebody_edits(self, edit: str) -> None:
        router = self.here.router
        if edit == "neighbour":
            router.add_row("/container", name=f"theirs{len(router.rows('/container'))}", root_dir="/theirs")
        elif edit == "rule":
            router.add_row("/ip/firewall/nat", chain="srcnat")
        else:
            engine = router.device.engine
            for one in engine.containers.values():
                if is_proven(one) and one.phase.value == "running":
                    engine.stop(one)
        self.watch.rebase()

    @rule(is_on=st.booleans())
    def the_way_is_through_the_node(self, is_on: bool) -> None:
        self.here.router.faults.tailnet_path(off=not is_on)

    @rule(seconds=st.sampled_from(WAITS_S))
    def time_passes(self, seconds: float) -> None:
        self._run(self.here.wait(seconds))

    # what must be true

    @invariant()
    def nothing_happened_that_must_not(self) -> None:
        self.watch.assert_kept()
        self.beside.assert_kept()
        assert_online(self.neighbour)

    def teardown(self) -> None:
        try:
            self._run(self._heal_and_update_twice())
        finally:
            self._run(self._ending.aclose())
            self._runner.close()

    async def _heal_and_update_twice(self) -> None:
        self._clear()
        device = self.here.router.device
        device.jump_clock(device.build.clock_skew_s - device.clock_error_s)
        await self.here.wait(SETTLED_S)
        await self.here.wait(held_for_s(self.here))
        self._number += 1
        self.here.publish(f"1.2.{self._number}")
        result = await update(self.here, self.stores[0], machine=self.machines[0])
        assert (result.outcome, result.problem) in {(Outcome.UPDATED, None), (Outcome.NO_OP, None)}
        assert result.to_version == f"1.2.{self._number}"
        await self.here.wait(60)
        await assert_has_nothing_to_do(self.here, self.stores[1], self.machines[1])
        self.nothing_happened_that_must_not()
        await free_of_locks(self.here, self.stores[1], self.machines[1])
        self.watch.assert_settled()
        assert_online(self.here)

    def _clear(self) -> None:
        self.here.router.faults.clear()
        self.watch.wait_for_launches()


def _run_any_order(version: str, *, examples: int, steps: int, is_sample: bool = False) -> None:
    """Without shrinking, which takes longer than all the rest: a failure tells its steps as they were."""
    machine = type(f"AnyOrder{version}", (AnyOrder,), {"version": version})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=is_sample,
            phases=[Phase.reuse, Phase.generate],
        ),
    )


def test_whatever_happens_in_some_order_is_made_good() -> None:
    _run_any_order("7.23.3", examples=3, steps=12, is_sample=True)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_happens_in_any_order_is_made_good(version: str) -> None:
    _run_any_order(version, examples=EXAMPLES, steps=STEPS)
