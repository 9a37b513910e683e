"""The lock on a router, over sockets: one run at a time writes, and a lock that nobody holds stops nobody for long."""

import asyncio
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace

import pytest

from mtts.adapters.processes import SystemProcesses
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.rollout import Rollout
from mtts.core.router_lock import NAME, USUAL_S, Holder, lease_s, lock_props
from mtts.engine.fleet import Drain, Fleet
from mtts.engine.inspect import check_router, status_router
from mtts.engine.quarantine import Quarantine
from mtts.engine.update import Update, UpdateOrder
from mtts.lab.journal import JournalEntry
from mtts.ports import Processes, Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, LOCK_PATH, Deployment, services_for
from tests.engine.updates import outdated

OTHER = Holder("other.example.net", "0a1b2c3d", 4711, "8c4f")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another machine, which knows nothing of the processes of this one."""

    me: Holder = field(default=OTHER)

    def has_ended(self, holder: Holder) -> bool:
        assert holder != self.me
        return False


async def _update_from(processes: Processes, here: Deployment, store: Store) -> NodeResult:
    async with services_for(here.lab, []) as usual:
        services = replace(usual, processes=processes)
        quarantine = await Quarantine.load(store, services.clock)
        async with Fleet(emit=services.emit, parallel=1, drain=Drain()) as running:
            await Update(services, UpdateOrder(Rollout()), quarantine).run(running, [here.spec])
    (result,) = running.results([here.spec])
    return result


def lock_by(here: Deployment, holder: Holder, *, uptime_s: float) -> None:
    props = lock_props(holder, uptime_s=uptime_s, longest_s=lease_s(here.spec.timing))
    here.router.add_row(LOCK_PATH, **props)


def _uptime_s(here: Deployment) -> float:
    return here.router.device.uptime_s


def _all_writes(here: Deployment) -> list[str]:
    return [entry.path for entry in here.journal if entry.is_write]


async def test_of_two_controllers_at_once_one_finishes_and_the_other_is_refused(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    here.note_start([])

    both = await asyncio.gather(
        _update_from(SystemProcesses("5eed"), here, store), _update_from(Elsewhere(), here, store)
    )

    refused, updated = sorted(both, key=lambda result: result.outcome)
    assert (refused.outcome, updated.outcome) == (Outcome.REFUSED, Outcome.UPDATED)
    assert refused.problem is not None
    assert refused.problem.code in {"router-locked", "changed-underway"}  # by whether the first is done by then
    assert here.rows("/container", running="true")[0]["comment"].split()[1] == "v=1.2.4"
    assert here.writes.count("/container/add") == 1
    assert here.rows(LOCK_PATH) == []


async def test_a_router_that_another_machine_holds_is_refused_untouched(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    lock_by(here, OTHER, uptime_s=_uptime_s(here) - 90)
    before = here.snapshot()

    result = await here.update(store)

    assert result.outcome is Outcome.REFUSED
    assert result.problem is not None
    assert re.fullmatch(
        r"router1 is held by other\.example\.net/4711, run 8c4f, who was at work 9\d s ago", result.problem.message
    )
    assert here.snapshot() == before


async def test_a_run_without_changes_neither_takes_nor_minds_a_lock(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    lock_by(here, OTHER, uptime_s=_uptime_s(here))

    results = [await here.update(store), await here.deploy()]

    assert [result.outcome for result in results] == [Outcome.NO_OP] * 2
    assert _all_writes(here) == []


async def test_the_lock_of_another_machine_ages_out_by_uptime(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    lock_by(here, OTHER, uptime_s=_uptime_s(here))
    await here.wait(lease_s(here.spec.timing) - 60)
    assert (await here.update(store)).outcome is Outcome.REFUSED
    await here.wait(60)

    assert (await here.update(store)).outcome is Outcome.UPDATED

    assert here.rows(LOCK_PATH) == []


async def test_a_restart_of_the_router_ends_the_lock_of_another_machine(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    lock_by(here, OTHER, uptime_s=_uptime_s(here))
    here.router.faults.reboot()
    await here.wait(BOOT_S)

    assert (await here.update(store)).outcome is Outcome.UPDATED

    assert here.rows(LOCK_PATH) == []


async def test_the_lock_of_a_process_that_was_killed_here_is_taken_over_at_once(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper) as process:  # noqa: ASYNC220 - starting it takes no time
        me = SystemProcesses("5eed").me
        lock_by(here, replace(me, pid=process.pid), uptime_s=_uptime_s(here))
        alive = await here.update(store)
        process.kill()

    gone = await here.update(store)

    assert (alive.outcome, gone.outcome) == (Outcome.REFUSED, Outcome.UPDATED)
    assert here.rows(LOCK_PATH) == []


async def test_a_process_of_the_same_number_in_another_container_is_not_taken_for_this_one(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    lock_by(here, replace(SystemProcesses("5eed").me, system="ffffffff"), uptime_s=_uptime_s(here))

    result = await here.update(store)

    assert result.problem is not None
    assert result.problem.code == "router-locked"


async def test_somebody_elses_script_of_the_name_is_left_alone(deployment: MakeDeployment, store: Store) -> None:
    here = await outdated(deployment)
    here.router.add_row(LOCK_PATH, name=NAME, source=":log info mine")

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "router-locked")
    assert [row["source"] for row in here.rows(LOCK_PATH)] == [":log info mine"]


async def test_a_user_who_cannot_hold_the_lock_is_told_which_policy_is_missing(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment)
    here.router.set_row("/user", "mtts", group="read")

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "not-permitted")
    assert "policy write" in result.problem.hint
    assert all(not entry.took_effect for entry in here.journal if entry.is_write)


ENDS = {
    Outcome.UPDATED: lambda here: here.publish("1.2.5"),
    Outcome.KEPT_OLD: lambda here: here.router.faults.fail_pull(),
    Outcome.ROLLED_BACK: lambda here: here.publish("1.2.5", behaviour="crash"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_every_write_lies_between_taking_the_lock_and_giving_it_back(
    deployment: MakeDeployment, store: Store, end: Outcome
) -> None:
    here = await outdated(deployment)
    ENDS[end](here)

    result = await here.update(store)

    assert result.outcome is end, result.problem
    first, *_, last = _all_writes(here)
    assert (first, last) == (f"{LOCK_PATH}/add", f"{LOCK_PATH}/remove")
    assert [path for path in _all_writes(here) if path.startswith(LOCK_PATH)] == [first, last]
    assert here.rows(LOCK_PATH) == []


async def test_a_lost_session_does_not_leave_the_lock(deployment: MakeDeployment) -> None:
    here = await deployment()
    cut = 0

    def at(_number: int, entry: object) -> None:
        nonlocal cut
        cut += 1
        if cut == 4:
            here.router.faults.cut_link()

    here.router.faults.on_write(at)

    result = await here.deploy()

    assert result.outcome is Outcome.UNKNOWN
    assert here.rows(LOCK_PATH) == []


async def test_a_lock_whose_reply_was_lost_is_given_back(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.router.faults.on_write(lambda _number, _entry: here.router.faults.cut_link())

    result = await here.deploy()

    assert result.outcome is Outcome.UNREACHABLE
    assert here.writes == []
    assert here.rows(LOCK_PATH) == []


async def test_a_deploy_of_a_router_that_is_held_is_refused(deployment: MakeDeployment) -> None:
    here = await deployment()
    lock_by(here, OTHER, uptime_s=_uptime_s(here))

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "router-locked")
    assert here.writes == []


async def test_a_deploy_takes_a_lock_away_that_nobody_holds_though_it_has_nothing_else_to_do(
    deployment: MakeDeployment,
) -> None:
    here = await deployment()
    await here.deploy()
    lock_by(here, OTHER, uptime_s=_uptime_s(here))
    await here.wait(lease_s(here.spec.timing) + 1)

    result = await here.deploy()

    assert (result.outcome, [warning.code for warning in result.warnings]) == (Outcome.NO_OP, ["leftover-removed"])
    assert _all_writes(here) == [f"{LOCK_PATH}/remove"]
    assert (await here.deploy()).warnings == ()


@pytest.mark.parametrize(("wait_s", "code"), [(0, "router-locked"), (1201, "lock-left")])
async def test_who_looks_is_told_of_a_lock_and_whether_anybody_holds_it(
    deployment: MakeDeployment, wait_s: float, code: str
) -> None:
    here = await deployment()
    await here.deploy()
    lock_by(here, OTHER, uptime_s=_uptime_s(here))
    await here.wait(wait_s)

    async with services_for(here.lab, []) as services:
        ((status, _),) = await status_router(services, here.spec)
        ((_, checks),) = await check_router(services, here.spec)

    assert [warning.code for warning in status.warnings] == [code]
    assert checks is not None
    assert [check.problem.code for check in checks.checks if check.name == "lock" and check.problem] == [code]
    assert len(here.rows(LOCK_PATH)) == 1


SLOW = 2_000.0
"""Bytes per second: a pull takes minutes then."""


async def test_the_lock_of_a_run_that_takes_long_is_renewed_once_it_goes_on(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment, link_bytes_per_s=SLOW)
    began_s = here.lab.clock.now

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.lab.clock.now - began_s > USUAL_S
    assert [path for path in _all_writes(here) if path.startswith(LOCK_PATH)] == [
        f"{LOCK_PATH}/add",
        f"{LOCK_PATH}/set",
        f"{LOCK_PATH}/remove",
    ]


async def test_a_run_whose_lock_was_taken_over_meanwhile_writes_nothing_more(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await outdated(deployment, link_bytes_per_s=SLOW)

    def taken_over(_number: int, entry: JournalEntry) -> None:
        if entry.path == "/container/add":
            here.router.remove_row(LOCK_PATH, NAME)
            lock_by(here, OTHER, uptime_s=_uptime_s(here))

    here.router.faults.on_write(taken_over)

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.UNKNOWN, "router-locked")
    took_effect = [entry.path for entry in here.journal if entry.is_write and entry.took_effect]
    assert took_effect == [f"{LOCK_PATH}/add", "/container/add"]
    assert here.rows("/container", running="true")[0]["comment"].split()[1] == "v=1.2.3"
