"""What tired or hurried people type, and what must not happen then."""

import json
from pathlib import Path

from mtts.core.plan_file import SCHEMA
from tests.cli.conftest import Fleet, Run


def test_a_plan_file_without_plans_approves_nothing(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    empty = tmp_path / "plan.json"
    empty.write_text(json.dumps({"schema": SCHEMA, "plans": []}), encoding="utf-8")

    ran = fleet.mtts("deploy", "router1", "--plan", str(empty), "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "plan-file-invalid")
    assert fleet.writes(router) == []


def test_all_beside_a_name_is_refused_rather_than_read_as_all(fleet: Fleet) -> None:
    router = fleet.add()

    ran = fleet.mtts("deploy", "--all", "router1", "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "no-such-target")
    assert fleet.writes(router) == []


def test_a_selection_that_ends_empty_is_no_success(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "--all", "--exclude", "router*", "--json")

    assert (ran.code, ran.json["error"]["message"]) == (2, "no router is left to work on")


def test_a_mistake_in_the_options_is_a_document_too(mtts: Run) -> None:
    ran = mtts("deploy", "--json", "--bogus")

    assert (ran.code, ran.err) == (2, "")
    assert ran.json["error"]["code"] == "usage"
    assert "--bogus" in ran.json["error"]["message"]
