"""Foreign text made fit to be shown: routers and registries are not trusted with a terminal."""

import re
import unicodedata
from typing import Final

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of what is not seen but acts: controls, formats (bidirectional ones too), surrogates."""


def printable(text: str, *, limit: int | None = None) -> str:
    """One line without control, escape and bidirectional characters, at most `limit` characters long."""
    seen = (
        " " if character.isspace() else "" if unicodedata.category(character) in _HIDDEN else character
        for character in _ANSI.sub("", text)
    )
    shown = " ".join("".join(seen).split())
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown
