"""Writes every command's `--help` into `docs/USAGE.md`, between the markers that name the command.

A marker is `<!-- help: deploy -->`, followed by a fenced block. Commands without a marker and markers without a
command are left for tests/docs/test_usage.py to find.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import click
import typer

PAGE = Path(__file__).parent.parent / "docs" / "USAGE.md"
MARKER = re.compile(r"<!-- help: (?P<command>[a-z]+(?:[ -][a-z]+)*) -->\n```\n(?P<text>.*?)```\n", re.DOTALL)
FIXED = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def commands() -> Iterator[str]:
    """The names of all commands, those of groups as `group command`."""
    from mtts.cli.app import app  # noqa: PLC0415 - importing this module does not load the command line

    yield from _below(typer.main.get_command(app), "")


def _below(command: object, prefix: str) -> Iterator[str]:
    for name, child in getattr(command, "commands", {}).items():
        yield f"{prefix}{name}"
        yield from _below(child, f"{prefix}{name} ")


def help_of(command: str) -> str:
    """What `mtts COMMAND --help` prints, a hundred columns wide and without colour."""
    from mtts.cli.app import main  # noqa: PLC0415 - as above

    printed = io.StringIO()
    with mock.patch.dict(os.environ, FIXED), redirect_stdout(printed):
        main([*command.split(), "--help"])
    lines = (line.rstrip() for line in click.unstyle(printed.getvalue()).splitlines())
    return "\n".join(lines).strip() + "\n"


def render(page: str) -> str:
    """The page with every block as the command prints it now."""
    known = set(commands())

    def block(match: re.Match[str]) -> str:
        command = match["command"]
        return f"<!-- help: {command} -->\n```\n{help_of(command)}```\n" if command in known else match[0]

    return MARKER.sub(block, page)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
