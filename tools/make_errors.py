"""Makes `docs/ERRORS.md` from `mtts.core.errors`: every code, in the groups that the source's comments make.

The table is read from the source text, since groups are comments there; codes and sentences come from the
imported `CODES`, so that nothing is listed that mtts cannot say. tests/docs/test_errors.py holds the page current.
"""

from __future__ import annotations

import re
from pathlib import Path

from mtts.core import errors

PAGE = Path(__file__).parent.parent / "docs" / "ERRORS.md"
_LINE = re.compile(r'^    (?:# (?P<group>.+)|"(?P<code>[a-z0-9-]+)": .*)$')
_HEAD = """# Problem codes

Made by `tools/make_errors.py` from `mtts/core/errors.py`; do not edit.

A problem has a stable code, one sentence with the particulars, and mostly a hint with the command that helps. The
code is in brackets behind the sentence on the screen, and under `error.code` with `--json`. Codes are kept
from release to release; sentences and hints may change. [RECOVERY.md](RECOVERY.md) says what to do by outcome.
"""


def groups() -> dict[str, list[str]]:
    """Title of a group → its codes, both in the order of the source."""
    source = Path(str(errors.__file__)).read_text(encoding="utf-8")
    body = source.partition("CODES: ")[2].partition("\n}\n")[0]
    found: dict[str, list[str]] = {}
    for match in filter(None, map(_LINE.match, body.splitlines())):
        if match["group"]:
            found[match["group"]] = []
        else:
            found[next(reversed(found))].append(match["code"])
    return found


def render() -> str:
    """The whole page."""
    blocks = [_HEAD]
    for title, codes in groups().items():
        rows = [f"| `{code}` | {errors.CODES[code].replace('|', chr(92) + '|')} |" for code in codes]
        heading = f"## {title[0].upper()}{title[1:]}"
        blocks.append("\n".join([heading, "", "| Code | Meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(blocks)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
