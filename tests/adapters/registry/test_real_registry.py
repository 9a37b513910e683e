"""The client against a real registry, and against what skopeo says of the same images."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator

import pytest

from mtts.adapters.registry.client import HttpxRegistry
from mtts.core.errors import ImageNotFoundError, MttsError
from mtts.core.image import ImageRef, Platform
from mtts.core.inventory import RegistryAccess
from mtts.lab.images import EXTRACTED_SIZE_LABEL, LabImage, build_image
from tests.adapters.registry.harness import AMD64, ARM, ARM64, FakeClock, client
from tests.registries import REPOSITORY, RealRegistry, inspect_raw, real_registry

EXTRACTED_BYTES = 60_000


@pytest.fixture(scope="module")
def image() -> LabImage:
    return build_image("1.98.9-mt.1", extracted_bytes=EXTRACTED_BYTES, cmd=["--verbose=1"], attested=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, image: LabImage) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        registry.push(image)
        registry.push(image, tag="single", platform="linux/arm/v7")
        registry.push(
            build_image("2", extracted_bytes=EXTRACTED_BYTES, labels={EXTRACTED_SIZE_LABEL: "unknown"}), tag="unsized"
        )
        yield registry


def access(registry: RealRegistry) -> RegistryAccess:
    return RegistryAccess(registry.address, insecure=True)


def reference(registry: RealRegistry, tag: str = "stable") -> ImageRef:
    return ImageRef.parse(f"{registry.address}/{REPOSITORY}:{tag}")


def sha256(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("platform", [ARM64, ARM, AMD64])
async def test_the_digests_are_those_of_the_bytes_that_skopeo_gets(registry: RealRegistry, platform: Platform) -> None:
    image = reference(registry)
    async with client(access(registry)) as asked:
        release = await asked.resolve(image, platform)
    index = inspect_raw(f"{registry.address}/{REPOSITORY}:stable")
    manifest = inspect_raw(f"{registry.address}/{REPOSITORY}@{release.manifest_digest}")
    named = [
        each["digest"]
        for each in json.loads(index)["manifests"]
        if (each["platform"]["architecture"], each["platform"].get("variant"))
        == (platform.architecture, platform.variant)
    ]
    assert str(release.index_digest) == sha256(index)
    assert str(release.manifest_digest) == sha256(manifest) == named[0]
    assert str(release.config_digest) == json.loads(manifest)["config"]["digest"]
    assert release.compressed_bytes == sum(layer["size"] for layer in json.loads(manifest)["layers"])


async def test_a_release_carries_what_the_image_says_of_itself(registry: RealRegistry) -> None:
    async with client(access(registry)) as asked:
        release = await asked.resolve(reference(registry), ARM64)
    assert release.image == reference(registry)
    assert release.platform == ARM64
    assert release.version == "1.98.9-mt.1"
    assert release.extracted_bytes == EXTRACTED_BYTES
    assert release.entrypoint == ("/entrypoint.sh",)
    assert release.cmd == ("--verbose=1",)


async def test_a_tag_on_a_single_manifest_has_no_index_and_is_judged_by_its_configuration(
    registry: RealRegistry, image: LabImage
) -> None:
    async with client(access(registry)) as asked:
        release = await asked.resolve(reference(registry, "single"), ARM)
        assert release.index_digest is None
        assert str(release.manifest_digest) == image.manifest_digest("linux/arm/v7")
        with pytest.raises(ImageNotFoundError, match="no build for linux/arm64; it has linux/arm/v7") as caught:
            await asked.resolve(reference(registry, "single"), ARM64)
    assert caught.value.problem.code == "platform-missing"


async def test_a_size_that_is_not_declared_is_measured_to_the_byte(registry: RealRegistry) -> None:
    async with client(access(registry)) as asked:
        release = await asked.resolve(reference(registry, "unsized"), ARM64)
    assert release.extracted_bytes == EXTRACTED_BYTES


async def test_an_image_can_be_asked_for_by_digest(registry: RealRegistry, image: LabImage) -> None:
    by_index = ImageRef.parse(f"{registry.address}/{REPOSITORY}:ignored@{image.index_digest}")
    by_manifest = ImageRef.parse(f"{registry.address}/{REPOSITORY}@{image.manifest_digest('linux/arm64')}")
    async with client(access(registry)) as asked:
        one, other = await asked.resolve(by_index, ARM64), await asked.resolve(by_manifest, ARM64)
    assert str(one.index_digest) == image.index_digest
    assert dataclasses.replace(other, image=one.image, index_digest=one.index_digest) == one


@pytest.mark.parametrize("platform", ["linux/arm/v5", "linux/riscv64", "linux/amd64/v3"])
async def test_a_missing_platform_is_told_with_those_that_there_are(registry: RealRegistry, platform: str) -> None:
    async with client(access(registry)) as asked:
        with pytest.raises(ImageNotFoundError) as caught:
            await asked.resolve(reference(registry), Platform.parse(platform))
    assert caught.value.problem.code == "platform-missing"
    there = f"no build for {platform}; it has linux/amd64, linux/arm/v7, linux/arm64"
    assert there in caught.value.problem.message


@pytest.mark.parametrize("name", [f"{REPOSITORY}:no-such-tag", "no/such/repository:stable"])
async def test_an_absent_image_is_told_in_the_words_of_the_registry(registry: RealRegistry, name: str) -> None:
    async with client(access(registry)) as asked:
        with pytest.raises(ImageNotFoundError, match=rf"does not find {name} \(404\): MANIFEST_UNKNOWN: ") as caught:
            await asked.resolve(ImageRef.parse(f"{registry.address}/{name}"), ARM64)
    assert caught.value.problem.code == "image-not-found"


async def test_plain_http_is_never_a_fallback_not_even_on_this_machine(registry: RealRegistry) -> None:
    clock = FakeClock()
    async with client(clock=clock) as asked:
        with pytest.raises(MttsError, match="does not speak TLS") as caught:
            await asked.resolve(reference(registry), ARM64)
    assert "insecure: true" in caught.value.problem.hint
    assert clock.sleeps == []


async def test_a_registry_that_is_not_there_is_unavailable_after_four_tries() -> None:
    clock = FakeClock()
    async with client(RegistryAccess("127.0.0.1:1", insecure=True), clock=clock) as asked:
        with pytest.raises(MttsError, match=r"no connection to 127\.0\.0\.1") as caught:
            await asked.resolve(ImageRef.parse("127.0.0.1:1/a"), ARM64)
    assert caught.value.problem.code == "registry-unavailable"
    assert len(clock.sleeps) == 3


async def test_the_client_satisfies_the_port(registry: RealRegistry) -> None:
    from mtts.ports import Registry  # noqa: PLC0415 - a type used for its shape alone

    async with client(access(registry)) as asked:
        port: Registry = asked
        assert isinstance(asked, HttpxRegistry)
        assert (await port.resolve(reference(registry), ARM64)).platform == ARM64
