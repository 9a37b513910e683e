"""What every use case needs, bound together once by cli/wiring.py."""

from dataclasses import dataclass

from mtts.core.events import Emit, Event, Kind
from mtts.core.inventory import NodeSpec, Router
from mtts.ports import Clock, Registry, Routers, RouterSession, Secrets


@dataclass(frozen=True, slots=True)
class Services:
    routers: Routers
    registry: Registry
    secrets: Secrets
    clock: Clock
    emit: Emit


@dataclass(frozen=True, slots=True)
class NodeWork:
    """One node on one router over one session."""

    services: Services
    session: RouterSession
    router: Router
    node: NodeSpec

    def tell(self, kind: Kind, text: str) -> None:
        self.services.emit(Event(kind, self.router.name, self.node.name, text))
