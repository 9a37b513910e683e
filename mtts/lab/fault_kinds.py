"""The one table of fault kinds: what can go wrong, and with which options, for tests, command line and scenarios.

A router's kinds are the methods of `Faults` that are listed here: their names, first sentences and parameters are
what every way to them shows. The registry's are `publish`, `clear` and the kinds of `RegistryFault`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from mtts.lab.control import Publication
from mtts.lab.fault_options import Option, OptionError, one_of, options_of, options_of_fields
from mtts.lab.faults import Faults
from mtts.lab.registry_faults import FAULT_KINDS, METHODS_OF, OWN_FIELDS, PARTS_OF, RegistryFault

REGISTRY = "registry"
"""The target that is no router."""
LIKENESS = 0.4
"""How like an unknown name a known one is that somebody may have meant."""


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
                raise OptionError(name, f"{self.name} needs {name}: {option.expected}")
        return {name.replace("-", "_"): self.options[name].read(value) for name, value in given.items()}


def _kind(name: str, says: str, options: Iterable[Option]) -> Kind:
    return Kind(name, says, {option.name: option for option in options})


def _router_kind(method: Callable[..., object]) -> Kind:
    return _kind(method.__name__.replace("_", "-"), inspect.getdoc(method) or "", options_of(method).values())


def _registry_kind(name: str) -> Kind:
    """A kind with the fields that mean something to it, and of parts and methods those that it can hit."""
    own = OWN_FIELDS.get(name, ())
    options = []
    for field, option in options_of_fields(RegistryFault).items():
        if field == "on":
            options.append(replace(option, rule=one_of(*PARTS_OF[name])))
        elif field == "method":
            options.append(replace(option, rule=one_of(*METHODS_OF[name])))
        elif field in {"after", "times", *own}:
            options.append(replace(option, is_required=field == "host"))
    return _kind(name, _REGISTRY_SAYS[name], options)


def _by_name(kinds: Iterable[Kind]) -> Mapping[str, Kind]:
    return {kind.name: kind for kind in kinds}


_METHODS: tuple[Callable[..., object], ...] = (
    *(Faults.reboot, Faults.power_cut, Faults.clock_jump),
    *(Faults.cut_link, Faults.cut_after, Faults.hang, Faults.thaw, Faults.slow_link),
    *(Faults.truncate_reply, Faults.garble_reply, Faults.tailnet_path),
    *(Faults.trap_next, Faults.fail_pull, Faults.fail_extraction, Faults.hollow_extraction),
    *(Faults.stick_stopping, Faults.fill_disk, Faults.bad_blocks),
    *(Faults.foreign_command, Faults.second_controller, Faults.clear),
)
ROUTER_KINDS: Mapping[str, Kind] = _by_name(map(_router_kind, _METHODS))

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
PUBLISH = _kind(
    "publish", "Publish an image of this version and move tags to it.", options_of_fields(Publication).values()
)
CLEAR = _kind("clear", "Mend everything that lasts.", ())
REGISTRY_KINDS: Mapping[str, Kind] = _by_name((PUBLISH, *map(_registry_kind, FAULT_KINDS), CLEAR))


def kind_of(target: str, name: str) -> Kind:
    """The kind of this name for a router or the registry; ValueError says which was meant, or which there are."""
    kinds, others = (REGISTRY_KINDS, ROUTER_KINDS) if target == REGISTRY else (ROUTER_KINDS, REGISTRY_KINDS)
    if name in kinds:
        return kinds[name]
    said = []
    if name in others:
        said.append(f"it is one of {'a router' if target == REGISTRY else 'the registry'}")
    if near := get_close_matches(name, kinds, n=1, cutoff=LIKENESS):
        said.append(f"did you mean {near[0]}?")
    raise ValueError(f"unknown fault {name!r}: {'; '.join(said) or 'one of ' + ', '.join(kinds)}")
