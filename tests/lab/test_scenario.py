"""Scenarios: what they may say, what is said of mistakes, and that steps happen when they are to."""

from typing import Any

import pytest

from mtts.lab.fault_kinds import REGISTRY_KINDS, ROUTER_KINDS
from mtts.lab.faults import Faults
from mtts.lab.fleet import Lab
from mtts.lab.registry_faults import FAULT_KINDS
from mtts.lab.scenario import ScenarioError, read_scenario, run_scenario
from tests.lab.conftest import Login


def _steps(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"steps": list(steps)}


HANG = {"router": "r", "fault": "hang"}


async def test_steps_happen_at_their_moment_after_each_other_and_at_commands(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    rename = {"router": "r", "fault": "foreign-command"}
    names = [{"with": {"command": "/system/identity/set", "values": {"name": name}}} for name in "abcd"]
    steps = read_scenario(
        _steps(
            {**rename, **names[0], "at": 10},
            {**rename, **names[1], "after": 5},
            {**rename, **names[2], "on": {"command": "/interface/bridge/add", "count": 2, "when": "before"}},
            {**rename, **names[3], "after": 7},
        ),
        ["r"],
    )
    run_scenario(lab, steps)

    async def name_after(seconds: float) -> str:
        await lab.clock.advance(seconds)
        return router.setting("/system/identity", "name")

    assert [await name_after(seconds) for seconds in (9, 1, 4, 1)] == ["r", "a", "a", "b"]
    await talker.say("/interface/bridge/add")
    assert await name_after(100) == "b"
    await talker.say("/interface/bridge/add")
    assert [await name_after(seconds) for seconds in (0, 6, 1)] == ["c", "c", "d"]


async def test_a_step_may_be_for_all_routers_or_for_the_registry(lab: Lab) -> None:
    routers = [await lab.add_router(name) for name in ("r1", "r2")]
    steps = read_scenario(
        _steps(
            {"router": "all", "fault": "hang"},
            {"router": "registry", "fault": "publish", "with": {"version": "2.0", "behaviour": "crash"}},
            {"router": "registry", "fault": "denied", "with": {"times": 3}},
        ),
        ["r1", "r2"],
    )
    run_scenario(lab, steps)
    await lab.clock.advance(0)
    assert all(router.faults.is_hung for router in routers)
    assert [fault.kind for fault in lab.registry.faults.active] == ["denied"]


async def test_a_step_that_cannot_be_carried_out_at_a_command_is_in_the_router_s_log(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    step = {"router": "r", "fault": "fill-disk", "with": {"disk": "usb1"}, "on": {"command": "write"}}
    run_scenario(lab, read_scenario(_steps(step), ["r"]))
    await lab.clock.advance(0)
    assert (await (await login(router)).say("/interface/bridge/add")).trap is None
    assert any(
        "disk: expected one of none for the built-in flash, not 'usb1'" in line["message"]
        for line in router.device.log_rows
    )


async def test_a_step_that_cannot_be_carried_out_at_its_moment_is_in_the_router_s_log(lab: Lab) -> None:
    router = await lab.add_router("r")
    wrong = {"command": "/interface/bridge/add", "values": {"x": "y"}}
    step = {"router": "r", "fault": "foreign-command", "with": wrong, "at": 1}
    run_scenario(lab, read_scenario(_steps(step), ["r"]))
    await lab.clock.advance(1)
    assert [line["message"] for line in router.device.log_rows] == [
        "foreign-command: /interface/bridge/add: unknown parameter x"
    ]


@pytest.mark.parametrize(
    ("value", "path", "text"),
    [
        (None, (), "expected a mapping"),
        ({"steps": {}}, ("steps",), "a list of faults"),
        ({"step": []}, ("step",), "unknown key: one of steps"),
        (_steps({**HANG, "when": 1}), ("steps", 0, "when"), "unknown key"),
        (_steps({"fault": "hang"}), ("steps", 0), "router: expected text"),
        (_steps({**HANG, "router": "x"}), ("steps", 0, "router"), "no router 'x': r, all, registry"),
        (_steps({**HANG, "fault": "hand"}), ("steps", 0, "fault"), "unknown fault 'hand'"),
        (_steps({**HANG, "with": {"n": 1}}), ("steps", 0, "with", "n"), "hang has no option n: none"),
        (_steps({**HANG, "fault": "cut-after"}), ("steps", 0, "with", "n"), "cut-after needs n"),
        (_steps({**HANG, "at": -1}), ("steps", 0, "at"), "simulated seconds"),
        (_steps({**HANG, "at": True}), ("steps", 0, "at"), "simulated seconds"),
        (_steps({**HANG, "at": 1e300}), ("steps", 0, "at"), "simulated seconds from 0 to"),
        (_steps({**HANG, "at": 1, "on": {"command": "any"}}), ("steps", 0, "on"), "a step has one of"),
        (_steps({**HANG, "after": 1}), ("steps", 0, "after"), "no step before"),
        (
            _steps(HANG, {**HANG, "on": {"command": "x"}}),
            ("steps", 1, "on", "command"),
            "a command of RouterOS such as /container/add, or any, or write",
        ),
        (_steps({**HANG, "on": {"command": "any", "count": 0}}), ("steps", 0, "on", "count"), "from 1"),
        (_steps({**HANG, "on": {"command": "any", "when": "never"}}), ("steps", 0, "on", "when"), "before, after"),
        (_steps({**HANG, "router": "all", "on": {"command": "any"}}), ("steps", 0, "on"), "only one router's"),
        (_steps({**HANG, "fault": "cut-link", "with": {"how": 1}}), ("steps", 0, "with", "how"), "one of fin, rst"),
        (
            _steps({**HANG, "fault": "foreign-command", "with": {"command": "/file/add", "values": ["a"]}}),
            ("steps", 0, "with", "values"),
            "expected NAME=VALUE",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(value: object, path: tuple[str | int, ...], text: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        read_scenario(value, ["r"])
    assert any(where == path and text in said for where, said in refusal.value.complaints), refusal.value.complaints


def test_every_fault_of_python_is_one_of_the_table() -> None:
    asked = {"meet", "answered", "forestall", "wrote", "on_write", "at_command"}
    public = {
        name for name in vars(Faults) if not name.startswith("_") and not name.startswith("take_") and name not in asked
    }
    assert {name.replace("_", "-") for name in public} == set(ROUTER_KINDS)
    assert set(REGISTRY_KINDS) == {*FAULT_KINDS, "publish", "clear"}
