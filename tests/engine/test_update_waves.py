"""An update of many: deadlines, canaries, a budget for failures, and windows."""

from dataclasses import replace
from datetime import datetime, timedelta

from mtts.core.outcome import Outcome, exit_code
from mtts.core.rollout import Rollout, Share
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import update_fleet
from tests.engine.updates import code_of, fleet_of, have_starts_fail, outcomes
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
    now = datetime.fromtimestamp(here.lab.clock.wall.timestamp()).astimezone()
    soon, later = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (2, 3))
    here.change(window=f"{soon}-{later}")

    waiting = await here.update(store)

    assert (waiting.outcome, waiting.changes_pending) == (Outcome.NO_OP, True)
    assert [warning.code for warning in waiting.warnings] == ["outside-window"]
    assert (waiting.from_version, waiting.to_version) == ("1.2.3", "1.2.3")
    assert here.writes == []

    here.change(window="00:00-12:00, 12:00-00:00")

    assert (await here.update(store)).outcome is Outcome.UPDATED
