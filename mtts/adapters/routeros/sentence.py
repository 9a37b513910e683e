"""The sentences of the RouterOS API, as words going out and replies coming back. Pure.

librouteros carries words as latin-1, which maps every byte to one character and loses none. Text here
is UTF-8, and bytes that are no UTF-8 survive as surrogate escapes, so that a value that was read and is
written back is the same bytes. Nothing is ever converted to a number or a truth value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mtts.core.errors import UsageError
from mtts.core.text import printable
from mtts.ports import Row

WIRE_ENCODING: Final = "latin-1"
MAX_TEXT: Final = 500
"""Characters of a router's own words that are worth showing."""

_UNSENDABLE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that escape no byte


@dataclass(frozen=True, slots=True)
class Trap:
    """One `!trap`: the router's words, and its category where it gave one."""

    text: str
    category: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything that a command brought, up to and including its `!done`."""

    rows: tuple[Row, ...]
    done: Row
    traps: tuple[Trap, ...]


def to_wire(text: str) -> str:
    """Text as librouteros wants it for `WIRE_ENCODING`; UsageError on half surrogate pairs, which are no text."""
    if text.isascii():
        return text
    if _UNSENDABLE.search(text):
        raise UsageError("a value for the router holds half of a surrogate pair, which is not text")
    return text.encode("utf-8", "surrogateescape").decode(WIRE_ENCODING)


def from_wire(word: str) -> str:
    """The text behind a word that librouteros read with `WIRE_ENCODING`."""
    if word.isascii():
        return word
    return word.encode(WIRE_ENCODING).decode("utf-8", "surrogateescape")


def compose(
    args: Mapping[str, str], *, where: Sequence[Mapping[str, str]] = (), props: Sequence[str] = ()
) -> tuple[str, ...]:
    """The words that follow a command word: `=name=value`, `=.proplist=…` and the query, in that order.

    The query language is a stack: `?name=value` pushes, `?#&` and `?#|` join the two topmost.
    """
    words = [f"={name}={value}" for name, value in args.items()]
    if props:
        words.append(f"=.proplist={','.join(props)}")
    for number, row in enumerate(where):
        words += [f"?{name}={value}" for name, value in row.items()]
        operators = "&" * (len(row) - 1) + "|" * (number > 0)
        words += [f"?#{operators}"] if operators else []
    return tuple(map(to_wire, words))


def parse_reply(sentences: Iterable[tuple[str, tuple[str, ...]]]) -> Reply:
    """A whole reply; `!empty` (RouterOS 7.18 and newer) and reply words nobody knows yet carry nothing."""
    rows: list[Row] = []
    traps: list[Trap] = []
    done: Row = {}
    for reply_word, words in sentences:
        match reply_word:
            case "!re":
                rows.append(parse_row(words))
            case "!trap":
                traps.append(parse_trap(words))
            case "!done":
                done = parse_row(words)
            case _:
                pass
    return Reply(tuple(rows), done, tuple(traps))


def parse_row(words: Iterable[str]) -> Row:
    """Name → value; a word without `=` is kept as a name with an empty value."""
    pairs = (from_wire(word).removeprefix("=").partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def parse_trap(words: Iterable[str]) -> Trap:
    """The trap's `message`, else whatever else the router said with it."""
    row = dict(parse_row(words))
    category = row.pop("category", "")
    text = row.get("message") or " ".join(f"{name}={value}" if value else name for name, value in row.items())
    return Trap(
        readable(text) or "the router gave no reason",
        int(category) if category.isascii() and category.isdigit() and len(category) < len("100") else None,
    )


def fatal_text(words: Iterable[object]) -> str:
    """What a router said with `!fatal`, fit to be shown."""
    return readable(" ".join(from_wire(str(word)).removeprefix("=message=") for word in words))


def readable(text: str) -> str:
    """A router's own words, fit to be shown."""
    return printable(text, limit=MAX_TEXT)
