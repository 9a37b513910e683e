"""`mtts flash-report` as people and cron run it, against a lab beside it."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from mtts.lab.router import LabRouter
from tests.cli.conftest import Fleet
from tests.cli.snapshots import comparable, saved
from tests.engine.fleet import lab_image


def free_bytes(fleet: Fleet, router: LabRouter) -> int:
    """What is really free, by the lab's own books."""
    return fleet.thread.call(lambda: router.device.storage.flash.free_bytes)


def settled(fleet: Fleet) -> None:
    """Until routers have written what they hold back."""
    fleet.thread.pass_time(120)


def updated_fleet(fleet: Fleet) -> tuple[LabRouter, list[int]]:
    """A router after a deploy and an update, and what was really free before, between and after."""
    fleet.inventory["defaults"]["timing"]["settle"] = "1s"
    router = fleet.add(flash_free=80 * 1024 * 1024)
    free = [free_bytes(fleet, router)]
    for version, command in (("1.2.3", "deploy"), ("1.2.4", "update")):
        fleet.publish(lab_image(version))
        assert fleet.mtts(command, "--all").code == 0
        settled(fleet)
        free.append(free_bytes(fleet, router))
    return router, free


def test_a_fleet_without_history_is_reported_as_it_stands(fleet: Fleet) -> None:
    fleet.add("attic", flash_free=80 * 1024 * 1024)
    fleet.add("cellar", flash_free=900 * 1024)
    ran = fleet.mtts("flash-report")
    assert ran.snapshot == saved("flash-report")


def test_every_router_costs_one_login_and_one_question_and_no_write(fleet: Fleet) -> None:
    routers = [fleet.add(name) for name in ("attic", "cellar")]
    fleet.mtts("flash-report", "--all")
    for router in routers:
        said = fleet.thread.call(lambda router=router: [entry.path for entry in router.journal])
        assert (router.logins, fleet.writes(router)) == (1, [])
        assert [path for path in said if path != "/login"] == ["/system/resource/print"]


def test_the_cost_of_an_update_is_the_labs_own_to_the_byte(fleet: Fleet) -> None:
    _router, free = updated_fleet(fleet)
    (found,) = fleet.mtts("flash-report", "--json").json["flash"]
    assert [run["command"] for run in found["runs"]] == ["deploy", "update"]
    assert found["runs"][0]["before"] == free[0]
    assert found["samples"][-1]["free"] == free[-1]
    assert found["runs"][1]["delta"] == found["runs"][1]["expected_delta"] == free[2] - free[1]


def test_samples_are_kept_and_a_second_report_has_those_of_the_first(fleet: Fleet) -> None:
    fleet.add()
    counts = [len(fleet.mtts("flash-report", "--json").json["flash"][0]["samples"]) for _ in range(3)]
    assert counts == [1, 2, 3]


def test_a_router_that_does_not_answer_is_reported_from_the_store(fleet: Fleet, closed_port: int) -> None:
    fleet.add("attic")
    fleet.add("cellar")
    fleet.mtts("flash-report")
    fleet.router("cellar")["port"] = closed_port

    ran = fleet.mtts("flash-report", "--json")

    assert ran.code == 4
    assert ran.json["summary"] == {"no-op": 1, "unreachable": 1}
    attic, cellar = ran.json["flash"]
    assert (attic["answered"], len(attic["samples"])) == (True, 2)
    assert (cellar["answered"], len(cellar["samples"])) == (False, 1)
    table = fleet.mtts("flash-report")
    assert table.code == 4
    assert "0 min ago" in table.out
    assert "cellar: " in table.out
    assert "[unreachable]" in table.out


def test_cron_hears_of_warnings_and_of_nothing_else(fleet: Fleet) -> None:
    fleet.add("attic")
    assert fleet.mtts("-q", "flash-report").out == ""
    fleet.add("cellar", flash_free=900 * 1024)
    assert "[flash-near-floor]" in fleet.mtts("-q", "flash-report").out


def test_warnings_are_in_the_document_of_the_run(fleet: Fleet) -> None:
    router = fleet.add()
    fleet.thread.call(lambda: setattr(router.device.storage, "bad_blocks_percent", 3))
    ran = fleet.mtts("flash-report", "--json")
    assert [warning["code"] for warning in ran.json["routers"][0]["warnings"]] == ["flash-bad-blocks"]
    assert ran.json["exit_code"] == ran.code == 0


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("table", "ROUTER "),
        ("json", "{"),
        ("csv", "router,node,taken,"),
        ("html", "<!doctype html>"),
        ("prom", "# HELP mtts_router_up "),
    ],
)
def test_each_form_goes_to_a_file_as_it_goes_to_the_terminal(
    fleet: Fleet, tmp_path: Path, form: str, beginning: str
) -> None:
    fleet.add()
    shown = fleet.mtts("flash-report", "--format", form)
    assert shown.out.startswith(beginning)
    target = tmp_path / f"report.{form}"
    ran = fleet.mtts("flash-report", "router1", "--format", form, "--out", str(target))
    assert (ran.code, ran.out) == (0, "")
    assert target.read_text(encoding="utf-8").startswith(beginning)
    assert list(tmp_path.glob(".report*")) == []


def test_csv_is_what_a_spreadsheet_reads(fleet: Fleet) -> None:
    updated_fleet(fleet)
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(fleet.mtts("flash-report", "--format", "csv").out)))
    assert {row["command"] for row in rows} == {"deploy", "update", "flash-report"}
    assert rows[-1]["moment"] == "report"


def test_a_chr_that_does_not_count_its_writes_is_said_to(fleet: Fleet) -> None:
    fleet.add(arch="x86_64")
    (found,) = fleet.mtts("flash-report", "--json").json["flash"]
    assert (found["samples"][0]["write_sectors_total"], found["samples"][0]["bad_blocks_percent"]) == (None, None)
    assert "write_sectors" not in fleet.mtts("flash-report", "--format", "prom").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "prom", "--since", "7d"), "leave --since out"),
        (("--json", "--format", "csv"), "say different things"),
        (("--since", "soon"), "is not a duration"),
        (("--out", "/nowhere/report"), "there is no directory /nowhere"),
        (("nobody",), "no router matches 'nobody'"),
    ],
)
def test_what_makes_no_sense_contacts_nobody(fleet: Fleet, arguments: tuple[str, ...], said: str) -> None:
    router = fleet.add()
    ran = fleet.mtts("flash-report", *arguments)
    assert ran.code == 2
    assert said in ran.out + ran.err
    assert router.connections == 0


def test_a_store_that_cannot_be_had_is_said_before_any_router_is_asked(fleet: Fleet, state: Path) -> None:
    router = fleet.add()
    state.write_text("no directory")
    ran = fleet.mtts("flash-report")
    assert ran.code != 0
    assert "[store-unusable]" in comparable(ran.err)
    assert router.connections == 0
