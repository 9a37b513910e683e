"""`mtts lab fault` against a lab, its list, and scenario files with their mistakes."""

from pathlib import Path

import pytest

from mtts.cli.lab_directory import CONTROL_FILE
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
    assert _fault(fleet, tmp_path, "router1", *edit).out == "router1: foreign-command\n"


def test_what_a_router_refuses_is_told_in_its_words_and_is_no_success(fleet: Fleet, tmp_path: Path) -> None:
    fleet.add()
    give = ("foreign-command", "--command", "/interface/bridge/add", "--values", "naem=x")
    ran = _fault(fleet, tmp_path, "router1", *give)
    assert (ran.code, ran.out, ran.err) == (
        2,
        "",
        "mtts: /interface/bridge/add: unknown parameter naem [command-trapped]\nhint: mtts lab fault --list\n",
    )


def test_an_extraction_is_broken_off_by_name(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    assert _fault(fleet, tmp_path, "router1", "fail-extraction", "--after-percent", "30").code == 0
    failed = fleet.mtts("deploy", "router1")
    assert failed.code != 0
    assert "failed to extract layer" in failed.out + failed.err
    (row,) = fleet.thread.call(router.rows, "/container")
    assert row["download/extract failed"] == "true"
    assert _fault(fleet, tmp_path, "router1", "hollow-extraction", "--n", "2").code == 0
    assert fleet.mtts("deploy", "router1").code != 0
    log = fleet.thread.call(lambda: [line["message"] for line in router.device.log_rows])
    assert any("execvpe /entrypoint.sh failed" in message for message in log)


@pytest.mark.parametrize("version", ["", "1.0+1", "a b", "x" * 128])
def test_what_is_no_tag_is_not_published(fleet: Fleet, tmp_path: Path, version: str) -> None:
    write_control_file(tmp_path / CONTROL_FILE, fleet.thread.call(lambda: fleet.thread.lab.registry.control))
    ran = fleet.mtts("lab", "publish", version, "--lab-dir", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("mtts: version: expected 1 to 127 letters, digits, _ . or -, the first no . or -, not '")
    assert ran.err.endswith("hint: mtts lab publish --help\n")


def test_without_a_lab_a_fault_says_how_to_start_one(tmp_path: Path, mtts: Run) -> None:
    ran = mtts("lab", "fault", "router1", "hang", "--lab-dir", str(tmp_path))
    assert ran.code == 2
    assert ran.err == (
        f"mtts: no lab is running: {tmp_path / CONTROL_FILE} does not exist [usage]\nhint: mtts lab up\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what goes wrong where?"),
        (("router1", "explode"), "unknown fault 'explode'"),
        (("router1", "cut-after", "--m", "3"), "cut-after does not take --m"),
        (("router1", "cut-after", "3"), "cut-after does not take 3"),
        (("router1", "cut-after", "--n"), "--n needs a value"),
        (
            ("router1", "cut-after", "--n", "x"),
            "mtts: n: expected a whole number from 1 to 1000000, not 'x' [usage]\nhint: mtts lab fault --list\n",
        ),
        (
            ("router1", "garble-reply", "--n", "3"),
            "hint: it takes no options; with --at-command N it happens at the n-th",
        ),
        (("router1", "hang", "--of", "write"), "--of and --beforehand say more of --at-command"),
        (("router1", "hang", "--at-command", "1", "--of", "/no/such"), "path: expected a command of RouterOS"),
        (("registry", "publish", "--version", "1", "--behaviour", "nope"), "behaviour: expected one of ok, crash"),
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
    assert "{" not in ran.err


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
        ("steps: &a []\n", "anchors (&) and aliases (*) are not used here; text that begins so goes in quotes"),
        ("steps: []\n---\n", "a second YAML document begins here; a file holds one"),
        ("#" * 1_100_000, "is larger than 1024 KiB"),
    ],
)
def test_a_scenario_that_is_wrong_is_told_by_line_and_key(tmp_path: Path, mtts: Run, text: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    ran = mtts("lab", "up", "--scenario", str(file), "--lab-dir", str(tmp_path / "lab"))
    assert ran.code == 2
    assert said in ran.err
    assert "[scenario-invalid]" in ran.err
    assert "inventor" not in ran.err
    assert not (tmp_path / "lab").exists()


def test_a_scenario_that_is_not_there_is_no_inventory(tmp_path: Path, mtts: Run) -> None:
    file = tmp_path / "none.yaml"
    ran = mtts("lab", "up", "--scenario", str(file), "--lab-dir", str(tmp_path / "lab"))
    assert (ran.code, ran.err) == (2, f"mtts: {file}: cannot be read: No such file or directory [scenario-invalid]\n")


@pytest.mark.parametrize("speed", ["0", "nan", "inf", "1e308"])
def test_a_speed_that_no_clock_keeps_is_refused(tmp_path: Path, mtts: Run, speed: str) -> None:
    ran = mtts("lab", "up", "--speed", speed, "--lab-dir", str(tmp_path / "lab"))
    assert ran.code == 2
    assert "'--speed'" in ran.err
    assert not (tmp_path / "lab").exists()
