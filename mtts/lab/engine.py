"""The container engine of one router: start, stop, remove, restart, and what a power cut leaves.

Commands answer at once and things happen later, as on routers: an accepted start may come to nothing, a
removed container stays for a while. On one veth at most one container has a process at any time.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mtts.lab.behaviours import PROCESS_RAM_BYTES, start_process
from mtts.lab.container import UP, Container, Health, Phase
from mtts.lab.healthcheck import HealthCheck, plan_of
from mtts.lab.importing import Importer, Puller
from mtts.lab.reply import Trap, failure
from mtts.lab.restarting import restart_pause_s
from mtts.lab.storage import NoSpaceError
from mtts.lab.surroundings import Surroundings, interfaces_of
from mtts.lab.table import Item
from mtts.lab.values import duration_s, path_key, stamp

if TYPE_CHECKING:
    from mtts.lab.device import Device

START_S = 0.5
STOP_S = 1.0
REMOVE_S = 2.0
STOP_LIMIT_S = 10.0
"""How long a process has to end in good order, where nothing else is set."""
SIGNALS = {1: "Hangup", 2: "Interrupt", 3: "Quit", 9: "Killed", 10: "User defined signal 1", 15: "Terminated"}
SIGKILL = 9
LOSES_CONTAINERS = frozenset({(7, 22, 0), (7, 22, 1)})
STOPPED_STATUS = 143
"""What a process that signal 15 ended has ended with."""
MESSAGE_LIMIT = 179
"""RouterOS cuts a container's log message at this many characters, its name included."""


class Engine:
    """All containers of one router."""

    def __init__(self, device: Device, puller: Puller) -> None:
        self._device = device
        self._importer = Importer(device, puller, self._imported)
        self._around = Surroundings(device)
        self.containers: dict[int, Container] = {}

    # what the menu asks

    def created(self, item: Item) -> Container:
        """An accepted add: the image is on its way."""
        container = Container(item, path_key(item.values["root-dir"]))
        self.containers[item.id] = container
        self._importer.begin(container)
        return container

    def start(self, container: Container) -> None:
        """Accept or refuse a start; whether it works shows later."""
        quirks = self._device.quirks
        if container.phase is Phase.EXTRACTING:
            queues = self._device.has("queued-start")
            if quirks.start_while_extracting != "by-version":
                queues = quirks.start_while_extracting == "queue"
            if not queues:
                raise Trap(quirks.extracting_text)
            container.starts_when_ready = True
            return
        if container.phase in UP:
            raise Trap(quirks.start_when_up_text)
        if container.phase is not Phase.STOPPED:
            raise failure("container is not ready")
        obstacle = self._obstacle(container)
        if obstacle is not None and quirks.start_failure == "trap":
            raise failure(obstacle)
        container.restart_count = 0
        self._begin(container)

    def stop(self, container: Container) -> None:
        """End a container's process in good order and keep it stopped."""
        container.starts_when_ready = False
        container.starts_when_stopped = False
        _cancel_restart(container)
        if container.phase not in {Phase.STARTING, Phase.RUNNING}:
            raise Trap(self._device.quirks.stop_when_down_text)
        container.phase = Phase.STOPPING
        _end_check(container)
        if not self._device.faults.stuck_stopping:
            self._device.later(self._stop_s(container), lambda: self._stopped(container))

    def kill(self, container: Container, signal: int = 9) -> None:
        """End a container's process at once, one that is stuck in stopping too; nothing handles signal 9."""
        if container.phase not in UP:
            raise Trap(self._device.quirks.stop_when_down_text)
        before = container.phase
        _cancel_restart(container)
        container.phase = Phase.STOPPING
        self._tell(container, _signal(signal))
        process = container.process
        if not self._device.quirks.kill_in_good_order or signal == SIGKILL or process is None:
            self._stopped(container)
        elif process.on_signal == "ignored":
            container.phase = before
        else:
            self._device.later(STOP_S if process.on_signal == "handled" else 0.0, lambda: self._stopped(container))

    def restart(self, container: Container) -> None:
        """Stop in good order and start again; start what is not up."""
        if container.phase in {Phase.STARTING, Phase.RUNNING}:
            self.stop(container)
            container.starts_when_stopped = True
        else:
            self.start(container)

    def remove(self, container: Container) -> None:
        """Take a container off the router: accepted now, gone some seconds later, its root directory with it."""
        if container.phase in UP:
            raise failure("cannot remove running container")
        if container.phase is Phase.DELETING:
            return
        self._importer.abandon(container)
        _cancel_restart(container)
        container.phase = Phase.DELETING
        self._tell(container, "removing files")
        self._device.later(REMOVE_S, lambda: self._removed(container))

    def repull(self, container: Container) -> None:
        """Pull and extract again in place; from 7.22 around a stop and a start where the container was up."""
        self.check_repull(container)
        was_up = container.phase in {Phase.STARTING, Phase.RUNNING}
        if was_up:
            container.phase = Phase.STOPPING
            self._stopped(container)
        _cancel_restart(container)
        before = container.image
        self._importer.begin(container)
        container.is_repull = True
        container.starts_when_ready = was_up
        container.replaces = before

    def check_repull(self, container: Container) -> None:
        """Refuse a repull that cannot begin now."""
        if container.phase is Phase.EXTRACTING:
            raise Trap(self._device.quirks.extracting_text)
        if container.phase in {Phase.DELETING, Phase.STOPPING}:
            raise failure("container is not ready")
        if container.phase in UP and not self._device.has("auto-repull"):
            raise failure("container is running")

    def shell(self, container: Container, line: str) -> str:
        """The output of a command run in a container; Trap when it is not running."""
        if container.phase is not Phase.RUNNING or container.process is None:
            raise failure("container is not running")
        argv = shlex.split(line)
        return container.process.run(argv) if argv else ""

    def holder_of(self, veth: str) -> Container | None:
        """The container whose process holds an interface."""
        holders = (one for one in self.containers.values() if one.phase in UP and veth in _taken_by(one))
        return next(holders, None)

    def _is_taken(self, veth: str, wanting: Container) -> bool:
        """Whether another process holds an interface; two that are starting race, and the first one wins."""
        return self._device.quirks.busy_veth == "refused" and any(
            one.phase in {Phase.RUNNING, Phase.STOPPING} and veth in _taken_by(one)
            for one in self.containers.values()
            if one is not wanting
        )

    def leaving(self) -> list[Container]:
        """The containers that are being removed."""
        return [one for one in self.containers.values() if one.phase is Phase.DELETING]

    def root_conflict(self, root: str) -> str | None:
        """The path of a container's root directory that this one would share."""
        for other in self.containers.values():
            if other.root == root or other.root.startswith(f"{root}/") or root.startswith(f"{other.root}/"):
                return other.root
        return None

    # power

    def lose_power(self) -> None:
        """Every process ends and every pull is lost."""
        for container in self.containers.values():
            if container.process is not None:
                container.process.end()
                container.process = None
            _end_check(container)
            container.held = ()
            container.restart = None
            container.starts_when_ready = False
            container.starts_when_stopped = False
            container.log.clear()  # kept in memory, as the router's own log is
            if container.phase is Phase.EXTRACTING:
                self._importer.die(container, "download/extract error: interrupted")
            elif container.phase in UP:
                container.phase = Phase.STOPPED

    def boot(self) -> None:
        """Start what starts on boot; finish what was being removed."""
        loses = self._device.quirks.reboot_loses_containers and self._device.version in LOSES_CONTAINERS
        for container in list(self.containers.values()):
            if not self._device.quirks.comments_survive_reboot:
                container.item.values.pop("comment", None)
            if loses:
                self._forget(container)
            elif container.phase is Phase.DELETING:
                self._removed(container)
            elif container.is_set("start-on-boot") and container.phase is Phase.STOPPED:
                self._begin(container)

    # life

    def _begin(self, container: Container) -> None:
        container.phase = Phase.STARTING
        container.about = ""
        self._device.later(START_S, lambda: self._started(container))

    def _started(self, container: Container) -> None:
        if container.phase is not Phase.STARTING:
            return
        image = self._device.files.image_at(container.root)
        obstacle = self._obstacle(container)
        if obstacle is None:
            try:
                self._around.fill_mounts(container, image)
            except NoSpaceError:
                obstacle = "no space left on device"
        if obstacle is not None:
            container.phase = Phase.STOPPED
            container.about = obstacle
            self._device.log("container,error", f"{container.name}: {obstacle}")
            return
        container.phase = Phase.RUNNING
        container.held = interfaces_of(container)
        self._tell(container, f"*** started {container.item.values.get('entrypoint', '')}".rstrip())
        self._device.storage.take_process_ram(PROCESS_RAM_BYTES)
        if self._device.has("env-logged") and container.is_set("logging"):
            for name, value in self.environment_of(container).items():
                self._tell(container, f"{name}={value}")
        world = self._around.world(
            container,
            log=lambda line: self._log(container, line),
            exited=lambda status: self._exited(container, status),
        )
        memory_max = container.item.values.get("memory-max", "")
        container.process = start_process(world, self._device, image, memory_max=memory_max)
        container.process.begin()
        self._begin_check(container)

    def _begin_check(self, container: Container) -> None:
        process = container.process
        if process is None or not self._device.has("health-checks"):
            return
        quirks = self._device.quirks
        image = container.image if quirks.image_health_check else None
        plan = plan_of(container.item.values, image, interval_s=quirks.health_check_interval_s)
        if plan is not None:
            container.health = Health.UNKNOWN
            container.check = HealthCheck(
                plan, probe=process.probe, tell=lambda good: self._probed(container, good), later=self._device.later
            )
            container.check.begin()

    def _probed(self, container: Container, good: bool) -> None:
        container.health = Health.GOOD if good else Health.BAD
        if not good and container.is_set("stop-on-unhealthy"):
            self._tell(container, "unhealthy, stopping")
            self.stop(container)

    def _obstacle(self, container: Container) -> str | None:
        return self._around.obstacle(container, lambda veth: self._is_taken(veth, container))

    def _stop_s(self, container: Container) -> float:
        values, process = container.item.values, container.process
        limit_s = duration_s("stop-time", values["stop-time"]) if values.get("stop-time") else STOP_LIMIT_S
        if process is None or process.on_signal == "handled":
            return min(STOP_S, limit_s)
        if process.on_signal == "ignored":
            return limit_s
        number = int(values.get("stop-signal", "15").partition("-")[0] or 15)
        self._tell(container, f"{_signal(number)} not caught, kill immediately")
        return 0.0

    def _stopped(self, container: Container) -> None:
        if container.phase is not Phase.STOPPING:
            return
        container.phase = Phase.STOPPED
        self._release(container)
        self._tell(container, "*** stopped")
        if container.starts_when_stopped:
            container.starts_when_stopped = False
            self._begin(container)
        elif self._device.quirks.stop_counts_as_failure:
            self._restart_later(container, STOPPED_STATUS)

    def _release(self, container: Container) -> None:
        _end_check(container)
        process, container.process = container.process, None
        container.held = ()
        if process is not None:
            process.end()
            self._device.storage.take_process_ram(-PROCESS_RAM_BYTES)

    def _exited(self, container: Container, status: int) -> None:
        if container.phase is not Phase.RUNNING:
            return
        self._release(container)
        container.phase = Phase.STOPPED
        self._tell(container, f"exited with status {status}")
        self._restart_later(container, status)

    def _restart_later(self, container: Container, status: int) -> None:
        pause_s = restart_pause_s(container, status)
        if pause_s is not None:
            container.restart = self._device.later(pause_s, lambda: self._restarted(container))

    def _restarted(self, container: Container) -> None:
        container.restart = None
        if container.phase is Phase.STOPPED:
            container.restart_count += 1
            self._begin(container)

    def _removed(self, container: Container) -> None:
        self._device.files.remove(container.root)
        self._forget(container)
        self._tell(container, "remove done")

    def _forget(self, container: Container) -> None:
        self.containers.pop(container.item.id, None)
        self._device.table("/container").delete(container.item)

    def _imported(self, container: Container) -> None:
        before, container.replaces = container.replaces, None
        container.is_repull = False
        image = container.image
        if before is not None and image is not None and before.config_digest == image.config_digest:
            self._tell(container, "skip importing same version")
            if self._device.quirks.repull_same_empties_root:
                self._device.files.empty(container.root)
        starts = container.starts_when_ready
        if self._device.quirks.starts_after_pull and container.is_set("start-on-boot"):
            starts = True
        container.starts_when_ready = False
        if starts:
            self._begin(container)

    def environment_of(self, container: Container) -> dict[str, str]:
        """The variables of every list that a container refers to, in order."""
        return self._around.environment_of(container)

    def mounts_of(self, container: Container) -> dict[str, str]:
        """Destination -> source of every mount that a container refers to."""
        return self._around.mounts_of(container)

    def _tell(self, container: Container, message: str) -> None:
        self._device.log("container,info,debug", f"{container.name}: {message}"[:MESSAGE_LIMIT])

    def _log(self, container: Container, line: str) -> None:
        if not container.is_set("logging"):
            return
        message = f"{container.name}: {line}"[:MESSAGE_LIMIT]
        number = self._device.log("container,info,debug", message)
        container.log.append((number, stamp(self._device.wall), line))


def _signal(number: int) -> str:
    return f"signal {number} ({SIGNALS.get(number, 'Unknown')})"


def _taken_by(container: Container) -> tuple[str, ...]:
    """The interfaces that a container which is up keeps from others: its process's, or those that it starts with."""
    return container.held or interfaces_of(container)


def _cancel_restart(container: Container) -> None:
    if container.restart is not None:
        container.restart.cancel()
        container.restart = None


def _end_check(container: Container) -> None:
    container.health = None
    if container.check is not None:
        container.check.end()
        container.check = None
