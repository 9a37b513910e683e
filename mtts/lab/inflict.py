"""An order to make something go wrong, from a command line or a scenario, carried out on a lab.

What can be ordered is the table of `fault_kinds`; when, is now or at a client's command to come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtts.lab.control import Order, Publication
from mtts.lab.fault_kinds import CLEAR, PUBLISH, REGISTRY, kind_of
from mtts.lab.images import build_image
from mtts.lab.others import RefusedError
from mtts.lab.registry_faults import RegistryFault

if TYPE_CHECKING:
    from mtts.lab.fleet import Lab
    from mtts.lab.router import LabRouter

ALL = "all"


def inflict(lab: Lab, order: Order, happened: Callable[[], None] = lambda: None) -> str:
    """Carry an order out; what came of it, mostly nothing. ValueError says what is wrong with it.

    `happened` is called when it has happened, which may be later and, for several routers, more than once.
    """
    given = kind_of(order.target, order.kind).read(order.options)
    if order.target == REGISTRY:
        if order.at_command is not None:
            raise ValueError("the registry does not count routers' commands")
        said = _inflict_registry(lab, order.kind, given)
        happened()
        return said
    routers = _targets(lab, order.target)
    if order.at_command is not None:
        once = replace(order, at_command=None)
        for router in routers:
            _at_command(lab, router, replace(once, target=router.name), order.at_command, happened)
        return ""
    errors = {router.name: error for router in routers if (error := _inflict_one(router, order.kind, given))}
    if errors:
        _raise(errors)
    happened()
    return ""


def inflict_in_time(lab: Lab, order: Order, happened: Callable[[], None]) -> None:
    """Carry an order out that nobody waits for: what is wrong with it is in the routers' logs."""
    try:
        inflict(lab, order, happened)
    except ValueError as error:
        for router in _targets(lab, order.target) if order.target != REGISTRY else lab.routers.values():
            router.device.log("system,info", f"{order.kind}: {error}")


def _inflict_one(router: LabRouter, kind: str, given: Mapping[str, Any]) -> ValueError | None:
    try:
        getattr(router.faults, kind.replace("-", "_"))(**given)
    except ValueError as error:
        return error
    return None


def _raise(errors: Mapping[str, ValueError]) -> None:
    """One router's error as it is, several with the routers' names."""
    first, *more = errors.values()
    if not more:
        raise first
    text = "; ".join(f"{name}: {error}" for name, error in errors.items())
    raise RefusedError(text) if isinstance(first, RefusedError) else ValueError(text)


def _at_command(lab: Lab, router: LabRouter, order: Order, n: int, happened: Callable[[], None]) -> None:
    def now() -> None:  # the client whose command it was has nothing to do with what is wrong with the order
        inflict_in_time(lab, order, happened)

    router.faults.at_command(n, now, path=order.of, before=order.before)


def _targets(lab: Lab, target: str) -> list[LabRouter]:
    if target == ALL:
        return list(lab.routers.values())
    if target not in lab.routers:
        raise ValueError(f"no router {target!r}: {', '.join((*lab.routers, ALL, REGISTRY))}")
    return [lab.routers[target]]


def _inflict_registry(lab: Lab, kind: str, given: Mapping[str, Any]) -> str:
    if kind == CLEAR.name:
        lab.registry.faults.clear()
        return ""
    if kind != PUBLISH.name:
        lab.registry.faults.add(RegistryFault(kind, **given))  # type: ignore[arg-type]  # the table's names are its kinds
        return ""
    wanted = Publication(**given)
    image = build_image(
        wanted.version,
        platforms=wanted.platforms,
        behaviour=wanted.behaviour,
        extracted_bytes=wanted.extracted_bytes,
    )
    return lab.registry.publish(image, repository=wanted.repository, tags=(*wanted.tags, f"v{wanted.version}"))
