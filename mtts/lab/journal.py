"""What a router was told: every command in order, with its effect and its answer, for tests to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

READING_VERBS = frozenset(
    {"print", "getall", "get", "find", "read", "head", "tail", "login", "quit", "cancel", "monitor"}
)
READING_PATHS = frozenset(
    {
        *("/container/shell", "/execute", "/tool/fetch", "/tool/ping"),
        *("/log/debug", "/log/error", "/log/info", "/log/warning"),
    }
)
"""Commands that act, yet change nothing of the router's configuration, files or containers by themselves."""
MASKED_WORDS = ("=password=",)


@dataclass(slots=True)
class JournalEntry:
    """One command as received; effect and reply are filled in when they are known."""

    number: int
    time_s: float
    session: int
    user: str
    path: str
    words: tuple[str, ...]
    is_write: bool
    took_effect: bool = False
    reply: str = ""
    """`done`, `trap: <text>`, `fatal: <text>`, `cut`, or empty while there is no answer."""
    script: str = ""
    """The script that gave the command, by name or job; its session is 0. Empty for a client's."""


def mask(words: Sequence[str]) -> tuple[str, ...]:
    """The words with every password replaced."""
    return tuple([_masked(word) if word.startswith(MASKED_WORDS) else word for word in words])


def _masked(word: str) -> str:
    return word[: word.index("=", 1) + 1] + "***"


def is_write(path: str) -> bool:
    """Whether a command by this name changes the router."""
    return path.rpartition("/")[2] not in READING_VERBS and path not in READING_PATHS
