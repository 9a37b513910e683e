"""What a run knows beside the routers: releases seen before, and those that must not be installed (I19)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from mtts.core.image import Digest
from mtts.core.ledger import KnownRelease, Quarantined
from mtts.ports import Clock, Store


@dataclass(slots=True)
class Quarantine:
    """The store's quarantine, as this run sees and extends it: what one router shows holds back the others at once."""

    store: Store
    clock: Clock
    known: Sequence[KnownRelease]
    """Oldest first."""
    entries: list[Quarantined] = field(default_factory=list)

    @classmethod
    async def load(cls, store: Store, clock: Clock) -> Self:
        return cls(store, clock, await store.known_releases(), await store.quarantined())

    async def add(self, digest: Digest, *, router: str | None, reason: str) -> None:
        """For `router`, or for every one with None."""
        entry = Quarantined(digest, router, reason, self.clock.now())
        self.entries.append(entry)
        await self.store.quarantine(entry)

    async def lift(self, digest: Digest) -> None:
        """It was proven after all."""
        if any(entry.digest == digest for entry in self.entries):
            self.entries = [entry for entry in self.entries if entry.digest != digest]
            await self.store.lift(digest)
