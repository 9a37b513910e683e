"""The guard on the router, left to itself: whoever started it is gone, and it keeps its word all the same."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mtts.adapters.scripts import read_script
from mtts.core.desired import STATE_FILE
from mtts.core.guard import GuardOrder, copy_of, render_guard, without_marks
from mtts.core.outcome import Outcome, exit_code
from mtts.core.tag import Tag
from mtts.lab.container import UP
from mtts.lab.journal import JournalEntry
from mtts.lab.quirks import Quirks
from mtts.lab.tailscaled import NEWER_FORMAT, STATE_BYTES
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, Deployment, services_for
from tests.engine.watch import Watch

VERSIONS = pytest.mark.parametrize(
    "version",
    ["7.18.2", "7.23.3", "7.24", *(pytest.param(version, marks=pytest.mark.slow) for version in ("7.20.8", "7.22.3"))],
)
"""State as text, flags that are left out when false, queued starts; and in the slow run flags, and health checks."""
REHEARSAL, TRIGGER = 1, 2
"""A clean update's scripts."""
SOON_S = 30
LIMIT_S = 60
"""What the way back may take beyond the time that a guard waits."""
MANY_STARTS = 50
"""By a guard that goes back, which gives up after sixty."""


async def deployed(make: MakeDeployment, version: str, *, behaviour: str = "ok", **options: Any) -> Deployment:
    """A node that serves, and another release to be had."""
    here = await make(version=version, **options)
    await here.deploy()
    await here.wait(SOON_S)
    here.publish("1.2.4", behaviour=behaviour)
    return here


async def left_in_the_swap(make: MakeDeployment, store: Store, version: str, **options: Any) -> Deployment:
    """A router whose guard has the new release run, unconfirmed, and whose controller is gone."""
    here = await deployed(make, version, **options)
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    assert up(here) == ["b"]
    return here


def assert_back(here: Deployment) -> None:
    """The old release serves, and nothing is at work."""
    assert (up(here), booting(here), jobs(here)) == (["a"], ["a"], [])
    assert [one.version for one in here.online] == ["1.2.3"]


async def update_and_kill(here: Deployment, store: Store, number: int, *, path: str = "/execute") -> None:
    """An update whose controller is gone once its command of that number and path took effect."""
    run = asyncio.ensure_future(here.update(store))

    def kill() -> None:
        run.cancel()

    here.router.faults.at_command(number, kill, path=path)
    with pytest.raises(asyncio.CancelledError):
        await run


def tags(here: Deployment) -> dict[str, Tag]:
    """By slot."""
    rows = here.rows("/container")
    found = {row["root-dir"][-1]: Tag.parse(row["comment"]) for row in rows}
    return {slot: tag for slot, tag in found.items() if tag is not None}


def up(here: Deployment) -> list[str]:
    """The slots whose containers are up."""
    return [one.root[-1] for one in here.router.device.engine.containers.values() if one.phase in UP]


def booting(here: Deployment) -> list[str]:
    """The slots whose containers start by themselves."""
    return [one.root[-1] for one in here.router.device.engine.containers.values() if one.is_set("start-on-boot")]


def jobs(here: Deployment) -> list[str]:
    return [job.name for job in here.router.device.scripts.jobs.values()]


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


# a state that the old release cannot read


async def migrating(make: MakeDeployment, version: str) -> tuple[Deployment, Watch]:
    """A release to be had that writes the node's state anew and never comes online."""
    here = await deployed(make, version, behaviour="migrates-state")
    state = json.loads(here.router.files()[f"{here.state_dir}/{STATE_FILE}"])
    body = json.dumps({**state, "format": NEWER_FORMAT})
    padded = body[:-1] + " " * (STATE_BYTES - len(body)) + "}"
    return here, Watch(here, forms=frozenset({padded.encode()}))


def state_files(here: Deployment) -> set[str]:
    return {path.rpartition("/")[2] for path in here.router.files() if path.startswith(f"{here.state_dir}/")}


@VERSIONS
async def test_an_old_release_that_refuses_the_state_gets_its_own_back_with_no_controller_at_all(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)
    (node,) = here.online
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    assert state_files(here) == {STATE_FILE, copy_of(STATE_FILE)}
    assert here.router.files()[f"{here.state_dir}/{STATE_FILE}"] in watch.forms

    await here.wait(here.spec.timing.confirm_s + LIMIT_S - SOON_S)

    assert here.online == [node]
    assert (up(here), jobs(here), state_files(here)) == (["a"], [], {STATE_FILE})
    assert (tags(here)["b"].failed, tags(here)["b"].is_restored) == ("unconfirmed", True)
    watch.assert_kept()


@VERSIONS
async def test_a_run_says_that_the_old_release_got_its_state_back(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.ROLLED_BACK, "not-healthy")
    assert [warning.code for warning in result.warnings] == ["state-restored"]
    assert state_files(here) == {STATE_FILE}
    here.publish("1.2.5")
    assert (await here.update(store)).outcome is Outcome.UPDATED
    watch.assert_kept()
    watch.assert_settled()


async def test_where_it_was_not_the_state_the_newer_one_stays(deployment: MakeDeployment, store: Store) -> None:
    here, watch = await migrating(deployment, "7.23.3")
    watch.also = lambda entry: spoil_old(here) if entry.path == "/container/start" else None

    def spoil_old(here: Deployment) -> None:
        (old,) = (one for one in here.router.device.engine.containers.values() if one.root.endswith("/a"))
        here.router.device.files.entries[old.root].image = None

    result = await here.update(store)

    assert result.outcome is Outcome.BROKEN
    await here.wait(2 * LIMIT_S)
    assert (here.online, jobs(here)) == ([], [])
    files = here.router.files()
    assert files[f"{here.state_dir}/{STATE_FILE}"] in watch.forms
    assert copy_of(STATE_FILE) in state_files(here)


@VERSIONS
async def test_a_state_that_a_power_cut_left_to_the_old_release_is_put_back_by_the_command_in_the_hint(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here, watch = await migrating(deployment, version)
    (node,) = here.online
    await update_and_kill(here, store, TRIGGER)
    await here.wait(SOON_S)
    here.router.faults.power_cut()
    await here.wait(BOOT_S + SOON_S)
    assert (here.online, state_files(here)) == ([], {STATE_FILE, copy_of(STATE_FILE)})
    here.publish("1.2.5")

    for _ in range(2):
        result = await here.update(store)

        assert (result.outcome, state_files(here)) == (Outcome.BROKEN, {STATE_FILE, copy_of(STATE_FILE)})
    assert watch.violations == []
    _, _, command = result.next_step.partition("on the router: ")
    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        await session.command("/execute", {"script": command})
    result = await here.update(store, force=True)

    assert result.outcome is Outcome.UPDATED
    assert (here.online, state_files(here)) == ([node], {STATE_FILE})
    watch.assert_settled()


async def test_a_state_without_room_for_a_copy_has_none(deployment: MakeDeployment, store: Store) -> None:
    here = await deployed(deployment, "7.23.3", quirks=Quirks(flash_flush_s=0))
    watch = Watch(here)
    watch.also = lambda entry: fill_up(here) if entry.path == "/container/stop" else None

    def fill_up(here: Deployment) -> None:
        here.router.faults.fill_disk(leave_bytes=here.spec.flash.reserve_bytes + STATE_BYTES // 2)

    result = await here.update(store)

    assert result.outcome is Outcome.UPDATED
    assert "/file/add" not in [entry.path for entry in here.router.writes() if entry.script]
    watch.assert_kept()


@pytest.mark.parametrize("command", ["/file/add", "/file/get"])
async def test_a_copy_that_fails_does_not_hold_up_the_swap(
    deployment: MakeDeployment, store: Store, command: str
) -> None:
    here = await deployed(deployment, "7.23.3")
    watch = Watch(here)
    watch.also = lambda entry: refuse(here) if entry.path == "/container/stop" else None

    def refuse(here: Deployment) -> None:
        here.router.faults.trap_next(command, "failure: not today")

    result = await here.update(store)

    assert (result.outcome, result.warnings) == (Outcome.UPDATED, ())
    watch.assert_kept()
    watch.assert_settled()


@pytest.mark.parametrize("outcome", [Outcome.UPDATED, Outcome.ROLLED_BACK])
async def test_a_copy_that_a_power_cut_left_goes_with_the_next_swap(
    deployment: MakeDeployment, store: Store, outcome: Outcome
) -> None:
    here = await deployed(deployment, "7.23.3")
    watch = Watch(here)
    run = asyncio.ensure_future(here.update(store))

    def end(entry: JournalEntry) -> None:
        if entry.path == "/file/add":
            run.cancel()
            here.router.faults.power_cut()

    watch.also = end
    with pytest.raises(asyncio.CancelledError):
        await run
    assert state_files(here) == {STATE_FILE, copy_of(STATE_FILE)}
    watch.also = None
    await here.wait(BOOT_S + SOON_S)
    here.publish("1.2.5", behaviour="ok" if outcome is Outcome.UPDATED else "never-online")

    result = await here.update(store)

    assert (result.outcome, state_files(here)) == (outcome, {STATE_FILE})
    watch.assert_kept()
    watch.assert_settled()


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
