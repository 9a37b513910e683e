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
from mtts.lab.registry_faults import RegistryFault

if TYPE_CHECKING:
    from mtts.lab.fleet import Lab
    from mtts.lab.router import LabRouter

ALL = "all"


def inflict(lab: Lab, order: Order, happened: Callable[[], None] = lambda: None) -> str:
    """Carry an order out; what the fault has to say, mostly nothing. ValueError says what is wrong with it.

    `happened` is called when it has happened, which may be later and, for several routers, more than once.
    """
    given = kind_of(order.target, order.kind).read(order.options)
    if order.target == REGISTRY:
        if order.at_command is not None:
            raise ValueError("the registry does not count routers' commands")
        _inflict_registry(lab, order.kind, given)
        happened()
        return ""
    routers = _targets(lab, order.target)
    if order.at_command is not None:
        once = replace(order, at_command=None)
        for router in routers:
            _at_command(lab, router, replace(once, target=router.name), order.at_command, happened)
        return ""
    said = [getattr(router.faults, order.kind.replace("-", "_"))(**given) for router in routers]
    happened()
    return "\n".join(one for one in said if one)


def _at_command(lab: Lab, router: LabRouter, order: Order, n: int, happened: Callable[[], None]) -> None:
    def now() -> None:
        try:
            said = inflict(lab, order, happened)
        except ValueError as error:  # the client whose command it was has nothing to do with it
            said = str(error)
        if said:
            router.device.log("system,info", f"{order.kind}: {said}")

    router.faults.at_command(n, now, path=order.of, before=order.before)


def _targets(lab: Lab, target: str) -> list[LabRouter]:
    if target == ALL:
        return list(lab.routers.values())
    if target not in lab.routers:
        raise ValueError(f"no router {target!r}: {', '.join((*lab.routers, ALL, REGISTRY))}")
    return [lab.routers[target]]


def _inflict_registry(lab: Lab, kind: str, given: Mapping[str, Any]) -> None:
    if kind == CLEAR.name:
        lab.registry.faults.clear()
    elif kind == PUBLISH.name:
        wanted = Publication(**given)
        image = build_image(
            wanted.version,
            platforms=wanted.platforms,
            behaviour=wanted.behaviour,
            extracted_bytes=wanted.extracted_bytes,
        )
        lab.registry.publish(image, repository=wanted.repository, tags=wanted.tags)
    else:
        lab.registry.faults.add(RegistryFault(kind, **given))  # type: ignore[arg-type]  # the table's names are its kinds
