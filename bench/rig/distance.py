"""A server that answers as from afar: everything takes half a round trip on each way, and keeps its order.

The kernel opens a connection on loopback without our doing, so the round trip that this would take is added to
what the client says first.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


def far_away(near: Callable[[], asyncio.Protocol], round_trip_s: float) -> Callable[[], asyncio.Protocol]:
    """The protocol factory with the distance in between."""
    return lambda: _Distance(near(), round_trip_s)


class _Way:
    """One direction: what sets out arrives later, in the order in which it set out."""

    def __init__(self, way_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._way_s = way_s
        self._under_way: deque[Callable[[], object]] = deque()

    def send(self, arrive: Callable[[], object], *, earliest_s: float = 0.0) -> None:
        """Have `arrive` called later; nothing sets out before `earliest_s` of the loop's time."""
        self._under_way.append(arrive)
        self._loop.call_at(max(self._loop.time(), earliest_s) + self._way_s, self._arrive)

    def _arrive(self) -> None:
        self._under_way.popleft()()  # not a given one: timers of equal times come in any order


class _Distance(asyncio.Protocol):
    """Holds back what the client says; gives the server a transport that holds back what is answered."""

    def __init__(self, near: asyncio.Protocol, round_trip_s: float) -> None:
        self._near = near
        self._round_trip_s = round_trip_s
        self._there = _Way(round_trip_s / 2)
        self._open_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_s = asyncio.get_running_loop().time() + self._round_trip_s
        if isinstance(transport, asyncio.Transport):
            self._near.connection_made(_FarTransport(transport, self._round_trip_s / 2))

    def data_received(self, data: bytes) -> None:
        self._there.send(lambda: self._near.data_received(data), earliest_s=self._open_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._there.send(lambda: self._near.connection_lost(exc), earliest_s=self._open_s)


class _FarTransport(asyncio.Transport):
    """What is written arrives later; the rest is as it was."""

    def __init__(self, transport: asyncio.Transport, way_s: float) -> None:
        super().__init__()
        self._transport = transport
        self._back = _Way(way_s)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._back.send(lambda: self._transport.write(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._back.send(self._transport.close)

    def abort(self) -> None:
        self._transport.abort()
