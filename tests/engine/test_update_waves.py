"""An update of many: deadlines, canaries, a budget for failures, windows, and what waits for its turn."""

import asyncio
from dataclasses import replace

import pytest

from mtts.core.outcome import Outcome, exit_code
from mtts.core.rollout import Rollout, Share
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, update_fleet, versions
from tests.engine.guards import update_and_kill
from tests.engine.updates import close_the_window, code_of, fleet_of, have_starts_fail, outcomes
from tests.engine.watch import Watch

AT_ONCE = Rollout(canary=0)


async def test_the_deadline_ends_a_staging_and_nothing_of_it_remains(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    before = here.snapshot()
    watch = Watch(here)

    def at_add(entry: JournalEntry) -> None:
        if entry.path == "/container/add":  # a registry that says no more to the router
            here.lab.registry.faults.add(RegistryFault("stall", on="blobs"))

    watch.also = at_add

    (result,) = await update_fleet([here], store, timeout_s=2.0)

    assert (result.outcome, code_of(result)) == (Outcome.KEPT_OLD, "deadline-exceeded")
    assert exit_code([result]) == 5
    assert here.snapshot() == before
    watch.assert_kept()
    watch.also = None
    here.lab.registry.faults.clear()
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_canary_stops_a_bad_release_and_the_rest_stay_untouched(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = await fleet_of(deployment, 4)
    before = [here.snapshot() for here in fleet]
    fleet[0].publish("1.2.4", behaviour="never-online")

    results = await update_fleet(fleet, store)

    assert outcomes(results) == [Outcome.ROLLED_BACK, *[Outcome.REFUSED] * 3]
    assert {code_of(result) for result in results[1:]} == {"rollout-stopped"}
    assert exit_code(results) == 7
    assert [here.writes for here in fleet[1:]] == [[], [], []]
    assert [here.snapshot() for here in fleet] == before


async def test_a_failure_within_the_budget_does_not_stop_the_rest(deployment: MakeDeployment, store: Store) -> None:
    fleet = await fleet_of(deployment, 3)
    fleet[0].publish("1.2.4")
    have_starts_fail(fleet[1])

    results = await update_fleet(fleet, store, parallel=1, rollout=replace(AT_ONCE, max_fail=Share(1)))

    assert outcomes(results) == [Outcome.UPDATED, Outcome.ROLLED_BACK, Outcome.REFUSED]
    assert code_of(results[2]) == "release-quarantined"
    assert exit_code(results) == 5


async def test_a_new_release_waits_for_the_window_of_its_router(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    close_the_window(here)

    waiting = await here.update(store)

    assert (waiting.outcome, waiting.changes_pending) == (Outcome.NO_OP, True)
    assert [warning.code for warning in waiting.warnings] == ["outside-window"]
    assert (waiting.from_version, waiting.to_version) == ("1.2.3", "1.2.3")
    assert here.writes == []

    here.change(window="00:00-12:00, 12:00-00:00")

    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_node_that_is_down_is_brought_back_at_any_time(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.publish("1.2.4")
    close_the_window(here)

    result = await here.update(store)

    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.4")
    assert len(here.online) == 1


async def _cut_at_the_record(here: Deployment, store: Store) -> None:
    """An update that is killed and whose router loses its power between the record of a release and the handover."""
    run = asyncio.ensure_future(here.update(store))

    def at(_number: int, entry: JournalEntry) -> None:
        if entry.session and any(" tx=" in word for word in entry.words):
            here.router.faults.power_cut()
            run.cancel()

    here.router.faults.on_write(at)
    with pytest.raises(asyncio.CancelledError):
        await run
    here.router.faults.on_write(None)
    await here.wait(BOOT_S + 60)


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_what_came_back_before_the_handover_is_not_interrupted_outside_its_window(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    await here.wait(60)
    watch = Watch(here)
    here.publish("1.2.4")
    await _cut_at_the_record(here, store)
    (node,) = here.online
    close_the_window(here)

    waiting = await here.update(store)

    assert (waiting.outcome, waiting.changes_pending, waiting.problem) == (Outcome.NO_OP, True, None)
    assert [warning.code for warning in waiting.warnings] == ["release-staged", "outside-window"]
    assert here.writes == ["/container/set"]
    assert here.online == [node]
    again = await here.update(store)
    assert (again.outcome, here.writes) == (Outcome.NO_OP, [])

    here.change(window=None)
    updated = await here.update(store)

    assert (updated.outcome, updated.problem, updated.to_version) == (Outcome.UPDATED, None, "1.2.4")
    assert "/container/add" not in here.writes
    assert here.online == [node]
    watch.assert_kept()
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []


async def test_a_resume_leaves_what_came_back_before_the_handover_to_the_next_update(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    await here.wait(60)
    here.publish("1.2.4")
    await _cut_at_the_record(here, store)

    result = await here.resume(store)

    assert (result.outcome, result.to_version) == (Outcome.NO_OP, "1.2.3")
    assert [warning.code for warning in result.warnings if "lock" not in warning.message] == ["release-staged"]
    assert here.writes == ["/container/set"]
    assert len(here.online) == 1


async def test_a_release_that_waits_is_kept_while_the_registry_cannot_be_asked(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    await update_and_kill(here, store, 1)  # its guard is rehearsed
    await here.wait(60)
    here.lab.registry.faults.add(RegistryFault("status", on="any", status=503))

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.REFUSED, "registry-unavailable")
    assert here.writes == []
    here.lab.registry.faults.clear()
    assert (await here.update(store)).outcome is Outcome.UPDATED
    assert "/container/add" not in here.writes


@pytest.mark.parametrize(
    ("refused", "outcome", "to_version"), [(1, Outcome.KEPT_OLD, "1.2.3"), (2, Outcome.UNKNOWN, None)]
)
async def test_a_fault_after_a_write_is_judged_by_what_runs_where_the_router_says_it(
    deployment: MakeDeployment, store: Store, refused: int, outcome: Outcome, to_version: str | None
) -> None:
    here = await deployment()
    await here.deploy()
    await here.wait(60)
    here.publish("1.2.4")
    await _cut_at_the_record(here, store)

    def refuse_to_tell() -> None:
        for _ in range(refused):
            here.router.faults.trap_next("/container/print")

    here.router.faults.at_command(1, refuse_to_tell, path="/container/set")

    result = await here.update(store)

    assert here.writes == ["/container/set"]
    assert (result.outcome, code_of(result), result.to_version) == (outcome, "command-trapped", to_version)
    assert len(here.online) == 1
    assert (await here.update(store)).outcome is Outcome.UPDATED
