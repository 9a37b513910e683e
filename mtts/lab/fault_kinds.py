"""The one table of fault kinds: what can go wrong, and with which options, for tests, command line and scenarios.

A router's kinds are the methods of `Faults` that are listed here: their names, first sentences and parameters are
what every way to them shows. The registry's are `publish`, `clear` and the kinds of `RegistryFault`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mtts.lab.control import Publication
from mtts.lab.faults import Faults
from mtts.lab.registry_faults import FAULT_KINDS, RegistryFault

REGISTRY = "registry"
"""The target that is no router."""


class OptionError(ValueError):
    """An option that a kind does not have, lacks, or cannot read; `option` as it is written outside."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind, by its name outside (`-` for `_`)."""

    name: str
    shape: Callable[[object], Any]
    choices: tuple[str, ...] = ()
    default: object = None
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
        if self.is_flag:
            return f"--{self.name}"
        value = "|".join(self.choices) or _METAVARS[self.shape]
        return f"--{self.name} {value}"

    def read(self, value: object) -> Any:
        """A value from a command line or a file as the fault takes it; OptionError when it does not fit."""
        try:
            found = self.shape(value)
        except (ValueError, TypeError) as error:
            raise OptionError(self.name, f"{self.name}: expected {_METAVARS[self.shape]}, not {value!r}") from error
        if self.choices and found not in self.choices:
            raise OptionError(self.name, f"{self.name}: expected one of {', '.join(self.choices)}, not {value!r}")
        return found


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a router or the registry can fail."""

    name: str
    says: str
    options: Mapping[str, Option]

    def read(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Options as the fault takes them, by parameter; OptionError names what is wrong."""
        for name in given:
            if name not in self.options:
                known = ", ".join(self.options) or "none"
                raise OptionError(name, f"{self.name} has no option {name}: {known}")
        for name, option in self.options.items():
            if option.is_required and name not in given:
                raise OptionError(name, f"{self.name} needs {name}")
        return {_parameter(name): self.options[name].read(value) for name, value in given.items()}


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


_METAVARS: Mapping[Callable[[object], Any], str] = {
    _text: "TEXT",
    _number: "NUMBER",
    _whole: "INTEGER",
    _flag: "true or false",
    _pairs: "NAME=VALUE",
    _texts: "TEXT,TEXT",
}
_SHAPES: Mapping[object, Callable[[object], Any]] = {str: _text, float: _number, int: _whole, bool: _flag}


def _kind_of(method: Callable[..., object]) -> Kind:
    hints = get_type_hints(method)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    options = (_option(one.name, hints[one.name], one.default, inspect.Parameter.empty) for one in parameters)
    says = inspect.getdoc(method) or ""
    return Kind(_outside(method.__name__), says, {option.name: option for option in options})


def _kind_of_fields(name: str, says: str, values: type[Any], left_out: frozenset[str] = frozenset()) -> Kind:
    hints = get_type_hints(values)
    fields = [field for field in dataclasses.fields(values) if field.name not in left_out]
    options = (_option(field.name, hints[field.name], field.default, dataclasses.MISSING) for field in fields)
    return Kind(name, says, {option.name: option for option in options})


def _option(name: str, hint: Any, default: object, nothing: object) -> Option:
    kinds = [one for one in get_args(hint) if one is not type(None)] if type(None) in get_args(hint) else [hint]
    (kind,) = kinds
    choices: tuple[str, ...] = get_args(kind) if get_origin(kind) is Literal else ()
    shape = _text if choices else _SHAPES.get(kind) or (_pairs if get_origin(kind) is Mapping else _texts)
    is_required = default is nothing
    return Option(_outside(name), shape, choices, None if is_required else default, is_required)


def _outside(name: str) -> str:
    return name.replace("_", "-")


def _parameter(name: str) -> str:
    return name.replace("-", "_")


def _by_name(kinds: Iterable[Kind]) -> Mapping[str, Kind]:
    return {kind.name: kind for kind in kinds}


_METHODS: tuple[Callable[..., object], ...] = (
    *(Faults.reboot, Faults.power_cut, Faults.clock_jump),
    *(Faults.cut_link, Faults.cut_after, Faults.hang, Faults.thaw, Faults.slow_link),
    *(Faults.truncate_reply, Faults.garble_reply, Faults.tailnet_path),
    *(Faults.trap_next, Faults.fail_pull, Faults.stick_stopping, Faults.fill_disk),
    *(Faults.foreign_command, Faults.second_controller, Faults.clear),
)
ROUTER_KINDS: Mapping[str, Kind] = _by_name(map(_kind_of, _METHODS))

_REGISTRY_SAYS: Mapping[str, str] = {
    "status": "Answer with this status, and a Retry-After where given, instead of serving.",
    "truncate": "Announce the whole body, send half of it and hang up.",
    "damage": "Change a byte of the body, the digest header staying right.",
    "no-digest": "Leave the digest header out.",
    "wrong-digest": "Name another digest than the body's.",
    "redirect": "Send clients to the same path on another host.",
    "expired-token": "Have the presented token expire at this very moment.",
    "denied": "Hand out tokens that open nothing, as for a private repository.",
    "no-auth": "Serve without asking for a token.",
    "stall": "Send half of the body, then nothing more.",
}
PUBLISH = _kind_of_fields("publish", "Publish an image of this version and behaviour and move tags there.", Publication)
CLEAR = Kind("clear", "Mend everything that lasts.", {})
REGISTRY_KINDS: Mapping[str, Kind] = _by_name(
    (
        PUBLISH,
        *(_kind_of_fields(name, _REGISTRY_SAYS[name], RegistryFault, frozenset({"kind"})) for name in FAULT_KINDS),
        CLEAR,
    )
)


def kind_of(target: str, name: str) -> Kind:
    """The kind of this name for a router or the registry; ValueError lists those that there are."""
    kinds = REGISTRY_KINDS if target == REGISTRY else ROUTER_KINDS
    if name not in kinds:
        raise ValueError(f"unknown fault {name!r}: one of {', '.join(kinds)}")
    return kinds[name]
