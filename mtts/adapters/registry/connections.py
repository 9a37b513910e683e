"""The registries and repositories of one run: opened when first wanted, shared by all who ask, closed together.

One HTTP client per registry, one token store for all, and a password that is opened only where a registry has
asked for one. Nothing is asked here and nothing is remembered of any answer.
"""

import asyncio
from collections.abc import Callable, Mapping

from mtts.adapters.registry.auth import Authorizer, Tokens
from mtts.adapters.registry.once import Once
from mtts.adapters.registry.reach import Lookup
from mtts.adapters.registry.repository import Repository
from mtts.adapters.registry.transport import Transport
from mtts.core.errors import UsageError
from mtts.core.image import ImageRef
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import Secret, SecretSource
from mtts.ports import Clock


class Connections:
    """`access` is keyed by the registry's name as an image reference has it (`docker.io`, `127.0.0.1:5000`)."""

    def __init__(
        self,
        access: Mapping[str, RegistryAccess],
        *,
        open_secret: Callable[[SecretSource], Secret],
        clock: Clock,
        lookup: Lookup,
    ) -> None:
        self._access = access
        self._open_secret = open_secret
        self._clock = clock
        self._lookup = lookup
        self._tokens = Tokens(clock.monotonic)
        self._transports: dict[str, Transport] = {}
        self._repositories: dict[str, Repository] = {}
        self._passwords: Once[str, Secret] = Once()

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.close()

    def repository(self, image: ImageRef) -> Repository:
        """Where an image lies; no request is made for it."""
        known = self._repositories.get(image.name)
        if known is None:
            transport = self._transport(image.registry)
            authorizer = Authorizer(
                transport,
                image.repository,
                tokens=self._tokens,
                password=lambda: self._password(transport.access),
            )
            known = self._repositories[image.name] = Repository(transport, image.repository, authorizer)
        return known

    def _transport(self, registry: str) -> Transport:
        known = self._transports.get(registry)
        if known is None:
            access = self._access.get(registry) or RegistryAccess(host=registry)
            known = self._transports[registry] = Transport(access, lookup=self._lookup, clock=self._clock)
        return known

    async def _password(self, access: RegistryAccess) -> Secret:
        """Opened when first wanted, in a thread, since a command or a keyring may take its time."""
        source = access.password
        if source is None:
            raise UsageError(
                f"registry {access.host} has a username and no password",
                code="inventory-invalid",
                hint=f"add registries: {{{access.host}: {{password: …}}}}",
            )
        return await self._passwords.ask(access.host, lambda: asyncio.to_thread(self._open_secret, source))
