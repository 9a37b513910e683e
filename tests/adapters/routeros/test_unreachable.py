"""Routers that no session comes about with, or that fall silent: each is told in words that help, in time."""

import socket
from dataclasses import replace

import pytest

from mtts.adapters.routeros.routers import LibrouterosRouters
from mtts.core.errors import SessionLostError, UnreachableError
from mtts.core.inventory import Timing
from tests.adapters.routeros.entries import SHORT_S, admitting, hurried, pinned, plain, refusal, silent
from tests.adapters.routeros.scripted import Peer, ScriptedRouter, anonymous_server_context, scripted


async def test_a_port_that_speaks_no_tls_is_recognised(routers: LibrouterosRouters) -> None:
    async def play(peer: Peer) -> None:
        await peer.emit(b"\x06!fatal\x00")
        await peer.stall()

    async with scripted(play) as there:
        error = await refusal(routers, pinned(there, f"sha256:{'0' * 64}"))
    assert error.problem.code == "tls-failed"
    assert "does not speak TLS" in str(error)


async def test_a_router_that_hangs_up_in_the_handshake_is_told_with_what_may_be_the_cause(
    routers: LibrouterosRouters,
) -> None:
    async with scripted(admitting, tls=anonymous_server_context()) as there:
        error = await refusal(routers, pinned(there, f"sha256:{'0' * 64}"))
    assert error.problem.code == "tls-failed"
    assert "closed the connection during the TLS handshake" in str(error)
    assert "is this machine's address allowed" in error.problem.hint
    assert "/certificate add" in error.problem.hint


async def test_a_closed_port_is_told_with_the_command_that_opens_it(routers: LibrouterosRouters) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await refusal(routers, pinned(ScriptedRouter(port), f"sha256:{'0' * 64}"))
    assert str(error) == f"router1 (127.0.0.1:{port}): connection refused"
    assert error.problem.hint == "/ip/service enable api-ssl"


@pytest.mark.parametrize("host", ["router1.invalid", f"{'x' * 70}.invalid"])
async def test_a_host_that_has_no_address_is_told(
    routers: LibrouterosRouters, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host == "router1.invalid":
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await refusal(routers, replace(plain(ScriptedRouter(1)), host=host))
    assert isinstance(error, UnreachableError)
    assert "the host name is not known" in str(error)


async def test_a_router_silent_in_the_handshake_misses_the_connect_deadline(routers: LibrouterosRouters) -> None:
    async with scripted(silent) as there:
        error = await refusal(routers, hurried(pinned(there, f"sha256:{'0' * 64}")))
    assert isinstance(error, UnreachableError)
    assert "no connection within 0.05 s" in str(error)


async def test_a_router_silent_at_login_misses_the_login_deadline(routers: LibrouterosRouters) -> None:
    async with scripted(silent) as there:
        error = await refusal(routers, replace(plain(there), timing=Timing(login_s=SHORT_S)))
    assert isinstance(error, UnreachableError)
    assert "no full answer to /login within 0.05 s" in str(error)


async def test_a_router_silent_at_a_command_is_a_lost_session(routers: LibrouterosRouters) -> None:
    async def play(peer: Peer) -> None:
        await peer.admit()
        await peer.stall()

    async with (
        scripted(play) as there,
        routers.session(replace(plain(there), timing=Timing(command_s=SHORT_S))) as session,
    ):
        with pytest.raises(SessionLostError, match="no full answer to /container/print"):
            await session.print("/container")
