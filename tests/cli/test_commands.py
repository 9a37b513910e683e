"""Every command on one router as a user sees it: exit code, stdout and stderr, in words and as a document."""

from collections.abc import Sequence

import pytest

from tests.cli.conftest import Fleet
from tests.cli.snapshots import saved

DEPLOYED = (("deploy", "router1"),)
CASES: dict[str, tuple[Sequence[tuple[str, ...]], tuple[str, ...]]] = {
    "check": ((), ("check", "router1")),
    "check-json": ((), ("check", "router1", "--json")),
    "plan": ((), ("plan", "router1")),
    "plan-of-nothing": (DEPLOYED, ("plan", "router1")),
    "plan-of-nothing-json": (DEPLOYED, ("plan", "router1", "--json")),
    "deploy": ((), ("deploy", "router1")),
    "deploy-json": ((), ("deploy", "router1", "--json")),
    "deploy-again": (DEPLOYED, ("deploy", "router1")),
    "deploy-again-json": (DEPLOYED, ("deploy", "router1", "--json")),
    "status-before": ((), ("status", "router1")),
    "status": (DEPLOYED, ("status", "router1")),
    "status-json": (DEPLOYED, ("status", "router1", "--json")),
    "logs-before": ((), ("logs", "router1")),
    "logs": (DEPLOYED, ("logs", "router1")),
    "logs-json": (DEPLOYED, ("logs", "router1", "--json")),
    "login": (DEPLOYED, ("login", "router1")),
    "login-json": (DEPLOYED, ("login", "router1", "--json")),
    "remove": (DEPLOYED, ("remove", "router1", "--yes")),
    "remove-json": (DEPLOYED, ("remove", "router1", "--yes", "--json")),
    "script": ((), ("script", "router1")),
    "script-provision": ((), ("script", "router1", "--kind", "provision")),
    "script-provision-again": (DEPLOYED, ("script", "router1", "--kind", "provision")),
    "remove-nothing": ((), ("remove", "router1", "--yes")),
}
RUN_KEYS = ["schema", "run_id", "command", "started", "finished", "routers", "summary"]
RESULT_KEYS = [
    *("router", "node", "outcome", "strategy", "from", "to", "downtime_s", "flash"),
    *("evidence", "error", "warnings", "next"),
]
OWN_KEYS = {
    "check": ["checks"],
    "plan": ["plans"],
    "status": ["status"],
    "logs": ["logs"],
    "trust": ["fingerprints"],
    "script": ["scripts"],
}
COMMANDS = ("check", "plan", "deploy", "status", "logs", "login", "trust", "script", "remove")


@pytest.mark.parametrize("name", CASES)
def test_a_command_ends_and_prints_as_it_always_has(fleet: Fleet, name: str) -> None:
    before, command = CASES[name]
    fleet.add()
    for arguments in before:
        assert fleet.mtts(*arguments).code == 0

    ran = fleet.mtts(*command)

    assert ran.snapshot == saved(name)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("deployed", [False, True], ids=["before a deploy", "after a deploy"])
def test_the_document_has_the_keys_of_its_schema_and_the_exit_code_of_the_process(
    fleet: Fleet, name: str, *, deployed: bool
) -> None:
    fleet.add(secured=True)
    if deployed:
        fleet.mtts("deploy", "router1")
    options = {"remove": ("--yes",), "trust": ("--yes",)}.get(name, ())

    ran = fleet.mtts(name, "router1", "--json", *options)

    assert list(ran.json) == [*RUN_KEYS, *OWN_KEYS.get(name, []), "exit_code"]
    assert (ran.json["schema"], ran.json["command"], ran.json["exit_code"]) == ("mtts/run/1", name, ran.code)
    (result,) = ran.json["routers"]
    assert list(result) == RESULT_KEYS
    assert ran.json["summary"] == {result["outcome"]: 1}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("deploy", "remove")])
def test_a_command_that_looks_writes_nothing(fleet: Fleet, name: str) -> None:
    router = fleet.add(secured=True)

    fleet.mtts(name, "router1", *(["--yes"] if name == "trust" else []))

    assert fleet.writes(router) == []


def test_a_second_deploy_is_one_login_and_no_write(fleet: Fleet) -> None:
    router = fleet.add()
    fleet.mtts("deploy", "router1")
    writes, logins = len(fleet.writes(router)), router.logins

    ran = fleet.mtts("deploy", "router1")

    assert ran.code == 0
    assert len(fleet.writes(router)) == writes
    assert router.logins == logins + 1


def test_the_schema_is_one_json_schema_and_asks_for_no_inventory(fleet: Fleet) -> None:
    ran = fleet._run("schema")

    assert ran.code == 0
    assert ran.json["$schema"].startswith("https://json-schema.org/")
    assert {"defaults", "groups", "registries", "routers"} <= set(ran.json["properties"])
    assert ran.err == ""


@pytest.mark.parametrize("name", [*COMMANDS, "init", "schema", "lab"])
def test_help_is_on_stdout_and_ends_well(fleet: Fleet, name: str) -> None:
    ran = fleet._run(name, "--help")

    assert ran.code == 0
    assert f"mtts {name}" in ran.out
    assert ran.err == ""
