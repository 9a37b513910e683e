"""The way of a session's replies to its client: at once, or as late as a slow link makes them, and its end.

Bytes keep their order. Lateness is in simulated time; what a client sends is never delayed here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtts.lab.device import Device
    from mtts.lab.faults import How

RESET = struct.pack("ii", 1, 0)
"""A socket that lingers for no time is closed with a reset."""


class Link:
    """The router's end of one TCP connection."""

    def __init__(self, transport: asyncio.Transport, device: Device) -> None:
        self._transport = transport
        self._device = device
        self._free_at_s = 0.0
        self._under_way = 0
        self._is_ending = False
        self._is_silent = False
        self._reads = True

    @property
    def is_open(self) -> bool:
        """Whether bytes still come and go."""
        return not (self._is_ending or self._is_silent or self._transport.is_closing())

    def read(self, *, more: bool) -> None:
        """Go on or stop taking what the client sends; what it goes on sending stays in its own buffers."""
        if more == self._reads:
            return
        self._reads = more
        if more:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        """Send bytes, after all that was sent before."""
        faults, now_s = self._device.faults, self._device.clock.now
        is_slow = faults.bytes_per_s or faults.latency_s
        if not is_slow and not self._under_way:
            self._transport.write(data)
            return
        lasts_s = len(data) / faults.bytes_per_s if faults.bytes_per_s else 0.0
        self._free_at_s = max(now_s + faults.latency_s, self._free_at_s) + lasts_s
        self._under_way += 1
        self._device.clock.call_later(self._free_at_s - now_s, lambda: self._arrive(data))

    def close(self) -> None:
        """Hang up in good order, when everything is sent."""
        self._is_ending = True
        if not self._under_way:
            self._transport.close()

    def cut(self, how: How) -> None:
        """End at once; a silent link stays, with nothing on it."""
        if how == "silence":
            self._is_silent = True
            return
        if how == "rst":
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()

    def _arrive(self, data: bytes) -> None:
        self._under_way -= 1
        if self._is_silent or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._is_ending and not self._under_way:
            self._transport.close()
