"""What every use case needs, bound together once by cli/wiring.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self

from mtts.core.errors import DeadlineError
from mtts.core.events import Emit, Event, Kind
from mtts.core.inventory import NodeSpec, Router
from mtts.core.outcome import NodeResult
from mtts.core.tag import Tag
from mtts.engine.router_lock import RouterLock
from mtts.ports import Clock, Journal, Processes, Registry, Routers, RouterSession, Secrets


@dataclass(frozen=True, slots=True)
class Scripts:
    """Texts of the scripts in `routeros/`, to be filled in for each swap."""

    guard: str
    bridge: str


@dataclass(frozen=True, slots=True)
class Services:
    routers: Routers
    registry: Registry
    secrets: Secrets
    clock: Clock
    emit: Emit
    scripts: Scripts
    journal: Journal
    processes: Processes
    timeout_s: float | None = None
    """For all the work on one router; None for as long as its single deadlines allow."""


@dataclass(slots=True)
class Mark:
    """Set by the first command that may change the router: from then on a fault leaves its state in doubt."""

    wrote: bool = False


@dataclass(slots=True)
class Outage:
    """How long the node was away: from the first stop of its container to the last time that it came online."""

    stopped_s: float | None = None
    """Both by the monotonic clock."""
    online_s: float | None = None

    @property
    def duration_s(self) -> float | None:
        """None where the node was not stopped, or did not come back."""
        if self.stopped_s is None or self.online_s is None:
            return None
        return self.online_s - self.stopped_s


@dataclass(frozen=True, slots=True)
class NodeWork:
    """One node on one router over one session."""

    services: Services
    session: RouterSession
    router: Router
    node: NodeSpec
    lock: RouterLock
    """Of the router, for all its nodes; taken before the first write."""
    mark: Mark = field(default_factory=Mark)
    outage: Outage = field(default_factory=Outage)
    deadline_s: float | None = None
    """When the work on the router is to be done, by the event loop's clock."""

    async def hold(self) -> None:
        """Take the router's lock where this run does not have it; RouterLockedError where another one does."""
        await self.lock.take(self.session)

    @asynccontextmanager
    async def anew(self) -> AsyncIterator[Self]:
        """The same work over a session of its own: the one so far may be gone with the node that carried it."""
        async with self.services.routers.session(self.router) as session:
            yield replace(self, session=session)

    @asynccontextmanager
    async def within_deadline(self) -> AsyncIterator[None]:
        """Raise DeadlineError once the router's time is over; for what may be cut off at any moment."""
        try:
            async with asyncio.timeout_at(self.deadline_s):
                yield
        except TimeoutError:
            raise late(self.router, self.services.timeout_s) from None

    def as_found(self, tag: Tag | None = None) -> NodeResult:
        """The node with nothing done to it; `tag` is its container's."""
        return NodeResult.of(self.router.name, self.node.name, tag)

    def tell(self, kind: Kind, text: str) -> None:
        self.services.emit(Event(kind, self.router.name, self.node.name, text))


def late(router: Router, timeout_s: float | None) -> DeadlineError:
    """The work on a router took longer than somebody allowed."""
    return DeadlineError(f"{router.name} was not done within {timeout_s or 0:g} s", hint="give it more with --timeout")
