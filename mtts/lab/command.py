"""A sentence from a client, taken apart: where it goes, what it carries, how its answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SPECIAL_SELECTORS = (".id", "numbers", "number")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: menu and verb, arguments, query words, wanted properties, tag."""

    menu: str
    verb: str
    args: Mapping[str, str]
    queries: tuple[str, ...] = ()
    proplist: tuple[str, ...] | None = None
    tag: str | None = None

    @property
    def path(self) -> str:
        """The command word, as sent."""
        return f"{self.menu.rstrip('/')}/{self.verb}"

    def selector(self) -> tuple[str, ...] | None:
        """The items named by `.id`, `numbers` or `number`, None when none of them was sent."""
        for name in SPECIAL_SELECTORS:
            if name in self.args:
                return tuple(part for part in self.args[name].split(",") if part)
        return None


def parse_command(words: Sequence[str]) -> Command:
    """Read a sentence; a word that fits nowhere is kept as an argument that no command knows."""
    menu, _, verb = words[0].rstrip("/").rpartition("/")
    args: dict[str, str] = {}
    queries: list[str] = []
    proplist: tuple[str, ...] | None = None
    tag: str | None = None
    for word in words[1:]:
        if word.startswith("="):
            key, _, value = word[1:].partition("=")
            if key in {".proplist", "proplist"}:
                proplist = tuple(name for name in value.split(",") if name)
            else:
                args[key] = value
        elif word.startswith("?"):
            queries.append(word[1:])
        elif word.startswith(".tag="):
            tag = word[5:]
        else:
            args[word] = ""
    return Command(menu or "/", verb, args, tuple(queries), proplist, tag)
