"""One lab, its routers and the inventory's view of them: states a router, deploys, and lets tests look at the result.

Time is the lab's: a sleep of the engine moves it on, so that minutes pass in no time and always in the same way.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from mtts.adapters.processes import SystemProcesses
from mtts.adapters.redaction import Redactor
from mtts.adapters.registry.client import HttpxRegistry
from mtts.adapters.routeros.routers import LibrouterosRouters
from mtts.adapters.scripts import read_script
from mtts.adapters.secrets import SecretStore, open_secret
from mtts.core.events import Emit, Event
from mtts.core.image import ImageRef
from mtts.core.inventory import NodeSpec, RegistryAccess, Router
from mtts.core.outcome import NodeResult
from mtts.core.plan import Plan
from mtts.core.rollout import Rollout
from mtts.core.router_lock import Holder
from mtts.core.secret import Literal, Secret
from mtts.core.transaction_record import Opening, OpenTransaction, TransactionKey
from mtts.engine.deploy import deploy_router
from mtts.engine.fleet import Afterwards, Drain, Fleet, Work
from mtts.engine.quarantine import Quarantine
from mtts.engine.resume import resume_router
from mtts.engine.sample import settled
from mtts.engine.services import Scripts, Services
from mtts.engine.update import Update, UpdateOrder
from mtts.lab.clock import SimClock
from mtts.lab.container import Container
from mtts.lab.fleet import Lab
from mtts.lab.images import PLATFORMS, LabImage, build_image
from mtts.lab.journal import JournalEntry
from mtts.lab.process import World
from mtts.lab.router import LabRouter
from mtts.lab.table import Singleton
from mtts.lab.tailnet import TailnetNode
from mtts.lab.tailscaled import Tailscaled
from mtts.ports import Store

LOCK_PATH = "/system/script"
"""Where a run keeps the router to itself; mtts writes nothing else there."""
VERSIONS = ("7.18.2", "7.19.6", "7.20.8", "7.21.5", "7.22.3", "7.23.3", "7.24")
REPOSITORY = "team/mikrotik-tailscale"
HOSTNAME = "edge1"
RUN_S = 100_000.0
BOOT_S = 31.0


def versions(*usual: str) -> list[Any]:
    """Every version as a parameter, all but the usual ones left to the slow run."""
    return [pytest.param(version, marks=() if version in usual else pytest.mark.slow) for version in VERSIONS]


TABLES = (
    "/interface/bridge",
    "/interface/veth",
    "/interface/bridge/port",
    "/interface/list/member",
    "/ip/address",
    "/ip/route",
    "/ip/firewall/nat",
    "/ip/dns/static",
    "/disk",
    "/container/mounts",
    "/container/envs",
    "/container",
    LOCK_PATH,
)
_MOVING = frozenset({".id", "free", "use", "restart-count"})


@cache
def lab_image(
    version: str = "1.2.3", *, behaviour: str = "ok", platforms: tuple[str, ...] = PLATFORMS, cmd: tuple[str, ...] = ()
) -> LabImage:
    """A small image; the same one each time, since building it takes longer than serving it."""
    return build_image(version, behaviour=behaviour, extracted_bytes=400_000, platforms=platforms, cmd=cmd)


@dataclass(slots=True)
class MemoryJournal:
    """The `Journal` port without a disk: what a machine keeps from run to run."""

    _open: dict[TransactionKey, OpenTransaction] = field(default_factory=dict)

    def begin(self, opening: Opening) -> None:
        known = self._open.get(opening.key, OpenTransaction(opening.key))
        self._open[opening.key] = replace(known, runs=(*known.runs, opening.run))

    def note(self, key: TransactionKey, step: str, *, is_done: bool) -> None:
        known = self._open[key]
        self._open[key] = replace(known, done=known.done | {step}) if is_done else known

    def end(self, key: TransactionKey) -> None:
        self._open.pop(key, None)

    def open_of(self, router: str, node: str) -> Sequence[OpenTransaction]:
        return [one for key, one in self._open.items() if (key.router, key.node) == (router, node)]

    def runs(self) -> frozenset[str]:
        return frozenset(run for one in self._open.values() for run in one.runs)


@dataclass(frozen=True, slots=True)
class _ProcessesOf:
    """The `Processes` port on a machine of a test's own, which does one run at a time."""

    me: Holder

    def has_ended(self, holder: Holder) -> bool:
        return holder.host == self.me.host and holder.run != self.me.run


@dataclass(frozen=True, slots=True)
class Machine:
    """One that runs mtts besides the usual one, and knows nothing of what that did."""

    name: str
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def processes(self) -> _ProcessesOf:
        return _ProcessesOf(Holder(self.name, self.name, 1, uuid.uuid4().hex))


class LabClock:
    """The `Clock` port over the lab's time."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock

    def monotonic(self) -> float:
        return self._clock.now

    def now(self) -> float:
        return self._clock.wall.timestamp()

    async def sleep(self, seconds: float) -> None:
        await self._clock.advance(seconds)


@dataclass(slots=True)
class Deployment:
    """One router of the lab with what the inventory says of it; `deploy` is one run of the command."""

    lab: Lab
    router: LabRouter
    spec: Router
    events: list[Event] = field(default_factory=list)
    """Of the last run."""
    _seen: tuple[int, int, int] = (0, 0, 0)

    @property
    def node(self) -> NodeSpec:
        return self.spec.nodes[0]

    def image(self, tag: str = "stable") -> ImageRef:
        """The lab's image under another tag."""
        return ImageRef.parse(f"{self.lab.registry.address}/{REPOSITORY}:{tag}")

    def change_node(self, **changed: Any) -> None:
        """Edit the first node of the inventory."""
        self.spec = replace(self.spec, nodes=(replace(self.node, **changed), *self.spec.nodes[1:]))

    def change(self, **changed: Any) -> None:
        """Edit the router in the inventory."""
        self.spec = replace(self.spec, **changed)

    def new_key(self, **kind: Any) -> str:
        """Put a fresh auth key where the inventory of the first node points; its text."""
        key = self.lab.tailnet.issue_key(**kind)
        self.change_node(auth_key=Literal(Secret(key)))
        return key

    def note_start(self, events: list[Event]) -> None:
        """A run begins here, which tells `events`."""
        self._seen = (len(self.router.journal), self.router.connections, self.router.logins)
        self.events = events

    async def deploy(self, *, adopt: bool = False, approved: Sequence[Plan] | None = None) -> NodeResult:
        """The result of the only node."""
        (result,) = await self.deploy_all(adopt=adopt, approved=approved)
        return result

    async def deploy_all(self, *, adopt: bool = False, approved: Sequence[Plan] | None = None) -> list[NodeResult]:
        """The results of all nodes."""
        self.note_start([])

        async def work(router: Router) -> Sequence[NodeResult]:
            return await deploy_router(services, router, adopt=adopt, approved=approved)

        async with services_for(self.lab, self.events) as services:
            return await run_fleet([self.spec], work, emit=services.emit, parallel=1, drain=Drain())

    async def update(self, store: Store, **order: Any) -> NodeResult:
        """The result of the only node after `mtts update` for this router alone."""
        (result,) = await update_fleet([self], store, **order)
        return result

    async def resume(self, store: Store, *, machine: Machine | None = None) -> NodeResult:
        """The result of the only node after `mtts resume`."""
        self.note_start([])
        async with services_for(self.lab, self.events, machine=machine) as services:
            (result,) = await resume_router(services, await Quarantine.load(store, services.clock), self.spec)
        return result

    def publish(self, version: str = "1.2.4", **kind: Any) -> LabImage:
        """Move the `stable` tag to another image."""
        image = lab_image(version, **kind)
        self.lab.registry.publish(image, repository=REPOSITORY)
        return image

    # what the last run sent

    @property
    def journal(self) -> list[JournalEntry]:
        return self.router.journal[self._seen[0] :]

    @property
    def writes(self) -> list[str]:
        """The commands of the last run that were to change the router, by path; taking and releasing its lock aside."""
        return [entry.path for entry in self.journal if entry.is_write and not entry.path.startswith(f"{LOCK_PATH}/")]

    @property
    def commands(self) -> int:
        """How many the last run sent besides its login."""
        return sum(entry.path != "/login" for entry in self.journal)

    @property
    def connections(self) -> tuple[int, int]:
        """Connections and logins of the last run."""
        return self.router.connections - self._seen[1], self.router.logins - self._seen[2]

    # what the router holds

    @property
    def container(self) -> Container:
        """The only container on the router."""
        (container,) = self.router.device.engine.containers.values()
        return container

    @property
    def world(self) -> World:
        """What the running daemon found around it when it started."""
        process = self.container.process
        assert isinstance(process, Tailscaled), self.container.phase
        return process._world

    @property
    def state_dir(self) -> str:
        prefix = "flash/" if self.router.device.build.board.flash_trap else ""
        return f"{prefix}mtts/state/by-hostname/{self.node.hostname}"

    @property
    def online(self) -> list[TailnetNode]:
        """The nodes of the tailnet that this router's containers are, when they are online."""
        found = []
        for container in self.router.device.engine.containers.values():
            process = container.process
            if isinstance(process, Tailscaled) and process._node and self.lab.tailnet.online[process._node.id]:
                found.append(process._node)
        return found

    def rows(self, path: str, **where: str) -> list[dict[str, str]]:
        """Rows of a table that hold these values (`_` for `-`)."""
        wanted = {name.replace("_", "-"): value for name, value in where.items()}
        return [dict(row) for row in self.router.rows(path) if wanted.items() <= row.items()]

    def untagged(self) -> dict[str, list[dict[str, str]]]:
        """Every configured row that is not mtts'; routes and ports that the router makes by itself are left out."""
        return {
            path: [
                row for row in self.rows(path) if not _is_ours(row) and row.get("dynamic") != "true" and path != "/disk"
            ]
            for path in TABLES
        }

    def snapshot(self) -> dict[str, Any]:
        """All that a deploy may leave, without what differs between two equal routers."""
        tables: dict[str, Any] = {path: sorted(map(self._comparable, self.rows(path)), key=str) for path in TABLES}
        config = self.router.device.menu_of(Singleton, "/container/config").view()
        return {
            **tables,
            "/container/config": config,
            "files": sorted(self.router.files()),
            "directories": sorted(path for path in self.router.directories() if not path.startswith("mtts-tmp/")),
        }

    def _comparable(self, row: dict[str, str]) -> dict[str, str]:
        moving = _MOVING if self.router.device.has("names") else _MOVING | {"name"}
        return {name: value for name, value in row.items() if name not in moving}

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.lab.clock.advance(seconds)


async def run_fleet(
    routers: Sequence[Router],
    work: Work,
    *,
    emit: Emit,
    parallel: int,
    drain: Drain,
    afterwards: Afterwards | None = None,
) -> list[NodeResult]:
    """One wave: the final results of all routers in the order given, `parallel` at a time."""
    async with Fleet(emit=emit, parallel=parallel, drain=drain, afterwards=afterwards) as fleet:
        await fleet.run(routers, work)
    return fleet.results(routers)


async def update_fleet(
    fleet: Sequence[Deployment],
    store: Store,
    *,
    parallel: int = 32,
    timeout_s: float | None = None,
    machine: Machine | None = None,
    **order: Any,
) -> list[NodeResult]:
    """The final results of `mtts update` over these routers of one lab, from its usual machine or another."""
    events: list[Event] = []
    for here in fleet:
        here.note_start(events)
    async with services_for(fleet[0].lab, events, machine=machine) as without_deadline:
        services = replace(without_deadline, timeout_s=timeout_s)
        order = {"rollout": Rollout(), **order}
        quarantine = await Quarantine.load(store, services.clock)
        routers = [here.spec for here in fleet]

        async def settle(router: Router, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
            return await settled(services, router, results)

        async with Fleet(emit=services.emit, parallel=parallel, drain=Drain(), afterwards=settle) as running:
            await Update(services, UpdateOrder(**order), quarantine).run(running, routers)
    return running.results(routers)


def _is_ours(row: dict[str, str]) -> bool:
    return row.get("comment", "").startswith("mtts:")


_JOURNALS: WeakKeyDictionary[Lab, MemoryJournal] = WeakKeyDictionary()
"""Each lab's controllers are one machine, unless a test says otherwise."""


@asynccontextmanager
async def services_for(
    lab: Lab, events: list[Event], *, redactor: Redactor | None = None, machine: Machine | None = None
) -> AsyncIterator[Services]:
    """What one run of a command has at hand, over real sockets."""
    clock, address = LabClock(lab.clock), lab.registry.address
    secrets = SecretStore(redactor or Redactor())
    scripts = Scripts(guard=read_script("guard"), bridge=read_script("bridge"))
    access = {address: RegistryAccess(address, insecure=True)}
    async with HttpxRegistry(access, open_secret=open_secret, clock=clock) as registry:
        yield Services(
            LibrouterosRouters(secrets),
            registry,
            secrets,
            clock,
            events.append,
            scripts,
            _JOURNALS.setdefault(lab, MemoryJournal()) if machine is None else machine.journal,
            SystemProcesses(uuid.uuid4().hex) if machine is None else machine.processes(),
        )
