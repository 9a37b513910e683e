"""Quiet, colours, and the global options in both places."""

import re

import pytest

from tests.cli.conftest import Fleet, Run

_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|9\d|4\d)(?:;\d+)*m")


def test_quiet_prints_nothing_at_all_when_nothing_is_left_to_do(fleet: Fleet) -> None:
    fleet.add("router1")
    fleet.add("router2")
    fleet.mtts("deploy", "--all")

    ran = fleet.mtts("-q", "deploy", "--all")

    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_quiet_still_tells_what_was_deployed(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "router1", "-q")

    assert "deployed" in ran.out
    assert ran.err == ""


def test_a_document_is_all_that_json_puts_on_stdout_while_progress_goes_to_stderr(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "router1", "--json")

    assert ran.json["summary"] == {"deployed": 1}
    assert "router1/tailscale: + bridge mtts" in ran.err


@pytest.mark.parametrize(
    "options",
    [("--json",), ("-q",), ("-v",), ("--no-color",), ("--parallel", "1"), ("--timeout", "50s"), ("-q", "--json")],
    ids=" ".join,
)
@pytest.mark.parametrize("command", ["deploy", "plan"])
def test_a_global_option_means_the_same_before_and_after_the_command(
    fleet: Fleet, command: str, options: tuple[str, ...]
) -> None:
    fleet.add()
    fleet.mtts("deploy", "router1")

    before = fleet.mtts(*options, command, "router1")
    after = fleet.mtts(command, "router1", *options)

    assert before.snapshot == after.snapshot


def test_the_inventory_is_named_in_either_place(fleet: Fleet, mtts: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.add()
    path = str(fleet.save())
    monkeypatch.setenv("MTTS_INVENTORY", f"{path}.not")

    before = mtts("--inventory", path, "plan", "router1")
    after = mtts("plan", "router1", "-i", path)

    assert before.code == 3
    assert before.snapshot == after.snapshot


def test_colours_are_for_terminals(fleet: Fleet) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "router1")

    assert "\x1b" not in ran.out + ran.err


def test_a_terminal_gets_colours_and_a_live_display(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend_terminal(monkeypatch)
    fleet.add()

    ran = fleet.mtts("deploy", "router1")

    assert ran.code == 0
    assert _COLOUR.search(ran.out)
    assert "\x1b[" in ran.err


@pytest.mark.parametrize("way", ["--no-color", "NO_COLOR"])
def test_colours_can_be_switched_off(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    _pretend_terminal(monkeypatch)
    if way == "NO_COLOR":
        monkeypatch.setenv(way, "1")
    fleet.add()

    ran = fleet.mtts("deploy", "router1", *([way] if way.startswith("--") else []))

    assert ran.code == 0
    assert not _COLOUR.search(ran.out + ran.err)


def test_the_version_is_printed(mtts: Run) -> None:
    ran = mtts("--version")

    assert ran.code == 0
    assert re.fullmatch(r"mtts \d+\.\d+\S*\n", ran.out)


def _pretend_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
