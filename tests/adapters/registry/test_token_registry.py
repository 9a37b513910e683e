"""The client against a real registry that wants tokens of a real token service, elsewhere, by its own rules."""

import asyncio
import base64
from collections.abc import Iterator

import pytest

from mtts.core.errors import ImageDeniedError
from mtts.core.image import ImageRef
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import Literal, Secret
from mtts.lab.images import LabImage, build_image
from tests.adapters.registry.harness import AMD64, ARM, ARM64, client
from tests.adapters.registry.token_service import SERVICE, TokenService, token_service
from tests.registries import RealRegistry, real_registry

REPOSITORIES = ("team/mikrotik-tailscale", "another/image")


@pytest.fixture(scope="module")
def image() -> LabImage:
    return build_image("1.98.9-mt.1", extracted_bytes=20_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, image: LabImage) -> Iterator[tuple[RealRegistry, TokenService]]:
    directory = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch, token_service(directory) as service:
        for name, value in service.environment.items():
            patch.setenv(name, value)
        with real_registry(directory) as registry:
            for repository in REPOSITORIES:
                registry.push(image, repository=repository)
            yield registry, service


@pytest.fixture
def registry(running: tuple[RealRegistry, TokenService]) -> RealRegistry:
    return running[0]


@pytest.fixture
def service(running: tuple[RealRegistry, TokenService]) -> TokenService:
    running[1].queries.clear()
    running[1].authorizations.clear()
    return running[1]


async def test_each_repository_is_read_with_a_token_of_its_own(
    registry: RealRegistry, service: TokenService, image: LabImage
) -> None:
    images = [ImageRef.parse(f"{registry.address}/{repository}:stable") for repository in REPOSITORIES]
    async with client(RegistryAccess(registry.address, insecure=True)) as asked:
        releases = await asyncio.gather(
            *(asked.resolve(each, platform) for each in images for platform in (ARM64, ARM, AMD64) * 10)
        )
    assert {str(release.index_digest) for release in releases} == {image.index_digest}
    expected = {image.manifest_digest(name) for name in ("linux/arm64", "linux/arm/v7", "linux/amd64")}
    assert {str(release.manifest_digest) for release in releases} == expected
    assert sorted(query["scope"][0] for query in service.queries) == sorted(
        f"repository:{repository}:pull" for repository in REPOSITORIES
    )
    assert all(query["service"] == [SERVICE] and query["via"] == ["test"] for query in service.queries)
    assert service.authorizations == [None, None]


async def test_a_private_repository_is_denied(registry: RealRegistry, service: TokenService) -> None:
    async with client(RegistryAccess(registry.address, insecure=True)) as asked:
        with pytest.raises(ImageDeniedError, match=r"\(401\): UNAUTHORIZED: authentication required"):
            await asked.resolve(ImageRef.parse(f"{registry.address}/private/image:stable"), ARM64)
    assert len(service.queries) == 1


async def test_credentials_reach_the_token_service(registry: RealRegistry, service: TokenService) -> None:
    access = RegistryAccess(
        registry.address, insecure=True, username="bot", password=Literal(Secret("canary-password"))
    )
    async with client(access) as asked:
        await asked.resolve(ImageRef.parse(f"{registry.address}/{REPOSITORIES[0]}:stable"), ARM64)
    (sent,) = service.authorizations
    assert sent is not None
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"bot:canary-password"
