"""What one repository stores, fetched with the right to it and believed only after hashing.

A digest is that of the body as received. `Docker-Content-Digest` is a hint: where it disagrees, the body is asked for
again by the digest it has, which tells a lying header from a damaged body. Damage must not look like an update.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Final, TypeVar

import httpx

from mtts.adapters.registry.auth import Authorizer
from mtts.adapters.registry.challenge import parse_challenges
from mtts.adapters.registry.manifest import (
    ACCEPT,
    SCHEMA_1_TYPES,
    Descriptor,
    ImageConfig,
    Index,
    MalformedError,
    Manifest,
    bare_type,
    digest_of,
    parse_config,
    parse_document,
    schema_1_error,
)
from mtts.adapters.registry.transport import KIB, Method, Reply, Transport
from mtts.core.errors import BadManifestError, ImageNotFoundError, RegistryUnavailableError
from mtts.core.image import Digest

MANIFEST_LIMIT_BYTES: Final = 4096 * KIB  # what the distribution project's registry accepts
CONFIG_LIMIT_BYTES: Final = 8192 * KIB
# Answers to HEAD; with the last three the registry, or a proxy before it, may mean the method and not the image.
HEAD_ANSWERS: Final = (
    HTTPStatus.OK,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_IMPLEMENTED,
)
GRANTS: Final = 3  # held or none, ours, and the wider one that the registry names

log = logging.getLogger(__name__)

Found = TypeVar("Found")
Fetch = Callable[[str | None], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Document:
    """An index or a manifest, and the digest of its bytes."""

    digest: Digest
    content: Index | Manifest


class Repository:
    """One repository of one registry."""

    def __init__(self, transport: Transport, name: str, authorizer: Authorizer) -> None:
        self._transport = transport
        self._name = name
        self._authorizer = authorizer

    async def tag_digest(self, tag: str) -> Digest | None:
        """What a tag points to, by the header of an answer without a body; None where a GET has to find out.

        Some registries and proxies know no HEAD, or take it for a question after something that is not there.
        """

        async def fetch(authorization: str | None) -> Reply:
            return await self._manifest("HEAD", tag, authorization)

        reply = await self._ask(fetch, what=self._shown(tag), answers=HEAD_ANSWERS)
        return _named_digest(reply) if reply.is_success else None

    async def document(self, reference: str) -> Document:
        """What a tag or digest names; raises RegistryError."""
        shown = self._shown(reference)

        async def fetch(authorization: str | None) -> Reply:
            reply = await self._manifest("GET", reference, authorization)
            if reply.is_success and not reply.body.lstrip().startswith(b"{"):
                raise RegistryUnavailableError(
                    f"{self._transport.access.host} answers with something else than JSON when asked for {shown}",
                    hint="is there a proxy or a sign-in page on the way?",
                )
            return reply

        async def believed() -> Document | None:
            reply = await self._ask(fetch, what=shown)
            content_type = reply.headers.get("Content-Type", "")
            if bare_type(content_type) in SCHEMA_1_TYPES:
                raise schema_1_error()
            digest = await self._digest(reply, reference)
            return Document(digest, parse_document(reply.body, content_type)) if digest else None

        return await self._undamaged(believed, what=shown)

    async def config(self, descriptor: Descriptor) -> ImageConfig:
        """The configuration that a manifest names."""
        shown = f"the configuration of {self._name} ({descriptor.digest.short})"

        async def fetch(authorization: str | None) -> Reply:
            url = self._url("blobs", str(descriptor.digest))
            return await self._transport.ask("GET", url, authorization=authorization, limit_bytes=CONFIG_LIMIT_BYTES)

        async def believed() -> ImageConfig | None:
            body = (await self._ask(fetch, what=shown)).body
            is_intact = digest_of(body, descriptor.digest.algorithm) == descriptor.digest
            return parse_config(body) if is_intact else None

        return await self._undamaged(believed, what=shown)

    async def layer(self, descriptor: Descriptor, file: IO[bytes]) -> None:
        """Fill `file` with a layer as it is stored, compressed."""
        shown = f"a layer of {self._name} ({descriptor.digest.short})"

        async def believed() -> bool | None:
            hasher = hashlib.new(descriptor.digest.algorithm)

            def keep(piece: bytes) -> None:
                hasher.update(piece)
                file.write(piece)

            async def fetch(authorization: str | None) -> Reply:
                nonlocal hasher
                hasher = hashlib.new(descriptor.digest.algorithm)
                file.seek(0)
                file.truncate()
                url, limit = self._url("blobs", str(descriptor.digest)), descriptor.size_bytes
                return await self._transport.download(url, keep, authorization=authorization, limit_bytes=limit)

            await self._ask(fetch, what=shown)
            return hasher.hexdigest() == descriptor.digest.text.partition(":")[2] or None

        await self._undamaged(believed, what=shown)

    async def _digest(self, reply: Reply, reference: str) -> Digest | None:
        """The digest of a manifest answer, None when the answer was damaged on its way."""
        if ":" in reference:
            asked = Digest.parse(reference)
            return asked if digest_of(reply.body, asked.algorithm) == asked else None
        named = _named_digest(reply)
        if named is None:
            return digest_of(reply.body)
        computed = digest_of(reply.body, named.algorithm)
        if computed != named:
            try:
                await self.document(str(computed))
            except (ImageNotFoundError, BadManifestError):
                return None
            log.warning(
                "registry=%s repository=%s wrong Docker-Content-Digest", self._transport.access.host, self._name
            )
        return computed

    async def _manifest(self, method: Method, reference: str, authorization: str | None) -> Reply:
        url = self._url("manifests", reference)
        return await self._transport.ask(
            method, url, accept=ACCEPT, authorization=authorization, limit_bytes=MANIFEST_LIMIT_BYTES
        )

    async def _ask(self, fetch: Fetch, *, what: str, answers: Container[int] = (HTTPStatus.OK,)) -> Reply:
        """An answer of one of these statuses, with whatever authorisation and patience that takes."""

        async def once() -> Reply:
            grant = await self._authorizer.grant()
            for attempt in range(GRANTS):
                reply = await fetch(grant.header if grant else None)
                if reply.status in answers:
                    return reply
                if reply.status != HTTPStatus.UNAUTHORIZED or not reply.is_own:
                    break
                challenges = parse_challenges(reply.headers.get_list("WWW-Authenticate"))
                renewed = await self._authorizer.renewed(challenges, refused=grant, is_fresh=attempt > 0)
                if renewed is None:
                    break
                grant = renewed
            raise self._transport.refusal(reply, what=what, hide=grant.header.partition(" ")[2] if grant else None)

        return await self._transport.persist(once)

    async def _undamaged(self, ask: Callable[[], Awaitable[Found | None]], *, what: str) -> Found:
        """The answer, asked for a second time when its digest was wrong: damage on the way rarely repeats itself."""
        with _named(what, self._transport.access.host):
            for _ in range(2):
                found = await ask()
                if found is not None:
                    return found
        raise BadManifestError(
            f"{self._transport.access.host} twice sent {what} with a content that does not match its digest",
            hint="a cache or proxy on the way may be broken; nothing was believed and nothing changed",
        )

    def _shown(self, reference: str) -> str:
        return f"{self._name}{'@' if ':' in reference else ':'}{reference}"

    def _url(self, kind: str, reference: str) -> httpx.URL:
        return self._transport.base.join(f"/v2/{self._name}/{kind}/{reference}")


def _named_digest(reply: Reply) -> Digest | None:
    """What `Docker-Content-Digest` says; None where it is missing or no digest."""
    try:
        return Digest.parse(reply.headers.get("Docker-Content-Digest", ""))
    except ValueError:
        return None


@contextmanager
def _named(what: str, host: str) -> Iterator[None]:
    """Give a complaint about a document the name of what it was."""
    try:
        yield
    except MalformedError as error:
        raise BadManifestError(f"{what} at {host} cannot be used: {error}") from error
