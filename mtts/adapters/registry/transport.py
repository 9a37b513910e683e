"""One registry's HTTP: requests with caps on size and time, redirects followed by hand, transient faults retried.

Redirects are followed here and not by httpx, since every hop is judged (reach.py) and Authorization goes to the
registry's own origin only, never again once the chain has left it. Plain http is spoken only to a registry that
the inventory marks as insecure, and never as a fallback. Foreign exceptions are translated here and nowhere else.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal, TypeVar

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from mtts import __version__
from mtts.adapters.registry.answers import clean, refusal, retry_after, words_of
from mtts.adapters.registry.reach import Lookup, Reach
from mtts.core.errors import BadManifestError, RateLimitedError, RegistryError, RegistryUnavailableError, UsageError
from mtts.core.image import DOCKER_HUB
from mtts.core.inventory import RegistryAccess
from mtts.ports import Clock

KIB: Final = 1024
REFUSAL_LIMIT_BYTES: Final = 8 * KIB
MAX_REDIRECTS: Final = 5
ATTEMPTS: Final = 4
LONGEST_WAIT_S: Final = 60
EXCHANGE_S: Final = 60
DOWNLOAD_S: Final = 900

# Docker Hub's API does not live at its name.
_API_HOSTS: Final[Mapping[str, str]] = {DOCKER_HUB: "registry-1.docker.io"}
_LONGEST_CHAIN: Final = 8
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TIMEOUT: Final = httpx.Timeout(30, connect=10, pool=None)
_SPREAD: Final = wait_random(0, 1)
_BACKOFF: Final = wait_exponential(multiplier=0.5, max=8) + _SPREAD

# What broke, most special first; the sentence goes on with the registry's or the store's host.
_FAULTS: Final[tuple[tuple[type[httpx.HTTPError], str], ...]] = (
    (httpx.ConnectTimeout, "no connection in time to"),
    (httpx.TimeoutException, "no answer in time from"),
    (httpx.ConnectError, "no connection to"),
    (httpx.HTTPError, "the exchange broke off with"),
)

# At INFO and DEBUG these write URLs and headers, and with them the signatures of redirects.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Method = Literal["GET", "HEAD"]
Result = TypeVar("Result")
Sink = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read to its end, or to its limit where it is a refusal."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    is_own: bool
    """Whether the place that was asked answered, rather than one that it redirected to."""

    @property
    def is_success(self) -> bool:
        return self.status == HTTPStatus.OK


class Transport:
    """The way to one registry, shared by all its repositories."""

    def __init__(self, access: RegistryAccess, *, lookup: Lookup, clock: Clock) -> None:
        self.access = access
        self._clock = clock
        scheme = "http" if access.insecure else "https"
        self.base = httpx.URL(f"{scheme}://{_API_HOSTS.get(access.host, access.host)}")
        self._reach = Reach(self.base, registry=access.host, allow_hosts=access.allow_hosts, lookup=lookup)
        self._client = httpx.AsyncClient(
            verify=_trust(access),
            timeout=_TIMEOUT,
            headers={"User-Agent": f"mtts/{__version__}", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def ask(
        self,
        method: Method,
        url: httpx.URL,
        *,
        accept: str = "*/*",
        authorization: str | None = None,
        limit_bytes: int,
        kind: str = "redirect",
    ) -> Reply:
        """One exchange, redirects included; any status is an answer. Raises RegistryError."""
        request = self._client.build_request(method, url, headers=_headers(accept, authorization))
        async with self._open(request, kind=kind, patience_s=EXCHANGE_S) as (response, is_own):
            limit = limit_bytes if response.status_code == HTTPStatus.OK else REFUSAL_LIMIT_BYTES
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > limit:
                    break
            if len(body) > limit and response.status_code == HTTPStatus.OK:
                raise BadManifestError(
                    f"{response.url.host} sent more than {limit // KIB} KiB where a document belongs"
                )
            return Reply(response.status_code, response.headers, bytes(body[:limit]), is_own)

    async def download(self, url: httpx.URL, sink: Sink, *, authorization: str | None, limit_bytes: int) -> Reply:
        """A GET as by `ask`, but feeds the body of a success to `sink` as it arrived, byte for byte."""
        request = self._client.build_request("GET", url, headers=_headers("*/*", authorization))
        async with self._open(request, kind="redirect", patience_s=DOWNLOAD_S) as (response, is_own):
            body = bytearray()
            received_bytes = 0
            is_success = response.status_code == HTTPStatus.OK
            async for piece in response.aiter_raw():
                received_bytes += len(piece)
                if is_success and received_bytes > limit_bytes:
                    raise BadManifestError(f"{response.url.host} sent a layer that is longer than its manifest says")
                if not is_success and received_bytes > REFUSAL_LIMIT_BYTES:
                    break
                (sink if is_success else body.extend)(piece)
            return Reply(response.status_code, response.headers, bytes(body), is_own)

    def refusal(self, reply: Reply, *, what: str, hide: str | None = None) -> RegistryError:
        """The error that an unsuccessful answer stands for, naming `what` was asked for."""
        if not reply.is_own and reply.status == HTTPStatus.FORBIDDEN:
            # A store's signed URL that expired on the way; the registry hands out a fresh one.
            return RegistryUnavailableError(f"the store behind {self.access.host} refused {what} (403)")
        return refusal(
            reply.status,
            words_of(reply.body, hide=hide) if reply.is_own else "",
            what=what,
            registry=self.access.host,
            username=self.access.username,
            retry_after_s=retry_after(reply.headers.get("Retry-After"), now=self._clock.now()),
        )

    async def persist(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make a call that changes nothing until it succeeds, up to four times and as patiently as is asked for."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(_is_worth_waiting),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return await retrying(call)

    @asynccontextmanager
    async def _open(
        self, request: httpx.Request, *, kind: str, patience_s: float
    ) -> AsyncIterator[tuple[httpx.Response, bool]]:
        """The head of the answer at the end of all redirects, and whether it came from where it was asked."""
        asked = request.url
        with _translated(asked.host):
            async with asyncio.timeout(patience_s):
                if not _same_origin(asked, self.base):
                    await self._reach.check(asked, kind=kind)
                for _ in range(MAX_REDIRECTS + 1):
                    response = await self._client.send(request, stream=True, follow_redirects=False)
                    try:
                        location = response.headers.get("Location")
                        if response.status_code not in _REDIRECTS or location is None:
                            yield response, _same_origin(request.url, asked)
                            return
                    finally:
                        await response.aclose()
                    request = await self._redirected(request, location)
                raise RegistryError(f"{self.access.host} redirects more than {MAX_REDIRECTS} times")

    async def _redirected(self, request: httpx.Request, location: str) -> httpx.Request:
        """The same question at the place that the answer named, if that is one to be asked."""
        target = request.url.join(location)
        authorization = request.headers.get("Authorization")
        if not _same_origin(target, request.url):
            authorization = None
            await self._reach.check(target, kind="redirect")
        headers = _headers(request.headers["Accept"], authorization)
        return self._client.build_request(request.method, target, headers=headers)


def _headers(accept: str, authorization: str | None) -> dict[str, str]:
    return {"Accept": accept} | ({} if authorization is None else {"Authorization": authorization})


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port, one.userinfo) == (other.scheme, other.host, other.port, other.userinfo)


def _trust(access: RegistryAccess) -> ssl.SSLContext:
    """The public authorities, and the registry's own beside them: its redirects may lead to public stores."""
    context = httpx.create_ssl_context()
    if access.ca_file is not None:
        try:
            context.load_verify_locations(access.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise UsageError(
                f"the certificates of {access.host} cannot be read from {access.ca_file}",
                code="inventory-invalid",
                hint="ca_file names a file with PEM certificates",
            ) from error
    return context


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        return error.retry_after_s + _SPREAD(state)
    return _BACKOFF(state)


def _is_worth_waiting(error: BaseException) -> bool:
    """A registry that wants more patience than a run has is not asked again before its time."""
    if isinstance(error, RateLimitedError) and (error.retry_after_s or 0) > LONGEST_WAIT_S:
        return False
    return isinstance(error, RegistryError) and error.retryable


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Raise our exceptions for those of httpx; `host` is the one that was asked first."""
    try:
        yield
    except TimeoutError as error:
        raise RegistryUnavailableError(f"no complete answer in time from {host}") from error
    except httpx.InvalidURL as error:
        raise RegistryError(f"{host} leads to an address that is none") from error
    except httpx.RequestError as error:
        raise _fault(error, error.request.url.host) from error


def _fault(error: httpx.RequestError, host: str) -> RegistryError:
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return RegistryError(
            f"the certificate of {host} does not verify: {clean(tls.verify_message)}",
            hint="for a private authority, name its file in the inventory: registries: {HOST: {ca_file: …}}",
        )
    if tls is not None:
        return RegistryError(
            f"{host} does not speak TLS as it should: {clean(tls.reason or str(tls))}",
            hint="a registry that speaks plain http has to be named so: registries: {HOST: {insecure: true}}",
        )
    sentence = next(sentence for kind, sentence in _FAULTS if isinstance(error, kind))
    words = clean(str(error))
    return RegistryUnavailableError(
        f"{sentence} {host}" + (f": {words}" if words else ""), hint="check the way there, or try again later"
    )


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    for _ in range(_LONGEST_CHAIN):  # nothing forbids an exception to be its own cause
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None
