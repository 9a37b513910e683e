"""The client against a real registry that wants tokens of a real token service, elsewhere, by its own rules."""

import asyncio
import base64

import pytest

from mtts.core.errors import ImageDeniedError
from mtts.core.image import ImageRef
from mtts.core.inventory import RegistryAccess
from mtts.core.secret import Literal, Secret
from tests.adapters.registry.harness import AMD64, ARM, ARM64, client
from tests.adapters.registry.served import IMAGE
from tests.adapters.registry.token_service import REPOSITORIES, SERVICE, TokenService
from tests.registries import RealRegistry


@pytest.fixture
def registry(token_registry: tuple[RealRegistry, TokenService]) -> RealRegistry:
    return token_registry[0]


@pytest.fixture
def service(token_registry: tuple[RealRegistry, TokenService]) -> TokenService:
    token_registry[1].queries.clear()
    token_registry[1].authorizations.clear()
    return token_registry[1]


async def test_each_repository_is_read_with_a_token_of_its_own(registry: RealRegistry, service: TokenService) -> None:
    images = [ImageRef.parse(f"{registry.address}/{repository}:stable") for repository in REPOSITORIES]
    async with client(RegistryAccess(registry.address, insecure=True)) as asked:
        releases = await asyncio.gather(
            *(asked.resolve(each, platform) for each in images for platform in (ARM64, ARM, AMD64) * 10)
        )
    assert {str(release.index_digest) for release in releases} == {IMAGE.index_digest}
    expected = {IMAGE.manifest_digest(name) for name in ("linux/arm64", "linux/arm/v7", "linux/amd64")}
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
