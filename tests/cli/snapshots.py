"""Makes output comparable: what differs between two equal runs gets a name, columns lose their width."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SAVED: Final = Path(__file__).parents[1] / "cases" / "cli"

FILTERS: Final[Mapping[str, tuple[str, str]]] = {
    "ports": (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    "ports of services": (r"\bport=\d+", "port=PORT"),
    "digests": (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    "fingerprints": (r'"fingerprint": "[0-9a-f]{64}"', '"fingerprint": "FINGERPRINT"'),
    "run ids": (r'"run_id": "[0-9a-f]{32}"', '"run_id": "RUN-ID"'),
    "times": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    "sizes": (r"-?\b\d+(?:\.\d)? (?:B|KiB|MiB|GiB)(?!\w)", "SIZE"),
    "bytes": (r'("(?:before|after|delta|free|total)"): -?\d+', r'\1: "BYTES"'),
    "clocks": (r"off by \d+ s", "off by N s"),
    "rules": (r"─+", "─"),
    "columns": (r"(?<=\S) {2,}(?=\S)", "  "),
    "ends of lines": (r" +$", ""),
}
"""In the order in which they are applied."""


def comparable(text: str) -> str:
    """The text with names for what differs."""
    for pattern, name in FILTERS.values():
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def saved(name: str) -> str:
    """A snapshot that is too long to stand in its test: `tests/cases/cli/<name>.txt`."""
    return (_SAVED / f"{name}.txt").read_text(encoding="utf-8")
