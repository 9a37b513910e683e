"""The words that a script may use: the language's own commands, and those of one router's menus.

The language's own are a table, with the version that brought each; the menus' come from the command tree, so a
word that a version lacks is a mistake in the script before anything runs. Abbreviations are not understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from mtts.lab.version import Version

if TYPE_CHECKING:
    from mtts.lab.device import Device


class Kind(Enum):
    """What an argument of the language's own commands is."""

    NAME = auto()
    """Names of variables that come into being."""
    TARGET = auto()
    """A variable that exists, or an element of it."""
    VALUE = auto()
    BLOCK = auto()
    FUNCTION = auto()
    """A block that knows nothing of the variables around it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: whether its name may be left out, whether it must be there."""

    name: str
    kind: Kind = Kind.VALUE
    named_only: bool = False
    optional: bool = False


def _value(name: str, *, named_only: bool = False, optional: bool = False) -> Parameter:
    return Parameter(name, Kind.VALUE, named_only, optional)


def _block(name: str, *, named_only: bool = True, optional: bool = False) -> Parameter:
    return Parameter(name, Kind.BLOCK, named_only, optional)


_DECLARATION = (
    Parameter("name", Kind.NAME),
    _value("value", optional=True),
    Parameter("do", Kind.FUNCTION, named_only=True, optional=True),
)
_ONE_VALUE = (_value("value"),)
_FROM_TO = (_value("from", named_only=True), _value("to", named_only=True))

BUILTINS: Mapping[str, tuple[Parameter, ...]] = {
    "local": _DECLARATION,
    "global": _DECLARATION,
    "set": (Parameter("name", Kind.TARGET), *_DECLARATION[1:]),
    "if": (_value("condition"), _block("do", optional=True), _block("else", optional=True)),
    "for": (
        Parameter("counter", Kind.NAME),
        *_FROM_TO,
        _value("step", named_only=True, optional=True),
        _block("do"),
    ),
    "foreach": (Parameter("counter", Kind.NAME), _value("in", named_only=True), _block("do")),
    "while": (_value("condition"), _block("do")),
    "do": (
        _block("command", named_only=False),
        _value("while", named_only=True, optional=True),
        _block("on-error", optional=True),
    ),
    "onerror": (Parameter("error", Kind.NAME), _block("in"), _block("do")),
    "retry": (
        _block("command", named_only=False),
        _value("delay", named_only=True),
        _value("max", named_only=True),
        _block("on-error", optional=True),
    ),
    "error": (_value("message"),),
    "return": (_value("value", optional=True),),
    "exit": (),
    "put": (_value("message"),),
    "delay": (_value("delay-time", optional=True),),
    "time": (_block("command", named_only=False),),
    "parse": _ONE_VALUE,
    "jobname": (),
    "nothing": (),
    "len": _ONE_VALUE,
    "pick": (_value("counter"), _value("begin"), _value("end", optional=True)),
    "find": (_value("in"), _value("key"), _value("from", optional=True)),
    "typeof": _ONE_VALUE,
    "tostr": _ONE_VALUE,
    "tonum": _ONE_VALUE,
    "tobool": _ONE_VALUE,
    "toarray": _ONE_VALUE,
    "totime": _ONE_VALUE,
    "toip": _ONE_VALUE,
    "toid": _ONE_VALUE,
    "timestamp": (),
    "rndnum": _FROM_TO,
    "serialize": (
        _value("value"),
        _value("to", named_only=True),
        _value("options", named_only=True, optional=True),
    ),
    "deserialize": (
        _value("value"),
        _value("from", named_only=True),
        _value("options", named_only=True, optional=True),
    ),
    "convert": (
        _value("value"),
        _value("from", named_only=True, optional=True),
        _value("to", named_only=True, optional=True),
        _value("transform", named_only=True, optional=True),
    ),
}
SINCE: Mapping[str, Version] = {
    "retry": (7, 9, 0),
    "convert": (7, 11, 0),
    "onerror": (7, 13, 0),
    "serialize": (7, 13, 0),
    "deserialize": (7, 13, 0),
    "jobname": (7, 13, 0),
    "exit": (7, 22, 0),
}
NOT_MODELLED = frozenset(
    {
        *("beep", "blink", "environment", "export", "grep", "import", "resolve", "rndstr", "terminal", "toip6"),
        *("tocrlf", "tolf", "tonsec", "password", "quit", "redo", "undo", "range"),
    }
)
"""Words of the language that the lab knows of and does not understand."""

ROOT_COMMANDS = {"ping": ("/tool", "ping")}
"""Commands at the root that the lab's command trees keep elsewhere."""
PRINT_NOT_MODELLED = frozenset(
    {
        *("append", "file", "follow", "follow-only", "group-by", "interval", "json", "on-event", "order-by"),
        *("timestamp", "value-list", "with-extra-info"),
    }
)
FLAGS = frozenset(
    {
        *("as-string", "as-value", "brief", "comments", "count-only", "detach", "detail", "interactive", "no-sh"),
        *("show-hidden", "show-ids", "terse", "without-paging"),
    }
)
"""Arguments of menus' commands that may stand without a value."""
SOURCES = frozenset({"on-event", "script", "source"})
"""Arguments that hold a script: commands in braces are kept as their text."""
UNNAMED = {"add": (), "print": (), "execute": ("script",), "fetch": ("url",), "ping": ("address",), "read": ("file",)}


class Words:
    """What one router's console knows."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def builtin(self, name: str) -> tuple[Parameter, ...] | None:
        """The arguments of one of the language's own commands, None when this version has none of this name."""
        if SINCE.get(name, self._device.version) > self._device.version:
            return None
        return BUILTINS.get(name)

    def has_flags(self) -> bool:
        """Whether a container's state is shown by flags."""
        return self._device.has("flags")

    def is_menu(self, path: str) -> bool:
        """Whether this is a menu, or the way to one."""
        if self._device.lacks_menu(path):
            return False
        return any(menu == path or menu.startswith(f"{path}/") for menu in self._device.schema.menus)

    def arguments(self, menu: str, verb: str) -> frozenset[str] | None:
        """The arguments of a menu's command, None when there is none."""
        return None if self._device.lacks_menu(menu) else self._device.schema.arguments(menu, verb)


def unnamed(verb: str, known: frozenset[str]) -> tuple[str, ...]:
    """The arguments of a menu's command whose names may be left out, in order."""
    if verb in UNNAMED:
        return UNNAMED[verb]
    if len(known) == 1:
        return tuple(known)
    return tuple(name for name in ("numbers", "number", "value-name", "destination") if name in known) + (
        ("comment",) if verb == "comment" else ()
    )
