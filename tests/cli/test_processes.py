"""Commands in processes of their own: the lab's, Ctrl-C in the middle of a deploy, and what `--help` loads."""

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Fleet, Run

HEAVY = ("alembic", "cryptography", "httpx", "librouteros", "pydantic", "ruamel", "sqlalchemy")
_DEADLINE_S = 180
_LOOK = f"""
import sys
from mtts.cli.app import main
code = main(["--help"])
print("loaded:", *sorted(name for name in {HEAVY!r} if name in sys.modules))
sys.exit(code)
"""


@contextmanager
def _process(arguments: Sequence[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """`python -m mtts …`, killed if it is still there at the end."""
    command = [sys.executable, "-m", "mtts", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_help_loads_none_of_the_heavy_libraries(environment: dict[str, str]) -> None:
    ended = subprocess.run([sys.executable, "-c", _LOOK], env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "deploy" in ended.stdout
    assert ended.stdout.splitlines()[-1].strip() == "loaded:"


def test_ctrl_c_finishes_what_has_begun_and_begins_nothing_more(fleet: Fleet, environment: dict[str, str]) -> None:
    first, second = fleet.add("router1"), fleet.add("router2")
    process_ids: queue.Queue[int] = queue.Queue()

    def interrupt(number: int, _entry: object) -> None:
        if number == 5:
            os.kill(process_ids.get(timeout=_DEADLINE_S), signal.SIGINT)

    fleet.thread.call(first.faults.on_write, interrupt)
    fleet.save()
    with _process(["deploy", "--all", "--parallel", "1"], environment) as process:
        process_ids.put(process.pid)
        out, err = process.communicate(timeout=_DEADLINE_S)

    assert process.returncode == 130, err
    assert "finishing what has begun; Ctrl-C again stops at once\n" in err
    assert "not begun: router2\n" in err
    assert "deployed" in out
    assert second.connections == 0
    fleet.thread.call(first.faults.on_write, None)
    assert fleet.mtts("deploy", "router1", "--json").json["summary"] == {"no-op": 1}
    assert fleet.mtts("deploy", "--all").code == 0


def test_a_second_ctrl_c_stops_at_once_and_the_next_run_goes_on(fleet: Fleet, environment: dict[str, str]) -> None:
    router = fleet.add()
    process_ids: queue.Queue[int] = queue.Queue()

    def interrupt(number: int, _entry: object) -> None:
        if number == 5:
            router.faults.hang()
            os.kill(process_ids.get(timeout=_DEADLINE_S), signal.SIGINT)

    fleet.thread.call(router.faults.on_write, interrupt)
    fleet.save()
    with _process(["deploy", "router1"], environment) as process:
        process_ids.put(process.pid)
        assert process.stderr is not None
        said = next(line for line in process.stderr if "Ctrl-C again" in line)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=_DEADLINE_S)

    assert said.startswith("finishing what has begun")
    assert process.returncode == 130, err
    assert "stopped in the middle of router1: nodes there may be down" in err
    assert "Traceback" not in err
    fleet.thread.call(router.faults.on_write, None)
    fleet.thread.call(router.faults.thaw)
    assert fleet.mtts("deploy", "router1").code == 0


def test_the_lab_is_deployed_to_with_the_inventory_it_wrote(
    tmp_path: Path, mtts: Run, environment: dict[str, str]
) -> None:
    directory = tmp_path / "lab"
    inventory = directory / "inventory.yaml"
    arguments = ["lab", "up", "--routers", "2", "--speed", "50", "--lab-dir", str(directory)]
    with _process(arguments, environment) as lab:
        assert lab.stdout is not None
        said = [line for line in iter(lab.stdout.readline, "Ctrl-C ends the lab.\n") if line]
        assert f"  export MTTS_INVENTORY={inventory}\n" in said
        assert inventory.stat().st_mode & 0o077 == 0

        assert mtts("deploy", "--all", "-i", str(inventory), "--json").json["summary"] == {"deployed": 2}
        assert "1.98.10-mt.1 (current)" in mtts("status", "router1", "-i", str(inventory)).out
        published = mtts("lab", "publish", "1.98.11-mt.1", "--lab-dir", str(directory))
        assert published.code == 0
        assert published.out.startswith("stable is now 1.98.11-mt.1 (sha256:")
        assert "1.98.11-mt.1 (new)" in mtts("status", "router1", "-i", str(inventory)).out

        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=_DEADLINE_S)

    assert (lab.returncode, err) == (0, "")
    assert not directory.exists()


def test_a_lab_with_a_scenario_is_reached_through_its_nodes_alone(
    tmp_path: Path, mtts: Run, environment: dict[str, str]
) -> None:
    directory = tmp_path / "lab"
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("steps:\n- {router: router1, fault: publish}\n", encoding="utf-8")
    arguments = ["lab", "up", "--speed", "50", "--lab-dir", str(directory), "--tailnet-path"]
    refused = mtts(*arguments, "--scenario", str(scenario))
    assert (refused.code, ":2: steps[0].fault: unknown fault 'publish'" in refused.err) == (2, True)
    scenario.write_text(
        "steps:\n- {router: router1, fault: foreign-command, on: {command: /container/start},\n"
        "   with: {command: /system/identity/set, values: {name: theirs}}}\n"
        "- {router: registry, fault: publish, with: {version: 9.9.9}, after: 0}\n",
        encoding="utf-8",
    )
    with _process([*arguments, "--scenario", str(scenario)], environment) as lab:
        assert lab.stdout is not None
        assert "Ctrl-C ends the lab.\n" in iter(lab.stdout.readline, "")
        inventory = ("-i", str(directory / "inventory.yaml"))

        assert mtts("deploy", "router1", *inventory).code == 0
        assert "9.9.9 (new)" in mtts("status", "router1", *inventory).out
        update = mtts("update", "router1", *inventory)
        assert (update.code, update.err.count("the session was lost; the router goes on by itself")) == (0, 1)
        assert "updated" in update.out
        assert mtts("lab", "fault", "router1", "tailnet-path", "--off", "--lab-dir", str(directory)).code == 0
        again = mtts("update", "router1", *inventory, "-q")
        assert (again.code, again.out) == (0, "")

        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=_DEADLINE_S)

    assert (lab.returncode, err) == (0, "")


def test_a_directory_is_one_lab_s_until_that_ends_or_is_killed(
    tmp_path: Path, mtts: Run, environment: dict[str, str]
) -> None:
    directory = tmp_path / "lab"
    arguments = ["lab", "up", "--lab-dir", str(directory)]
    fault = ("lab", "fault", "router1", "reboot", "--lab-dir", str(directory))
    with _process(arguments, environment) as first:
        assert first.stdout is not None
        assert "Ctrl-C ends the lab.\n" in iter(first.stdout.readline, "")
        second = mtts(*arguments)
        assert (second.code, second.out) == (75, "")
        assert second.err.startswith(f"mtts: another lab is running in {directory} [lab-running]\nhint: ")
        assert mtts(*fault).code == 0
        first.kill()
        first.communicate(timeout=_DEADLINE_S)
    assert mtts(*fault).err.startswith("mtts: no lab answers at 127.0.0.1:")
    (directory / "mine.txt").touch()
    with _process(arguments, environment) as third:
        assert third.stdout is not None
        assert "Ctrl-C ends the lab.\n" in iter(third.stdout.readline, "")
        assert mtts(*fault).code == 0
        (directory / "inventory.yaml").write_text("routers: {}\n", encoding="utf-8")
        third.send_signal(signal.SIGINT)
        _, err = third.communicate(timeout=_DEADLINE_S)
    assert (third.returncode, err) == (0, "")
    assert sorted(file.name for file in directory.iterdir()) == ["inventory.yaml", "mine.txt"]
    refused = mtts(*arguments)
    assert (refused.code, "was not written by a lab and is not replaced" in refused.err) == (2, True)
    assert (directory / "inventory.yaml").read_text(encoding="utf-8") == "routers: {}\n"


@pytest.mark.parametrize(("version", "is_warned"), [("7.99", True), ("7.11.2", True), ("7.20.1", False)])
def test_a_lab_of_a_version_without_published_words_says_whose_it_takes(
    tmp_path: Path, environment: dict[str, str], version: str, is_warned: bool
) -> None:
    with _process(["lab", "up", "--version", version, "--lab-dir", str(tmp_path / "lab")], environment) as lab:
        assert lab.stdout is not None
        assert f"1 router(s) with RouterOS {version}; try, in another terminal:\n" in iter(lab.stdout.readline, "")
        assert "Ctrl-C ends the lab.\n" in iter(lab.stdout.readline, "")
        lab.send_signal(signal.SIGINT)
        _, err = lab.communicate(timeout=_DEADLINE_S)
    assert (lab.returncode, f"warning: nothing is published of RouterOS {version}'s words" in err) == (0, is_warned)


def test_publishing_without_a_lab_says_how_to_start_one(tmp_path: Path, mtts: Run) -> None:
    ran = mtts("lab", "publish", "1.0", "--lab-dir", str(tmp_path))

    assert (ran.code, ran.out) == (2, "")
    assert "no lab is running" in ran.err
    assert "hint: mtts lab up" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--arch", "mips"),
        ("--version", "7.x"),
        ("--version", "7.23.3y"),
        ("--version", "6.49"),
        ("--version", "7.9.1"),
        ("--routers", "0"),
    ],
    ids=" ".join,
)
def test_a_lab_that_cannot_be_is_a_usage_error(tmp_path: Path, mtts: Run, arguments: tuple[str, ...]) -> None:
    ran = mtts("lab", "up", "--lab-dir", str(tmp_path / "lab"), *arguments)

    assert ran.code == 2
    assert not (tmp_path / "lab").exists()


def test_the_demo_tells_its_story_and_ends_well(environment: dict[str, str]) -> None:
    with _process(["lab", "demo"], environment) as demo:
        out, err = demo.communicate(timeout=_DEADLINE_S)

    assert demo.returncode == 0, err
    for line in ("$ mtts plan router1", "$ mtts deploy router1", "deployed", "no-op", "online", "removed"):
        assert line in out
