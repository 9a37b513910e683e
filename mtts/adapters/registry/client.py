"""The registry port on httpx: what an image is right now for a platform, asked once however many want to know.

Knows nothing of routers. Every answer and every final error is kept for the life of the instance, which is one run;
a failed lookup stays an error and is never taken for "changed" or "unchanged".
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from mtts.adapters.registry.auth import Authorizer, Tokens
from mtts.adapters.registry.manifest import (
    EXTRACTED_SIZE_KEY,
    Descriptor,
    ImageConfig,
    Index,
    IndexEntry,
    MalformedError,
    Manifest,
    choose_entry,
    declared_size_bytes,
    version_of,
)
from mtts.adapters.registry.once import Once
from mtts.adapters.registry.reach import Lookup, system_lookup
from mtts.adapters.registry.repository import Document, Repository
from mtts.adapters.registry.sizes import measure_extracted_bytes
from mtts.adapters.registry.transport import Transport
from mtts.core.errors import BadManifestError, ImageNotFoundError, UsageError
from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import Secret, SecretSource
from mtts.ports import Clock

MAX_NESTED: Final = 16
MAX_UNNAMED: Final = 4


@dataclass(frozen=True, slots=True)
class _Build:
    """One platform's image, its manifest and configuration read."""

    digest: Digest
    manifest: Manifest
    config: ImageConfig


class HttpxRegistry:
    """Registries over HTTP; used as an async context manager, which closes its connections.

    `access` is keyed by the registry's name as an image reference has it (`docker.io`, `127.0.0.1:5000`).
    """

    def __init__(
        self,
        access: Mapping[str, RegistryAccess],
        *,
        open_secret: Callable[[SecretSource], Secret],
        clock: Clock,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._access = access
        self._open_secret = open_secret
        self._clock = clock
        self._lookup = lookup
        self._tokens = Tokens(clock.monotonic)
        self._transports: dict[str, Transport] = {}
        self._repositories: dict[str, Repository] = {}
        self._passwords: Once[str, Secret] = Once()
        self._documents: Once[tuple[str, str], Document] = Once()
        self._sizes: Once[Digest, int] = Once()
        self._releases: Once[tuple[str, str, Platform], Release] = Once()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports.values():
            await transport.close()

    async def resolve(self, image: ImageRef, platform: Platform) -> Release:
        """The release behind `image` for a machine of `platform`; RegistryError says why there is none."""
        wanted = platform.normalised()
        question = (image.name, _reference(image), wanted)
        release = await self._releases.ask(question, lambda: self._find_release(image, wanted))
        return replace(release, image=image, platform=platform)  # as this asker wrote them

    async def _find_release(self, image: ImageRef, platform: Platform) -> Release:
        top = await self._document(image, _reference(image))
        index = top.content if isinstance(top.content, Index) else None
        build = await self._find_build(image, top, platform)
        size_bytes = declared_size_bytes(build.config, build.manifest)
        if size_bytes is None:
            size_bytes = await self._sizes.ask(build.digest, lambda: self._measure(image, build))
        return Release(
            image=image,
            platform=platform,
            index_digest=top.digest if index else None,
            manifest_digest=build.digest,
            config_digest=build.manifest.config.digest,
            version=version_of(build.config, build.manifest.annotations, index.annotations if index else {}),
            compressed_bytes=build.manifest.compressed_bytes,
            extracted_bytes=size_bytes,
            entrypoint=build.config.entrypoint,
            cmd=build.config.cmd,
        )

    async def _find_build(self, image: ImageRef, top: Document, platform: Platform) -> _Build:
        """The build for a platform: by what the index says, else by what the configurations say."""
        if not isinstance(top.content, Index):
            entries: Sequence[IndexEntry] = ()
            builds = [await self._build(image, top)]
        else:
            entries = await self._entries(image, top.content)
            chosen = choose_entry(entries, platform)
            if chosen is not None:
                return await self._build_of(image, chosen.descriptor)
            unnamed = [entry.descriptor for entry in entries if entry.platform is None]
            builds = [await self._build_of(image, descriptor) for descriptor in unnamed[:MAX_UNNAMED]]
        for build in builds:
            if build.config.platform.normalised() in platform.runnable():
                return build
        there = {entry.platform for entry in entries if entry.platform} | {build.config.platform for build in builds}
        raise ImageNotFoundError(
            f"{image} has no build for {platform}; it has {', '.join(sorted(map(str, there))) or 'none at all'}",
            code="platform-missing",
            hint="choose another image or tag, or build the image for this platform too",
        )

    async def _entries(self, image: ImageRef, index: Index) -> Sequence[IndexEntry]:
        """The manifests of an index and of the indexes in it; what lies deeper is left out."""
        entries = list(index.entries)
        for descriptor in index.nested[:MAX_NESTED]:
            inner = await self._document(image, str(descriptor.digest))
            if isinstance(inner.content, Index):
                entries += inner.content.entries
        return entries

    async def _build_of(self, image: ImageRef, descriptor: Descriptor) -> _Build:
        return await self._build(image, await self._document(image, str(descriptor.digest)))

    async def _build(self, image: ImageRef, document: Document) -> _Build:
        if not isinstance(document.content, Manifest):
            raise BadManifestError(f"the index of {image} calls a manifest what is an index")
        config = await self._repository(image).config(document.content.config)
        return _Build(document.digest, document.content, config)

    async def _measure(self, image: ImageRef, build: _Build) -> int:
        try:
            return await measure_extracted_bytes(build.manifest, build.config, self._repository(image).layer)
        except MalformedError as error:
            raise BadManifestError(
                f"the extracted size of {image} cannot be measured: {error}",
                hint=f"build it with gzip layers, or with the label {EXTRACTED_SIZE_KEY}",
            ) from error

    async def _document(self, image: ImageRef, reference: str) -> Document:
        repository = self._repository(image)
        return await self._documents.ask((image.name, reference), lambda: repository.document(reference))

    def _repository(self, image: ImageRef) -> Repository:
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


def _reference(image: ImageRef) -> str:
    """What to ask for: the digest where there is one, since the tag beside it is a comment."""
    return str(image.digest or image.tag)
