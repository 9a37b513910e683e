"""Releases that must not be installed, as a run sees and extends them (I19).

What one router shows holds back the others at once, whether or not the store takes it: that costs a warning, never
a router's result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from mtts.core.errors import Problem, StoreError
from mtts.core.image import Digest
from mtts.core.ledger import KnownRelease, Quarantined
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.verdict import Hold
from mtts.ports import Clock, Store

_LEFT: Final = "rolled back by hand"


@dataclass(slots=True)
class Quarantine:
    """The store's quarantine, and the releases that the store knew when the run began."""

    store: Store
    clock: Clock
    known: Sequence[KnownRelease]
    """Oldest first."""
    entries: tuple[Quarantined, ...] = field(default=())

    @classmethod
    async def load(cls, store: Store, clock: Clock) -> Self:
        """StoreError where it cannot be read: then nothing is to be done either."""
        return cls(store, clock, await store.known_releases(), tuple(await store.quarantined()))

    async def learn(self, result: NodeResult, hold: Hold, digest: Digest | None) -> tuple[Problem, ...]:
        """Keep what a swap towards `digest` showed about it; what the store had against it."""
        if digest is None:
            return ()
        if result.outcome is Outcome.UPDATED:
            return await self.lift(digest, router=result.router)
        said = result.problem.message if result.problem else ""
        match hold:
            case Hold.NOWHERE:
                return ()
            case Hold.ROUTER:
                return await self.add(digest, router=result.router, reason=f"it did not work there: {said}")
            case Hold.FLEET:
                return await self.add(digest, router=None, reason=f"on {result.router}: {said}")

    async def add(self, digest: Digest, *, router: str | None, reason: str) -> tuple[Problem, ...]:
        """For `router`, or for every one with None; what the store had against it."""
        entry = Quarantined(digest, router, reason, self.clock.now())
        self.entries = (*self.entries, entry)
        try:
            await self.store.quarantine(entry)
        except StoreError as error:
            return (_not_kept(error),)
        return ()

    async def leave(self, digest: Digest, *, router: str) -> tuple[Problem, ...]:
        """For a router that is about to be rolled back from it; what the store had against it."""
        return await self.add(digest, router=router, reason=_LEFT)

    def left_by_hand(self, router: str) -> tuple[Digest, ...]:
        """What the router was rolled back from."""
        return tuple(entry.digest for entry in self.entries if (entry.router, entry.reason) == (router, _LEFT))

    async def lift(self, digest: Digest, *, router: str) -> tuple[Problem, ...]:
        """It was proven on `router` after all; what the store had against it. Other routers' own holds stay."""
        kept = tuple(entry for entry in self.entries if entry.digest != digest or entry.router not in (None, router))
        if kept == self.entries:
            return ()
        self.entries = kept
        try:
            await self.store.lift(digest, router=router)
        except StoreError as error:
            return (_not_kept(error),)
        return ()


def _not_kept(error: StoreError) -> Problem:
    return replace(error.problem, message=f"the quarantine is not on record: {error.problem.message}")
