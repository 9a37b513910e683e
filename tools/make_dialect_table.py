"""Writes the table of words by RouterOS version in `docs/ROUTEROS.md`, between its two markers.

A column per version in which any word changed; tests/docs/test_routeros.py holds it current.
"""

from __future__ import annotations

from pathlib import Path

from mtts.core.dialect import DIALECT, Dialect
from mtts.core.version import OLDEST

PAGE = Path(__file__).parent.parent / "docs" / "ROUTEROS.md"
OPENING, CLOSING = "<!-- dialect -->\n", "<!-- /dialect -->\n"


def table() -> str:
    """The table in Markdown; terms whose word is the same in two neighbouring versions repeat it."""
    versions = sorted({OLDEST, *(since for entry in DIALECT.values() for since, _ in entry.words)})
    lines = ["| Menu | Means | " + " | ".join(map(str, versions)) + " |", "|---" * (len(versions) + 2) + "|"]
    for term, entry in DIALECT.items():
        words = (Dialect(version).word(term) for version in versions)
        meaning = term.name.lower().removeprefix("container_").replace("_", " ")
        cells = (f"`{word}`" if word else "—" for word in words)
        lines.append(f"| `{entry.menu}/{entry.command}` | {meaning} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def render(page: str) -> str:
    """The page with the table as it is now."""
    head, _, rest = page.partition(OPENING)
    return head + OPENING + table() + CLOSING + rest.partition(CLOSING)[2]


def main() -> None:
    """Writes the page."""
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
