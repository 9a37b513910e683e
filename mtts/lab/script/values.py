"""Values of the scripting language: their types, how they are written, read and shown.

Text, numbers and booleans are Python's own; times count whole microseconds; arrays never change, so that a
copy is as good as the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

from mtts.lab.script.errors import ScriptError

if TYPE_CHECKING:
    from mtts.lab.script.nodes import Block

SECOND = 1_000_000
TEXT_LIMIT = 1 << 18
"""Longest text of the lab's scripts, so that a runaway one cannot eat the lab's memory."""
ARRAY_LIMIT = 4 * TEXT_LIMIT
"""Largest array, counted as its text would be: elements may be shared in memory, what shows them is not."""
ARRAY_DEPTH = 40
ELEMENT_SIZE = 32
"""How much any value but text and arrays counts."""
TIME_LIMIT = 1 << 62
"""Longest span of time, in microseconds."""


class Empty(Enum):
    """The two values that are none."""

    NIL = "nil"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Time:
    """A span of time."""

    micros: int

    @property
    def seconds(self) -> float:
        """The span in seconds."""
        return self.micros / SECOND


@dataclass(frozen=True, slots=True)
class Id:
    """An item's internal number, `*1A`."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Commands as a value: what `:parse` and `do={…}` of a variable make."""

    block: Block
    source: str


@dataclass(frozen=True, slots=True)
class Array:
    """Elements in order, then elements by key, sorted by it."""

    listed: tuple[Value, ...] = ()
    keyed: tuple[tuple[str, Value], ...] = ()
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size, deepest = sum(len(key) for key, _ in self.keyed), 0
        for element in self.elements():
            size += size_of(element)
            if isinstance(element, Array):
                deepest = max(deepest, element.depth)
        if size > ARRAY_LIMIT:
            raise ScriptError("out of memory: the array is too long")
        if deepest >= ARRAY_DEPTH:
            raise ScriptError("nested too deeply")
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "depth", deepest + 1)

    def __len__(self) -> int:
        return len(self.listed) + len(self.keyed)

    def pairs(self) -> Iterator[tuple[int | str, Value]]:
        """Every element with its index or key."""
        yield from enumerate(self.listed)
        yield from self.keyed

    def elements(self) -> tuple[Value, ...]:
        """Every element."""
        return (*self.listed, *(value for _, value in self.keyed))

    def at(self, key: Value) -> Value:
        """The element at an index or under a key, nothing where there is none."""
        if isinstance(key, int) and not isinstance(key, bool):
            elements = self.elements()
            return elements[key] if 0 <= key < len(elements) else Empty.NOTHING
        return dict(self.keyed).get(show(key), Empty.NOTHING)

    def replaced(self, key: Value, value: Value) -> Array:
        """A copy with one element set; an index may at most lengthen the list by one."""
        if isinstance(key, int) and not isinstance(key, bool):
            if 0 <= key < len(self.listed):
                return Array((*self.listed[:key], value, *self.listed[key + 1 :]), self.keyed)
            return Array((*self.listed, value), self.keyed)
        return Array(
            self.listed, tuple(sorted({**dict(self.keyed), show(key): value}.items(), key=lambda pair: pair[0]))
        )


Value = Empty | bool | int | str | Time | Id | IPv4Interface | IPv6Interface | IPv4Address | IPv6Address | Code | Array

TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "num"),
    (str, "str"),
    (Time, "time"),
    (Id, "id"),
    (IPv4Interface, "ip-prefix"),  # an interface is an address to Python: first things first
    (IPv6Interface, "ip6-prefix"),
    (IPv4Address, "ip"),
    (IPv6Address, "ip6"),
    (Code, "code"),
    (Array, "array"),
)
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
UNITS = {"w": 604_800 * SECOND, "d": 86_400 * SECOND, "h": 3_600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 1_000}
_NUMBER = re.compile(r"-?\d{1,19}|0x[0-9A-Fa-f]{1,16}")
_ID = re.compile(r"\*[0-9A-Fa-f]+")
_UNITS = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?")
_CLOCK = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(\d{1,6}):(\d\d):(\d\d)(?:\.(\d{1,6}))?")


def array_of(elements: Iterable[Value]) -> Array:
    """A list."""
    return Array(tuple(elements))


def map_of(pairs: Iterable[tuple[str, Value]]) -> Array:
    """Elements by key."""
    return Array(keyed=tuple(sorted(dict(pairs).items(), key=lambda pair: pair[0])))


def size_of(value: Value) -> int:
    """How much of a router's memory a value is counted as."""
    if isinstance(value, Array):
        return ELEMENT_SIZE + value.size
    return ELEMENT_SIZE + (len(value) if isinstance(value, str) else 0)


def span(micros: int) -> Time:
    """A span of time; ScriptError when it is longer than there are."""
    if abs(micros) > TIME_LIMIT:
        raise ScriptError("time interval out of range")
    return Time(micros)


def type_of(value: Value) -> str:
    """What `:typeof` says."""
    if isinstance(value, Empty):
        return value.value
    return next(name for kind, name in TYPE_NAMES if isinstance(value, kind))


def read_word(text: str) -> Value:
    """A word without quotes as the value that it spells; text where it spells none."""
    number = read_number(text)
    if number is not None:
        return number
    if text in BOOLEANS:
        return BOOLEANS[text]
    if _ID.fullmatch(text):
        return Id(text.upper())
    span = read_time(text)
    if span is not None:
        return span
    return read_address(text) or text


def read_number(text: str) -> int | None:
    """A whole number of 64 bits, decimal or hexadecimal."""
    if not _NUMBER.fullmatch(text):
        return None
    return wrapped(int(text, 0) if text.startswith("0x") else int(text))


def read_time(text: str) -> Time | None:
    """`1w2d3h4m5s`, `500ms`, `00:00:05`, `1d00:00:05.5`."""
    if clock := _CLOCK.fullmatch(text):
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in clock.groups()[:5])
        whole = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
        return _readable(whole * SECOND + int((clock[6] or "").ljust(6, "0")))
    units = _UNITS.fullmatch(text)
    if not text or units is None:
        return None
    return _readable(sum(int(part or 0) * unit for part, unit in zip(units.groups(), UNITS.values(), strict=True)))


def _readable(micros: int) -> Time | None:
    return Time(micros) if micros <= TIME_LIMIT else None


def read_address(text: str) -> IPv4Address | IPv6Address | IPv4Interface | IPv6Interface | None:
    """An address, or one with a prefix length."""
    try:
        return ip_interface(text) if "/" in text else ip_address(text)
    except ValueError:
        return None


def wrapped(number: int) -> int:
    """A number within 64 signed bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def show(value: Value) -> str:
    """A value as `:put` and text with `$name` show it."""
    match value:
        case Empty():
            return ""
        case bool():
            return "true" if value else "false"
        case Time():
            return _show_time(value)
        case Id(text):
            return text
        case Code():
            return "(code)"
        case Array():
            listed = [show(element) for element in value.listed]
            return ";".join([*listed, *(f"{key}={show(element)}" for key, element in value.keyed)])
        case _:
            return str(value)


def argument_text(value: Value) -> str:
    """A value as a menu's command takes it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Array():
            return ",".join(argument_text(element) for element in value.elements())
        case Code(source=source):
            return source
        case _:
            return show(value)


def _show_time(value: Time) -> str:
    sign, rest = ("-", -value.micros) if value.micros < 0 else ("", value.micros)
    weeks, rest = divmod(rest, UNITS["w"])
    days, rest = divmod(rest, UNITS["d"])
    seconds, micros = divmod(rest, SECOND)
    head = (f"{weeks}w" if weeks else "") + (f"{days}d" if days else "")
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + head + clock + (f".{micros:06}".rstrip("0") if micros else "")
