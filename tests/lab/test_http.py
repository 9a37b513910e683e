"""HTTP in the lab: connections that are kept, and clients and servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from mtts.lab.http import HEADERS_LIMIT_BYTES, REQUEST_LIMIT_BYTES, HttpClient, HttpError, HttpServer, Request, Response


async def echo(request: Request) -> Response:
    text = f"{request.method} {request.path} {sorted(request.query.items())} {len(request.body)}"
    return Response(200, (("X-Asked", request.header("x-ask") or ""),), text.encode())


@pytest.fixture
async def echoing() -> AsyncIterator[str]:
    server = HttpServer(echo)
    port = await server.start("127.0.0.1", 0)
    yield f"127.0.0.1:{port}"
    await server.stop()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(user_agent="test") as client:
        yield client


async def raw(address: str, sent: bytes) -> bytes:
    """What a server answers to these bytes before it hangs up."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[[bytes], Awaitable[str]]]:
    """Makes servers that say the same bytes to everybody and hang up."""
    servers = []

    async def start(said: bytes) -> str:
        def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            writer.close()

        server = await asyncio.start_server(say, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_a_request_arrives_as_it_was_sent_and_the_answer_too(echoing: str, client: HttpClient) -> None:
    answer = await client.request(
        "POST", f"http://{echoing}/a%20b?x=1&y=%2F&x=2", headers=(("X-Ask", "é"),), body=b"12345"
    )
    assert answer.body == b"POST /a b [('x', ['1', '2']), ('y', ['/'])] 5"
    assert answer.header("x-asked") == "é"


async def test_a_header_that_cannot_be_sent_is_not_repeated_in_the_error(echoing: str, client: HttpClient) -> None:
    with pytest.raises(HttpError, match="not a valid request") as failure:
        await client.request("GET", f"http://{echoing}/", headers=(("Authorization", "canary\nsecret"),))
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__


async def test_one_connection_serves_many_requests() -> None:
    async def port_of_client(_request: Request) -> Response:
        return Response(200, body=str(len(server._connections)).encode())

    server = HttpServer(port_of_client)
    port = await server.start("127.0.0.1", 0)
    async with HttpClient(user_agent="test") as client:
        answers = [(await client.request("GET", f"http://127.0.0.1:{port}/")).body for _ in range(3)]
    await server.stop()
    assert answers == [b"1", b"1", b"1"]


async def test_a_connection_that_the_client_wants_closed_is_closed(echoing: str) -> None:
    answer = await raw(echoing, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"GET /x [] 0")


async def test_an_old_client_is_served_too(echoing: str) -> None:
    assert (await raw(echoing, b"GET /x HTTP/1.0\r\n\r\n")).endswith(b"GET /x [] 0")


async def test_the_answer_to_head_has_a_length_and_no_body(echoing: str) -> None:
    answer = await raw(echoing, b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 12\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"SSH-2.0-client\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET //[ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + HEADERS_LIMIT_BYTES * b"x", 431),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (REQUEST_LIMIT_BYTES + 1)
            + (REQUEST_LIMIT_BYTES + 1) * b"x",
            413,
        ),
    ],
    ids=["not http", "no host", "no address", "endless headers", "body too large"],
)
async def test_a_bad_request_is_refused_and_the_connection_closed(echoing: str, sent: bytes, status: int) -> None:
    assert (await raw(echoing, sent)).startswith(b"HTTP/1.1 %d " % status)


async def test_a_client_that_leaves_in_mid_request_does_the_server_no_harm(echoing: str, client: HttpClient) -> None:
    _, writer = await asyncio.open_connection(*echoing.split(":"))
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    await writer.drain()
    writer.transport.abort()
    assert (await client.request("GET", f"http://{echoing}/")).status == 200


async def test_httpx_understands_the_server(echoing: str) -> None:
    async with httpx.AsyncClient() as client:
        answers = [await client.post(f"http://{echoing}/p", params={"q": "1"}, content=b"abc") for _ in range(2)]
    assert [answer.text for answer in answers] == ["POST /p [('q', ['1'])] 3"] * 2


async def test_stop_ends_connections_that_nobody_reads() -> None:
    async def huge(_request: Request) -> Response:
        return Response(200, body=bytes(50_000_000))

    server = HttpServer(huge)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readexactly(15)
    await server.stop()
    writer.close()


async def test_an_answer_larger_than_allowed_is_given_up(echoing: str, client: HttpClient) -> None:
    with pytest.raises(HttpError, match="too large"):
        await client.request("GET", f"http://{echoing}/", limit_bytes=3)
    assert (await client.request("GET", f"http://{echoing}/")).status == 200


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"* OK IMAP4rev1 ready\r\n\r\n",
    ],
)
async def test_an_answer_that_ends_early_or_is_none_is_an_error(
    scripted: Callable[[bytes], Awaitable[str]], client: HttpClient, said: bytes
) -> None:
    url = await scripted(said)
    with pytest.raises(HttpError, match="connection"):
        await client.request("GET", url)


async def test_an_answer_that_ends_with_the_connection_is_read_to_the_end(
    scripted: Callable[[bytes], Awaitable[str]], client: HttpClient
) -> None:
    url = await scripted(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    assert [(await client.request("GET", url)).body for _ in range(2)] == [b"all of it"] * 2


async def test_a_port_where_nobody_listens_refuses(client: HttpClient) -> None:
    server = HttpServer(echo)
    port = await server.start("127.0.0.1", 0)
    await server.stop()
    with pytest.raises(HttpError, match="connection refused"):
        await client.request("GET", f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "ftp://127.0.0.1/", "/v2/", "http:///v2/", "http://127.0.0.1:x/", "http://["]
)
async def test_only_plain_http_is_spoken(client: HttpClient, url: str) -> None:
    with pytest.raises(HttpError, match="unsupported address"):
        await client.request("GET", url)
