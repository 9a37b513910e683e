"""The container engine of one router: start, stop, remove, restart, and what a power cut leaves.

Commands answer at once and things happen later, as on routers: an accepted start may come to nothing, a
removed container stays for a while. On one veth at most one container has a process at any time.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mtts.lab.behaviours import PROCESS_RAM_BYTES, start_process
from mtts.lab.container import UP, Container, Phase
from mtts.lab.importing import Importer, Puller
from mtts.lab.process import World
from mtts.lab.pull import PulledImage
from mtts.lab.reply import Trap, failure
from mtts.lab.table import Item, Table
from mtts.lab.values import duration_s, path_key

if TYPE_CHECKING:
    from mtts.lab.device import Device

START_S = 0.5
STOP_S = 1.0
REMOVE_S = 2.0
MESSAGE_LIMIT = 179
"""RouterOS cuts a container's log message at this many characters, its name included."""


class Engine:
    """All containers of one router."""

    def __init__(self, device: Device, puller: Puller) -> None:
        self._device = device
        self._importer = Importer(device, puller, self._imported)
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
        if container.restart is not None:
            container.restart.cancel()
            container.restart = None
        if container.phase not in {Phase.STARTING, Phase.RUNNING}:
            raise Trap(self._device.quirks.stop_when_down_text)
        container.phase = Phase.STOPPING
        if not self._device.faults.stuck_stopping:
            self._device.later(self._stop_s(container), lambda: self._stopped(container))

    def kill(self, container: Container) -> None:
        """End a container's process at once, one that is stuck in stopping too."""
        if container.phase not in UP:
            raise Trap(self._device.quirks.stop_when_down_text)
        container.phase = Phase.STOPPING
        self._stopped(container)

    def remove(self, container: Container) -> None:
        """Take a container off the router: accepted now, gone some seconds later, its root directory with it."""
        if container.phase in UP:
            raise failure("cannot remove running container")
        if container.phase is Phase.DELETING:
            return
        self._importer.abandon(container)
        if container.restart is not None:
            container.restart.cancel()
        container.phase = Phase.DELETING
        self._device.log("container,info,debug", f"{container.name}: removing files")
        self._device.later(REMOVE_S, lambda: self._removed(container))

    def repull(self, container: Container) -> None:
        """Pull and extract again in place, around a stop and a start where the container was up."""
        if container.phase is Phase.EXTRACTING:
            raise Trap(self._device.quirks.extracting_text)
        if container.phase is Phase.DELETING:
            raise failure("container is not ready")
        was_up = container.phase in {Phase.STARTING, Phase.RUNNING}
        if was_up:
            container.phase = Phase.STOPPING
            self._stopped(container)
        before = container.image
        self._importer.begin(container)
        container.starts_when_ready = was_up
        container.replaces = before

    def shell(self, container: Container, line: str) -> str:
        """The output of a command run in a container; Trap when it is not running."""
        if container.phase is not Phase.RUNNING or container.process is None:
            raise failure("container is not running")
        argv = shlex.split(line)
        return container.process.run(argv) if argv else ""

    def holder_of(self, veth: str) -> Container | None:
        """The container whose process holds an interface."""
        holders = (one for one in self.containers.values() if one.phase in UP and veth in interfaces_of(one))
        return next(holders, None)

    def _is_taken(self, veth: str, wanting: Container) -> bool:
        """Whether another process holds an interface; two that are starting race, and the first one wins."""
        return any(
            one.phase in {Phase.RUNNING, Phase.STOPPING} and veth in interfaces_of(one)
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
            container.restart = None
            container.starts_when_ready = False
            container.log.clear()  # kept in memory, as the router's own log is
            if container.phase is Phase.EXTRACTING:
                self._importer.abandon(container)
                container.phase = Phase.FAILED
                container.about = "download/extract error: interrupted"
            elif container.phase in UP:
                container.phase = Phase.STOPPED

    def boot(self) -> None:
        """Start what starts on boot; finish what was being removed."""
        for container in list(self.containers.values()):
            if container.phase is Phase.DELETING:
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
        obstacle = self._obstacle(container)
        if obstacle is not None:
            container.phase = Phase.STOPPED
            container.about = obstacle
            self._device.log("container,error", f"{container.name}: {obstacle}")
            return
        container.phase = Phase.RUNNING
        self._device.log("container,info,debug", f"{container.name}: *** started")
        self._device.storage.take_process_ram(PROCESS_RAM_BYTES)
        if self._device.has("env-logged") and container.is_set("logging"):
            for name, value in self.environment_of(container).items():
                self._device.log("container,info,debug", f"{container.name}: {name}={value}"[:MESSAGE_LIMIT])
        image = self._importer.roots.get(container.root)
        present = container.root in self._device.files
        container.process = start_process(self._world(container), self._device, image if present else None)
        container.process.begin()

    def _obstacle(self, container: Container) -> str | None:
        values = container.item.values
        for veth in interfaces_of(container):
            if not self._device.has_interface(veth):
                return "could not acquire interface: no device"
            if self._is_taken(veth, container):
                return "could not acquire interface"
        if not (values.get("cmd") or values.get("entrypoint") or self._image_gives_command(container)):
            return "start failed: no command specified, set cmd or entrypoint"
        if self._device.has("needs-dns") and not (values.get("dns") or self._device.dns_servers()):
            return self._device.quirks.no_dns_text
        if self._device.has("mounted-disks"):
            for source in self.mounts_of(container).values():
                slot = path_key(source).partition("/")[0]
                if slot in self._device.disk_slots() and slot not in self._device.storage.volumes:
                    return f"disk {slot} is not mounted"
        return None

    def _image_gives_command(self, container: Container) -> bool:
        if self._device.has("explicit-command") or container.image is None:
            return False
        config = container.image.config.get("config", {})
        return bool(config.get("Entrypoint") or config.get("Cmd"))

    def _stop_s(self, container: Container) -> float:
        given = container.item.values.get("stop-time")
        limit = duration_s("stop-time", given) if given else 10
        return min(STOP_S, limit)

    def _stopped(self, container: Container) -> None:
        if container.phase is not Phase.STOPPING:
            return
        container.phase = Phase.STOPPED
        self._release(container)
        self._device.log("container,info,debug", f"{container.name}: *** stopped")

    def _release(self, container: Container) -> None:
        process, container.process = container.process, None
        if process is not None:
            process.end()
            self._device.storage.take_process_ram(-PROCESS_RAM_BYTES)

    def _exited(self, container: Container, status: int) -> None:
        if container.phase is not Phase.RUNNING:
            return
        self._release(container)
        container.phase = Phase.STOPPED
        self._device.log("container,info,debug", f"{container.name}: exited with status {status}")
        pause_s = self._restart_pause(container, status)
        if pause_s is not None:
            container.restart = self._device.later(pause_s, lambda: self._restarted(container))

    def _restart_pause(self, container: Container, status: int) -> float | None:
        values = container.item.values
        if "auto-restart-interval" in values:
            return float(duration_s("auto-restart-interval", values["auto-restart-interval"]))
        policy = values.get("restart-policy", "no")
        if policy == "no" or (policy == "on-failure" and status == 0):
            return None
        limit = int(values.get("restart-max-count", "0"))
        if limit and container.restart_count >= limit:
            return None
        return float(duration_s("restart-interval", values.get("restart-interval", "10s")))

    def _restarted(self, container: Container) -> None:
        container.restart = None
        if container.phase is Phase.STOPPED:
            container.restart_count += 1
            self._begin(container)

    def _removed(self, container: Container) -> None:
        self._device.files.remove(container.root)
        self._importer.roots.pop(container.root, None)
        self.containers.pop(container.item.id, None)
        self._table("/container").delete(container.item)
        self._device.log("container,info,debug", f"{container.name}: remove done")

    def _imported(self, container: Container) -> None:
        before, container.replaces = container.replaces, None
        image = container.image
        if before is not None and image is not None and before.config_digest == image.config_digest:
            self._device.log("container,info,debug", f"{container.name}: skip importing same version")
            if self._device.quirks.repull_same_empties_root:
                self._importer.roots.pop(container.root, None)
        starts = container.starts_when_ready
        if self._device.quirks.starts_after_pull and container.is_set("start-on-boot"):
            starts = True
        container.starts_when_ready = False
        if starts:
            self._begin(container)

    # surroundings

    def _world(self, container: Container) -> World:
        mounts = self.mounts_of(container)
        for source in mounts.values():
            self._device.files.make_directory(path_key(source))
        image = self._importer.roots.get(container.root, container.image)
        labels = image.config.get("config", {}).get("Labels") or {} if image is not None else {}
        return World(
            environment={**_image_environment(image), **self.environment_of(container)},
            mounts=mounts,
            root=container.root,
            image_version=labels.get("org.opencontainers.image.version", ""),
            behaviour=labels.get("org.mtts.lab.behaviour", "ok"),
            has_network=bool(interfaces_of(container)),
            tailnet=self._device.tailnet,
            files=self._device.files,
            log=lambda line: self._log(container, line),
            later=self._device.later,
            exited=lambda status: self._exited(container, status),
        )

    def environment_of(self, container: Container) -> dict[str, str]:
        """The variables of every list that a container refers to, in order."""
        by_list = self._device.has("env-lists")
        property_name, column = ("envlists", "list") if by_list else ("envlist", "name")
        rows = self._rows("/container/envs", column, container.item.values.get(property_name, ""))
        return {row.get("key", ""): row.get("value", "") for row in rows}

    def mounts_of(self, container: Container) -> dict[str, str]:
        """Destination -> source of every mount that a container refers to."""
        by_list = self._device.has("mount-lists")
        property_name, column = ("mountlists", "list") if by_list else ("mounts", "name")
        rows = self._rows("/container/mounts", column, container.item.values.get(property_name, ""))
        return {row["dst"]: row["src"] for row in rows}

    def _rows(self, path: str, column: str, wanted: str) -> list[dict[str, str]]:
        items = self._table(path).items.values()
        return [
            item.values
            for name in wanted.split(",")
            for item in items
            if name and item.values.get(column) == name and item.values.get("disabled") != "true"
        ]

    def _table(self, path: str) -> Table:
        return self._device.menu_of(Table, path)

    def _log(self, container: Container, line: str) -> None:
        if not container.is_set("logging"):
            return
        message = f"{container.name}: {line}"[:MESSAGE_LIMIT]
        number = self._device.log("container,info,debug", message)
        container.log.append((number, self._device.wall.strftime("%Y-%m-%d %H:%M:%S"), line))


def interfaces_of(container: Container) -> tuple[str, ...]:
    """The interfaces that a container is to have."""
    return tuple(name for name in container.item.values.get("interface", "").split(",") if name)


def _image_environment(image: PulledImage | None) -> dict[str, str]:
    lines = image.config.get("config", {}).get("Env") or () if image is not None else ()
    return dict(line.partition("=")[::2] for line in lines)
