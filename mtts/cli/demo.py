"""`mtts lab demo`: the main job, told by the real commands on a lab in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from mtts.cli.lab_fleet import CONTROL_FILE

_STEPS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("A router with nothing on it. What would a deploy need?", ("check", "router1")),
    ("And what would it do?", ("plan", "router1")),
    ("From nothing to a node in the tailnet.", ("deploy", "router1")),
    ("Run again, it changes nothing.", ("deploy", "router1")),
    ("How does it stand?", ("status", "router1")),
    ("Off the router again; its identity stays.", ("remove", "router1", "--yes")),
)
_EXPECTED: Final = {"plan": (3,)}
_SPEED: Final = "20"
_DEADLINE_S: Final = 50


def run_demo() -> int:
    """Run every step against a lab started for it; the exit code is that of the first step that fails."""
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
    for title, command in _STEPS:
        typer.secho(f"\n# {title}", bold=True)
        typer.secho(f"$ mtts {' '.join(command)}", fg="cyan")
        ended = subprocess.run(
            [sys.executable, "-m", "mtts", *command], env=environment, timeout=_DEADLINE_S, check=False
        )
        if ended.returncode not in _EXPECTED.get(command[0], (0,)):
            typer.echo(f"mtts {command[0]} ended with {ended.returncode}", err=True)
            return ended.returncode
    return 0
