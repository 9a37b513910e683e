"""A proxy before a registry, that does to questions and answers what a test wants done to them.

Plain http on a free loopback port. A fault is a coroutine between a question and the registry: it may change the
question, change the answer, or answer by itself.
"""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mtts.lab.http import Headers, HttpClient, HttpServer, Request, Response

Forward = Callable[[Request], Awaitable[Response]]
Fault = Callable[[Request, Forward], Awaitable[Response]]

_BETWEEN_TWO = frozenset({"host", "content-length", "connection", "transfer-encoding", "user-agent"})
"""What concerns one connection and not the message; the client of this proxy writes its own."""


@dataclass(frozen=True, slots=True)
class Spoiling:
    """A fault, and which questions it meets: of what method, by what is in their path, how many of them."""

    fault: Fault
    method: str | None = None
    part: str = "/v2/"
    times: int | None = None
    is_for_all: bool = False
    """Else only for questions that come with a token: one without is but a question for the challenge."""

    def meets(self, request: Request) -> bool:
        """Whether the fault is for this question."""
        is_meant = self.part in request.path and self.method in (None, request.method)
        return is_meant and (self.is_for_all or request.header("Authorization") is not None)


@dataclass(slots=True)
class FaultProxy:
    """`address` stands in image references; `requests` is what came, `spoiling` what is done to it."""

    upstream: str
    address: str = ""
    spoiling: Spoiling | None = None
    requests: list[Request] = field(default_factory=list)
    spoilt: int = 0

    async def answer(self, request: Request) -> Response:
        """The answer to one question."""
        self.requests.append(request)
        rule = self.spoiling
        if rule is None or not rule.meets(request) or self.spoilt == rule.times:
            return await self._forward(request)
        self.spoilt += 1
        return await rule.fault(request, self._forward)

    async def _forward(self, request: Request) -> Response:
        kept = tuple(each for each in request.headers if each[0].lower() not in _BETWEEN_TWO)
        async with HttpClient(user_agent="proxy") as client:
            answer = await client.request(request.method, f"http://{self.upstream}{request.target}", headers=kept)
        return dataclasses.replace(answer, headers=without(answer.headers, "Connection", "Transfer-Encoding"))


@asynccontextmanager
async def fault_proxy(upstream: str, *, host: str = "127.0.0.1") -> AsyncIterator[FaultProxy]:
    """Run a proxy to `upstream`, a host and port."""
    proxy = FaultProxy(upstream)
    server = HttpServer(proxy.answer)
    proxy.address = f"{host}:{await server.start(host, 0)}"
    try:
        yield proxy
    finally:
        await server.stop()


def without(headers: Headers, *names: str) -> Headers:
    """The headers but these."""
    unwanted = {name.lower() for name in names}
    return tuple(each for each in headers if each[0].lower() not in unwanted)


def instead(status: int, *headers: tuple[str, str]) -> Fault:
    """Answer so, whatever was asked."""

    async def fault(_request: Request, _forward: Forward) -> Response:
        return Response(status, headers)

    return fault


def saying_of_itself(digest: str | None) -> Fault:
    """Serve what was asked for, with this digest in its header, or none."""

    async def fault(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        named = () if digest is None else (("Docker-Content-Digest", digest),)
        return dataclasses.replace(answer, headers=without(answer.headers, "Docker-Content-Digest") + named)

    return fault


async def cut_short(request: Request, forward: Forward) -> Response:
    """Hang up in the middle of the answer."""
    answer = await forward(request)
    return dataclasses.replace(answer, cut_bytes=len(answer.body) // 2)


async def damaged(request: Request, forward: Forward) -> Response:
    """Serve with one bit changed."""
    answer = await forward(request)
    middle = len(answer.body) // 2
    body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :]
    return dataclasses.replace(answer, body=body)


async def accepting_anything(request: Request, forward: Forward) -> Response:
    """Lose what the client can read on the way."""
    return await forward(dataclasses.replace(request, headers=without(request.headers, "Accept")))


async def with_an_expired_token(request: Request, forward: Forward) -> Response:
    """Present another token than the client's, which the registry has to refuse by itself."""
    expired = (*without(request.headers, "Authorization"), ("Authorization", "Bearer expired.token.here"))
    return await forward(dataclasses.replace(request, headers=expired))


def realm_at(url: str) -> Fault:
    """Have the registry name another token realm."""

    async def fault(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        challenge = ("WWW-Authenticate", f'Bearer realm="{url}",service="registry.test"')
        kept = without(answer.headers, "WWW-Authenticate")
        return dataclasses.replace(answer, headers=(*kept, challenge) if answer.status == 401 else kept)

    return fault
