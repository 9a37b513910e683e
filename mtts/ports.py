"""The Protocols through which the engine reaches the world.

A port exists only where there is a second implementation or a fault to inject.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mtts.core.flash import FlashSample
from mtts.core.image import Digest, ImageRef, Platform, Release, ReleaseDigests
from mtts.core.inventory import Router
from mtts.core.ledger import KnownRelease, PastResult, PastRun, Quarantined, RecordedSample
from mtts.core.outcome import NodeResult
from mtts.core.router_lock import Holder
from mtts.core.secret import Secret, SecretSource
from mtts.core.transaction_record import Opening, OpenTransaction, TransactionKey

Row = Mapping[str, str]
"""One `!re` sentence: property name → text, exactly as the router sent it (UTF-8)."""


class RouterSession(Protocol):
    """One logged-in API connection; one command in flight; strings in, strings out.

    Every method raises CommandTrappedError on `!trap` and SessionLostError on anything that leaves the
    stream in doubt (closed, silent beyond the command's deadline, unreadable, `!fatal`); after
    the latter the session is dead and says so again to every further call.
    """

    async def print(
        self, path: str, *, where: Sequence[Mapping[str, str]] = (), props: Sequence[str] = ()
    ) -> list[Row]:
        """Read a menu: `path` without `/print`, `props` as `.proplist`.

        A row is wanted when it holds every value of one of the mappings in `where`; all rows are when there is none.
        """
        ...

    async def add(self, path: str, props: Mapping[str, str]) -> str:
        """Add an entry and return its `.id` (empty when the router names none)."""
        ...

    async def set(self, path: str, props: Mapping[str, str], *, id_: str | None = None) -> None:
        """Change an entry, or a singleton menu when `id_` is None."""
        ...

    async def remove(self, path: str, id_: str) -> None:
        """Remove an entry; `id_` is its `.id`, or its name in /file."""
        ...

    async def command(
        self, path: str, args: Mapping[str, str] | None = None, *, timeout_s: float | None = None
    ) -> list[Row]:
        """Any other command (`/container/start`); what `!done` carries comes as a last row."""
        ...

    async def close(self) -> None:
        """Close within a bound; never raises."""
        ...


class Routers(Protocol):
    """Opens sessions; knows secrets, certificates and deadlines."""

    def session(self, router: Router) -> AbstractAsyncContextManager[RouterSession]:
        """A logged-in session; UnreachableError or AuthRejectedError where none comes about."""
        ...


class Secrets(Protocol):
    """Opens secrets where the inventory says they are; each at most once per run."""

    async def open(self, source: SecretSource) -> Secret:
        """UsageError (`secret-unavailable`, `secret-exposed`) when it cannot be had."""
        ...


class Registry(Protocol):
    """Answers what an image is right now; each question is asked once per run, however many routers want to know."""

    async def tag_digest(self, image: ImageRef) -> Digest | None:
        """What the reference points to, by the cheapest question; None where the registry does not say it that way.

        A hint that nothing changed, never that something did: no body was hashed. RegistryError without an answer.
        """
        ...

    async def digests(self, image: ImageRef, platform: Platform, *, fresh: bool = False) -> ReleaseDigests:
        """Which release the image is for `platform`; with `fresh`, asked anew: a tag may move during a run."""
        ...

    async def resolve(self, image: ImageRef, platform: Platform) -> Release:
        """The release behind `image` for `platform`; RegistryError says why there is none."""
        ...


class Store(Protocol):
    """What earlier runs found and did; every method raises StoreError where the store fails."""

    async def begin(self, run: PastRun) -> None:
        """Note that a run begins: from here on the store is known to be writable."""
        ...

    async def record(self, run_id: str, results: Sequence[NodeResult]) -> None:
        """Keep results with their flash samples, in place of what was kept of the same nodes in the same run."""
        ...

    async def keep(self, run_id: str, samples: Sequence[FlashSample]) -> None:
        """Keep samples that belong to no node's work."""
        ...

    async def finish(self, run_id: str, *, finished_s: float, exit_code: int) -> None: ...

    async def history(self, routers: Sequence[str], *, limit: int) -> list[PastResult]:
        """The last results of these routers, newest first."""
        ...

    async def unfinished(self, *, limit: int) -> list[PastRun]:
        """Runs that go on or were killed, newest first."""
        ...

    async def step_to(self, router: str, node: str, digest: Digest) -> PastResult | None:
        """The last update of the node, no rollback, in which a known release gave way to `digest`, another one."""
        ...

    async def samples(self, routers: Sequence[str], *, since_s: float) -> list[RecordedSample]:
        """Every sample of these routers since then, oldest first."""
        ...

    async def remember(self, release: Release, *, seen_s: float) -> None:
        """Keep what a registry served; the first sight of a manifest counts."""
        ...

    async def known_releases(self) -> list[KnownRelease]:
        """Oldest first."""
        ...

    async def quarantine(self, entry: Quarantined) -> None: ...

    async def lift(self, digest: Digest, *, router: str) -> None:
        """Take a digest out of quarantine for the fleet and for `router`; what holds for another router stays."""
        ...

    async def quarantined(self) -> list[Quarantined]: ...


class Journal(Protocol):
    """The open transactions of this machine: on disk when a method returns, StoreError where they cannot be."""

    def begin(self, opening: Opening) -> None:
        """Open a transaction, or go on with one: before anything is written to its router."""
        ...

    def note(self, key: TransactionKey, step: str, *, is_done: bool) -> None:
        """A step begins, or came to its end."""
        ...

    def end(self, key: TransactionKey) -> None:
        """Nothing is open any more; nothing happens where nothing was."""
        ...

    def open_of(self, router: str, node: str) -> Sequence[OpenTransaction]:
        """The open transactions of a node."""
        ...

    def runs(self) -> frozenset[str]:
        """Every run that worked on an open transaction."""
        ...


class Processes(Protocol):
    """Who this run is to others, and what became of theirs."""

    @property
    def me(self) -> Holder:
        """This run."""
        ...

    def has_ended(self, holder: Holder) -> bool:
        """Whether it was a run of this machine that is surely over."""
        ...


class Clock(Protocol):
    """Time, so that tests can own it."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def now(self) -> float:
        """Seconds since 1970 UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...
