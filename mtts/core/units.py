"""Figures in words, the same wherever people read them: sizes, moments, spans, and from which release to which.

Not for programs: JSON, CSV and Prometheus get bytes, seconds and versions as they are.
"""

from datetime import UTC, datetime
from typing import Final

from mtts.core.text import printable

UNKNOWN: Final = "-"
_MIB: Final = 1024 * 1024
_LONGEST_VERSION: Final = 64
"""As much as is taken of what an image says of itself."""


def size(value: int | None) -> str:
    """Bytes for people."""
    if value is None:
        return UNKNOWN
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if abs(amount) < 1024:  # noqa: PLR2004 - the binary kilo
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def signed_size(value: int | None) -> str:
    """A change in free bytes: negative when space was used."""
    return f"{'+' if value is not None and value > 0 else ''}{size(value)}"


def mib(value: int) -> str:
    """Bytes for people who compare: always in MiB."""
    return f"{value / _MIB:.1f} MiB"


def seconds(value: float | None) -> str:
    """A span, to the tenth of a second."""
    return UNKNOWN if value is None else f"{value:.1f} s"


def day(moment_s: float) -> str:
    """Of seconds since 1970, in UTC."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def minute(moment_s: float) -> str:
    """Of seconds since 1970, in UTC."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M}"


def from_to(before: str | None, after: str | None) -> str:
    """`before → after`, or the one that is known or stayed; empty where none is known."""
    known = dict.fromkeys(version for version in (before, after) if version)
    return " → ".join(printable(version, limit=_LONGEST_VERSION) for version in known)
