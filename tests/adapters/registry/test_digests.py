"""Which release an image is for a platform: what is asked for it, what is not, and a tag that moves meanwhile."""

import asyncio
import json
from collections import Counter

import pytest
import respx

from mtts.core.errors import ImageNotFoundError, MttsError
from mtts.core.image import Digest, ImageRef, ReleaseDigests
from mtts.core.inventory import RegistryAccess
from mtts.lab.control import REPOSITORY
from mtts.lab.images import INDEX_TYPE, MANIFEST_TYPE, LabImage, build_image, replace_platforms
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault
from tests.adapters.registry.harness import AMD64, ARM, ARM64, UNSIZED, answered, client, image_of
from tests.adapters.registry.served import IMAGE, Served, document

NEWER = build_image("1.98.10-mt.1", extracted_bytes=20_000)
ARM64_REBUILT = replace_platforms(IMAGE, NEWER, "linux/arm64")


def digests_of(image: LabImage, platform: str = "linux/arm64") -> ReleaseDigests:
    return ReleaseDigests(Digest(image.index_digest), Digest(image.manifest_digest(platform)))


def access(lab: LabRegistry) -> RegistryAccess:
    return RegistryAccess(lab.address, insecure=True)


async def test_the_index_alone_tells_the_release_of_every_platform(lab: LabRegistry) -> None:
    async with client(access(lab)) as asked:
        for platform in (ARM64, ARM, AMD64):
            assert await asked.digests(image_of(lab), platform) == digests_of(IMAGE, str(platform))
    assert answered(lab) == ["GET manifests/stable"]


async def test_two_hundred_askers_of_three_platforms_ask_one_question_of_each_kind(lab: LabRegistry) -> None:
    image, platforms = image_of(lab), [ARM64, ARM, AMD64, ARM64] * 50
    async with client(access(lab)) as asked:
        tags = await asyncio.gather(*(asked.tag_digest(image) for _ in platforms))
        digests = await asyncio.gather(*(asked.digests(image, platform) for platform in platforms))
        releases = await asyncio.gather(*(asked.resolve(image, platform) for platform in platforms))
    assert set(tags) == {Digest(IMAGE.index_digest)}
    assert digests == [digests_of(IMAGE, str(platform)) for platform in platforms]
    assert [release.digests for release in releases] == digests
    expected = ["HEAD manifests/stable", "GET manifests/stable"]
    expected += [f"GET manifests/{digests_of(IMAGE, str(platform)).manifest}" for platform in (ARM64, ARM, AMD64)]
    expected += [f"GET blobs/{digest}" for digest in {str(release.config_digest) for release in releases}]
    assert Counter(answered(lab)) == Counter(expected)
    assert len(expected) == 2 + 3 + 3
    assert sum(each.path == "/token" for each in lab.requests) == 1


async def test_all_questions_at_once_are_still_asked_once(lab: LabRegistry) -> None:
    image, platforms = image_of(lab), [ARM64, ARM, AMD64] * 20
    async with client(access(lab)) as asked:
        await asyncio.gather(
            *(asked.tag_digest(image) for _ in platforms),
            *(asked.digests(image, platform) for platform in platforms),
            *(asked.resolve(image, platform) for platform in platforms),
        )
    assert set(Counter(answered(lab)).values()) == {1}
    assert sum("manifests" in each for each in answered(lab)) == 2 + 3


async def test_a_single_manifest_is_judged_by_its_configuration_which_resolve_does_not_fetch_again() -> None:
    body = IMAGE.manifests[IMAGE.manifest_digest("linux/arm64")]
    served = Served(overrides={"/stable": lambda _: document(body, MANIFEST_TYPE, None)})
    image = ImageRef.parse("r.example/a/b:stable")
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client() as asked:
            assert await asked.digests(image, ARM64) == ReleaseDigests(None, digests_of(IMAGE).manifest)
            with pytest.raises(ImageNotFoundError, match="no build for linux/arm/v7; it has linux/arm64") as caught:
                await asked.digests(image, ARM)
            assert (await asked.resolve(image, ARM64)).digests.manifest == digests_of(IMAGE).manifest
    assert caught.value.problem.code == "platform-missing"
    assert [request.url.path for request in served.requests] == [
        "/v2/a/b/manifests/stable",
        f"/v2/a/b/blobs/{served.config_digest}",
    ]


async def test_entries_without_a_platform_are_judged_by_their_configurations() -> None:
    entries = [
        {key: value for key, value in entry.items() if key != "platform"}
        for entry in json.loads(IMAGE.index)["manifests"]
    ]
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}).encode()
    served = Served(overrides={"/stable": lambda _: document(body, INDEX_TYPE, None)})
    image = ImageRef.parse("r.example/a/b:stable")
    with respx.mock as router:
        router.route().mock(side_effect=served)
        async with client() as asked:
            found = await asked.digests(image, ARM64)
            assert (await asked.resolve(image, ARM64)).digests == found
    assert found.manifest == digests_of(IMAGE).manifest
    assert len(served.requests) == 1 + 3 + 3


async def test_a_missing_platform_is_told_by_the_index_alone(lab: LabRegistry) -> None:
    lab.publish(build_image("1", extracted_bytes=9000, platforms=["linux/amd64", "linux/arm64"]), tags=["few"])
    async with client(access(lab)) as asked:
        with pytest.raises(ImageNotFoundError, match=r"no build for linux/arm/v7; it has linux/amd64, linux/arm64$"):
            await asked.digests(image_of(lab, "few"), ARM)
    assert answered(lab) == ["GET manifests/few"]


async def test_an_absent_tag_is_not_found_however_often(lab: LabRegistry) -> None:
    async with client(access(lab)) as asked:
        for _ in range(3):
            with pytest.raises(ImageNotFoundError, match="MANIFEST_UNKNOWN"):
                await asked.digests(image_of(lab, "absent"), ARM64)
    assert sum("absent" in each.path for each in lab.requests) == 2  # without a token, and with


async def test_a_rebuild_for_one_platform_moves_the_index_and_leaves_the_others(lab: LabRegistry) -> None:
    async with client(access(lab)) as asked:
        before = [await asked.digests(image_of(lab), platform) for platform in (ARM64, ARM, AMD64)]
    lab.publish(ARM64_REBUILT)
    async with client(access(lab)) as asked:
        assert await asked.tag_digest(image_of(lab)) == Digest(ARM64_REBUILT.index_digest)
        after = [await asked.digests(image_of(lab), platform) for platform in (ARM64, ARM, AMD64)]
    assert {each.index for each in after} == {Digest(ARM64_REBUILT.index_digest)}
    assert [one.manifest == other.manifest for one, other in zip(before, after, strict=True)] == [False, True, True]


async def test_a_tag_that_moves_during_a_run_is_seen_by_who_looks_again_and_by_nobody_else(lab: LabRegistry) -> None:
    image = image_of(lab)
    async with client(access(lab)) as asked:
        first = await asked.digests(image, ARM64)
        lab.publish(NEWER)
        assert await asked.digests(image, ARM64, fresh=True) == digests_of(NEWER)
        assert await asked.digests(image, ARM64) == first == digests_of(IMAGE)
        assert (await asked.resolve(image, ARM64)).digests == first
        assert await asked.tag_digest(image) == first.index
        newer = ImageRef.parse(f"{lab.address}/{REPOSITORY}@{NEWER.index_digest}")
        assert (await asked.resolve(newer, ARM64)).digests == digests_of(NEWER)


async def test_a_tag_that_did_not_move_costs_a_head_to_look_again(lab: LabRegistry) -> None:
    image = image_of(lab)
    async with client(access(lab)) as asked:
        first = await asked.digests(image, ARM64)
        lab.requests.clear()
        assert await asked.digests(image, ARM64, fresh=True) == first
        assert await asked.digests(image, ARM, fresh=True) == digests_of(IMAGE, "linux/arm/v7")
    assert answered(lab) == ["HEAD manifests/stable"] * 2


@pytest.mark.parametrize(
    "fault",
    [
        RegistryFault("status", status=405, method="HEAD"),
        RegistryFault("no-digest", method="HEAD"),
        RegistryFault("wrong-digest", method="HEAD"),
    ],
    ids=["refused", "silent", "lying"],
)
async def test_looking_again_needs_no_honest_head(lab: LabRegistry, fault: RegistryFault) -> None:
    image = image_of(lab)
    async with client(access(lab)) as asked:
        first = await asked.digests(image, ARM64)
        lab.faults.add(fault)
        assert await asked.digests(image, ARM64, fresh=True) == first
        lab.publish(NEWER)
        assert await asked.digests(image, ARM64, fresh=True) == digests_of(NEWER)


async def test_looking_again_where_nothing_was_seen_yet_is_a_first_look(lab: LabRegistry) -> None:
    async with client(access(lab)) as asked:
        assert await asked.digests(image_of(lab), ARM64, fresh=True) == digests_of(IMAGE)
    assert answered(lab) == ["GET manifests/stable"]


async def test_an_error_of_the_run_does_not_stop_who_looks_again(lab: LabRegistry) -> None:
    lab.faults.add(RegistryFault("status", status=503, times=4))
    async with client(access(lab)) as asked:
        with pytest.raises(MttsError, match="503"):
            await asked.digests(image_of(lab), ARM64)
        assert await asked.digests(image_of(lab), ARM64, fresh=True) == digests_of(IMAGE)
        with pytest.raises(MttsError, match="503"):
            await asked.digests(image_of(lab), ARM64)


async def test_a_failure_to_look_again_is_an_error_and_no_release(lab: LabRegistry) -> None:
    async with client(access(lab)) as asked:
        await asked.digests(image_of(lab), ARM64)
        lab.faults.add(RegistryFault("status", status=503))
        with pytest.raises(MttsError, match="503"):
            await asked.digests(image_of(lab), ARM64, fresh=True)


async def test_a_digest_never_moves_and_is_not_looked_at_again(lab: LabRegistry) -> None:
    image = ImageRef.parse(f"{lab.address}/{REPOSITORY}:stable@{IMAGE.index_digest}")
    async with client(access(lab)) as asked:
        for _ in range(3):
            assert await asked.digests(image, ARM64, fresh=True) == digests_of(IMAGE)
    assert answered(lab) == [f"GET manifests/{IMAGE.index_digest}"]


async def test_a_size_that_an_earlier_run_found_is_not_measured_again(lab: LabRegistry) -> None:
    known = {Digest(UNSIZED.manifest_digest("linux/arm64")): 12_345}
    async with client(access(lab), known_sizes=known) as asked:
        assert (await asked.resolve(image_of(lab, "unsized"), ARM64)).extracted_bytes == 12_345
        assert sum("blobs" in each for each in answered(lab)) == 1
        assert (await asked.resolve(image_of(lab, "unsized"), ARM)).extracted_bytes == 20_000
        assert sum("blobs" in each for each in answered(lab)) == 1 + 3


async def test_what_an_image_declares_counts_before_what_was_known_of_it(lab: LabRegistry) -> None:
    known = {Digest(IMAGE.manifest_digest("linux/arm64")): 12_345}
    async with client(access(lab), known_sizes=known) as asked:
        assert (await asked.resolve(image_of(lab), ARM64)).extracted_bytes == 20_000
