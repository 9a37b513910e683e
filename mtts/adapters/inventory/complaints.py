"""What is wrong with an inventory, collected so that one run tells all of it.

A complaint knows its line and its key; it never carries the value of a secret. Text from the file is
shown escaped and shortened, so that a hostile file cannot write to the terminal.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mtts.core.errors import UsageError

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead from the root of the file to a value."""

_MOST_SHOWN: Final = 50
_LONGEST_SHOWN: Final = 60
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_/:+-]+")


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One thing that is wrong, at a line (from 1) and a key."""

    line: int
    path: KeyPath
    text: str


def refuse(
    file: Path, complaints: Iterable[Complaint], *, code: str = "inventory-invalid", hint: str = ""
) -> UsageError:
    """One error that tells all complaints, a line each, in the file's order."""
    ordered = sorted(complaints, key=lambda complaint: complaint.line)
    lines = [_line(file, complaint) for complaint in ordered[:_MOST_SHOWN]]
    if len(ordered) > _MOST_SHOWN:
        lines.append(f"{file}: and {len(ordered) - _MOST_SHOWN} more")
    return UsageError("\n".join(lines), code=code, hint=hint)


def dotted(path: KeyPath) -> str:
    """`routers.router1.nodes.web.tags[0]`; keys with anything unusual in them are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _PLAIN_KEY.fullmatch(step) else shown(step))
    return text


def shown(text: str) -> str:
    """`text` in double quotes, fit for a terminal: unprintable characters escaped, the end cut off."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    printable = (c if c.isprintable() and c not in '"\\' else c.encode("unicode-escape").decode() for c in cut)
    return '"' + "".join(printable).replace('"', '\\"') + '"'


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?`, or nothing where no known word is close."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def _line(file: Path, complaint: Complaint) -> str:
    where = f"{file}:{complaint.line}: "
    return f"{where}{dotted(complaint.path)}: {complaint.text}" if complaint.path else where + complaint.text
