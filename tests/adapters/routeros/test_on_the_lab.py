"""The session against simulated routers, which share no code with it."""

from collections.abc import AsyncIterator

import pytest

from mtts.adapters.redaction import Redactor
from mtts.adapters.routeros.routers import LibrouterosRouters, fetch_fingerprint
from mtts.adapters.secrets import SecretStore
from mtts.core.errors import AuthRejectedError, CommandTrappedError, UnreachableError
from mtts.core.inventory import Router, TlsMode
from mtts.core.secret import Literal, Secret
from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.router import LabRouter


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as lab:
        yield lab


@pytest.fixture
def routers() -> LibrouterosRouters:
    return LibrouterosRouters(SecretStore(Redactor()))


def entry(there: LabRouter, *, tls: TlsMode = TlsMode.PINNED, password: str = PASSWORD) -> Router:
    """The inventory's entry for a router of the lab."""
    return Router(
        name=there.name,
        host=there.host,
        port=there.port if tls is TlsMode.OFF else there.tls_port,
        username="mtts",
        password=Literal(Secret(password)),
        tls=tls,
        fingerprint=there.fingerprint,
    )


@pytest.mark.parametrize("tls", [TlsMode.PINNED, TlsMode.OFF])
async def test_what_is_written_is_read_back_as_the_same_text(
    lab: Lab, routers: LibrouterosRouters, tls: TlsMode
) -> None:
    there = await lab.add_router("router1")
    async with routers.session(entry(there, tls=tls)) as session:
        for number, comment in enumerate(["123", "yes", "café", "a=b=c", "\udcff\udcfe"]):
            id_ = await session.add("/interface/veth", {"name": f"veth{number}", "comment": comment})
            assert await session.print("/interface/veth", where=[{".id": id_}], props=("comment",)) == [
                {"comment": comment}
            ]
            await session.set("/interface/veth", {"comment": f"{comment}!"}, id_=id_)
            [row] = await session.print("/interface/veth", where=[{"name": f"veth{number}"}])
            assert row["comment"] == f"{comment}!"
            await session.remove("/interface/veth", id_)
        assert await session.print("/interface/veth") == []


async def test_a_print_finds_the_rows_of_every_alternative(lab: Lab, routers: LibrouterosRouters) -> None:
    there = await lab.add_router("router1")
    async with routers.session(entry(there)) as session:
        for name, comment in [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")]:
            await session.add("/interface/veth", {"name": name, "comment": comment})
        rows = await session.print(
            "/interface/veth", where=[{"name": "b", "comment": "1"}, {"comment": "3"}, {"name": "c", "comment": "1"}]
        )
    assert [row["name"] for row in rows] == ["b", "d"]


async def test_a_singleton_menu_is_set_without_an_id(lab: Lab, routers: LibrouterosRouters) -> None:
    there = await lab.add_router("router1")
    async with routers.session(entry(there)) as session:
        await session.set("/ip/dns", {"servers": "192.0.2.1"})
        [row] = await session.print("/ip/dns")
    assert row["servers"] == "192.0.2.1"


async def test_a_refused_command_leaves_a_session_that_works(lab: Lab, routers: LibrouterosRouters) -> None:
    there = await lab.add_router("router1")
    async with routers.session(entry(there)) as session:
        with pytest.raises(CommandTrappedError, match="unknown parameter") as caught:
            await session.add("/interface/veth", {"no-such-thing": "1"})
        assert caught.value.problem.code == "command-trapped"
        assert await session.print("/system/identity") != []


async def test_a_wrong_password_is_one_login_attempt(lab: Lab, routers: LibrouterosRouters) -> None:
    there = await lab.add_router("router1")
    for _ in range(2):
        with pytest.raises(AuthRejectedError, match="invalid user name or password"):
            async with routers.session(entry(there, password="wrong-password")):
                pytest.fail("a session came about")
    assert there.connections == 1


async def test_an_anonymous_router_serves_only_those_who_asked_for_it(lab: Lab, routers: LibrouterosRouters) -> None:
    there = await lab.add_router("router1", certificate=False)
    async with routers.session(entry(there, tls=TlsMode.ANONYMOUS)) as session:
        assert await session.print("/system/identity") != []
    with pytest.raises(UnreachableError) as caught:
        await fetch_fingerprint(entry(there))
    assert caught.value.problem.code == "tls-failed"
    assert there.logins == 1


async def test_the_fetched_fingerprint_is_the_routers(lab: Lab) -> None:
    there = await lab.add_router("router1")
    assert await fetch_fingerprint(entry(there)) == there.fingerprint
    assert there.logins == 0
