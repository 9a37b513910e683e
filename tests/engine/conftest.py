"""A lab per test, deployments in it on request, and the marker of the exhaustive runs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtts.adapters.store.place import find_place
from mtts.adapters.store.store import SqlStore
from mtts.core.image import ImageRef
from mtts.core.inventory import NodeSpec, Router, TlsMode
from mtts.core.secret import Literal, Secret
from mtts.lab.boards import BOARD_BY_ARCHITECTURE
from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.images import LabImage
from mtts.ports import Store
from tests.engine.fleet import HOSTNAME, REPOSITORY, Deployment, lab_image

MakeDeployment = Callable[..., Awaitable[Deployment]]


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as lab:
        yield lab


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own, as a first run makes it."""
    store = SqlStore(find_place(str(tmp_path / "state"), {}))
    yield store
    store.close()


@pytest.fixture
def deployment(lab: Lab) -> MakeDeployment:
    """`deployments_in` the test's own lab."""
    return deployments_in(lab)


def deployments_in(lab: Lab) -> MakeDeployment:
    """Makes a router in the lab and the inventory's view of it: one node that nothing was done for yet.

    `image` is published as `stable`; `node` and `in_inventory` change the specification; the rest goes to the router.
    """

    async def make(
        name: str = "router1",
        *,
        image: LabImage | None = None,
        secured: bool = False,
        node: dict[str, Any] | None = None,
        in_inventory: dict[str, Any] | None = None,
        **options: Any,
    ) -> Deployment:
        lab.registry.publish(image or lab_image(), repository=REPOSITORY)
        arch = options.get("arch", "arm64")
        board = options.pop("board", None)
        router = await lab.add_router(name, board=board or BOARD_BY_ARCHITECTURE[arch], tls=secured, **options)
        spec = NodeSpec(
            name="tailscale",
            image=ImageRef.parse(f"{lab.registry.address}/{REPOSITORY}:stable"),
            hostname=HOSTNAME,
            auth_key=Literal(Secret(lab.tailnet.issue_key())),
        )
        found = Router(name=name, host=router.host, username="mtts", password=Literal(Secret(PASSWORD)), nodes=(spec,))
        made = Deployment(lab, router, found)
        if secured:
            made.change(port=router.tls_port, tls=TlsMode.PINNED, fingerprint=router.fingerprint)
        else:
            made.change(port=router.port, tls=TlsMode.OFF)
        made.change(**(in_inventory or {}))
        made.change_node(**(node or {}))
        return made

    return make
