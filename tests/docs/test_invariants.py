"""Every invariant that docs/DESIGN.md numbers has a row, and whoever names a number means one of them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
NUMBERS = [f"I{number}" for number in range(1, 21)]


def test_every_invariant_has_one_row_in_order() -> None:
    assert re.findall(r"^\| (I\d+) \| [^|]+ \|$", PAGE, re.MULTILINE) == NUMBERS


def test_every_number_that_is_used_anywhere_is_one_of_the_table() -> None:
    for path in [*ROOT.glob("mtts/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("docs/*.md")]:
        used = set(re.findall(r"\bI\d{1,2}\b", path.read_text(encoding="utf-8")))
        assert used <= set(NUMBERS), f"{path.relative_to(ROOT)} names {sorted(used - set(NUMBERS))}"
