"""The registry port on httpx: what an image is right now for a platform, asked once however many want to know.

Knows nothing of routers. Every answer and every final error is kept for the life of the instance, which is one run;
a failed lookup stays an error and is never taken for "changed" or "unchanged". A body that was hashed counts for
more than any header, and what the run heard first stays its answer: a fresh look at a tag replaces nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType, TracebackType
from typing import Final, Self

from mtts.adapters.registry.connections import Connections
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
from mtts.adapters.registry.repository import Document
from mtts.adapters.registry.sizes import measure_extracted_bytes
from mtts.core.errors import BadManifestError, ImageNotFoundError
from mtts.core.image import Digest, ImageRef, Platform, Release, ReleaseDigests
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
    `known_sizes` has, by platform manifest, the extracted bytes that earlier runs found; it spares measuring them.
    """

    def __init__(
        self,
        access: Mapping[str, RegistryAccess],
        *,
        open_secret: Callable[[SecretSource], Secret],
        clock: Clock,
        lookup: Lookup = system_lookup,
        known_sizes: Mapping[Digest, int] = MappingProxyType({}),
    ) -> None:
        self._connections = Connections(access, open_secret=open_secret, clock=clock, lookup=lookup)
        self._known_sizes = known_sizes
        self._heads: Once[tuple[str, str], Digest | None] = Once()
        self._documents: Once[tuple[str, str], Document] = Once()
        self._configs: Once[tuple[str, Digest], ImageConfig] = Once()
        self._sizes: Once[Digest, int] = Once()
        self._releases: Once[tuple[str, str, Platform], Release] = Once()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.close()

    async def tag_digest(self, image: ImageRef) -> Digest | None:
        """What the reference points to, by a HEAD unless it is known already; None where only a GET would tell."""
        if image.digest is not None:
            return image.digest
        question = (image.name, _reference(image))
        read = self._documents.known(question)
        if read is not None:
            return read.digest
        repository = self._connections.repository(image)
        return await self._heads.ask(question, lambda: repository.tag_digest(question[1]))

    async def digests(self, image: ImageRef, platform: Platform, *, fresh: bool = False) -> ReleaseDigests:
        """Which release `image` is for a machine of `platform`: by the index alone where it names its platforms.

        With `fresh`, the tag is asked anew: by a HEAD, which registries do not count against a rate, and by a GET
        where that does not say that nothing moved. The answer is the asker's own; the run's stays what it was.
        """
        wanted = platform.normalised()
        top = await (self._document_now(image) if fresh else self._document(image, _reference(image)))
        chosen = choose_entry(await self._entries(image, top), wanted)
        manifest = chosen.descriptor.digest if chosen else (await self._find_build(image, top, wanted)).digest
        return ReleaseDigests(_index_digest(top), manifest)

    async def resolve(self, image: ImageRef, platform: Platform) -> Release:
        """The release behind `image` for a machine of `platform`; RegistryError says why there is none."""
        wanted = platform.normalised()
        question = (image.name, _reference(image), wanted)
        release = await self._releases.ask(question, lambda: self._find_release(image, wanted))
        return replace(release, image=image, platform=platform)  # as this asker wrote them

    async def _find_release(self, image: ImageRef, platform: Platform) -> Release:
        top = await self._document(image, _reference(image))
        build = await self._find_build(image, top, platform)
        annotations = top.content.annotations if isinstance(top.content, Index) else {}
        return Release(
            image=image,
            platform=platform,
            index_digest=_index_digest(top),
            manifest_digest=build.digest,
            config_digest=build.manifest.config.digest,
            version=version_of(build.config, build.manifest.annotations, annotations),
            compressed_bytes=build.manifest.compressed_bytes,
            extracted_bytes=await self._extracted_bytes(image, build),
            entrypoint=build.config.entrypoint,
            cmd=build.config.cmd,
        )

    async def _find_build(self, image: ImageRef, top: Document, platform: Platform) -> _Build:
        """The build for a platform: by what the index says, else by what the configurations say."""
        entries = await self._entries(image, top)
        chosen = choose_entry(entries, platform)
        if chosen is not None:
            return await self._build_of(image, chosen.descriptor)
        if isinstance(top.content, Index):
            unnamed = [entry.descriptor for entry in entries if entry.platform is None]
            builds = [await self._build_of(image, descriptor) for descriptor in unnamed[:MAX_UNNAMED]]
        else:
            builds = [await self._build(image, top)]
        for build in builds:
            if build.config.platform.normalised() in platform.runnable():
                return build
        there = {entry.platform for entry in entries if entry.platform} | {build.config.platform for build in builds}
        raise ImageNotFoundError(
            f"{image} has no build for {platform}; it has {', '.join(sorted(map(str, there))) or 'none at all'}",
            code="platform-missing",
            hint="choose another image or tag, or build the image for this platform too",
        )

    async def _entries(self, image: ImageRef, top: Document) -> Sequence[IndexEntry]:
        """The manifests of an index and of the indexes in it; what lies deeper is left out."""
        if not isinstance(top.content, Index):
            return ()
        entries = list(top.content.entries)
        for descriptor in top.content.nested[:MAX_NESTED]:
            inner = await self._document(image, str(descriptor.digest))
            if isinstance(inner.content, Index):
                entries += inner.content.entries
        return entries

    async def _build_of(self, image: ImageRef, descriptor: Descriptor) -> _Build:
        return await self._build(image, await self._document(image, str(descriptor.digest)))

    async def _build(self, image: ImageRef, document: Document) -> _Build:
        manifest = document.content
        if not isinstance(manifest, Manifest):
            raise BadManifestError(f"the index of {image} calls a manifest what is an index")
        repository = self._connections.repository(image)
        question = (image.name, manifest.config.digest)
        config = await self._configs.ask(question, lambda: repository.config(manifest.config))
        return _Build(document.digest, manifest, config)

    async def _extracted_bytes(self, image: ImageRef, build: _Build) -> int:
        """As the image declares it, as it is known from earlier, or else as its layers say."""
        declared = declared_size_bytes(build.config, build.manifest)
        size_bytes = self._known_sizes.get(build.digest) if declared is None else declared
        if size_bytes is not None:
            return size_bytes
        return await self._sizes.ask(build.digest, lambda: self._measure(image, build))

    async def _measure(self, image: ImageRef, build: _Build) -> int:
        fetch_layer = self._connections.repository(image).layer
        try:
            return await measure_extracted_bytes(build.manifest, build.config, fetch_layer)
        except MalformedError as error:
            raise BadManifestError(
                f"the extracted size of {image} cannot be measured: {error}",
                hint=f"build it with gzip layers, or with the label {EXTRACTED_SIZE_KEY}",
            ) from error

    async def _document(self, image: ImageRef, reference: str) -> Document:
        repository = self._connections.repository(image)
        return await self._documents.ask((image.name, reference), lambda: repository.document(reference))

    async def _document_now(self, image: ImageRef) -> Document:
        """What the reference names at this moment; a digest never names anything else."""
        reference = _reference(image)
        if image.digest is not None:
            return await self._document(image, reference)
        repository = self._connections.repository(image)
        read = self._documents.known((image.name, reference))
        if read is not None and await repository.tag_digest(reference) == read.digest:
            return read
        return await repository.document(reference)


def _reference(image: ImageRef) -> str:
    """What to ask for: the digest where there is one, since the tag beside it is a comment."""
    return str(image.digest or image.tag)


def _index_digest(top: Document) -> Digest | None:
    return top.digest if isinstance(top.content, Index) else None
