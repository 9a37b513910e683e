"""A registry whose releases the store remembers, so that they need measuring once and can be gone back to."""

import logging

from mtts.core.errors import StoreError
from mtts.core.image import Digest, ImageRef, Platform, Release, ReleaseDigests
from mtts.ports import Clock, Registry, Store

_LOG = logging.getLogger(__name__)


class RememberingRegistry:
    """A registry whose releases the store remembers, each once per run."""

    def __init__(self, registry: Registry, store: Store, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._remembered: set[tuple[str, Digest]] = set()

    async def tag_digest(self, image: ImageRef) -> Digest | None:
        return await self._registry.tag_digest(image)

    async def digests(self, image: ImageRef, platform: Platform, *, fresh: bool = False) -> ReleaseDigests:
        return await self._registry.digests(image, platform, fresh=fresh)

    async def resolve(self, image: ImageRef, platform: Platform) -> Release:
        """What the registry says; a store that does not take it is no reason to leave a router alone."""
        release = await self._registry.resolve(image, platform)
        key = (release.image.name, release.manifest_digest)
        if key not in self._remembered:
            self._remembered.add(key)
            try:
                await self._store.remember(release, seen_s=self._clock.now())
            except StoreError as error:
                _LOG.warning("a release is not remembered: %s", error.problem.message)
        return release
