"""A simulated router's pull against the lab's registry: what it gets, and what it says when it gets nothing."""

from collections.abc import AsyncIterator

import pytest

from mtts.lab.images import build_image, digest_of
from mtts.lab.pull import PullError, pull
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault

REPOSITORY = "team/mikrotik-tailscale"


@pytest.fixture
async def registry() -> AsyncIterator[LabRegistry]:
    registry = LabRegistry()
    await registry.start()
    yield registry
    await registry.stop()


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
