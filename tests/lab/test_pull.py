"""A simulated router's pull against the lab's registry: what it gets, and what it says when it gets nothing."""

import asyncio
import json

import pytest

from mtts.lab.images import LabImage, build_image, digest_of
from mtts.lab.pull import PullError, pull
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault

REPOSITORY = "team/mikrotik-tailscale"


def stable(registry: LabRegistry) -> str:
    return f"{registry.address}/{REPOSITORY}:stable"


@pytest.mark.parametrize(
    ("architecture", "platform"),
    [("arm64", "linux/arm64"), ("x86_64", "linux/amd64"), ("arm", "linux/arm/v7")],
)
async def test_a_router_gets_the_manifest_of_its_own_platform(
    registry: LabRegistry, architecture: str, platform: str
) -> None:
    image = build_image("1.98.9-mt.1", extracted_bytes=50_000, attested=True)
    registry.publish(image)
    pulled = await pull(stable(registry), architecture=architecture)
    assert pulled.index_digest == image.index_digest
    assert pulled.manifest_digest == image.manifest_digest(platform)
    assert pulled.config_digest == digest_of(image.blobs[pulled.config_digest])
    assert pulled.config["config"]["Labels"]["org.opencontainers.image.version"] == "1.98.9-mt.1"


async def test_a_pull_unpacks_to_exactly_the_size_asked_for(registry: LabRegistry) -> None:
    registry.publish(build_image("1", extracted_bytes=1_234_567))
    pulled = await pull(stable(registry), architecture="arm64")
    assert pulled.extracted_bytes == sum(pulled.files.values()) == 1_234_567
    assert pulled.compressed_bytes == sum(pulled.layer_sizes) > 1_234_567
    assert pulled.files["/usr/local/bin/tailscaled"] > 1_000_000
    assert {"/bin/busybox", "/entrypoint.sh", "/etc/ssl/certs/ca-certificates.crt"} <= pulled.files.keys()


async def test_a_private_repository_is_an_auth_error_in_the_words_of_a_router(registry: LabRegistry) -> None:
    registry.publish(build_image("1", extracted_bytes=5_000))
    registry.faults.add(RegistryFault("denied", on="token"))
    with pytest.raises(PullError) as failure:
        await pull(stable(registry), architecture="arm64")
    assert failure.value.text == (
        f"fetch manifest failed: getting http://{registry.address}/v2/{REPOSITORY}/manifests/stable failed: auth error"
    )


def broken(registry: LabRegistry, tail: str, reference: str = "stable") -> str:
    """What a router says when a manifest could not be had."""
    return f"fetch manifest failed: getting http://{registry.address}/v2/{REPOSITORY}/manifests/{reference} {tail}"


@pytest.fixture
def image(registry: LabRegistry) -> LabImage:
    image = build_image("1", extracted_bytes=100_000)
    registry.publish(image)
    return image


@pytest.mark.parametrize("name", ["stable", "1.98.9"])
async def test_a_tag_that_is_not_there_is_said_with_its_status(registry: LabRegistry, name: str) -> None:
    with pytest.raises(PullError) as failure:
        await pull(f"{registry.address}/{REPOSITORY}:{name}", architecture="arm64")
    assert failure.value.text == broken(registry, "failed: Status 404, Not Found", name)


@pytest.mark.parametrize(
    ("fault", "tail"),
    [
        (RegistryFault("status", status=429), "failed: Status 429, Too Many Requests"),
        (RegistryFault("status", status=503), "failed: Status 503, Service Unavailable"),
        (RegistryFault("status", status=403), "failed: auth error"),
        (RegistryFault("status", on="token", status=500), "failed: auth error"),
        (RegistryFault("expired-token"), "failed: auth error"),
        (RegistryFault("truncate"), "failed: connection closed before the end of the answer"),
    ],
    ids=str,
)
async def test_what_the_registry_does_wrong_is_said_as_a_router_says_it(
    registry: LabRegistry, image: LabImage, fault: RegistryFault, tail: str
) -> None:
    registry.faults.add(fault)
    with pytest.raises(PullError) as failure:
        await pull(stable(registry), architecture="arm64")
    assert failure.value.text == broken(registry, tail)


async def test_a_manifest_that_does_not_hash_to_its_digest_is_refused(registry: LabRegistry, image: LabImage) -> None:
    digest = image.manifest_digest("linux/arm64")
    registry.faults.add(RegistryFault("damage"))
    with pytest.raises(PullError) as failure:
        await pull(f"{registry.address}/{REPOSITORY}@{digest}", architecture="arm64")
    assert failure.value.text == broken(registry, "failed: digest mismatch", digest)


async def test_a_lying_digest_header_is_not_believed_and_does_no_harm(registry: LabRegistry, image: LabImage) -> None:
    registry.faults.add(RegistryFault("wrong-digest"))
    pulled = await pull(stable(registry), architecture="arm64")
    assert (pulled.index_digest, pulled.manifest_digest) == (image.index_digest, image.manifest_digest("linux/arm64"))


async def test_a_damaged_configuration_is_refused(registry: LabRegistry, image: LabImage) -> None:
    registry.faults.add(RegistryFault("damage", on="blobs", times=1))
    with pytest.raises(PullError, match=r"^fetch config failed: getting http://.* failed: digest mismatch$"):
        await pull(stable(registry), architecture="arm64")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (RegistryFault("damage", on="blobs", after=1), "failed to extract layer {digest}: layer is not gzip"),
        (
            RegistryFault("status", on="blobs", after=1),
            "getting layer {digest} failed: Status 500, Internal Server Error",
        ),
        (
            RegistryFault("truncate", on="blobs", after=1),
            "getting layer {digest} failed: connection closed before the end of the answer",
        ),
    ],
    ids=str,
)
async def test_a_pull_that_fails_at_its_first_layer_names_the_layer(
    registry: LabRegistry, image: LabImage, fault: RegistryFault, text: str
) -> None:
    manifest = json.loads(image.manifests[image.manifest_digest("linux/arm64")])
    registry.faults.add(fault)
    with pytest.raises(PullError) as failure:
        await pull(stable(registry), architecture="arm64")
    assert failure.value.text == text.format(digest=manifest["layers"][0]["digest"])


async def test_a_token_that_expires_midway_is_replaced(registry: LabRegistry, image: LabImage) -> None:
    registry.faults.add(RegistryFault("expired-token", on="blobs", times=1))
    pulled = await pull(stable(registry), architecture="arm64")
    assert pulled.manifest_digest == image.manifest_digest("linux/arm64")
    assert [each.path for each in registry.requests].count("/token") == 2


async def test_a_redirected_blob_comes_from_the_other_host_without_our_token(
    registry: LabRegistry, image: LabImage
) -> None:
    store = LabRegistry()
    await store.start()
    store.publish(image)
    store.faults.add(RegistryFault("no-auth", on="any"))
    registry.faults.add(RegistryFault("redirect", on="blobs", host=store.address))
    pulled = await pull(stable(registry), architecture="arm64")
    await store.stop()
    assert pulled.extracted_bytes == 100_000
    assert len(store.requests) == 3
    assert not any(each.had_authorization for each in store.requests)


async def test_redirects_in_a_circle_end(registry: LabRegistry, image: LabImage) -> None:
    registry.faults.add(RegistryFault("redirect", host=registry.address))
    with pytest.raises(PullError, match=r"failed: too many redirects$"):
        await pull(stable(registry), architecture="arm64")


@pytest.mark.parametrize("architecture", ["arm", "mipsbe"])
async def test_an_image_without_the_routers_platform_is_not_pulled(registry: LabRegistry, architecture: str) -> None:
    registry.publish(build_image("1", platforms=["linux/arm64"], extracted_bytes=5000, attested=True))
    with pytest.raises(PullError) as failure:
        await pull(stable(registry), architecture=architecture)
    assert failure.value.text == f"no matching manifest for platform linux/{architecture}"


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        (["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
        (["linux/arm/v5", "linux/arm64"], "linux/arm/v5"),
        (["linux/arm"], "linux/arm"),
    ],
)
async def test_a_32_bit_router_takes_the_best_variant_that_there_is(
    registry: LabRegistry, platforms: list[str], chosen: str
) -> None:
    image = build_image("1", platforms=platforms, extracted_bytes=5000)
    registry.publish(image)
    assert (await pull(stable(registry), architecture="arm")).manifest_digest == image.manifest_digest(chosen)


async def test_a_registry_that_is_down_refuses_the_connection() -> None:
    registry = LabRegistry()
    await registry.start()
    await registry.stop()
    with pytest.raises(PullError) as failure:
        await pull(stable(registry), architecture="arm64")
    assert failure.value.text == broken(registry, "failed: connection refused")


@pytest.mark.parametrize("host", ["registry.example.net", "10.0.0.1:5000", "docker.io"])
async def test_no_host_beyond_this_machine_is_ever_asked(host: str) -> None:
    with pytest.raises(PullError) as failure:
        await pull(f"{host}/team/x:stable", architecture="arm64")
    assert failure.value.text == "resolving error"


async def test_a_redirect_beyond_this_machine_is_not_followed(registry: LabRegistry, image: LabImage) -> None:
    registry.faults.add(RegistryFault("redirect", host="registry.example.net"))
    with pytest.raises(PullError, match=r"^resolving error$"):
        await pull(stable(registry), architecture="arm64")


@pytest.mark.parametrize(("host", "text"), [("[", "failed: bad redirect$"), ("127.0.0.1:x", "unsupported address$")])
async def test_a_redirect_to_no_address_at_all_is_a_failure(
    registry: LabRegistry, image: LabImage, host: str, text: str
) -> None:
    registry.faults.add(RegistryFault("redirect", host=host))
    with pytest.raises(PullError, match=text):
        await pull(stable(registry), architecture="arm64")


@pytest.mark.parametrize(
    "reference", ["", "team/x:y z", "127.0.0.1:5000/Team/x", "127.0.0.1/x@sha256:12", "http://a/b"]
)
async def test_what_is_no_reference_is_not_pulled(reference: str) -> None:
    with pytest.raises(PullError, match=r"^invalid image reference"):
        await pull(reference, architecture="arm64")


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (b"[]", "invalid json"),
        (b"<html>", "invalid json"),
        (b'{"schemaVersion":1}', "no config found in manifest"),
        (b'{"manifests":[{}]}', "no matching manifest"),
    ],
)
async def test_a_tag_on_something_else_than_an_image_is_said(registry: LabRegistry, index: bytes, text: str) -> None:
    registry.publish(LabImage("1", index, {}, {}))
    with pytest.raises(PullError, match=text):
        await pull(stable(registry), architecture="arm64")


async def test_many_routers_pull_at_once_and_all_get_it(registry: LabRegistry, image: LabImage) -> None:
    pulls = await asyncio.gather(*(pull(stable(registry), architecture="arm64") for _ in range(50)))
    assert {each.manifest_digest for each in pulls} == {image.manifest_digest("linux/arm64")}
    assert len(registry.requests) == 50 * 7
