"""A lab whose time stands still until a test moves it, clients that hang up at the end, a registry by itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.registry import LabRegistry
from mtts.lab.router import LabRouter
from tests.lab.ground import Ground, publish
from tests.lab.talker import Talker

Login = Callable[..., Awaitable[Talker]]
MakeGround = Callable[..., Awaitable[Ground]]


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as lab:
        yield lab


@pytest.fixture
async def login() -> AsyncIterator[Login]:
    talkers: list[Talker] = []

    async def connect(router: LabRouter, user: str = "mtts", password: str = PASSWORD) -> Talker:
        talker = await Talker.login(router, user, password)
        talkers.append(talker)
        return talker

    yield connect
    for talker in talkers:
        await talker.close()


@pytest.fixture
async def registry() -> AsyncIterator[LabRegistry]:
    registry = LabRegistry()
    await registry.start()
    yield registry
    await registry.stop()


@pytest.fixture
def ground(lab: Lab, login: Login) -> MakeGround:
    async def make(name: str = "r1", **options: Any) -> Ground:
        publish(lab)
        base = options.pop("base", "")
        router = await lab.add_router(name, **options)
        return Ground(lab, router, await login(router), base)

    return make
