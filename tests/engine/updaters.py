"""A router with a deployed node and its own updater, which the scheduler runs."""

import asyncio
from dataclasses import dataclass

from mtts.adapters.registry.client import HttpxRegistry
from mtts.adapters.scripts import read_script
from mtts.adapters.secrets import open_secret
from mtts.core.dialect import Dialect
from mtts.core.image import Platform
from mtts.core.inventory import RegistryAccess
from mtts.core.updater import POLICY, TAG, UpdaterOrder, render_updater, script_name
from mtts.core.version import Version
from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.container import UP
from mtts.lab.menus.users import POLICIES
from mtts.lab.reply import Reply
from tests.engine.fleet import Deployment, LabClock

ROOT = Caller("admin", frozenset(POLICIES))
DAY_S = 24 * 3600
PLATFORM = Platform("linux", "arm64")


async def updater_text(here: Deployment) -> str:
    """The updater's text for the node as the inventory has it."""
    address = here.lab.registry.address
    access = {address: RegistryAccess(address, insecure=True)}
    async with HttpxRegistry(access, open_secret=open_secret, clock=LabClock(here.lab.clock)) as registry:
        release = await registry.resolve(here.node.image, PLATFORM)
    order = UpdaterOrder(
        node=here.node,
        dialect=Dialect(Version.parse(here.router.device.build.version)),
        release=release,
        registry=f"http://{address}",
        tokens=f"http://{address}/token?service=lab&scope=repository:{here.node.image.repository}:pull",
        disk=None,
        reserve_bytes=here.spec.flash.reserve_bytes,
        timing=here.spec.timing,
    )
    return render_updater(read_script("update-tailscale"), order)


@dataclass(slots=True)
class Updater:
    """The updater of one router; `run` is what the scheduler does."""

    here: Deployment

    async def install(self) -> None:
        """As the printed commands do."""
        name = script_name(self.here.node)
        source = await updater_text(self.here)
        self.ask("/system/script/add", name=name, policy=POLICY, comment=TAG, source=source)
        (row,) = self.here.rows("/system/script", name=name)
        assert row["invalid"] == "false"

    def ask(self, path: str, **args: str) -> Reply:
        """A command of the router's administrator."""
        menu, _, verb = path.rpartition("/")
        named = {name.replace("_", "-"): value for name, value in args.items()}
        answer = self.here.router.device.perform(Call(Command(menu or "/", verb, named), ROOT))
        assert isinstance(answer, Reply), path
        return answer

    async def run(self) -> None:
        """One run from its beginning to its end, or to that of the router's power."""
        self.ask("/execute", script=f"/system/script/run {script_name(self.here.node)}")
        async with asyncio.timeout(60):  # of real time: its questions to the registry are real ones
            while self.here.router.device.scripts.jobs:
                await self.here.wait(1)

    @property
    def memory(self) -> str:
        """The script's own comment."""
        (row,) = self.here.rows("/system/script", name=script_name(self.here.node))
        return row["comment"]

    @property
    def up(self) -> list[str]:
        """Root directories of the containers that run."""
        return [one.root for one in self.here.router.device.engine.containers.values() if one.phase in UP]

    @property
    def said(self) -> list[str]:
        """What scripts wrote into the log."""
        return [row["message"] for row in self.here.router.device.log_rows if row["topics"].startswith("script")]
