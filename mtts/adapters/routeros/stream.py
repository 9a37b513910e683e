"""One TCP or TLS connection to a router: opened, capped, kept alive and surely closed.

It is the transport that librouteros reads from and writes to. It knows no words and sets no deadlines;
the session does. A connection that is closed takes at most `CLOSE_S`, whatever the other side does.
"""

import asyncio
import contextlib
import socket
import ssl
from typing import Final, Self

CLOSE_S: Final[float] = 1.0
"""How long the other side may take to agree to a close before the connection is dropped."""
MAX_WORD_BYTES: Final = 1024 * 1024
"""No word of RouterOS comes near: file contents end at 60 KiB, script sources at 64 KiB."""
MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
"""A whole reply; a full log or a file listing over thousands of files stays below."""

_KEEP_ALIVE_S: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A half-open connection is noticed within a minute, on platforms that have these options."""


class StreamError(Exception):
    """The bytes ended or are more than a router can mean."""


class Stream:
    """Reads exactly, writes wholly, closes within a bound; has the methods librouteros asks of a transport."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reply_bytes = 0

    @classmethod
    async def open(
        cls, host: str, port: int, *, tls: ssl.SSLContext | None = None, server_hostname: str | None = None
    ) -> Self:
        """Connect, and shake hands where `tls` is given; OSError (ssl.SSLError is one) where that fails."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=server_hostname)
        _keep_alive(writer.get_extra_info("socket"))
        return cls(reader, writer)

    def certificate(self) -> bytes | None:
        """The router's certificate as DER, verified or not; None without TLS or on anonymous TLS."""
        tls: ssl.SSLObject | None = self._writer.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True) if tls else None

    async def write(self, data: bytes) -> None:
        """Send one sentence; what comes back from now on counts as its reply."""
        self._reply_bytes = 0
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, length: int) -> bytes:
        """Exactly `length` bytes; StreamError at the end of the stream or above a cap."""
        if not length:
            return b""
        self._reply_bytes += length
        if length > MAX_WORD_BYTES:
            raise StreamError(f"the router announced a word of {length} bytes")
        if self._reply_bytes > MAX_REPLY_BYTES:
            raise StreamError(f"the reply is longer than {MAX_REPLY_BYTES} bytes")
        try:
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            reason = "the router closed the connection"
        raise StreamError(reason)  # out here, since the other exception holds the bytes read so far, secrets included

    def abort(self) -> None:
        """Drop the connection now, without a goodbye."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Say goodbye, but wait no longer than `CLOSE_S` for an answer; never raises."""
        self._writer.close()
        try:
            # The other side may have gone, or not answer (TimeoutError): nothing is left that it should know.
            with contextlib.suppress(OSError):
                async with asyncio.timeout(CLOSE_S):
                    await self._writer.wait_closed()
        finally:
            self.abort()


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE_S.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
