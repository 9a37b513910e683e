"""docs/ROUTEROS.md has the table of words as core/dialect.py has it."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_table_of_words_is_current() -> None:
    page = (ROOT / "docs" / "ROUTEROS.md").read_text(encoding="utf-8")
    tool = runpy.run_path(str(ROOT / "tools" / "make_dialect_table.py"))
    assert page == tool["render"](page), "run: python tools/make_dialect_table.py"
