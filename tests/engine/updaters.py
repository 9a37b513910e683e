"""A router with a deployed node and its own updater, which the scheduler runs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mtts.adapters.registry.client import HttpxRegistry
from mtts.adapters.scripts import read_script
from mtts.adapters.secrets import open_secret
from mtts.core.dialect import Dialect
from mtts.core.image import Digest, Platform
from mtts.core.inventory import RegistryAccess
from mtts.core.tag import Tag
from mtts.core.updater import POLICY, TAG, UpdaterOrder, render_updater, script_name
from mtts.core.version import Version
from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.container import UP
from mtts.lab.http import Request, Response
from mtts.lab.journal import JournalEntry
from mtts.lab.menus.users import POLICIES
from mtts.lab.registry import LabRegistry
from mtts.lab.reply import Reply
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, LabClock, lab_image

ROOT = Caller("admin", frozenset(POLICIES))
DAY_S = 24 * 3600
VERSIONS = ("7.18.2", "7.20.8", "7.21.5", "7.23.3", "7.24")
WRITES = {"7.18.2": 9, "7.20.8": 10, "7.21.5": 11, "7.23.3": 14, "7.24": 14}
"""Of a clean update, by the words that a version has."""
NAME = "mtts-updater-tailscale"
EVERY = [pytest.param(version, marks=() if version in ("7.18.2", "7.24") else pytest.mark.slow) for version in VERSIONS]
"""Some of them in the usual run."""
A, B = "mtts/root/tailscale/a", "mtts/root/tailscale/b"
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
    _before: int = 0
    """Rows of the router's log from before it was installed, when mtts deployed the node."""

    async def install(self) -> None:
        """As the printed commands do."""
        self._before = len(self.here.router.device.log_rows)
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

    async def run_while(self, happens: Callable[[], object]) -> None:
        """One run, in which something happens when it asks the registry for the first time."""
        left = [happens]

        def serve(self: LabRegistry, request: Request) -> Response:
            if left:
                left.pop()()
            return serving(self, request)

        serving = LabRegistry._serve
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LabRegistry, "_serve", serve)
            await self.run()
        assert not left, "it was never asked"

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
        """What scripts wrote into the log since then."""
        rows = list(self.here.router.device.log_rows)[self._before :]
        return [row["message"] for row in rows if row["topics"].startswith("script")]


async def with_updater(make: MakeDeployment, version: str = "7.23.3", **options: Any) -> Updater:
    """A router whose node runs the first release, with its updater in place."""
    here = await make(version=version, **options)
    assert (await here.deploy()).problem is None
    await here.wait(60)
    updater = Updater(here)
    await updater.install()
    return updater


def assert_old_serves(updater: Updater) -> None:
    """The first release, alone and as the same node."""
    here = updater.here
    assert updater.up == [A]
    assert here.container.root == A
    assert len(here.online) == 1
    assert len(here.lab.tailnet.nodes) == 1
    tag = Tag.parse(here.container.item.values["comment"])
    assert tag is not None
    assert (tag.is_recorded, tag.version) == (True, "1.2.3")


def assert_new_serves(here: Deployment, version: str = "1.2.4", **kind: Any) -> None:
    """The release of this version, alone, as the same node and recorded."""
    assert len(here.online) == 1
    assert len(here.lab.tailnet.nodes) == 1
    tag = Tag.parse(here.container.item.values["comment"])
    assert tag is not None
    assert (tag.is_recorded, tag.version) == (True, version)
    assert tag.platform == Digest.parse(lab_image(version, **kind).manifest_digest(str(PLATFORM)))
    assert here.container.item.values["start-on-boot"] == "true"


def changes(updater: Updater, since: int) -> list[JournalEntry]:
    """What scripts wrote since then."""
    return [entry for entry in updater.here.router.journal[since:] if entry.is_write and entry.script == NAME]
