"""`mtts lab fault` against a lab, its list, and scenario files with their mistakes."""

from pathlib import Path

import pytest

from mtts.cli.lab_fleet import CONTROL_FILE
from mtts.lab.control import write_control_file
from mtts.lab.fault_kinds import REGISTRY_KINDS, ROUTER_KINDS
from tests.cli.conftest import Fleet, Ran, Run


def _fault(fleet: Fleet, tmp_path: Path, *arguments: str) -> Ran:
    write_control_file(tmp_path / CONTROL_FILE, fleet.thread.call(lambda: fleet.thread.lab.registry.control))
    return fleet.mtts("lab", "fault", *arguments, "--lab-dir", str(tmp_path))


def test_a_fault_is_set_and_mended(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    ran = _fault(fleet, tmp_path, "router1", "cut-after", "--n", "3", "--before")
    assert (ran.code, ran.out, ran.err) == (0, "router1: cut-after\n", "")
    assert _fault(fleet, tmp_path, "all", "slow-link", "--latency-s=0.5").code == 0
    assert fleet.thread.call(lambda: router.faults.latency_s) == 0.5
    assert _fault(fleet, tmp_path, "router1", "clear").code == 0
    assert fleet.thread.call(lambda: router.faults.latency_s) == 0


def test_another_administrator_writes_at_a_command_of_a_deploy(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    edit = ("foreign-command", "--command", "/system/identity/set", "--values", "name=theirs")
    moment = ("--at-command", "1", "--of", "/container/add", "--beforehand")
    assert _fault(fleet, tmp_path, "router1", *edit, *moment).code == 0
    assert fleet.mtts("deploy", "router1").code == 0
    journal = fleet.writes(router)
    (position,) = [number for number, entry in enumerate(journal) if entry.path == "/system/identity/set"]
    assert journal[position].user == "admin"
    assert _fault(fleet, tmp_path, "router1", *edit).out == "done\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what goes wrong where?"),
        (("router1", "explode"), "unknown fault 'explode'"),
        (("router1", "cut-after", "--m", "3"), "cut-after does not take --m"),
        (("router1", "cut-after", "3"), "cut-after does not take 3"),
        (("router1", "cut-after", "--n"), "--n needs a value"),
        (("router1", "cut-after", "--n", "x"), "expected INTEGER"),
        (("router9", "hang"), "no router 'router9': router1, all, registry"),
        (("registry", "hang"), "unknown fault 'hang'"),
    ],
    ids=str,
)
def test_what_cannot_be_ordered_is_a_usage_error(
    fleet: Fleet, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    fleet.add()
    ran = _fault(fleet, tmp_path, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_the_list_holds_every_fault_with_every_option(mtts: Run) -> None:
    listed = mtts("lab", "fault", "--list").out
    for kind in (*ROUTER_KINDS.values(), *REGISTRY_KINDS.values()):
        (line,) = {line for line in listed.splitlines() if line.split()[:1] == [kind.name] and line.startswith("  ")}
        assert all(option.syntax in line for option in kind.options.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps:\n- router: router1\n  fault: hand\n", ":3: steps[0].fault: unknown fault 'hand'"),
        ("steps:\n- router: router1\n  fault: hang\n  att: 3\n", ":4: steps[0].att: unknown key"),
        ("steps:\n- {router: router7, fault: hang}\n", ":2: steps[0].router: no router 'router7'"),
        ("steps: [\n", "not YAML"),
    ],
)
def test_a_scenario_that_is_wrong_is_told_by_line_and_key(tmp_path: Path, mtts: Run, text: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    ran = mtts("lab", "up", "--scenario", str(file), "--lab-dir", str(tmp_path / "lab"))
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "lab").exists()
