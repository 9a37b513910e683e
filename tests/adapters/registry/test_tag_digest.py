"""The cheapest question: what a tag points to, by a HEAD that may be refused, lie or fail."""

import asyncio

import httpx
import pytest
import respx

from mtts.core.errors import (
    ImageDeniedError,
    MttsError,
    RateLimitedError,
    RegistryPolicyError,
    RegistryUnavailableError,
)
from mtts.core.image import Digest, ImageRef
from mtts.core.inventory import RegistryAccess
from mtts.lab.control import REPOSITORY
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import Part, RegistryFault
from tests.adapters.registry.harness import ARM64, FakeClock, answered, client, image_of
from tests.adapters.registry.served import IMAGE, Served, document

INDEX = Digest(IMAGE.index_digest)
OTHER = Digest("sha256:" + "0" * 64)


async def tag_digest(
    lab: LabRegistry, tag: str = "stable", *, clock: FakeClock | None = None, allow_hosts: tuple[str, ...] = ()
) -> Digest | None:
    access = RegistryAccess(lab.address, insecure=True, allow_hosts=allow_hosts)
    async with client(access, clock=clock) as asked:
        return await asked.tag_digest(image_of(lab, tag))


async def test_one_head_answers_all_who_ask(lab: LabRegistry) -> None:
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        found = await asyncio.gather(*(asked.tag_digest(image_of(lab)) for _ in range(50)))
    assert set(found) == {INDEX}
    assert [(each.method, each.path.rpartition("/")[2], each.status) for each in lab.requests] == [
        ("HEAD", "stable", 401),
        ("GET", "token", 200),
        ("HEAD", "stable", 200),
    ]


async def test_a_digest_is_itself_and_asked_of_nobody(lab: LabRegistry) -> None:
    image = ImageRef.parse(f"{lab.address}/{REPOSITORY}:stable@{OTHER}")
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        assert await asked.tag_digest(image) == OTHER
    assert lab.requests == []


async def test_what_a_body_said_before_is_not_asked_for_again(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("wrong-digest", method="HEAD"))
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        assert (await asked.digests(image_of(lab), ARM64)).index == INDEX
        assert await asked.tag_digest(image_of(lab)) == INDEX
    assert answered(lab) == ["GET manifests/stable"]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_registry_without_head_does_not_say_and_the_get_decides(lab: LabRegistry, status: int) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", status=status, method="HEAD"))
    async with client(RegistryAccess(lab.address, insecure=True), clock=clock) as asked:
        assert await asked.tag_digest(image_of(lab)) is None
        assert await asked.tag_digest(image_of(lab)) is None
        assert (await asked.digests(image_of(lab), ARM64)).index == INDEX
    assert sum(each.method == "HEAD" for each in lab.requests) == 1
    assert clock.sleeps == []


async def test_a_head_without_a_digest_does_not_say(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("no-digest", method="HEAD"))
    assert await tag_digest(lab) is None


@pytest.mark.parametrize("header", ["", "latest", "md5:abc", "sha256:" + "A" * 64, f"{INDEX}, {INDEX}"])
async def test_a_digest_in_no_known_form_does_not_say(header: str) -> None:
    served = Served(overrides={"/stable": lambda _: document(b"", "text/html", header)})
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client() as asked:
            assert await asked.tag_digest(ImageRef.parse("r.example/a/b:stable")) is None


async def test_the_head_asks_as_the_get_does() -> None:
    served = Served()
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client() as asked:
            await asked.tag_digest(ImageRef.parse("r.example/a/b:stable"))
            await asked.digests(ImageRef.parse("r.example/a/b:stable"), ARM64)
    head, get = served.requests
    assert (head.method, get.method) == ("HEAD", "GET")
    assert head.headers == get.headers
    assert head.url == get.url
    assert head.headers["Accept"].count("application/vnd.") == 4


@pytest.mark.parametrize("part", ["manifests", "token"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_passing_failure_is_sat_out(lab: LabRegistry, part: Part, status: int) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", on=part, status=status, times=2))
    assert await tag_digest(lab, clock=clock) == INDEX
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize("part", ["manifests", "token"])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, RegistryUnavailableError)])
async def test_a_lasting_failure_is_told_after_four_tries(
    lab: LabRegistry, part: Part, status: int, error: type[MttsError]
) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", on=part, status=status))
    with pytest.raises(error, match=str(status)):
        await tag_digest(lab, clock=clock)
    assert len(clock.sleeps) == 3


async def test_retry_after_is_honoured_up_to_what_a_run_can_wait(lab: LabRegistry) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", status=429, retry_after="17", times=1))
    assert await tag_digest(lab, clock=clock) == INDEX
    (waited_s,) = clock.sleeps
    assert 17 <= waited_s < 18
    lab.faults.add(RegistryFault("status", status=429, retry_after="61"))
    with pytest.raises(RateLimitedError, match="it asks to wait 61 s"):
        await tag_digest(lab, clock=clock)
    assert len(clock.sleeps) == 1


async def test_a_registry_that_is_not_there_gives_no_answer() -> None:
    clock = FakeClock()
    async with client(RegistryAccess("127.0.0.1:1", insecure=True), clock=clock) as asked:
        found = await asyncio.gather(
            *(asked.tag_digest(ImageRef.parse("127.0.0.1:1/a")) for _ in range(20)), return_exceptions=True
        )
    assert {type(each) for each in found} == {RegistryUnavailableError}
    assert len(clock.sleeps) == 3


@pytest.mark.parametrize("status", [400, 403, 410])
async def test_a_final_refusal_is_asked_once(lab: LabRegistry, status: int) -> None:
    lab.faults.add(RegistryFault("status", status=status))
    with pytest.raises(MttsError, match=str(status)):
        await tag_digest(lab)
    assert len(lab.requests) == 1


async def test_a_private_image_is_denied(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("denied", on="token"))
    with pytest.raises(ImageDeniedError, match=r"anonymous clients \(401\)"):
        await tag_digest(lab)
    assert len(lab.requests) == 3


async def test_a_token_that_expired_since_is_replaced(lab: LabRegistry) -> None:
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        await asked.digests(image_of(lab, "unsized"), ARM64)
        lab.faults.add(RegistryFault("expired-token", method="HEAD", times=1))
        assert await asked.tag_digest(image_of(lab)) == INDEX
    assert sum(each.path == "/token" for each in lab.requests) == 2


async def test_a_redirect_is_followed_by_a_head_without_the_token(lab: LabRegistry, other: LabRegistry) -> None:
    lab.faults.add(RegistryFault("redirect", host=other.address))
    assert await tag_digest(lab, allow_hosts=("127.0.0.2",)) == INDEX
    assert [(each.method, each.had_authorization) for each in other.requests] == [("HEAD", False)]


async def test_a_redirect_to_a_private_address_is_refused(lab: LabRegistry, other: LabRegistry) -> None:
    lab.faults.add(RegistryFault("redirect", host=other.address))
    with pytest.raises(RegistryPolicyError, match=r"non-public address 127\.0\.0\.2"):
        await tag_digest(lab)
    assert other.requests == []


async def test_a_lying_head_costs_a_get_and_changes_nothing(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("wrong-digest", method="HEAD"))
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        said = await asked.tag_digest(image_of(lab))
        assert said not in (None, INDEX)
        assert (await asked.digests(image_of(lab), ARM64)).index == INDEX
        assert (await asked.resolve(image_of(lab), ARM64)).index_digest == INDEX
        assert await asked.tag_digest(image_of(lab)) == INDEX


async def test_a_cancelled_asker_leaves_the_question_to_the_next(lab: LabRegistry) -> None:
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        first = asyncio.create_task(asked.tag_digest(image_of(lab)))
        second = asyncio.create_task(asked.tag_digest(image_of(lab)))
        await asyncio.sleep(0)  # to where the first one waits for its answer
        first.cancel()
        assert await second == INDEX
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_no_connection_is_wasted_on_an_answer_without_a_body() -> None:
    """A HEAD whose connection was thrown away would cost the GET after it another handshake."""
    opened = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            while head := await _head(reader):
                writer.write(_answer(IMAGE.index, with_body=head.startswith(b"GET")))
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, client(RegistryAccess(address, insecure=True)) as asked:
        image = ImageRef.parse(f"{address}/a/b:stable")
        assert await asked.tag_digest(image) == INDEX
        assert (await asked.digests(image, ARM64)).index == INDEX
    assert opened == 1


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _answer(body: bytes, *, with_body: bool) -> bytes:
    fields = httpx.Headers({"Content-Length": str(len(body)), "Docker-Content-Digest": str(INDEX)})
    lines = [b"HTTP/1.1 200 OK", *(b"%s: %s" % pair for pair in fields.raw), b"", b""]
    return b"\r\n".join(lines) + (body if with_body else b"")
