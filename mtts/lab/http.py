"""HTTP/1.1 on asyncio, with h11 doing the protocol: the server and the client of the lab.

Plain http only, and only what the lab's registry, its pulling routers and its control endpoint need: one answer
per request, keep-alive, capped sizes. No TLS, no proxies, no following of redirects: callers decide that.
A response may be cut short on purpose, since broken transfers are what the lab is for.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import h11

HEADERS_LIMIT_BYTES = 32 * 1024
REQUEST_LIMIT_BYTES = 1024 * 1024
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 64 * 1024

Headers = tuple[tuple[str, str], ...]
Sink = Callable[[bytes], None]


def header_of(headers: Headers, name: str) -> str | None:
    """The value of a header field, several fields of one name joined by a comma; `None` when absent."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, its body read to the end."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target's path, percent-decoded, without the query."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> Mapping[str, list[str]]:
        """The query's parameters, each with all its values."""
        return parse_qs(urlsplit(self.target).query)

    def header(self, name: str) -> str | None:
        """The value of a header field, `None` when absent."""
        return header_of(self.headers, name)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; after `cut_bytes` of the announced body the server hangs up or, where it `stalls`, falls silent."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    cut_bytes: int | None = None
    stalls: bool = False

    def header(self, name: str) -> str | None:
        """The value of a header field, `None` when absent."""
        return header_of(self.headers, name)


class HttpError(Exception):
    """The exchange broke down below HTTP: refused, cut off, unreadable or larger than allowed."""


Answer = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Serves one coroutine on one port until stopped; connections are kept alive as HTTP/1.1 says."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system chooses when 0 is asked for."""
        self._server = await asyncio.start_server(self._accept, host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection, answered or not."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADERS_LIMIT_BYTES)
        # A client that goes away is an everyday event for a server, and nobody is left to be told.
        with contextlib.suppress(ConnectionError):
            try:
                while await self._exchange(connection, reader, writer):
                    connection.start_next_cycle()
            except asyncio.CancelledError:
                writer.transport.abort()  # or closing would wait for a client that does not read
                raise
            finally:
                writer.close()
                await writer.wait_closed()

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; `False` when the connection is to be closed after it."""
        try:
            request = await _read_request(connection, reader)
        except h11.RemoteProtocolError as error:
            refusal = Response(error.error_status_hint, (("Connection", "close"),))
            await _write_response(connection, writer, refusal, with_body=True)
            return False
        if request is None:
            return False
        response = await self._answer(request)
        await _write_response(connection, writer, response, with_body=request.method != "HEAD")
        if response.stalls:
            await reader.read()  # until the client has had enough
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(PIECE_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > REQUEST_LIMIT_BYTES:
                raise h11.RemoteProtocolError("request too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Request(head.method.decode(), _target(head), _decoded(head), bytes(body))
        else:  # the peer closed, or wants something else than HTTP
            return None


def _target(head: h11.Request) -> str:
    """What was asked for; h11's error where it is no address at all, as `//[` is none."""
    target = head.target.decode()
    try:
        urlsplit(target)
    except ValueError as error:
        raise h11.RemoteProtocolError(f"bad target: {error}") from error
    return target


async def _write_response(
    connection: h11.Connection, writer: asyncio.StreamWriter, response: Response, *, with_body: bool
) -> None:
    headers = list(response.headers)
    if response.status != HTTPStatus.NOT_MODIFIED and response.header("Content-Length") is None:
        headers.append(("Content-Length", str(len(response.body))))
    reason = HTTPStatus(response.status).phrase
    writer.write(
        connection.send(h11.Response(status_code=response.status, headers=_encoded(headers), reason=reason)) or b""
    )
    if with_body:
        for piece in _pieces(response.body[: response.cut_bytes]):
            writer.write(connection.send(h11.Data(data=piece)) or b"")
            await writer.drain()
        if response.cut_bytes is not None and response.cut_bytes < len(response.body):
            connection.send_failed()
            return
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def _split(url: str) -> tuple[str, str, int, str]:
    """The origin, host, port and request target of a plain-http address."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise HttpError("unsupported address") from error
    if parts.scheme != "http" or not parts.hostname:
        raise HttpError("unsupported address")
    return parts.netloc, parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _decoded(event: h11.Request | h11.Response) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)


@dataclass(slots=True)
class _Link:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection


class HttpClient:
    """Asks plain-http servers, one request at a time, over one kept connection per server."""

    def __init__(self, *, user_agent: str) -> None:
        self._user_agent = user_agent
        self._links: dict[str, _Link] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for origin in list(self._links):
            await self._drop(origin)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        sink: Sink | None = None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Response:
        """One exchange; raises `HttpError`. A `sink` gets the body of a 200 piece by piece, which then is not kept."""
        origin, host, port, target = _split(url)
        fields = [("Host", origin), ("User-Agent", self._user_agent), ("Content-Length", str(len(body))), *headers]
        try:
            head = h11.Request(method=method, target=target, headers=_encoded(fields))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise HttpError("not a valid request") from None  # the cause would repeat a header's value, a secret maybe
        can_go_on = False
        try:
            link = await self._link(origin, host, port)
            link.writer.write(link.protocol.send(head) or b"")
            link.writer.write(link.protocol.send(h11.Data(data=body)) or b"")
            link.writer.write(link.protocol.send(h11.EndOfMessage()) or b"")
            await link.writer.drain()
            response = await _read_response(link, sink, limit_bytes)
            can_go_on = link.protocol.our_state is h11.DONE and link.protocol.their_state is h11.DONE
        except ConnectionRefusedError as error:
            raise HttpError("connection refused") from error
        except h11.RemoteProtocolError as error:
            raise HttpError("connection closed before the end of the answer") from error
        except OSError as error:
            raise HttpError("connection lost") from error
        finally:
            if not can_go_on:  # half-read answers must not meet the next request
                await self._drop(origin)
        if can_go_on:
            link.protocol.start_next_cycle()
        return response

    async def _link(self, origin: str, host: str, port: int) -> _Link:
        kept = self._links.get(origin)
        if kept is not None and not kept.reader.at_eof():
            return kept
        await self._drop(origin)
        reader, writer = await asyncio.open_connection(host, port)
        protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADERS_LIMIT_BYTES)
        self._links[origin] = link = _Link(reader, writer, protocol)
        return link

    async def _drop(self, origin: str) -> None:
        link = self._links.pop(origin, None)
        if link is None:
            return
        link.writer.transport.abort()
        with contextlib.suppress(ConnectionError):  # the peer may have hung up first; closed is closed
            await link.writer.wait_closed()


async def _read_response(link: _Link, sink: Sink | None, limit_bytes: int) -> Response:
    head: h11.Response | None = None
    body = bytearray()
    received_bytes = 0
    while True:
        event = link.protocol.next_event()
        if event is h11.NEED_DATA:
            link.protocol.receive_data(await link.reader.read(PIECE_BYTES))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            received_bytes += len(event.data)
            if received_bytes > limit_bytes:
                raise HttpError("answer too large")
            if sink is not None and head is not None and head.status_code == HTTPStatus.OK:
                sink(bytes(event.data))
            else:
                body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Response(head.status_code, _decoded(head), bytes(body))
        elif not isinstance(event, h11.InformationalResponse):
            raise HttpError("connection closed before the end of the answer")
