"""How long a node is away while it is updated: the A/B swap of `mtts update` next to stop, remove, add, start.

Both on the same kind of simulated router, in simulated seconds by the simulator's own account: of when any container
had a process, which is what the target is about, and of when the node was online, which adds the daemon's way into the
tailnet. Nothing in it depends on this machine. It judges nothing: the target is printed beside the figures.
"""

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from mtts.adapters.store.place import find_place
from mtts.adapters.store.store import SqlStore
from mtts.core.outcome import Outcome
from mtts.lab.fleet import Lab
from mtts.lab.images import LabImage, build_image
from mtts.ports import RouterSession
from tests.engine.conftest import deployments_in
from tests.engine.fleet import REPOSITORY, Deployment, services_for

TARGET: Final = 0.1
VERSIONS: Final = ("7.20.8", "7.23.3")
PLATFORMS: Final = {"arm64": "linux/arm64", "arm": "linux/arm/v7"}
IMAGE_BYTES: Final = {"packed image, 4 MB": 4_000_000, "stock image, 40 MB": 40_000_000}
LINKS: Final = {"LAN, 10 MB/s": 10e6, "LTE, 0.5 MB/s": 0.5e6}
POLL_S: Final = 0.2
"""How often either way looks whether a step is done: as the guard on the router does in a swap."""
LIMIT_S: Final = 3600


Update = Callable[[Deployment], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ground:
    """One kind of router, and what it pulls."""

    version: str
    arch: str
    image_bytes: int
    link_bytes_per_s: float

    def image(self, release: str) -> LabImage:
        """A release of this size."""
        return _image(release, PLATFORMS[self.arch], self.image_bytes)


@dataclass(frozen=True, slots=True)
class Away:
    """What one update cost, in simulated seconds."""

    container_s: float
    """Without any process of a container."""
    tailnet_s: float
    """Without the node in the tailnet."""


class Account:
    """For how long no container of a router had a process.

    Exact, since a process begins and ends in events of the lab's clock alone, and each of them is looked at.
    """

    def __init__(self, here: Deployment) -> None:
        self._here = here
        self._since_s: float | None = None
        self.away_s = 0.0
        here.lab.clock.watchers.append(self._look)

    def _look(self) -> None:
        now_s, containers = self._here.lab.clock.now, self._here.router.device.engine.containers.values()
        if all(container.process is None for container in containers):
            self._since_s = now_s if self._since_s is None else self._since_s
        elif self._since_s is not None:
            self.away_s += now_s - self._since_s
            self._since_s = None


async def main() -> None:
    print("simulated seconds; A/B swap to stop-remove-add-start by hand")
    for (size, image_bytes), (link, bytes_per_s) in itertools.product(IMAGE_BYTES.items(), LINKS.items()):
        print(f"\n{size}, {link}")
        for version, arch in itertools.product(VERSIONS, PLATFORMS):
            ground = Ground(version, arch, image_bytes, bytes_per_s)
            swap, by_hand = await _away(ground, _swap), await _away(ground, _by_hand)
            print(
                f"  RouterOS {version:<7} {arch:<6}"
                f" no container {_beside(swap.container_s, by_hand.container_s)} (target at most {TARGET});"
                f" not in the tailnet {_beside(swap.tailnet_s, by_hand.tailnet_s)}",
                flush=True,
            )


def _beside(swap_s: float, by_hand_s: float) -> str:
    return f"{swap_s:4.1f} to {by_hand_s:5.1f}, ratio {swap_s / by_hand_s:.3f}"


@cache
def _image(release: str, platform: str, extracted_bytes: int) -> LabImage:
    return build_image(release, platforms=(platform,), extracted_bytes=extracted_bytes)


async def _away(ground: Ground, update: Update) -> Away:
    """What one update cost, which must end with the new release online."""
    async with Lab() as lab:
        make = deployments_in(lab)
        here = await make(
            image=ground.image("1.0.0"),
            version=ground.version,
            arch=ground.arch,
            link_bytes_per_s=ground.link_bytes_per_s,
        )
        deployed = await here.deploy()
        if deployed.outcome is not Outcome.DEPLOYED:
            raise RuntimeError(f"the deploy ended as {deployed.outcome}: {deployed.problem}")
        (node,) = here.online
        account, before_s = Account(here), lab.tailnet.away_s(node.id)
        lab.registry.publish(ground.image("2.0.0"), repository=REPOSITORY)
        await update(here)
        if here.online != [node] or node.version != "2.0.0":
            raise RuntimeError("the update did not bring the new release online")
        return Away(account.away_s, lab.tailnet.away_s(node.id) - before_s)


async def _swap(here: Deployment) -> None:
    """`mtts update`."""
    with tempfile.TemporaryDirectory(prefix="mtts-bench-") as directory:
        store = SqlStore(find_place(str(Path(directory) / "state"), {}))
        try:
            result = await here.update(store)
        finally:
            store.close()
    if result.outcome is not Outcome.UPDATED:
        raise RuntimeError(f"the update ended as {result.outcome}: {result.problem}")


async def _by_hand(here: Deployment) -> None:
    """What guides tell to do, by a script that loses next to no time: each step once it sees the last one done."""
    (old,) = here.router.device.engine.containers.values()
    words = here.router.device.schema.arguments("/container", "add") or frozenset()
    settings = {name: value for name, value in old.item.values.items() if name in words}
    async with services_for(here.lab, []) as services, services.routers.session(here.spec) as session:
        await session.command("/container/stop", {".id": old.item.ref})
        await _until(here, session, "stopped")
        await session.remove("/container", old.item.ref)
        await _until(here, session, None)
        new = await session.add("/container", settings)
        await _until(here, session, "stopped")
        await session.command("/container/start", {".id": new})
        while not here.online:
            await here.wait(POLL_S)


async def _until(here: Deployment, session: RouterSession, flag: str | None) -> None:
    """Wait until the only container shows this state, or is gone."""
    for _ in range(int(LIMIT_S / POLL_S)):
        rows = await session.print("/container")
        if rows[0].get(flag) == "true" if rows and flag else not rows and not flag:
            return
        await here.wait(POLL_S)
    raise RuntimeError(f"no container became {flag or 'absent'}")


if __name__ == "__main__":
    asyncio.run(main())
