"""A client that nobody here wrote works against the lab: librouteros, its blocking and its asyncio side."""

import asyncio
import ssl
from typing import Any

import librouteros
import pytest
from librouteros.exceptions import TrapError
from librouteros.query import Key

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.router import LabRouter

USER = {"username": "mtts", "password": PASSWORD}


def blocking_story(router: LabRouter, ssl_wrapper: Any) -> list[dict[str, Any]]:
    """Log in, add, print, query, set, remove; what was left of bridges at each look."""
    port = router.port if ssl_wrapper is None else router.tls_port
    options = {} if ssl_wrapper is None else {"ssl_wrapper": ssl_wrapper}
    api = librouteros.connect(router.host, port=port, encoding="utf-8", **USER, **options)
    seen: list[dict[str, Any]] = []
    try:
        bridges = api.path("interface", "bridge")
        added = bridges.add(name="bridge-ts", comment="grüße")
        seen += [dict(row) for row in bridges.select("name", "comment").where(Key("name") == "bridge-ts")]
        bridges.update(**{".id": added, "comment": "changed"})
        seen += [dict(row) for row in bridges.select("comment")]
        bridges.remove(added)
        seen += [dict(row) for row in bridges]
        with pytest.raises(TrapError, match="no such item"):
            bridges.remove(added)
    finally:
        api.close()
    return seen


EXPECTED = [{"name": "bridge-ts", "comment": "grüße"}, {"comment": "changed"}]


async def test_the_blocking_client_tells_its_story(lab: Lab) -> None:
    router = await lab.add_router("r")
    assert await asyncio.to_thread(blocking_story, router, None) == EXPECTED


async def test_the_blocking_client_works_over_tls(lab: Lab) -> None:
    router = await lab.add_router("r")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert await asyncio.to_thread(blocking_story, router, context.wrap_socket) == EXPECTED


async def test_the_blocking_client_works_with_anonymous_ciphers_when_it_asks_for_them(lab: Lab) -> None:
    router = await lab.add_router("r", certificate=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ADH:@SECLEVEL=0")
    assert await asyncio.to_thread(blocking_story, router, context.wrap_socket) == EXPECTED


async def test_the_asyncio_client_tells_its_story(lab: Lab) -> None:
    router = await lab.add_router("r", version="7.18.2")
    api = await librouteros.async_connect(router.host, port=router.port, encoding="utf-8", **USER)
    veths = api.path("interface", "veth")
    added = await veths.add(name="veth-ts", address="172.20.0.2/30", gateway="172.20.0.1")
    rows = [row async for row in veths.select("name", "address").where(Key("name") == "veth-ts")]
    assert rows == [{"name": "veth-ts", "address": "172.20.0.2/30"}]
    await veths.update(**{".id": added, "comment": "mtts:ts"})
    assert [row["comment"] async for row in veths.select("comment")] == ["mtts:ts"]
    await veths.remove(added)
    assert [row async for row in veths] == []
    await api.close()


async def test_wrong_credentials_are_an_error_of_the_client(lab: Lab) -> None:
    router = await lab.add_router("r")
    with pytest.raises(TrapError, match="invalid user name or password"):
        await asyncio.to_thread(librouteros.connect, router.host, port=router.port, username="mtts", password="wrong")
