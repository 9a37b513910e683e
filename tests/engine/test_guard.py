"""The guard on the router, left to itself: whoever started it is gone, and it keeps its word all the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mtts.adapters.scripts import read_script
from mtts.core.guard import GuardOrder, render_guard, without_marks
from mtts.core.outcome import Outcome, exit_code
from mtts.lab.journal import JournalEntry
from mtts.lab.quirks import Quirks
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, services_for
from tests.engine.guards import (
    LIMIT_S,
    REHEARSAL,
    SOON_S,
    TRIGGER,
    VERSIONS,
    booting,
    deployed,
    jobs,
    left_in_the_swap,
    tags,
    up,
    update_and_kill,
)
from tests.engine.watch import Watch

MANY_STARTS = 50
"""By a guard that goes back, which gives up after sixty."""


def assert_back(here: Deployment) -> None:
    """The old release serves, and nothing is at work."""
    assert (up(here), booting(here), jobs(here)) == (["a"], ["a"], [])
    assert [one.version for one in here.online] == ["1.2.3"]


async def launch(here: Deployment, attempt: int) -> None:
    """Start a guard as mtts does, for one attempt or another."""
    ids = {row["root-dir"][-1]: row[".id"] for row in here.rows("/container")}
    staged = without_marks(tags(here)["b"])
    order = GuardOrder(
        transaction=staged.next_in or "",
        attempt=attempt,
        old_id=ids["a"],
        new_id=ids["b"],
        staged=staged,
        boots=True,
        hands_over=True,
        stop_s=60,
        patience_s=60,
    )
    script = render_guard(read_script("guard"), order, is_rehearsal=False)
    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        await session.command("/execute", {"script": script})


# the rehearsal


@VERSIONS
async def test_a_rehearsal_leaves_its_mark_although_whoever_started_it_is_gone(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployed(deployment, version)
    await update_and_kill(here, store, REHEARSAL)
    assert tags(here)["b"].armed is None
    assert len(jobs(here)) == 1

    await here.wait(SOON_S)

    assert tags(here)["b"].armed == 1
    assert (up(here), booting(here), jobs(here)) == (["a"], ["a"], [])


def jobs_end_with_sessions(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that ends what a session started together with the session."""
    device = here.router.device
    ended = device.session_ended

    def end(number: int) -> None:
        ended(number)
        for job in list(device.scripts.jobs.values()):
            job.end()

    monkeypatch.setattr(device, "session_ended", end)


def scripts_are_refused(here: Deployment, _monkeypatch: pytest.MonkeyPatch) -> None:
    here.router.faults.trap_next("/execute", "failure: not allowed by the lab")


def scripts_are_not_permitted(here: Deployment, _monkeypatch: pytest.MonkeyPatch) -> None:
    here.router.faults.trap_next("/execute", "not enough permissions (9)")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (jobs_end_with_sessions, "guard-unproven"),
        (scripts_are_refused, "guard-unproven"),
        (scripts_are_not_permitted, "not-permitted"),
    ],
)
@VERSIONS
async def test_where_no_guard_can_be_proven_nothing_is_stopped(
    deployment: MakeDeployment,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    *,
    version: str,
    spoil: Callable[[Deployment, pytest.MonkeyPatch], None],
    code: str,
) -> None:
    here = await deployed(deployment, version)
    (node,), before = here.online, here.snapshot()
    spoil(here, monkeypatch)

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.KEPT_OLD, code)
    assert result.downtime_s is None
    assert not {"/container/stop", "/container/start"} & set(here.writes)
    assert (here.online, here.snapshot()) == ([node], before)
    assert await store.quarantined() == []


async def test_a_user_who_may_not_write_stops_nothing(deployment: MakeDeployment, store: Store) -> None:
    here = await deployed(deployment, "7.23.3")
    (node,) = here.online
    here.router.set_row("/user/group", "mtts", policy="read,api,test,policy,ftp,sensitive")

    result = await here.update(store)

    assert result.problem is not None
    assert result.problem.code == "not-permitted"
    assert exit_code([result]) != 0
    assert (here.online, up(here), booting(here)) == ([node], ["a"], ["a"])


# what does not stop


def no_kill(here: Deployment) -> None:
    """A router whose kill does not help, either."""
    for _ in range(9):
        here.router.faults.trap_next("/container/kill", "failure: it does not die")


def stuck(here: Deployment, *, when: str) -> Watch:
    """Containers do not stop: the old one for a start, or from the moment on at which the new one was started."""
    watch, faults = Watch(here), here.router.faults
    if when == "old":
        faults.stick_stopping()
    else:
        here.publish("1.2.4", behaviour="never-online")
        watch.also = lambda entry: faults.stick_stopping() if entry.path == "/container/start" else None
    return watch


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize(("when", "outcome"), [("old", Outcome.UPDATED), ("new", Outcome.ROLLED_BACK)])
async def test_a_container_that_does_not_stop_is_killed_where_the_version_can(
    deployment: MakeDeployment, store: Store, when: str, outcome: Outcome, in_order: bool
) -> None:
    here = await deployed(deployment, "7.23.3", quirks=Quirks(kill_in_good_order=in_order))
    watch = stuck(here, when=when)

    result = await here.update(store)

    assert result.outcome is outcome
    here.router.faults.stick_stopping(off=True)
    watch.assert_kept()
    watch.assert_settled()


@pytest.mark.parametrize("when", ["old", "new"])
@pytest.mark.parametrize("version", ["7.20.8", "7.23.3"])
async def test_beside_a_container_that_does_not_stop_nothing_is_touched_until_the_router_restarts(
    deployment: MakeDeployment, store: Store, version: str, when: str
) -> None:
    here = await deployed(deployment, version, quirks=Quirks(busy_veth="shared"))
    watch = stuck(here, when=when)
    no_kill(here)

    for _ in range(2):
        result = await here.update(store)

        assert result.problem is not None
        assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "stop-stuck")
        assert "reboot" in result.next_step
        assert len(here.rows("/container")) == 2
        assert booting(here) == ["a"]
    watch.assert_kept()

    watch.also = None
    here.router.faults.clear()
    watch.wait_for_launches()
    here.router.faults.reboot()
    await here.wait(BOOT_S + SOON_S)
    assert up(here) == ["a"]
    here.publish("1.2.5")
    result = await here.update(store)
    assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.5")
    watch.assert_kept()
    watch.assert_settled()


# left alone after the trigger


@pytest.mark.parametrize("is_through_node", [False, True], ids=["past the node", "through the node"])
@VERSIONS
async def test_a_release_that_never_comes_online_gives_way_with_no_controller_at_all(
    deployment: MakeDeployment, store: Store, version: str, is_through_node: bool
) -> None:
    here = await deployed(deployment, version, behaviour="never-online")
    (node,) = here.online
    if is_through_node:
        here.change(via="tailnet")
        here.router.faults.tailnet_path()
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    assert (up(here), here.online) == (["b"], [])

    await here.wait(here.spec.timing.confirm_s + LIMIT_S - SOON_S)

    assert here.online == [node]
    assert (up(here), booting(here), jobs(here)) == (["a"], ["a"], [])
    assert tags(here)["b"].failed == "unconfirmed"
    assert not tags(here)["b"].is_recorded


@pytest.mark.parametrize("behaviour", ["crash", "crash-later"])
@VERSIONS
async def test_a_release_that_does_not_stay_up_gives_way_before_the_time_is_over(
    deployment: MakeDeployment, store: Store, version: str, behaviour: str
) -> None:
    here = await deployed(deployment, version, behaviour=behaviour)
    (node,) = here.online
    await update_and_kill(here, store, TRIGGER)

    await here.wait(2 * LIMIT_S)

    assert here.online == [node]
    assert (up(here), booting(here), jobs(here)) == (["a"], ["a"], [])
    assert tags(here)["b"].failed == "unhealthy"


async def test_a_guard_that_needs_long_to_have_the_old_one_start_is_not_interfered_with(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployed(deployment, "7.23.3", behaviour="never-online")
    watch = Watch(here)

    def refuse_starts(entry: JournalEntry) -> None:
        if any("failed=" in word for word in entry.words):
            watch.also = None
            for _ in range(MANY_STARTS):
                here.router.faults.trap_next("/container/start", "failure: not yet")

    watch.also = refuse_starts

    result = await here.update(store)

    assert result.outcome is Outcome.ROLLED_BACK
    assert not [entry for entry in here.journal if entry.path == "/container/start" and entry.session]
    watch.assert_kept()
    watch.assert_settled()


# how it ends otherwise


@VERSIONS
async def test_a_release_that_is_confirmed_is_handed_over_to_and_nothing_is_left_of_the_guard(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployed(deployment, version)
    (node,) = here.online
    await update_and_kill(here, store, 1, path="/container/set")
    assert tags(here)["b"].is_recorded
    assert booting(here) == ["a"]

    await here.wait(SOON_S)

    assert (up(here), booting(here), jobs(here)) == (["b"], ["b"], [])
    assert not tags(here)["a"].is_recorded
    assert here.online == [node]
    here.router.faults.power_cut()
    await here.wait(BOOT_S + SOON_S)
    assert (up(here), here.online) == (["b"], [node])


@VERSIONS
async def test_a_power_cut_is_the_guard_s_end_and_the_old_release_boots(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await left_in_the_swap(deployment, store, version)

    here.router.faults.power_cut()
    await here.wait(BOOT_S + SOON_S)

    assert_back(here)


@VERSIONS
async def test_a_guard_of_an_attempt_that_was_given_up_does_nothing(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployed(deployment, version)
    await update_and_kill(here, store, REHEARSAL)
    await here.wait(SOON_S)
    (new,) = (row for row in here.rows("/container") if row["root-dir"].endswith("/b"))
    here.router.set_row("/container", new[".id"], comment=str(replace(tags(here)["b"], armed=2)))
    writes = len(here.router.writes())

    await launch(here, attempt=1)
    await here.wait(SOON_S)

    assert (up(here), jobs(here), tags(here)["b"].armed) == (["a"], [], 2)
    assert here.router.writes()[writes:] == []

    await launch(here, attempt=2)
    await here.wait(SOON_S)
    assert up(here) == ["b"]
    await here.wait(60 + LIMIT_S)
    assert up(here) == ["a"]


@VERSIONS
async def test_a_new_container_that_somebody_takes_away_leaves_the_old_one_serving(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await left_in_the_swap(deployment, store, version)
    (new,) = (row for row in here.rows("/container") if row["root-dir"].endswith("/b"))

    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        await session.command("/container/stop", {".id": new[".id"]})
        await here.wait(1)
        await session.remove("/container", new[".id"])
    await here.wait(SOON_S)

    assert_back(here)
