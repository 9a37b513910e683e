"""The lab: any number of simulated routers, one registry, one tailnet and one clock, in one process.

`async with Lab() as lab:` is all it takes. With `clock="manual"` nothing happens by itself until
`lab.clock.advance(seconds)`; running, the lab lives by itself, `speed` times faster than real time; with
`clock="leaping"` its time goes to the next event whenever no client of the same loop has anything to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

from mtts.lab.boards import BOARD_BY_ARCHITECTURE, find_board
from mtts.lab.clock import SimClock
from mtts.lab.control import Order
from mtts.lab.device import Build, Device
from mtts.lab.importing import Puller
from mtts.lab.inflict import inflict
from mtts.lab.others import RefusedError
from mtts.lab.pull import pull
from mtts.lab.quirks import Quirks
from mtts.lab.registry import LabRegistry
from mtts.lab.router import LabRouter
from mtts.lab.tailnet import Tailnet

PASSWORD = "lab-password"  # noqa: S105 - of routers that do not exist
DEFAULT_USERS: Mapping[str, tuple[str, str]] = {"admin": (PASSWORD, "full"), "mtts": (PASSWORD, "mtts")}
"""Name -> (password, group)."""
LINK_BYTES_PER_S = 4_000_000.0


class Lab:
    """A fleet, from `async with` to its end."""

    def __init__(
        self,
        *,
        clock: Literal["manual", "running", "leaping"] = "manual",
        speed: float = 1.0,
        epoch: datetime | None = None,
        puller: Puller = pull,
        registry_port: int = 0,
    ) -> None:
        self.clock = SimClock(speed=speed if clock == "running" else None, leaps=clock == "leaping", epoch=epoch)
        self.tailnet = Tailnet(self.clock)
        self.registry = LabRegistry(port=registry_port)
        self.registry.orders["/lab/inflict"] = self._inflict
        self.routers: dict[str, LabRouter] = {}
        self._puller = puller
        self._ending = AsyncExitStack()

    def _inflict(self, document: Any) -> dict[str, Any]:
        """What another process orders: a fault, now or at a command."""
        try:
            return {"said": inflict(self, Order(**document))}
        except RefusedError as error:
            return {"trapped": str(error)}

    async def __aenter__(self) -> Self:
        await self.registry.start()
        self._ending.push_async_callback(self.registry.stop)
        await self.clock.start()
        self._ending.push_async_callback(self.clock.stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._ending.aclose()

    async def add_router(
        self,
        name: str,
        *,
        version: str = "7.23.3",
        arch: str = "arm64",
        board: str | None = None,
        cpu: str | None = None,
        flash_total: int | None = None,
        flash_free: int | None = None,
        ram: int | None = None,
        flash_trap: bool | None = None,
        tls: bool = True,
        certificate: bool = True,
        container_package: bool = True,
        device_mode_container: bool = True,
        users: Mapping[str, tuple[str, str]] = DEFAULT_USERS,
        dns: Sequence[str] = ("192.0.2.53",),
        clock_skew_s: float = 0.0,
        usb: Mapping[str, int] | None = None,
        link_bytes_per_s: float = LINK_BYTES_PER_S,
        quirks: Quirks | None = None,
    ) -> LabRouter:
        """A new router, listening. Sizes in bytes; what is not given comes from the board, the board from `arch`.

        `certificate=False` leaves TLS with anonymous ciphers only, as routers come out of the box.
        """
        preset = find_board(board or BOARD_BY_ARCHITECTURE[arch])
        changed: dict[str, Any] = {
            "cpu": cpu,
            "architecture": None if board else arch,
            "flash_total_bytes": flash_total,
            "flash_free_bytes": flash_free,
            "ram_bytes": ram,
            "flash_trap": flash_trap,
        }
        build = Build(
            name=name,
            version=version,
            board=replace(preset, **{key: value for key, value in changed.items() if value is not None}),
            users=dict(users),
            container_package=container_package,
            device_mode_container=device_mode_container,
            dns=tuple(dns),
            clock_skew_s=clock_skew_s,
            usb=dict(usb or {}),
            link_bytes_per_s=link_bytes_per_s,
        )
        device = Device(build, clock=self.clock, quirks=quirks or Quirks(), tailnet=self.tailnet, puller=self._puller)
        router = LabRouter(device, tls=tls, certificate=certificate)
        await router.start()
        self._ending.push_async_callback(router.stop)
        self.routers[name] = router
        return router

    def inventory_yaml(self, *, image: str | None = None) -> str:
        """An inventory of this fleet, ready for `mtts -i`; the auth key is taken from `TS_AUTHKEY`."""
        lines = [
            "defaults:",
            "  username: mtts",
            f"  password: {PASSWORD}",
            f"  image: {image or f'{self.registry.address}/team/mikrotik-tailscale:stable'}",
            "  node:",
            "    auth_key: {env: TS_AUTHKEY}",
            "registries:",
            f'  "{self.registry.address}": {{insecure: true}}',
            "routers:",
        ]
        lines += [f"  {name}: {{{_connection(router)}}}" for name, router in self.routers.items()]
        return "\n".join(lines) + "\n"


def _connection(router: LabRouter) -> str:
    if router.tls_port is None:
        return f'host: {router.host}, port: {router.port}, tls: "off"'
    if router.fingerprint is None:
        return f"host: {router.host}, port: {router.tls_port}, tls: anonymous"
    return f'host: {router.host}, port: {router.tls_port}, fingerprint: "{router.fingerprint}"'
