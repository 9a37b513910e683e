"""`mtts lab demo`: the main job, told by the real commands on a lab in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from mtts.cli.lab_directory import CONTROL_FILE


@dataclass(frozen=True, slots=True)
class _Step:
    """One command of the story, and the exit code that it is meant to have."""

    title: str
    command: Sequence[str]
    exit_code: int = 0


_STEPS: Final[Sequence[_Step]] = (
    _Step("A router with nothing on it. What would a deploy need?", ("check", "router1")),
    _Step("And what would it do?", ("plan", "router1"), exit_code=3),
    _Step("From nothing to a node in the tailnet.", ("deploy", "router1")),
    _Step("Run again, it changes nothing.", ("deploy", "router1")),
    _Step("How does it stand?", ("status", "router1")),
    _Step("What cron asks: is there anything new? One print, nothing written.", ("update", "--all")),
    _Step("A new release is published …", ("lab", "publish", "1.98.12-mt.1")),
    _Step("… and takes the node's place; the old one runs until the new one is unpacked.", ("update", "--all")),
    _Step("A bad release is published …", ("lab", "publish", "1.98.14-mt.1", "--behaviour", "crash")),
    _Step("… and the router is back on the one before.", ("update", "--all"), exit_code=5),
    _Step("Back by hand, to the release before.", ("rollback", "router1")),
    _Step("What was done?", ("history",)),
    _Step("And what did it cost in flash?", ("flash-report",)),
    _Step("Off the router again; its identity stays.", ("remove", "router1", "--yes")),
)
_SPEED: Final = "40"
_DEADLINE_S: Final = 50


def run_demo() -> int:
    """Run every step against a lab started for it; the exit code is that of the first step that ends otherwise."""
    with tempfile.TemporaryDirectory(prefix="mtts-lab-") as directory:
        lab = subprocess.Popen(
            [sys.executable, "-m", "mtts", "lab", "up", "--speed", _SPEED, "--lab-dir", directory],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            return _tell_story(lab, Path(directory))
        finally:
            lab.terminate()
            lab.communicate(timeout=_DEADLINE_S)


def _tell_story(lab: "subprocess.Popen[str]", directory: Path) -> int:
    if (
        lab.stdout is None
        or not any("Ctrl-C" in line for line in lab.stdout)
        or not (directory / CONTROL_FILE).exists()
    ):
        typer.echo("the lab did not start", err=True)
        return 1
    environment = {
        **os.environ,
        "MTTS_INVENTORY": str(directory / "inventory.yaml"),
        "MTTS_STATE": str(directory / "state"),
    }
    for step in _STEPS:
        typer.secho(f"\n# {step.title}", bold=True)
        typer.secho(f"$ mtts {' '.join(step.command)}", fg="cyan")
        where = ("--lab-dir", str(directory)) if step.command[0] == "lab" else ()
        ended = subprocess.run(
            [sys.executable, "-m", "mtts", *step.command, *where], env=environment, timeout=_DEADLINE_S, check=False
        )
        if ended.returncode != step.exit_code:
            typer.echo(f"mtts {step.command[0]} ended with {ended.returncode}", err=True)
            return ended.returncode or 1
    return 0
