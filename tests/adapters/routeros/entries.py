"""What the inventory says of scripted routers, how those answer, and the error with which no session came about."""

import traceback
from dataclasses import replace

import pytest

from mtts.adapters.routeros.routers import LibrouterosRouters
from mtts.core.errors import MttsError
from mtts.core.inventory import Router, Timing, TlsMode
from mtts.core.secret import Literal, Secret
from tests.adapters.routeros.scripted import Peer, ScriptedRouter

PASSWORD = "cänary-5e1f"
SHORT_S = 0.05
LOGIN = [b"/login", b"=name=mtts", f"=password={PASSWORD}".encode()]


def plain(there: ScriptedRouter) -> Router:
    """The inventory's entry for a router without TLS."""
    return Router(
        name="router1",
        host="127.0.0.1",
        port=there.port,
        username="mtts",
        password=Literal(Secret(PASSWORD)),
        tls=TlsMode.OFF,
    )


def pinned(there: ScriptedRouter, fingerprint: str | None) -> Router:
    return replace(plain(there), tls=TlsMode.PINNED, fingerprint=fingerprint)


def hurried(router: Router) -> Router:
    """With deadlines that a silent router misses at once."""
    return replace(router, timing=Timing(connect_s=SHORT_S, login_s=SHORT_S, command_s=SHORT_S))


async def admitting(peer: Peer) -> None:
    """Accept the login and answer every command with nothing."""
    while True:
        await peer.hear()
        await peer.say(b"!done")


async def silent(peer: Peer) -> None:
    await peer.stall()


async def refusal(routers: LibrouterosRouters, router: Router) -> MttsError:
    """The error with which no session came about."""
    with pytest.raises(MttsError) as caught:
        async with routers.session(router):
            pytest.fail("a session came about")
    assert "nary-5e1f" not in "".join(traceback.format_exception(caught.value))
    return caught.value
