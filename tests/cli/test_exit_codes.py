"""Exit codes beyond success and refusal: usage (2), changes pending (3), unreachable (4), act now (6)."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Fleet, Run


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("deploy", "router1", "--frobnicate"),
        ("deploy", "router1", "--parallel", "0"),
        ("deploy", "router1", "--timeout", "soon"),
        ("deploy", "router1", "--plan"),
        ("lab", "frobnicate"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_is_a_usage_error(fleet: Fleet, arguments: tuple[str, ...]) -> None:
    router = fleet.add()

    ran = fleet.mtts(*arguments)

    assert ran.code == 2
    assert ran.out == ""
    assert "[usage]" in ran.err
    assert router.connections == 0


@pytest.mark.parametrize("command", ["check", "plan", "deploy", "status", "logs", "login", "remove", "trust"])
def test_an_unknown_target_is_a_usage_error_that_names_the_known_ones(fleet: Fleet, command: str) -> None:
    routers = [fleet.add("router1"), fleet.add("attic")]

    ran = fleet.mtts(command, "routr1", *(["--yes"] if command in ("remove", "trust") else []))

    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == "mtts: no router matches 'routr1' [no-such-target]\nhint: known: router1, attic\n"
    assert [router.connections for router in routers] == [0, 0]


def test_no_target_at_all_is_a_usage_error(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy")

    assert (ran.code, ran.out) == (2, "")
    assert "[no-such-target]" in ran.err
    assert "--all" in ran.err


def test_a_usage_error_is_a_document_too(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "nope", "--json")

    assert ran.err == ""
    assert ran.code == 2
    assert ran.json == {
        "schema": "mtts/run/1",
        "routers": [],
        "summary": {},
        "error": {"code": "no-such-target", "message": "no router matches 'nope'", "hint": "known: router1"},
        "exit_code": 2,
    }


def test_a_broken_inventory_is_told_with_file_line_and_key(tmp_path: Path, mtts: Run) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text("routers:\n  router1:\n    host: 192.0.2.1\n    usernam: mtts\n    port: many\n", encoding="utf-8")

    ran = mtts("status", "--all", "-i", str(path))

    assert (ran.code, ran.out) == (2, "")
    assert "[inventory-invalid]" in ran.err
    assert f"{path}:4: routers.router1.usernam" in ran.err
    assert f"{path}:5: routers.router1.port" in ran.err
    assert "username" in ran.err.replace("usernam:", "")


def test_an_inventory_that_is_not_there_is_told(tmp_path: Path, mtts: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTTS_INVENTORY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    ran = mtts("status", "--all")

    assert (ran.code, ran.out) == (2, "")
    assert "[inventory-not-found]" in ran.err
    assert "hint: mtts init" in ran.err


def test_a_literal_secret_in_a_file_that_others_can_read_is_refused(fleet: Fleet, mtts: Run) -> None:
    router = fleet.add()
    fleet.save().chmod(0o644)

    ran = mtts("status", "router1")

    assert ran.code == 2
    assert "[secret-exposed]" in ran.err
    assert "lab-password" not in ran.err
    assert router.connections == 0


def test_a_plan_with_changes_ends_with_3_and_one_without_with_0(fleet: Fleet) -> None:
    fleet.add()

    assert fleet.mtts("plan", "router1", "--json").json["exit_code"] == 3
    assert fleet.mtts("deploy", "router1").code == 0
    assert fleet.mtts("plan", "router1", "--json").json["exit_code"] == 0


def test_an_unreachable_router_beside_a_good_one_ends_with_4(fleet: Fleet, closed_port: int) -> None:
    fleet.add("good")
    fleet.inventory["routers"]["away"] = {"host": "127.0.0.1", "port": closed_port, "tls": "off"}

    ran = fleet.mtts("deploy", "--all", "--json")

    assert ran.code == 4
    assert ran.json["summary"] == {"deployed": 1, "unreachable": 1}
    good, away = ran.json["routers"]
    assert (good["router"], good["error"]) == ("good", None)
    assert (away["router"], away["error"]["code"]) == ("away", "unreachable")
    assert away["error"]["hint"]


def test_a_wrong_password_is_tried_once_and_ends_with_4(fleet: Fleet) -> None:
    router = fleet.add()
    fleet.router()["password"] = "wrong-password"

    ran = fleet.mtts("deploy", "router1")

    assert ran.code == 4
    assert "[login-rejected]" in ran.out
    assert "wrong-password" not in ran.out + ran.err
    assert [entry.path for entry in router.journal] == ["/login"]


def test_a_router_that_answers_nothing_is_given_up_within_the_timeout(fleet: Fleet) -> None:
    router = fleet.add()
    fleet.thread.call(router.faults.hang)

    ran = fleet.mtts("status", "router1", "--timeout", "200ms", "--json")

    (result,) = ran.json["routers"]
    assert result["error"]["code"] == "deadline-exceeded"
    assert (ran.code, result["outcome"]) in {(4, "unreachable"), (6, "unknown")}


def test_a_node_that_waits_for_a_login_ends_with_6(fleet: Fleet) -> None:
    fleet.add()
    fleet.new_key(expired=True)
    fleet.inventory["defaults"]["timing"]["healthy"] = "500ms"

    ran = fleet.mtts("deploy", "router1", "--json")

    (result,) = ran.json["routers"]
    assert (ran.code, result["error"]["code"]) == (6, "needs-login")
    assert result["error"]["hint"]
    assert json.loads(ran.out)["exit_code"] == 6


def test_the_highest_code_of_a_fleet_applies(fleet: Fleet, closed_port: int) -> None:
    fleet.add("good")
    fleet.add("refused", dns=())
    fleet.inventory["routers"]["away"] = {"host": "127.0.0.1", "port": closed_port, "tls": "off"}

    ran = fleet.mtts("deploy", "--all", "--json")

    assert ran.json["summary"] == {"deployed": 1, "refused": 1, "unreachable": 1}
    assert ran.code == 5
