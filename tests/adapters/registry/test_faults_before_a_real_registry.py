"""The client against a real registry with tokens, behind a proxy that spoils what passes."""

import hashlib
import json
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest

from mtts.core.errors import (
    BadManifestError,
    ImageNotFoundError,
    MttsError,
    RateLimitedError,
    RegistryUnavailableError,
)
from mtts.core.image import Digest, ImageRef, Platform, Release, ReleaseDigests
from mtts.core.inventory import RegistryAccess
from mtts.lab.http import HttpServer, Request, Response
from tests.adapters.registry.fault_proxy import (
    FaultProxy,
    Forward,
    Spoiling,
    accepting_anything,
    cut_short,
    damaged,
    fault_proxy,
    instead,
    realm_at,
    saying_of_itself,
    with_an_expired_token,
)
from tests.adapters.registry.harness import AMD64, ARM, ARM64, NOW, FakeClock, client
from tests.adapters.registry.served import IMAGE
from tests.adapters.registry.token_service import REPOSITORIES, TokenService
from tests.registries import RealRegistry, inspect_raw

NAME = REPOSITORIES[0]
LIE = "sha256:" + "0" * 64
DIGESTS = ReleaseDigests(Digest(IMAGE.index_digest), Digest(IMAGE.manifest_digest("linux/arm64")))


@pytest.fixture
def registry(token_registry: tuple[RealRegistry, TokenService]) -> RealRegistry:
    return token_registry[0]


@pytest.fixture
def service(token_registry: tuple[RealRegistry, TokenService]) -> TokenService:
    token_registry[1].queries.clear()
    return token_registry[1]


@pytest.fixture
async def proxy(registry: RealRegistry) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(registry.address) as proxy:
        yield proxy


def asked_through(proxy: FaultProxy, tag: str = "stable") -> ImageRef:
    return ImageRef.parse(f"{proxy.address}/{NAME}:{tag}")


def access(proxy: FaultProxy, *allow_hosts: str) -> RegistryAccess:
    return RegistryAccess(proxy.address, insecure=True, allow_hosts=allow_hosts)


async def ask_everything(
    proxy: FaultProxy, *, clock: FakeClock, allow_hosts: tuple[str, ...] = ()
) -> tuple[Digest | None, ReleaseDigests, Release]:
    """What an update asks, in its order."""
    image = asked_through(proxy)
    async with client(access(proxy, *allow_hosts), clock=clock) as asked:
        return (
            await asked.tag_digest(image),
            await asked.digests(image, ARM64),
            await asked.resolve(image, ARM64),
        )


def sha256(body: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("platform", [ARM64, ARM, AMD64])
async def test_unspoilt_the_digests_are_those_of_the_bytes_that_skopeo_gets(
    proxy: FaultProxy, registry: RealRegistry, platform: Platform
) -> None:
    index = inspect_raw(f"{registry.address}/{NAME}:stable")
    async with client(access(proxy)) as asked:
        tag = await asked.tag_digest(asked_through(proxy))
        digests = await asked.digests(asked_through(proxy), platform)
    manifest = inspect_raw(f"{registry.address}/{NAME}@{digests.manifest}")
    assert tag == digests.index == sha256(index)
    assert digests.manifest == sha256(manifest)
    assert [each.method for each in proxy.requests] == ["HEAD", "HEAD", "GET"]


DATE = formatdate(NOW + 20, usegmt=True)

PASSING: dict[str, tuple[Spoiling, Digest | None, int]] = {
    "nothing": (Spoiling(instead(500), times=0), DIGESTS.index, 0),
    "429": (Spoiling(instead(429), times=2), DIGESTS.index, 2),
    "429, seconds": (Spoiling(instead(429, ("Retry-After", "20")), times=1), DIGESTS.index, 1),
    "429, a date": (Spoiling(instead(429, ("Retry-After", DATE)), times=1), DIGESTS.index, 1),
    "500s": (Spoiling(instead(500), times=3), DIGESTS.index, 3),
    "503s for GET": (Spoiling(instead(503), method="GET", times=3), DIGESTS.index, 3),
    "500s for blobs": (Spoiling(instead(500), part="/blobs/", times=2), DIGESTS.index, 2),
    "a truncated index": (Spoiling(cut_short, method="GET", part="/stable", times=2), DIGESTS.index, 2),
    "a truncated blob": (Spoiling(cut_short, part="/blobs/", times=2), DIGESTS.index, 2),
    "a damaged index": (Spoiling(damaged, method="GET", part="/stable", times=1), DIGESTS.index, 0),
    "a damaged manifest": (Spoiling(damaged, part="/manifests/sha256:", times=1), DIGESTS.index, 0),
    "a damaged blob": (Spoiling(damaged, part="/blobs/", times=1), DIGESTS.index, 0),
    "no digest": (Spoiling(saying_of_itself(None)), None, 0),
    "no digest in HEAD": (Spoiling(saying_of_itself(None), method="HEAD"), None, 0),
    "no digest in GET": (Spoiling(saying_of_itself(None), method="GET"), DIGESTS.index, 0),
    "a lie": (Spoiling(saying_of_itself(LIE)), Digest(LIE), 0),
    "a lie in HEAD": (Spoiling(saying_of_itself(LIE), method="HEAD"), Digest(LIE), 0),
    "a lie in GET": (Spoiling(saying_of_itself(LIE), method="GET"), DIGESTS.index, 0),
    "HEAD is 405": (Spoiling(instead(405), method="HEAD"), None, 0),
    "HEAD is 404": (Spoiling(instead(404), method="HEAD"), None, 0),
    "HEAD is 501": (Spoiling(instead(501), method="HEAD"), None, 0),
    "an expired token in GET": (Spoiling(with_an_expired_token, method="GET", times=1), DIGESTS.index, 0),
    "an expired token for blobs": (Spoiling(with_an_expired_token, part="/blobs/", times=1), DIGESTS.index, 0),
}
"""What happens on the way, what the HEAD then says, and how often is waited."""


@pytest.mark.parametrize("name", PASSING)
async def test_what_passes_or_can_be_checked_does_not_change_the_answer(proxy: FaultProxy, name: str) -> None:
    spoiling, tag, waits = PASSING[name]
    clock = FakeClock()
    proxy.spoiling = spoiling
    said, digests, release = await ask_everything(proxy, clock=clock)
    assert said == tag
    assert digests == release.digests == DIGESTS
    assert (release.version, release.extracted_bytes) == (IMAGE.version, 20_000)
    assert len(clock.sleeps) == waits
    assert (proxy.spoilt > 0) == (name != "nothing")
    if "429, " in name:
        assert all(20 <= seconds <= 21 for seconds in clock.sleeps)


async def test_a_token_that_expires_midway_is_replaced_by_one_of_the_real_service(
    proxy: FaultProxy, service: TokenService
) -> None:
    proxy.spoiling = Spoiling(with_an_expired_token, part="/blobs/", times=1)
    await ask_everything(proxy, clock=FakeClock())
    assert len(service.queries) == 2


@pytest.mark.parametrize(
    ("spoiling", "error", "waits"),
    [
        (Spoiling(instead(429)), RateLimitedError, 3),
        (Spoiling(instead(429, ("Retry-After", "61"))), RateLimitedError, 0),
        (Spoiling(instead(500)), RegistryUnavailableError, 3),
        (Spoiling(realm_at("http://127.0.0.1:1/token"), is_for_all=True), RegistryUnavailableError, 3),
    ],
    ids=["429", "429 for longer than a run waits", "500s", "the token service is down"],
)
async def test_what_lasts_is_an_error_and_no_answer(
    proxy: FaultProxy, spoiling: Spoiling, error: type[MttsError], waits: int
) -> None:
    clock = FakeClock()
    proxy.spoiling = spoiling
    async with client(access(proxy), clock=clock) as asked:
        for _ in range(2):
            with pytest.raises(error):
                await asked.tag_digest(asked_through(proxy))
        assert len(clock.sleeps) == waits
        with pytest.raises(error):
            await asked.digests(asked_through(proxy), ARM64)
    assert len(clock.sleeps) == 2 * waits


@pytest.mark.parametrize(
    "spoiling",
    [Spoiling(damaged, part="/blobs/"), Spoiling(damaged, part="/manifests/sha256:")],
    ids=["blobs", "manifests"],
)
async def test_damage_that_lasts_is_an_error_and_no_update(proxy: FaultProxy, spoiling: Spoiling) -> None:
    proxy.spoiling = spoiling
    async with client(access(proxy)) as asked:
        assert await asked.digests(asked_through(proxy), ARM64) == DIGESTS
        with pytest.raises((BadManifestError, RegistryUnavailableError)):
            await asked.resolve(asked_through(proxy), ARM64)


async def test_a_store_on_another_host_gets_the_question_and_no_token(proxy: FaultProxy) -> None:
    kept: dict[str, Response] = {}
    seen: list[Request] = []

    async def serve(request: Request) -> Response:
        seen.append(request)
        return kept[f"{request.method} {request.path}"]

    async def redirect(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        kept[f"{request.method} {request.path}"] = answer
        return Response(307, (("Location", f"http://127.0.0.2:{port}{request.target}?signature=secret"),))

    store = HttpServer(serve)
    port = await store.start("127.0.0.2", 0)
    try:
        proxy.spoiling = Spoiling(redirect)
        said, digests, release = await ask_everything(proxy, clock=FakeClock(), allow_hosts=("127.0.0.2",))
    finally:
        await store.stop()
    assert said == DIGESTS.index
    assert digests == release.digests == DIGESTS
    assert [each.method for each in seen] == ["HEAD", "GET", "GET", "GET"]
    assert [each.header("Authorization") for each in seen] == [None] * 4
    assert sum(each.header("Authorization") is not None for each in proxy.requests) == 4


async def test_docker_lists_and_oci_indexes_are_both_believed_by_their_bytes(
    proxy: FaultProxy, registry: RealRegistry
) -> None:
    registry.push(IMAGE, repository=NAME, tag="docker", in_docker_form=True)
    found = {}
    for tag, kind in (("docker", "docker.distribution.manifest.list.v2"), ("stable", "oci.image.index.v1")):
        raw = inspect_raw(f"{registry.address}/{NAME}:{tag}")
        assert kind in json.loads(raw)["mediaType"]
        async with client(access(proxy)) as asked:
            assert await asked.tag_digest(asked_through(proxy, tag)) == sha256(raw)
            digests = await asked.digests(asked_through(proxy, tag), ARM)
            found[tag] = await asked.resolve(asked_through(proxy, tag), ARM)
        assert digests == found[tag].digests
        assert digests.index == sha256(raw)
        assert digests.manifest == sha256(inspect_raw(f"{registry.address}/{NAME}@{digests.manifest}"))
    assert found["docker"].digests != found["stable"].digests
    assert found["docker"].version == found["stable"].version


async def test_a_list_that_an_accept_lost_on_the_way_turned_into_schema_1_is_refused(
    proxy: FaultProxy, registry: RealRegistry
) -> None:
    registry.push(IMAGE, repository=NAME, tag="docker", in_docker_form=True)
    proxy.spoiling = Spoiling(accepting_anything)
    async with client(access(proxy)) as asked:
        with pytest.raises(BadManifestError, match="only as schema 1"):
            await asked.digests(asked_through(proxy, "docker"), ARM64)
        with pytest.raises(ImageNotFoundError, match="accept header does not support OCI indexes"):
            await asked.digests(asked_through(proxy), ARM64)
