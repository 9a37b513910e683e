"""Many routers side by side: one's fault is its own, order is kept, a drain and a deadline end it tidily."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mtts.core.events import Event, Kind
from mtts.core.inventory import Router, Timing
from mtts.core.outcome import NodeResult, Outcome, exit_code
from mtts.core.secret import FromEnv, Literal, Secret
from mtts.engine.deploy import deploy_router
from mtts.engine.fleet import Drain
from mtts.lab.fleet import Lab
from mtts.lab.journal import JournalEntry
from mtts.lab.menus.users import LEAST
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import RUN_S, Deployment, run_fleet, services_for


async def _run(
    fleet: Sequence[Deployment],
    *,
    parallel: int = 8,
    timeout_s: float | None = RUN_S,
    drain: Drain | None = None,
    broken: str = "",
    stop_after: str = "",
) -> tuple[list[NodeResult], list[Event]]:
    events: list[Event] = []
    drain = drain or Drain()
    async with services_for(fleet[0].lab, events) as services:

        async def work(router: Router) -> Sequence[NodeResult]:
            if router.name == broken:
                raise ZeroDivisionError("a fault of ours")
            results = await deploy_router(replace(services, timeout_s=timeout_s), router)
            if router.name == stop_after:
                drain.requested = True
            return results

        results = await run_fleet(
            [here.spec for here in fleet],
            work,
            emit=services.emit,
            parallel=parallel,
            drain=drain,
        )
    return results, events


async def _fleet(make: MakeDeployment, count: int) -> list[Deployment]:
    return [await make(f"router{number}", node={"hostname": f"edge{number}"}) for number in range(count)]


async def test_one_router_s_fault_leaves_the_others_alone(
    deployment: MakeDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = await _fleet(deployment, 8)
    await fleet[1].router.stop()
    fleet[2].change(password=Literal(Secret("wrong")))
    fleet[4].router.faults.fail_pull("no route to host")
    fleet[5].change(password=FromEnv("MTTS_TEST_NO_SUCH_VARIABLE"))
    fleet[6].router.faults.cut_after(50)

    with caplog.at_level(logging.ERROR):
        results, _ = await _run(fleet, broken="router3")

    assert [(result.router, result.outcome, result.problem and result.problem.code) for result in results] == [
        ("router0", Outcome.DEPLOYED, None),
        ("router1", Outcome.UNREACHABLE, "unreachable"),
        ("router2", Outcome.UNREACHABLE, "login-rejected"),
        ("router3", Outcome.UNKNOWN, "internal"),
        ("router4", Outcome.BROKEN, "pull-failed"),
        ("router5", Outcome.REFUSED, "secret-unavailable"),
        ("router6", Outcome.UNKNOWN, "session-lost"),
        ("router7", Outcome.DEPLOYED, None),
    ]
    assert exit_code(results) == 6
    assert all(here.router.writes() == [] for here in (fleet[1], fleet[2], fleet[3], fleet[5]))
    assert "router3" in caplog.text


async def test_a_refused_login_is_tried_once(deployment: MakeDeployment) -> None:
    (here,) = await _fleet(deployment, 1)
    here.change(password=Literal(Secret("wrong")))

    results, _ = await _run([here])

    assert [result.outcome for result in results] == [Outcome.UNREACHABLE]
    assert (here.router.connections, here.router.logins) == (1, 0)
    assert exit_code(results) == 4


async def test_results_and_events_are_told_in_the_order_of_the_inventory(deployment: MakeDeployment) -> None:
    fleet = await _fleet(deployment, 4)

    results, events = await _run(fleet, parallel=2)

    assert [result.router for result in results] == [here.spec.name for here in fleet]
    started = [event.router for event in events if event.kind is Kind.STARTED]
    finished = {event.router: event.text for event in events if event.kind is Kind.FINISHED}
    assert started[:2] == ["router0", "router1"]
    assert finished == dict.fromkeys(started, "deployed")


async def test_no_more_routers_at_a_time_than_asked_for(deployment: MakeDeployment) -> None:
    fleet = await _fleet(deployment, 4)

    _, events = await _run(fleet, parallel=1)

    kinds = [(event.kind, event.router) for event in events if event.kind in {Kind.STARTED, Kind.FINISHED}]
    assert kinds == [(kind, f"router{number}") for number in range(4) for kind in (Kind.STARTED, Kind.FINISHED)]


async def test_a_drain_finishes_what_runs_and_begins_nothing_new(deployment: MakeDeployment) -> None:
    fleet = await _fleet(deployment, 4)
    drain = Drain()

    results, _ = await _run(fleet, parallel=1, drain=drain, stop_after="router1")

    assert [(result.router, result.outcome) for result in results] == [
        ("router0", Outcome.DEPLOYED),
        ("router1", Outcome.DEPLOYED),
    ]
    assert drain.skipped == ["router2", "router3"]
    assert fleet[2].router.connections == fleet[3].router.connections == 0


async def test_a_router_too_slow_to_log_in_is_unreachable_and_the_others_go_on(
    deployment: MakeDeployment,
) -> None:
    fleet = await _fleet(deployment, 2)
    fleet[0].router.faults.hang()
    fleet[0].change(timing=Timing(login_s=1000, command_s=1000))

    results, _ = await _run(fleet, timeout_s=1.5)

    assert [result.outcome for result in results] == [Outcome.UNREACHABLE, Outcome.DEPLOYED]
    assert results[0].problem is not None
    assert results[0].problem.code == "deadline-exceeded"
    fleet[0].router.faults.thaw()
    fleet[0].change(timing=Timing())

    results, _ = await _run(fleet)

    assert [result.outcome for result in results] == [Outcome.DEPLOYED, Outcome.NO_OP]


async def test_a_cancelled_run_leaves_no_session_behind_and_the_next_converges(deployment: MakeDeployment) -> None:
    (here,) = await _fleet(deployment, 1)
    asked = asyncio.Event()

    def go_silent(number: int, _entry: JournalEntry) -> None:
        if number == 20:
            here.router.faults.hang()
            asked.set()

    here.router.faults.on_write(go_silent)
    running = asyncio.create_task(_run([here]))
    await asked.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    here.router.faults.on_write(None)
    here.router.faults.thaw()
    results, _ = await _run([here])
    assert [result.outcome for result in results] == [Outcome.DEPLOYED]
    assert not here.router.device.sessions


async def test_the_image_is_asked_for_once_per_run_however_many_routers_want_it(
    deployment: MakeDeployment, lab: Lab
) -> None:
    fleet = await _fleet(deployment, 3)
    lab.registry.requests.clear()

    await _run(fleet)

    # the first time without a token
    asked = [(request.user_agent.partition("/")[0], request.path, request.status) for request in lab.registry.requests]
    assert len([path for agent, path, status in asked if agent == "mtts" and path.endswith("/stable")]) == 1 + 1


async def test_the_least_privilege_that_is_documented_is_what_all_these_tests_run_with(
    deployment: MakeDeployment,
) -> None:
    (here,) = await _fleet(deployment, 1)

    await here.deploy()

    assert {"api", "read", "write", "test"} == LEAST
    (user,) = here.rows("/user", name=here.spec.username)
    (group,) = here.rows("/user/group", name=user["group"])
    granted = {policy for policy in group["policy"].split(",") if not policy.startswith("!")}
    assert granted == {"api", "read", "write", "test"}
    assert {entry.user for entry in here.journal if entry.path != "/login"} == {here.spec.username}


async def test_two_nodes_of_a_router_that_is_away_are_both_told(deployment: MakeDeployment) -> None:
    (here,) = await _fleet(deployment, 1)
    here.spec = replace(here.spec, nodes=(here.node, replace(here.node, name="guest", hostname="guest")))
    await here.router.stop()

    results, _ = await _run([here])

    assert [(result.node, result.outcome) for result in results] == [
        ("tailscale", Outcome.UNREACHABLE),
        ("guest", Outcome.UNREACHABLE),
    ]
