"""The container engine under anything that somebody may do to it in any order: what is always true stays true.

A model keeps only what no command may contradict: who has been whom in the tailnet, which numbers were given out.
Everything else is counted anew from the router after every step.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mtts.lab.boards import find_board
from mtts.lab.call import Call, Caller
from mtts.lab.clock import SimClock
from mtts.lab.command import Command
from mtts.lab.container import Container, Health, Phase
from mtts.lab.device import BOOT_S, Build, Device
from mtts.lab.menus.users import POLICIES
from mtts.lab.process import Process
from mtts.lab.pull import PulledImage, PullError
from mtts.lab.quirks import Quirks
from mtts.lab.reply import Reply, Trap
from mtts.lab.storage import BLOCK_BYTES
from mtts.lab.tailnet import Tailnet
from mtts.lab.tailscaled import STATE_FILE, Tailscaled

ROOT = Caller("admin", frozenset(POLICIES))
NAMES = ("a", "b", "c")
VETHS = ("veth1", "veth2")
VERSIONS = ("7.18.2", "7.20.8", "7.22.3", "7.23.3", "7.24")
QUIRKS = (
    Quirks(),
    Quirks(old_root_dir="stale", dead_repull="failed", extraction_ram_bytes=0, start_while_extracting="queue"),
    Quirks(starts_after_pull=True, repull_same_empties_root=False, mounts_filled_from_image=False),
    Quirks(reboot_loses_containers=True, clock_after_power_cut="1970", root_dir_exists="failed", flash_flush_s=40.0),
)
MISCHIEF = ("ok", "ok", "crash", "crash-later", "never-online", "ignores-stop", "unhealthy")
REFS = st.sampled_from([f"*{number:X}" for number in (1, 1, 2, 2, 3, 4, 5)])
"""The first two are there from the start; most of the others will be."""
FILL = "ballast"
SETTLED_S = 130.0


class Shelf:
    """A registry without a network: the newest release, or none."""

    def __init__(self) -> None:
        self.release = 1
        self.behaviour = "ok"
        self.is_open = True

    async def pull(self, reference: str, *, architecture: str) -> PulledImage:
        if not self.is_open:
            raise PullError("connection refused")
        await asyncio.sleep(0)
        labels = {"org.opencontainers.image.version": str(self.release), "org.mtts.lab.behaviour": self.behaviour}
        files = {"/e": 300, "/usr/bin/tailscaled": 700_000 + self.release, "/var/lib/tailscale/seed": 50_000}
        config = {"architecture": architecture, "os": "linux", "config": {"Labels": labels, "Entrypoint": ["/e"]}}
        return PulledImage(
            reference=reference,
            index_digest=None,
            manifest_digest=f"sha256:{self.release:064x}",
            config_digest=f"sha256:{self.release:064x}",
            config=config,
            layer_sizes=(400_000,),
            compressed_bytes=400_000,
            extracted_bytes=sum(files.values()),
            files=files,
        )


class Engine(RuleBasedStateMachine):
    """One router of 16 MiB flash and every hand that may touch its containers."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.given: list[int] = []
        self.identities: dict[str, str] = {}
        self.lives: dict[Process, tuple[str, ...]] = {}
        """Every process that is alive, with the interfaces that its container named when it began."""
        self.alive: set[int] = set()
        """The containers that had a process after the last step, which a stop ends and nothing else takes away."""
        self.device: Device | None = None

    def teardown(self) -> None:
        try:
            if self.device is not None:
                self._finish()
        finally:
            self.loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @property
    def router(self) -> Device:
        assert self.device is not None
        return self.device

    @property
    def containers(self) -> list[Container]:
        return list(self.router.engine.containers.values())

    def _say(self, path: str, **args: str) -> Reply | None:
        """The answer to a command, None for a refusal; anything but a trap is a mistake of the lab."""

        async def say() -> Reply | None:
            menu, _, verb = path.rpartition("/")
            named = {name.replace("_", "-"): value for name, value in args.items()}
            try:
                answer = self.router.perform(Call(Command(menu or "/", verb, named), ROOT))
            except Trap:
                return None
            assert isinstance(answer, Reply)
            return answer

        return self._wait(say()) if self.router.is_up else None

    # the router

    @initialize(version=st.sampled_from(VERSIONS), quirks=st.sampled_from(QUIRKS), flash_trap=st.booleans())
    def set_up(self, version: str, quirks: Quirks, flash_trap: bool) -> None:
        self.shelf = Shelf()
        clock = SimClock()
        self.tailnet = Tailnet(clock)
        board = find_board("hAP ac2" if flash_trap else "RB5009")
        build = Build(name="r", version=version, board=board, users={"admin": ("", "full")})
        self.device = Device(build, clock=clock, quirks=quirks, tailnet=self.tailnet, puller=self.shelf.pull)
        self.base = "flash/" if flash_trap else ""
        self.baseline = self.device.storage.flash.used_bytes
        for veth in VETHS:
            assert self._say("/interface/veth/add", name=veth, address="172.20.0.2/30", gateway="172.20.0.1")
        assert self._say("/disk/add", type="tmpfs", slot="ram1", tmpfs_max_size="8M")
        envs = {"list" if self.device.has("env-lists") else "name": "ts", "key": "TS_AUTHKEY"}
        assert self._say("/container/envs/add", value=self.tailnet.issue_key(reusable=True), **envs)
        self.mounts = "mountlists" if self.device.has("mount-lists") else "mounts"
        self.envs = "envlists" if self.device.has("env-lists") else "envlist"
        column = "list" if self.device.has("mount-lists") else "name"
        for name in NAMES:
            src = f"{self.base}state/{name}"
            assert self._say("/container/mounts/add", **{column: name, "src": src, "dst": "/var/lib/tailscale"})
        for name, veth in zip(NAMES[:2], VETHS, strict=True):
            self.add(name, veth, on_ram=False, boots="yes", more={})
        self.pass_time(3.0)
        self.command(f"*{self.given[0]:X}", "start")
        self.pass_time(12.0)

    # commands

    @rule(
        name=st.sampled_from(NAMES),
        veth=st.sampled_from(VETHS),
        on_ram=st.booleans(),
        boots=st.sampled_from(("yes", "no")),
        more=st.sampled_from(({}, {"restart-policy": "always", "restart-interval": "5s"}, {"healthcheck-cmd": "true"})),
    )
    def add(self, name: str, veth: str, on_ram: bool, boots: str, more: dict[str, str]) -> None:
        root = f"{'ram1/' if on_ram else self.base}root/{name}"
        settable = {"name": name} if self.router.has("names") else {}
        known = self.router.schema.arguments("/container", "add") or frozenset()
        words = {**settable, **{key: value for key, value in more.items() if key in known}}
        words |= {self.mounts: name, self.envs: "ts", "root-dir": root, "start-on-boot": boots}
        answer = self._say("/container/add", remote_image="x.test/y:z", interface=veth, entrypoint="/e", **words)
        if answer is not None:
            assert answer.ret is not None
            self.given.append(int(answer.ret.removeprefix("*"), 16))

    @rule(ref=REFS, verb=st.sampled_from(("start", "start", "stop", "remove")))
    def command(self, ref: str, verb: str) -> None:
        self._say(f"/container/{verb}", **{".id": ref})

    @rule(ref=REFS, verb=st.sampled_from(("kill", "restart", "repull", "update")))
    def newer_command(self, ref: str, verb: str) -> None:
        self._say(f"/container/{verb}", number=ref)

    @rule(
        ref=REFS,
        change=st.sampled_from(
            (
                *(("interface", veth) for veth in VETHS),
                ("remote-image", "x.test/y:other"),
                ("remote-image", "x.test/y:z"),
                ("start-on-boot", "yes"),
                ("ignore-remote-image-change", "yes"),
                ("privileged", "yes"),
                ("auto-restart-interval", ""),
            )
        ),
    )
    def set(self, ref: str, change: tuple[str, str]) -> None:
        self._say("/container/set", **{"numbers": ref, change[0]: change[1]})

    # what takes many single commands in the right order, and so would hardly ever happen

    @rule(veth=st.sampled_from(VETHS), moves=st.booleans())
    def hand_over(self, veth: str, moves: bool) -> None:
        """Somebody stops what runs and starts what waits on its interface, without waiting in between."""
        for one in self.containers:
            if one.phase is Phase.STOPPED:
                self._say("/container/set", numbers=one.item.ref, interface=veth)
        ready = [one.item.ref for one in self.containers if one.phase is Phase.STOPPED]
        running = [one.item.ref for one in self.containers if one.phase is Phase.RUNNING and veth in one.held]
        for ref in running:
            self.command(ref, "stop")
            if moves:
                self._say("/container/set", numbers=ref, interface=next(name for name in VETHS if name != veth))
        for ref in ready:
            self.command(ref, "start")
        self.nobody_shares_a_veth()
        self.pass_time(0.6)

    @rule(name=st.sampled_from(NAMES), veth=st.sampled_from(VETHS), newest=st.booleans())
    def replace(self, name: str, veth: str, newest: bool) -> None:
        """Somebody removes the oldest or the newest container and puts another one in its place."""
        ref = self._outer(newest)
        if ref is None:
            return
        self.command(ref, "stop")
        self.pass_time(12.0)
        self.command(ref, "remove")
        self.pass_time(3.0)
        self.numbers_are_never_given_twice()
        self.add(name, veth, on_ram=False, boots="yes", more={})

    @rule(newest=st.booleans())
    def renew(self, newest: bool) -> None:
        """Somebody has an image pulled again where there is an identity already, and starts it."""
        ref = self._outer(newest)
        if ref is None:
            return
        if not self.router.has("auto-repull"):
            self.command(ref, "stop")
            self.pass_time(12.0)
        self.newer_command(ref, "repull")
        self.pass_time(12.0)
        self.identity_lives_in_the_state_directory()
        self.command(ref, "start")

    def _outer(self, newest: bool) -> str | None:
        return self.containers[-1 if newest else 0].item.ref if self.containers else None

    # the world around

    @rule(seconds=st.sampled_from((0.05, 0.3, 1.0, 3.0, 12.0, 60.0)))
    def pass_time(self, seconds: float) -> None:
        self._wait(self.router.clock.advance(seconds))

    @rule(cut=st.booleans())
    def restart(self, cut: bool) -> None:
        faults = self.router.faults
        self._wait(self._at_once(faults.power_cut if cut else faults.reboot))

    async def _at_once(self, act: Any) -> None:
        act()

    @rule(behaviour=st.sampled_from(MISCHIEF))
    def publish(self, behaviour: str) -> None:
        self.shelf.release += 1
        self.shelf.behaviour = behaviour

    @rule(is_open=st.booleans())
    def registry(self, is_open: bool) -> None:
        self.shelf.is_open = is_open

    @rule(stuck=st.booleans())
    def stick(self, stuck: bool) -> None:
        self.router.faults.stuck_stopping = stuck

    @rule(left=st.sampled_from((0, 300_000, 2_000_000)))
    def fill(self, left: int) -> None:
        """Somebody else takes the flash but for so much."""
        self._wait(self._at_once(lambda: self._fill(left)))

    def _fill(self, left: int) -> None:
        files, path = self.router.files, f"{self.base}{FILL}"
        files.remove(path)
        wanted = self.router.storage.flash.free_bytes - left
        files.place(path, max(wanted, 0) // BLOCK_BYTES * BLOCK_BYTES)

    @rule(what=st.sampled_from((FILL, "root", "root/a", "root/a.backup")))
    def remove_files(self, what: str) -> None:
        self._say("/file/remove", numbers=f"{self.base}{what}")

    # what is always true

    @invariant()
    def flash_adds_up(self) -> None:
        """Free and charged are all there is, and every charged byte has a path."""
        storage, entries = self.router.storage, self.router.files.entries
        for volume in storage.volumes.values():
            charged = sum(entry.room_bytes for path, entry in entries.items() if storage.volume_of(path) is volume)
            assert volume.used_bytes == charged + (self.baseline if volume is storage.flash else 0)
            assert 0 <= volume.used_bytes <= volume.total_bytes
        assert storage.process_ram_bytes >= 0

    @invariant()
    def nobody_shares_a_veth(self) -> None:
        """From its start to its very end a process has its interfaces for itself; the lab's own notes are not asked."""
        processes = {one.process: one for one in self.containers if one.process is not None}
        for one in self.containers:
            assert one.phase is not Phase.RUNNING or one.process is not None
            assert one.phase is not Phase.STOPPING or one.process is not None or one.item.id not in self.alive
        self.alive = {one.item.id for one in processes.values() if one.phase in {Phase.RUNNING, Phase.STOPPING}}
        named = {process: tuple(one.item.values["interface"].split(",")) for process, one in processes.items()}
        self.lives = {process: self.lives.get(process, veths) for process, veths in named.items()}
        held = [veth for veths in self.lives.values() for veth in veths]
        assert len(held) == len(set(held))
        assert all(one.phase in {Phase.RUNNING, Phase.STOPPING} for one in processes.values())
        assert self.router.is_up or not processes
        running = {row["name"] for row in self.router.table("/interface/veth").views() if row["running"] == "true"}
        assert set(held) <= running

    @invariant()
    def numbers_are_never_given_twice(self) -> None:
        assert len(self.given) == len(set(self.given))
        assert {one.item.id for one in self.containers} == set(self.router.table("/container").items)
        assert set(self.router.table("/container").items) <= set(self.given)

    @invariant()
    def identity_lives_in_the_state_directory(self) -> None:
        """A state file is where the mount says; once written it is who everybody with that mount is, for ever."""
        files = self.router.files.entries
        for path in files:
            if path.endswith(STATE_FILE):
                assert path.startswith(f"{self.base}state/")
        for one in self.containers:
            process = one.process
            if not isinstance(process, Tailscaled) or process.node is None:
                continue
            state = f"{self.router.engine.mounts_of(one)['/var/lib/tailscale'].strip('/')}/{STATE_FILE}"
            assert self.identities.setdefault(state, process.node.id) == process.node.id
        assert len(set(self.identities.values())) == len(self.identities)
        for state in self.identities:
            assert state in files

    @invariant()
    def every_row_can_be_shown(self) -> None:
        flags = [row for row in self.router.table("/container").views() if self.router.has("flags")]
        assert all("true" in {value for name, value in row.items() if name in FLAGS} for row in flags)

    def _finish(self) -> None:
        """What is removed holds nothing any more, and figures that follow late arrive."""
        device = self.router
        device.faults.stuck_stopping = False
        self.restart(cut=False)  # or what is stuck would be stuck for ever
        self.pass_time(BOOT_S + SETTLED_S)
        for one in self.containers:
            self._say("/container/stop", **{".id": one.item.ref})
        self.pass_time(SETTLED_S)
        for one in self.containers:
            assert self._say("/container/remove", **{".id": one.item.ref}) is not None, one.phase
        self.pass_time(SETTLED_S)
        assert self.containers == []
        assert not [
            path for path in device.files.entries if path.rpartition("/")[2] in NAMES and "/root/" in f"/{path}"
        ]
        assert not [path for path in device.files.entries if ".pull-" in path]
        assert device.storage.process_ram_bytes == 0
        storage = device.storage
        assert storage.reported_free_bytes + storage.flash.used_bytes == storage.flash.total_bytes
        self.flash_adds_up()


FLAGS = frozenset({*(phase.value for phase in Phase), *(health.value for health in Health)})
USUAL = settings(max_examples=40, stateful_step_count=40, suppress_health_check=list(HealthCheck), deadline=None)


def test_what_is_always_true_of_containers_stays_true() -> None:
    run_state_machine_as_test(Engine, settings=USUAL)


@pytest.mark.slow
def test_what_is_always_true_of_containers_stays_true_at_length() -> None:
    run_state_machine_as_test(Engine, settings=settings(USUAL, max_examples=1500, stateful_step_count=80))
