"""docs/ERRORS.md is what tools/make_errors.py makes, and lists every code once."""

import runpy
from pathlib import Path
from typing import Any

from mtts.core.errors import CODES

ROOT = Path(__file__).parent.parent.parent


def _tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "make_errors.py"))


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "ERRORS.md").read_text(encoding="utf-8")
    assert page == _tool()["render"](), "run: python tools/make_errors.py"


def test_every_code_is_in_exactly_one_group() -> None:
    listed = [code for codes in _tool()["groups"]().values() for code in codes]
    assert sorted(listed) == sorted(CODES)
