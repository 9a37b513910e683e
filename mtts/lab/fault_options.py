"""Options of faults: what each is called outside, how its value is read, and which values make sense.

A rule stands at the parameter or field that it is for (`Annotated[int, within(1, 9)]`) and nowhere else, so that
Python, the command line and scenario files refuse the same values in the same words. Nothing here knows any fault.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, wraps
from types import MappingProxyType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from mtts.lab.schema import load_schema, published

P = ParamSpec("P")
R = TypeVar("R")

SHOWN_LIMIT = 60
"""How much of a value that is refused is shown."""


class OptionError(ValueError):
    """An option that a kind does not have, lacks, or cannot use; `option` as it is written outside."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True, slots=True)
class Rule:
    """Which values of an option make sense."""

    says: str
    """The end of a sentence that begins with `expected`."""
    allows: Callable[[Any], bool]
    metavar: str = ""
    """The value's place on a command line, where it is not that of its shape."""
    is_range: bool = False
    """Whether `says` goes on from what the shape says."""


def within(least: int, most: int) -> Rule:
    """Numbers between these two, both included; neither infinity nor what is no number."""
    return Rule(f"from {least} to {most}", lambda value: least <= value <= most, is_range=True)


def one_of(*choices: str) -> Rule:
    """One of these words."""
    return Rule(f"one of {', '.join(choices)}", lambda value: value in choices, "|".join(choices))


def each(rule: Rule) -> Rule:
    """At least one value, each of them as the rule says."""
    return Rule(f"{rule.says}, once or more", lambda values: bool(values) and all(map(rule.allows, values)))


def matching(pattern: str, says: str) -> Rule:
    """Text of this form."""
    return Rule(says, lambda value: re.fullmatch(pattern, value) is not None)


WORDS = matching(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,200}", "1 to 200 characters on one line")
SPOKEN = matching(r"[^\ud800-\udfff]{1,200}", "1 to 200 characters")
"""What a router says may hold what others put into a name, escape sequences included."""
HEADER = matching(r"[ -~]{1,200}", "1 to 200 characters of ASCII")
PAIRS = Rule("NAME=VALUE with a name", all)

ANY, WRITE = "any", "write"
"""What to count, instead of a command's path: every command, logins included; those that change something."""
_SESSION = frozenset({"/login", "/quit", "/cancel"})
_SAID = "a command of RouterOS such as /container/add"


@cache
def _commands() -> frozenset[str]:
    menus = [menu for version in published() for menu in load_schema(version).menus.items()]
    verbs = {f"{path.rstrip('/')}/{verb}" for path, commands in menus for verb in commands}
    return frozenset(verbs | {f"{path.rpartition('/')[0]}/getall" for path in verbs if path.endswith("/print")})


COMMAND = Rule(_SAID, lambda path: path in _commands(), "COMMAND")
"""A command that some version of RouterOS has."""
COUNTED = Rule(
    f"{_SAID}, or {ANY}, or {WRITE}",
    lambda path: path in {ANY, WRITE} or path in _SESSION or path in _commands(),
    f"COMMAND|{ANY}|{WRITE}",
)
"""A command that a client can give, or a word for many."""

Count = Annotated[int, within(1, 1_000_000)]
CommandPath = Annotated[str, COMMAND]
CountedPath = Annotated[str, COUNTED]
Words = Annotated[str, WORDS]
Spoken = Annotated[str, SPOKEN]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return int(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _pairs(value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {_text(name): _text(one) for name, one in value.items()}
    if not isinstance(value, list):
        raise TypeError
    pairs = [_text(one).partition("=") for one in value]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError
    return {name: one for name, _, one in pairs}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(one) for one in value) if isinstance(value, list | tuple) else tuple(_text(value).split(","))


Shape = Callable[[object], Any]
_METAVARS: Mapping[Shape, str] = {
    _text: "TEXT",
    _number: "NUMBER",
    _whole: "INTEGER",
    _flag: "",
    _pairs: "NAME=VALUE",
    _texts: "TEXT,TEXT",
}
_SAYS: Mapping[Shape, str] = {**_METAVARS, _number: "a number", _whole: "a whole number", _flag: "true or false"}
_SHAPES: Mapping[object, Shape] = {str: _text, float: _number, int: _whole, bool: _flag}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind, by its name outside (`-` for `_`)."""

    name: str
    shape: Shape
    rule: Rule | None = None
    is_required: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value on a command line."""
        return self.shape is _flag

    @property
    def is_repeated(self) -> bool:
        """Whether it is given once for each `name=value`."""
        return self.shape is _pairs

    @property
    def syntax(self) -> str:
        """As it is written on a command line."""
        metavar = self.rule.metavar if self.rule and self.rule.metavar else _METAVARS[self.shape]
        return f"--{self.name} {metavar}".rstrip()

    @property
    def expected(self) -> str:
        """What makes a value of it."""
        if self.rule is None:
            return _SAYS[self.shape]
        return f"{_SAYS[self.shape]} {self.rule.says}" if self.rule.is_range else self.rule.says

    def read(self, value: object) -> Any:
        """A value from a command line or a file as the fault takes it; OptionError when it does not fit."""
        try:
            found = self.shape(value)
        except (ValueError, TypeError, OverflowError):
            raise self._refusal(value) from None
        self.check(found)
        return found

    def check(self, value: object) -> None:
        """OptionError where a value of the right shape makes no sense; None is the absence of one."""
        if self.rule is not None and value is not None and not self.rule.allows(value):
            raise self._refusal(value)

    def _refusal(self, value: object) -> OptionError:
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN_LIMIT else f"{shown[:SHOWN_LIMIT]}…"
        return OptionError(self.name, f"{self.name}: expected {self.expected}, not {shown}")


@cache
def options_of(method: Callable[..., object]) -> Mapping[str, Option]:
    """The options that a method's parameters make, by parameter; its own object and callbacks are none."""
    hints = get_type_hints(method, include_extras=True)
    found = inspect.signature(method).parameters.values()
    return {
        one.name: _option(one.name, hints[one.name], is_required=one.default is inspect.Parameter.empty)
        for one in found
        if one.name in hints and get_origin(hints[one.name]) is not Callable
    }


@cache
def options_of_fields(values: type[Any]) -> Mapping[str, Option]:
    """The options that the fields of a dataclass make, by field."""
    hints = get_type_hints(values, include_extras=True)
    required = {field.name for field in fields(values) if field.default is MISSING}
    return MappingProxyType(
        {
            field.name: _option(field.name, hints[field.name], is_required=field.name in required)
            for field in fields(values)
        }
    )


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Have a method refuse what the rules of its parameters do not allow, with an OptionError."""
    signature = inspect.signature(method)

    @wraps(method)
    def call(*given: P.args, **named: P.kwargs) -> R:
        options = options_of(method)
        for name, value in signature.bind(*given, **named).arguments.items():
            if name in options:
                options[name].check(value)
        return method(*given, **named)

    return call


def check_fields(values: Any) -> None:
    """OptionError where a dataclass holds what the rules of its fields do not allow."""
    for name, option in options_of_fields(values.__class__).items():
        option.check(getattr(values, name))


def _option(name: str, hint: Any, *, is_required: bool) -> Option:
    present = [one for one in get_args(hint) if one is not type(None)] if type(None) in get_args(hint) else [hint]
    (kind,) = present
    rule = None
    if get_origin(kind) is Annotated:
        kind, rule = get_args(kind)
    if get_origin(kind) is Literal:
        kind, rule = str, one_of(*get_args(kind))
    shape = _SHAPES.get(kind) or (_pairs if get_origin(kind) is Mapping else _texts)
    return Option(name.replace("_", "-"), shape, rule, is_required)
