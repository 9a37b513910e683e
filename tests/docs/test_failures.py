"""Every failure that docs/DESIGN.md numbers has a row, and each test that a row names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
NUMBERS = [f"F{number:02}" for number in range(1, 54)]
ROWS = re.findall(r"^\| (F\d\d) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
NAMED = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)`")


def test_every_failure_has_one_row_in_order() -> None:
    assert [number for number, _, _ in ROWS] == NUMBERS


@pytest.mark.parametrize(("number", "tests"), [(number, tests) for number, _, tests in ROWS])
def test_the_tests_of_a_row_exist(number: str, tests: str) -> None:
    named = list(NAMED.finditer(tests))
    assert named, f"{number} names no test"
    assert NAMED.sub("", tests).strip() == ""
    for match in named:
        text = (ROOT / match["file"]).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {match['test']}\(", text, re.MULTILINE), match[0]


def test_every_number_that_is_used_anywhere_is_one_of_the_table() -> None:
    for path in [*ROOT.glob("mtts/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("docs/*.md")]:
        used = set(re.findall(r"\bF\d\d\b", path.read_text(encoding="utf-8")))
        assert used <= set(NUMBERS), f"{path.relative_to(ROOT)} names {sorted(used - set(NUMBERS))}"
