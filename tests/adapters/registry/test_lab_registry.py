"""The client against a registry with anonymous tokens, whole and broken: what it asks, and what it makes of faults."""

import asyncio
import logging

import pytest

from mtts.adapters.registry import transport
from mtts.core.errors import (
    BadManifestError,
    ImageDeniedError,
    MttsError,
    RateLimitedError,
    RegistryPolicyError,
    RegistryUnavailableError,
)
from mtts.core.image import ImageRef, Platform, Release
from mtts.core.inventory import RegistryAccess
from mtts.lab.control import REPOSITORY
from mtts.lab.images import LabImage
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault
from tests.adapters.registry.harness import AMD64, ARM, ARM64, UNSIZED, FakeClock, client
from tests.adapters.registry.served import IMAGE


async def resolve(
    lab: LabRegistry,
    tag: str = "stable",
    *,
    clock: FakeClock | None = None,
    platform: Platform = ARM64,
    allow_hosts: tuple[str, ...] = (),
) -> Release:
    access = RegistryAccess(lab.address, insecure=True, allow_hosts=allow_hosts)
    async with client(access, clock=clock) as asked:
        return await asked.resolve(ImageRef.parse(f"{lab.address}/{REPOSITORY}:{tag}"), platform)


def is_whole(release: Release, image: LabImage = IMAGE) -> bool:
    digests = (str(release.index_digest), str(release.manifest_digest))
    return digests == (image.index_digest, image.manifest_digest("linux/arm64"))


def paths(lab: LabRegistry, part: str) -> list[str]:
    return [each.path for each in lab.requests if part in each.path]


async def test_five_hundred_askers_make_one_question_per_image_and_platform(lab: LabRegistry) -> None:
    short = ImageRef.parse(f"{lab.address}/{REPOSITORY}:stable")
    platforms = [ARM64, Platform("linux", "arm64", "v8"), ARM, AMD64] * 125
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        releases = await asyncio.gather(*(asked.resolve(short, platform) for platform in platforms))
    assert [release.platform for release in releases] == platforms
    assert len({release.manifest_digest for release in releases}) == 3
    assert len(paths(lab, "/token")) == 1
    asked_paths = [each.path for each in lab.requests if each.status == 200 and each.path != "/token"]
    assert len(asked_paths) == len(set(asked_paths)) == 1 + 3 + 3  # the index, manifests, configurations
    assert sum(each.status == 401 for each in lab.requests) == 1


async def test_an_error_too_is_found_out_once_for_all_who_ask(lab: LabRegistry) -> None:
    absent = ImageRef.parse(f"{lab.address}/{REPOSITORY}:absent")
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        found = await asyncio.gather(*(asked.resolve(absent, ARM64) for _ in range(50)), return_exceptions=True)
    assert {type(each).__name__ for each in found} == {"ImageNotFoundError"}
    assert len(paths(lab, "/manifests/")) == 2


async def test_a_cancelled_asker_leaves_the_question_to_the_next(lab: LabRegistry) -> None:
    image = ImageRef.parse(f"{lab.address}/{REPOSITORY}:stable")
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        first = asyncio.create_task(asked.resolve(image, ARM64))
        second = asyncio.create_task(asked.resolve(image, ARM64))
        await asyncio.sleep(0)  # to where the first one waits for its answer
        first.cancel()
        assert is_whole(await second)
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_each_repository_gets_its_own_token(lab: LabRegistry) -> None:
    lab.publish(IMAGE, repository="another/image")
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        for name in (REPOSITORY, "another/image"):
            assert is_whole(await asked.resolve(ImageRef.parse(f"{lab.address}/{name}:stable"), ARM64))
    assert len(paths(lab, "/token")) == 2


@pytest.mark.parametrize("part", ["manifests", "blobs", "token"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_passing_failure_is_sat_out(lab: LabRegistry, part: str, status: int) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", on=part, status=status, times=2))  # type: ignore[arg-type]  # a Literal
    assert is_whole(await resolve(lab, clock=clock))
    assert len(clock.sleeps) == 2
    assert all(0 < seconds < 10 for seconds in clock.sleeps)


@pytest.mark.parametrize(
    ("status", "error"), [(429, RateLimitedError), (500, RegistryUnavailableError), (503, RegistryUnavailableError)]
)
async def test_a_lasting_failure_is_told_after_four_tries(
    lab: LabRegistry, status: int, error: type[MttsError]
) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", on="any", status=status))
    with pytest.raises(error, match=str(status)):
        await resolve(lab, clock=clock)
    assert len(clock.sleeps) == 3
    assert len(lab.requests) == 4


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 451])
async def test_a_final_refusal_is_not_asked_twice(lab: LabRegistry, status: int) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", status=status))
    with pytest.raises(MttsError, match=str(status)):
        await resolve(lab, clock=clock)
    assert clock.sleeps == []
    assert len(lab.requests) == 1


async def test_retry_after_is_honoured(lab: LabRegistry) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", status=429, retry_after="17", times=1))
    lab.faults.add(RegistryFault("status", status=429, retry_after="Fri, 15 Jan 2027 08:00:48 GMT", times=1))
    assert is_whole(await resolve(lab, clock=clock))
    assert 17 <= clock.sleeps[0] < 18
    assert 48 - 18 <= clock.sleeps[1] < 48 - 17 + 1


async def test_a_registry_that_wants_more_patience_than_a_run_has_is_left_alone(lab: LabRegistry) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("status", status=429, retry_after="3600"))
    with pytest.raises(RateLimitedError, match="it asks to wait 3600 s") as caught:
        await resolve(lab, clock=clock)
    assert caught.value.retry_after_s == 3600
    assert clock.sleeps == []
    assert len(lab.requests) == 1


@pytest.mark.parametrize("part", ["manifests", "blobs"])
async def test_a_broken_off_answer_is_asked_for_again(lab: LabRegistry, part: str) -> None:
    clock = FakeClock()
    lab.faults.add(RegistryFault("truncate", on=part, times=2))  # type: ignore[arg-type]  # a Literal
    assert is_whole(await resolve(lab, "unsized", clock=clock), UNSIZED)
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize("part", ["manifests", "blobs"])
async def test_damage_is_asked_for_again_and_never_taken_for_an_update(lab: LabRegistry, part: str) -> None:
    lab.faults.add(RegistryFault("damage", on=part, times=1))  # type: ignore[arg-type]  # a Literal
    assert is_whole(await resolve(lab, "unsized"), UNSIZED)


async def test_damage_that_lasts_is_an_error(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("damage", on="blobs"))
    with pytest.raises(BadManifestError, match="twice sent the configuration"):
        await resolve(lab)


async def test_a_missing_digest_header_is_made_up_for_by_hashing(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("no-digest"))
    assert is_whole(await resolve(lab))


async def test_a_lying_digest_header_is_found_out_and_the_body_believed(
    lab: LabRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    lab.faults.add(RegistryFault("wrong-digest"))
    assert is_whole(await resolve(lab))
    assert f"/v2/{REPOSITORY}/manifests/{IMAGE.index_digest}" in paths(lab, "/manifests/")
    assert "wrong Docker-Content-Digest" in caplog.text


async def test_a_token_that_expires_in_the_middle_is_replaced(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("expired-token", on="blobs", times=1))
    clock = FakeClock()
    assert is_whole(await resolve(lab, clock=clock))
    assert len(paths(lab, "/token")) == 2
    assert clock.sleeps == []


async def test_a_token_is_used_until_its_margin_and_then_replaced_without_being_refused(lab: LabRegistry) -> None:
    clock = FakeClock()
    names = ["stable", "unsized", "absent"]
    async with client(RegistryAccess(lab.address, insecure=True), clock=clock) as asked:
        for tag, elapsed_s, tokens in zip(names, [0, 269, 271], [1, 1, 2], strict=True):
            clock.elapsed_s = elapsed_s
            await asyncio.gather(
                asked.resolve(ImageRef.parse(f"{lab.address}/{REPOSITORY}:{tag}"), ARM64), return_exceptions=True
            )
            assert len(paths(lab, "/token")) == tokens
    assert sum(each.status == 401 for each in lab.requests) == 1


async def test_a_private_image_is_denied_with_what_helps(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("denied", on="token"))
    with pytest.raises(ImageDeniedError, match=r"anonymous clients \(401\): UNAUTHORIZED") as caught:
        await resolve(lab)
    assert f"registries: {{{lab.address}: {{username: …" in caught.value.problem.hint
    assert len(lab.requests) == 3


async def test_a_redirect_to_an_allowed_host_is_followed_without_the_token(
    lab: LabRegistry, other: LabRegistry
) -> None:
    lab.faults.add(RegistryFault("redirect", on="any", host=other.address))
    assert is_whole(await resolve(lab, allow_hosts=("127.0.0.2",)))
    assert [each.had_authorization for each in other.requests] == [False] * 3
    assert sum(each.had_authorization for each in lab.requests) == 3


async def test_a_redirect_to_a_private_address_is_refused_unless_it_is_named(
    lab: LabRegistry, other: LabRegistry
) -> None:
    lab.faults.add(RegistryFault("redirect", on="any", host=other.address))
    with pytest.raises(RegistryPolicyError, match=r"non-public address 127\.0\.0\.2") as caught:
        await resolve(lab)
    assert "allow_hosts: [127.0.0.2]" in caught.value.problem.hint
    assert other.requests == []


async def test_a_circle_of_redirects_ends(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("redirect", on="any", host=lab.address))
    with pytest.raises(MttsError, match="redirects more than 5 times"):
        await resolve(lab)


async def test_an_answer_that_stops_half_way_is_not_waited_for_without_end(
    lab: LabRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(transport, "EXCHANGE_S", 0.05)
    lab.faults.add(RegistryFault("stall"))
    with pytest.raises(RegistryUnavailableError, match=r"no complete answer in time from 127\.0\.0\.1"):
        await resolve(lab, clock=clock)
    assert len(clock.sleeps) == 3


async def test_the_size_of_a_release_is_measured_once(lab: LabRegistry) -> None:
    image = ImageRef.parse(f"{lab.address}/{REPOSITORY}:unsized")
    by_digest = ImageRef.parse(f"{lab.address}/{REPOSITORY}@{UNSIZED.manifest_digest('linux/arm64')}")
    async with client(RegistryAccess(lab.address, insecure=True)) as asked:
        releases = await asyncio.gather(*(asked.resolve(each, ARM64) for each in [image, by_digest] * 10))
    assert {release.extracted_bytes for release in releases} == {20_000}
    layers = [path for path in paths(lab, "/blobs/") if str(releases[0].config_digest) not in path]
    assert len(layers) == len(set(layers)) == 2


async def test_no_log_at_any_level_holds_a_token(lab: LabRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert is_whole(await resolve(lab))
    for token in lab._tokens._grants:
        assert token not in caplog.text
