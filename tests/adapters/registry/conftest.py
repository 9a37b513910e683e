"""Registries to ask, and no proxy of the machine between a test and its own registry."""

from collections.abc import AsyncIterator, Iterator

import pytest

from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault
from tests.adapters.registry.harness import UNSIZED
from tests.adapters.registry.served import IMAGE
from tests.adapters.registry.token_service import REPOSITORIES, TokenService, token_service
from tests.registries import RealRegistry, real_registry


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def lab() -> AsyncIterator[LabRegistry]:
    """A registry with anonymous tokens."""
    registry = LabRegistry()
    await registry.start()
    registry.publish(IMAGE)
    registry.publish(UNSIZED, tags=["unsized"])
    yield registry
    await registry.stop()


@pytest.fixture
async def other() -> AsyncIterator[LabRegistry]:
    """A second registry with the same images, which wants no token: a store that redirects lead to."""
    registry = LabRegistry(host="127.0.0.2")
    await registry.start()
    registry.publish(IMAGE)
    registry.faults.add(RegistryFault("no-auth", on="any"))
    yield registry
    await registry.stop()


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealRegistry, TokenService]]:
    """A real registry that wants tokens of a real token service; everything public has the same image."""
    directory = tmp_path_factory.mktemp("registry")
    with (
        token_service(directory) as service,
        real_registry(directory, environment=service.environment) as registry,
    ):
        for repository in REPOSITORIES:
            registry.push(IMAGE, repository=repository)
        yield registry, service
