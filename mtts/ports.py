"""The Protocols through which the engine reaches the world.

A port exists only where there is a second implementation or a fault to inject.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mtts.core.image import ImageRef, Platform, Release
from mtts.core.inventory import Router
from mtts.core.secret import Secret, SecretSource

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
    """Answers what an image is right now; each (image, platform) is asked once per run."""

    async def resolve(self, image: ImageRef, platform: Platform) -> Release:
        """The release behind `image` for `platform`; RegistryError says why there is none."""
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
