"""docs/LAB.md's example runs, and every guess of the lab is listed in docs/DESIGN.md."""

import ast
import re
from collections.abc import Awaitable
from dataclasses import fields
from pathlib import Path

from mtts.lab.quirks import Quirks

DOCS = Path(__file__).parent.parent.parent / "docs"


async def test_the_example_runs() -> None:
    page = (DOCS / "LAB.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    code = compile(example, "docs/LAB.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {})  # noqa: S307 - a page of this repository
    assert isinstance(running, Awaitable)
    await running


def test_every_quirk_is_in_the_table_of_unknowns() -> None:
    page = (DOCS / "DESIGN.md").read_text(encoding="utf-8")
    table = page.partition("## What is unknown about RouterOS")[2].partition("\n## ")[0]
    rows = [line.rpartition(" | ")[2] for line in table.splitlines() if line.startswith("|")]
    listed = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert listed == {field.name for field in fields(Quirks)}
