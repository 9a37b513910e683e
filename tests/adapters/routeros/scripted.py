"""A router that says exactly what a test tells it to, faults included, over a real socket.

It knows the framing of the API and nothing of RouterOS; it shares no code with what it tests.
"""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def frame(*words: bytes) -> bytes:
    """One sentence as it goes over the wire."""
    return b"".join(_length(len(word)) + word for word in words) + b"\x00"


def _length(size: int) -> bytes:
    for octets, limit, mark in (
        (1, 0x80, 0),
        (2, 0x4000, 0x8000),
        (3, 0x200000, 0xC00000),
        (4, 0x10000000, 0xE0000000),
    ):
        if size < limit:
            return (size | mark).to_bytes(octets, "big")
    raise AssertionError("no test needs a longer word")


class Gone(Exception):  # noqa: N818  # it is an event, not an error
    """The client has left."""


class Peer:
    """The router's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: list[list[bytes]]) -> None:
        self._reader = reader
        self._writer = writer
        self._received = received

    async def hear(self) -> list[bytes]:
        """The next sentence of the client."""
        sentence: list[bytes] = []
        while word := await self._word():
            sentence.append(word)
        self._received.append(sentence)
        return sentence

    async def _word(self) -> bytes:
        try:
            first = (await self._reader.readexactly(1))[0]
            more = 0 if first < 0x80 else 1 if first < 0xC0 else 2 if first < 0xE0 else 3
            rest = await self._reader.readexactly(more)
            size = int.from_bytes(bytes([first & (0xFF >> (more + 1 if more else 0))]) + rest, "big")
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as exc:
            raise Gone from exc

    async def say(self, *words: bytes) -> None:
        """Send one sentence."""
        await self.emit(frame(*words))

    async def emit(self, octets: bytes) -> None:
        """Send bytes as they are."""
        try:
            self._writer.write(octets)
            await self._writer.drain()
        except OSError as exc:
            raise Gone from exc

    async def admit(self) -> None:
        """Hear a login and accept it."""
        await self.hear()
        await self.say(b"!done")

    async def refuse_handshake(self, tls: ssl.SSLContext) -> None:
        """Answer a client's hello with the alert that `tls` has for it, which asyncio's own servers do not send."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = tls.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await self._reader.read(65536))
        with contextlib.suppress(ssl.SSLError):
            server.do_handshake()
        await self.emit(outgoing.read())

    async def stall(self) -> None:
        """Say nothing until the client leaves."""
        with contextlib.suppress(OSError):
            await self._reader.read()

    def deafen(self) -> None:
        """Read nothing more, so that not even TLS is answered."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a server's transport can read


Play = Callable[[Peer], Awaitable[None]]


@dataclass
class ScriptedRouter:
    """What a test knows of its router."""

    port: int
    received: list[list[bytes]] = field(default_factory=list)
    connections: int = 0


@contextlib.asynccontextmanager
async def scripted(play: Play, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedRouter]:
    """A router on a free port of the loopback that lets `play` talk to every client."""
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []
    router = ScriptedRouter(port=0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(Gone):
                await play(Peer(reader, writer, router.received))
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        router.connections += 1
        writers.append(writer)
        tasks.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    router.port = server.sockets[0].getsockname()[1]
    try:
        yield router
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for the loopback, on disk."""

    pem: Path
    fingerprint: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context


def make_certificate(pem: Path, *, host: str = "127.0.0.1") -> Certificate:
    """Key and certificate, written to `pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "router1")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate(pem, "sha256:" + certificate.fingerprint(hashes.SHA256()).hex())


def anonymous_server_context() -> ssl.SSLContext:
    """What api-ssl does without a certificate: key exchange that proves nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ADH:AECDH:!eNULL:@SECLEVEL=0")
    return context
