"""POSIX extended regular expressions as text: what a pattern means, as a tree.

What POSIX leaves undefined is a mistake here (`a**`, `+a`, a brace alone, a backslash before a letter or digit), and
so are equivalence classes and collating elements. Matching is in `regexp`.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPEAT_LIMIT = 255
"""Highest count in braces, POSIX' RE_DUP_MAX."""
NESTING_LIMIT = 40

Test = Callable[[str], bool]
CLASSES: Mapping[str, Test] = {
    "alpha": lambda one: one in string.ascii_letters,
    "digit": lambda one: one in string.digits,
    "alnum": lambda one: one in string.ascii_letters + string.digits,
    "upper": lambda one: one in string.ascii_uppercase,
    "lower": lambda one: one in string.ascii_lowercase,
    "space": lambda one: one in " \t\n\v\f\r",
    "blank": lambda one: one in " \t",
    "punct": lambda one: one in string.punctuation,
    "xdigit": lambda one: one in string.hexdigits,
    "cntrl": lambda one: one < " " or one == "\x7f",
    "print": lambda one: " " <= one < "\x7f",
    "graph": lambda one: " " < one < "\x7f",
}


class RegexpError(ValueError):
    """The pattern is no regular expression of this kind, or would take too long."""


@dataclass(frozen=True, slots=True)
class One:
    """A character that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Anchor:
    """The beginning or the end of the text."""

    is_end: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times at least, and at most; without an upper bound for None."""

    part: Node
    least: int
    most: int | None


Node = One | Anchor | Sequence | Either | Repeat


class PatternReader:
    """Reads a pattern from the left."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._offset = 0
        self._depth = 0

    def read(self) -> Node:
        """The whole pattern; RegexpError at its first mistake."""
        node = self._either()
        if self._offset < len(self._pattern):
            raise RegexpError("a bracket too many")
        return node

    def _peek(self, length: int = 1) -> str:
        return self._pattern[self._offset : self._offset + length]

    def _take(self, expected: str) -> bool:
        if not self._pattern.startswith(expected, self._offset):
            return False
        self._offset += len(expected)
        return True

    def _next(self) -> str:
        one = self._peek()
        if one == "":
            raise RegexpError("the pattern ends too early")
        self._offset += 1
        return one

    def _either(self) -> Node:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Either(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated())
        return Sequence(tuple(parts))

    def _repeated(self) -> Node:
        node = self._single()
        bounds = self._bounds()
        if bounds is None:
            return node
        if isinstance(node, Anchor) or self._peek() in set("*+?{"):
            raise RegexpError("nothing to repeat")
        return Repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        match self._peek():
            case "*":
                bounds: tuple[int, int | None] = (0, None)
            case "+":
                bounds = (1, None)
            case "?":
                bounds = (0, 1)
            case "{":
                return self._braces()
            case _:
                return None
        self._offset += 1
        return bounds

    def _braces(self) -> tuple[int, int | None]:
        inner, closed, _ = self._pattern[self._offset + 1 :].partition("}")
        least, comma, most = inner.partition(",")
        counts = [one for one in (least, most) if one]
        if not closed or not least or not all(one.isascii() and one.isdigit() for one in counts):
            raise RegexpError("no count in braces")
        low = int(least)
        high = (int(most) if most else None) if comma else low
        if max(low, high or 0) > REPEAT_LIMIT or (high is not None and low > high):
            raise RegexpError("a count out of range")
        self._offset += len(inner) + 2
        return low, high

    def _single(self) -> Node:
        match self._next():
            case "(":
                return self._group()
            case "[":
                return One(self._bracket())
            case ".":
                return One(lambda _: True)
            case "^":
                return Anchor(is_end=False)
            case "$":
                return Anchor(is_end=True)
            case "\\":
                escaped = self._next()
                if escaped.isalnum():
                    raise RegexpError(f"no meaning for a backslash before {escaped}")
                return One(escaped.__eq__)
            case "*" | "+" | "?" | "{":
                raise RegexpError("nothing to repeat")
            case one:
                return One(one.__eq__)

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > NESTING_LIMIT:
            raise RegexpError("nested too deeply")
        node = self._either()
        if not self._take(")"):
            raise RegexpError("a bracket is not closed")
        self._depth -= 1
        return node

    def _bracket(self) -> Test:
        is_negated = self._take("^")
        tests = [self._element()]
        while not self._take("]"):
            tests.append(self._element())
        return lambda one: any(test(one) for test in tests) is not is_negated

    def _element(self) -> Test:
        if self._take("[:"):
            name, closed, _ = self._pattern[self._offset :].partition(":]")
            if not closed or name not in CLASSES:
                raise RegexpError("no such class of characters")
            self._offset += len(name) + 2
            return CLASSES[name]
        if self._peek(2) in {"[.", "[="}:
            raise RegexpError("collating elements are not understood")
        low = self._next()
        if self._peek() != "-" or self._peek(2) == "-]":
            return low.__eq__
        self._offset += 1
        high = self._next()
        if high < low:
            raise RegexpError("a range backwards")
        return lambda one: low <= one <= high
