"""docs/RECOVERY.md has every outcome, and names only codes, commands and options that there are."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from mtts.core.errors import CODES
from mtts.core.outcome import EXIT_CODES, Outcome

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "RECOVERY.md").read_text(encoding="utf-8")
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "make_usage.py"))
TYPED = sorted(set(re.findall(r"\bmtts ([a-z-]+) ROUTER((?: --[a-z-]+)*)", PAGE)))


def test_every_outcome_is_there_with_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d) \|", PAGE, re.MULTILINE))
    assert rows == {str(outcome): str(EXIT_CODES[outcome]) for outcome in Outcome}


def test_every_code_is_one_that_there_is() -> None:
    cells = re.findall(r"^\| ((?:`[a-z-]+` ?)+)\| [^\d]", PAGE, re.MULTILINE)
    named = {code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)}
    named |= set(re.findall(r"\[([a-z]+(?:-[a-z]+)+)\]$", PAGE, re.MULTILINE))
    assert named
    assert named <= set(CODES)


@pytest.mark.parametrize(("command", "options"), TYPED)
def test_every_command_is_one_that_there_is(command: str, options: str) -> None:
    assert command in TOOL["commands"]()
    for option in options.split():
        assert f" {option} " in TOOL["help_of"](command), f"mtts {command} has no {option}"
