"""One simulated router as the outside sees it: its ports, who may come in, what may be changed by hand.

By-hand changes go around every check, as if somebody had sat at the router; they are not in the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from mtts.lab.call import Caller
from mtts.lab.device import Device
from mtts.lab.faults import Faults
from mtts.lab.journal import JournalEntry
from mtts.lab.menus.users import policies_of
from mtts.lab.reply import Row
from mtts.lab.session import Session
from mtts.lab.table import Item, Singleton
from mtts.lab.tailscaled import Tailscaled
from mtts.lab.tls import Certificate, anonymous, self_signed
from mtts.lab.upgrading import upgrade
from mtts.lab.values import path_key

HOST = "127.0.0.1"
CONTROLLER_IN_TAILNET = "100.127.0.1"
"""Where clients come from when they come through the router's own node."""
DEFAULT_SESSIONS = "20"
"""How many sessions a service takes where its version has no word for the limit."""


class LabRouter:
    """A router that listens; `host` with `port` (plain) and `tls_port` (TLS)."""

    def __init__(self, device: Device, *, tls: bool, certificate: bool) -> None:
        self.device = device
        self.name = device.build.name
        self.host = HOST
        self.port = 0
        self.tls_port: int | None = None
        self.fingerprint: str | None = None
        """`sha256:` and the hex digest of the TLS certificate, None without one."""
        self.connections = 0
        self.logins = 0
        self._tls = tls
        self._has_certificate = certificate
        self._servers: list[asyncio.Server] = []
        self._deserted = asyncio.Event()
        self._deserted.set()
        self._was_online = False
        device.tailnet.watchers.append(self._look_at_node)

    @property
    def journal(self) -> list[JournalEntry]:
        """Every command that was given here, by clients and by scripts."""
        return self.device.journal

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong here."""
        return self.device.faults

    async def start(self) -> None:
        """Listen on free ports."""
        loop = asyncio.get_running_loop()
        plain = await loop.create_server(lambda: Session(self, "api"), HOST, 0)
        self._servers.append(plain)
        self.port = plain.sockets[0].getsockname()[1]
        if self._tls:
            certificate = self._make_certificate()
            secured = await loop.create_server(lambda: Session(self, "api-ssl"), HOST, 0, ssl=certificate.context)
            self._servers.append(secured)
            self.tls_port = secured.sockets[0].getsockname()[1]
            self.fingerprint = certificate.fingerprint

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        for server in self._servers:
            server.close()
        waiting = [task for session in self.device.sessions.values() for task in session.waiting]
        self.device.drop_sessions()
        await self._deserted.wait()
        if waiting:
            await asyncio.wait(waiting)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def _make_certificate(self) -> Certificate:
        return self_signed(self.name) if self._has_certificate else anonymous()

    # who comes in

    def admits(self, session: Session) -> bool:
        """Whether a connection is taken: the router is up, the service on, and not too many are there."""
        if not self.device.is_up:
            return False
        if self.faults.is_tailnet_only and self._was_online:
            session.is_through_node, session.peer = True, CONTROLLER_IN_TAILNET
            if not self._node_is_online():
                return False
        service = next(
            item.values
            for item in self.device.table("/ip/service").items.values()
            if item.values["name"] == session.service
        )
        others = sum(1 for other in self.device.sessions.values() if other.service == session.service)
        allowed = service["disabled"] == "false" and others < int(service.get("max-sessions", DEFAULT_SESSIONS))
        return allowed and _address_allowed(session.peer, service["address"])

    def enter(self, session: Session) -> int:
        """Count a connection in; its number."""
        self.connections += 1
        self.device.sessions[self.connections] = session
        self._deserted.clear()
        return self.connections

    def leave(self, session: Session) -> None:
        """Forget a connection."""
        if self.device.sessions.pop(session.number, None) is not None:
            self.device.session_ended(session.number)
        if not self.device.sessions:
            self._deserted.set()

    def authenticate(self, name: str, password: str, peer: str) -> Caller | None:
        """The caller behind a name and a password, None when there is none or the API is not theirs."""
        for item in self.device.table("/user").items.values():
            user = item.values
            if user["name"] != name or user.get("password", "") != password or user["disabled"] == "true":
                continue
            policies = policies_of(self.device, user["group"])
            if "api" in policies and _address_allowed(peer, user["address"]):
                return Caller(name, policies)
        return None

    # the way through the node

    def _node_is_online(self) -> bool:
        online = self.device.tailnet.online
        processes = (container.process for container in self.device.engine.containers.values())
        return any(isinstance(one, Tailscaled) and one.node and online[one.node.id] for one in processes)

    def _look_at_node(self) -> None:
        """The tailnet changed: with the node go the sessions that came through it."""
        if self._node_is_online():
            self._was_online = True
            return
        for session in list(self.device.sessions.values()):
            if session.is_through_node:
                session.cut(self.device.quirks.cut_through_node)

    # looking and changing by hand

    def writes(self) -> list[JournalEntry]:
        """Every command that was to change the router, in order, refused ones included."""
        return [entry for entry in self.journal if entry.is_write]

    def rows(self, path: str) -> list[Row]:
        """A table's rows as print shows them."""
        return list(self.device.table(path).views())

    def add_row(self, path: str, **given: str) -> str:
        """Put a row into a table by hand; names with `_` for `-`. Its `.id`."""
        return self.device.table(path).insert(_spelt(given)).ref

    def set_row(self, path: str, selector: str, **given: str) -> None:
        """Change a row by hand, named by `.id` or name."""
        self._item(path, selector).values.update(_spelt(given))

    def remove_row(self, path: str, selector: str) -> None:
        """Take a row away by hand."""
        table = self.device.table(path)
        table.delete(table.find_item(selector))

    def setting(self, path: str, name: str) -> str:
        """One value of a menu that holds one set of values (`/system/device-mode`, `/container/config`, …)."""
        return self.device.setting(path, name)

    def change(self, path: str, **given: str) -> None:
        """Change a menu that holds one set of values."""
        self.device.menu_of(Singleton, path).values.update(_spelt(given))

    def write_file(self, path: str, contents: bytes) -> None:
        """Put a file on the router."""
        self.device.files.write(path_key(path), contents)

    def files(self) -> dict[str, bytes]:
        """Every file with its contents; directories and disks are left out."""
        entries = self.device.files.entries.items()
        return {path: entry.contents for path, entry in entries if entry.kind == "file"}

    def directories(self) -> set[str]:
        """Every directory."""
        return {path for path, entry in self.device.files.entries.items() if entry.kind == "directory"}

    def upgrade(self, version: str) -> None:
        """Restart into a newer RouterOS, with what is configured under its new words."""
        self.device.restart()
        upgrade(self.device, version)

    def _item(self, path: str, selector: str) -> Item:
        return self.device.table(path).find_item(selector)


def _spelt(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}


def _address_allowed(peer: str, networks: str) -> bool:
    allowed = [ip_network(part, strict=False) for part in networks.split(",") if part]
    return not allowed or any(ip_address(peer) in network for network in allowed)
