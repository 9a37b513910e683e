"""docs/USAGE.md tells of every command, in the words of its own `--help`, and of every inventory key and exit code."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from mtts.adapters.inventory.schema import (
    FlashSection,
    InventoryFile,
    NodeSection,
    RegistrySection,
    RouterSection,
    Section,
    TimingSection,
)
from mtts.core import outcome
from mtts.core.outcome import EXIT_CODES, Outcome

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "USAGE.md").read_text(encoding="utf-8")
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "make_usage.py"))


@pytest.mark.parametrize("command", list(TOOL["commands"]()))
def test_each_command_is_shown_with_its_own_help(command: str) -> None:
    shown = {match["command"]: match["text"] for match in TOOL["MARKER"].finditer(PAGE)}
    assert shown[command] == TOOL["help_of"](command), "run: python tools/make_usage.py"


def test_no_command_is_shown_that_does_not_exist() -> None:
    shown = {match["command"] for match in TOOL["MARKER"].finditer(PAGE)}
    assert shown == set(TOOL["commands"]())


@pytest.mark.parametrize(
    "section", [InventoryFile, RouterSection, NodeSection, TimingSection, FlashSection, RegistrySection]
)
def test_each_key_of_the_inventory_is_explained(section: type[Section]) -> None:
    explained = set(re.findall(r"^\| `([a-z_]+)", PAGE.partition("## The inventory")[2], re.MULTILINE))
    assert set(section.model_fields) <= explained


@pytest.mark.parametrize("found", list(Outcome))
def test_each_outcome_is_in_the_table_of_exit_codes(found: Outcome) -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert any(row.startswith(f"| {EXIT_CODES[found]} |") and f"`{found}`" in row for row in rows)


@pytest.mark.parametrize("name", [name for name in vars(outcome) if name.startswith("EXIT_") and name != "EXIT_CODES"])
def test_each_exit_code_is_in_the_table(name: str) -> None:
    assert re.search(rf"^\| {getattr(outcome, name)} \|", PAGE, re.MULTILINE)
