"""`/container`: which adds and changes are refused, and what its commands ask of the engine.

The menu decides on words and values; what happens afterwards is the engine's, and what a row shows stands in
`container_rows`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mtts.lab import values
from mtts.lab.call import Call
from mtts.lab.container import Container, Phase
from mtts.lab.menus.container_rows import container_row
from mtts.lab.menus.container_settings import stored_path
from mtts.lab.menus.system import require
from mtts.lab.reply import DONE, Category, Reply, Trap, failure, invalid_value, no_match
from mtts.lab.surroundings import interfaces_of
from mtts.lab.table import Item, Table, TableSpec

if TYPE_CHECKING:
    from mtts.lab.device import Device

UNMODELLED = ("env", "mount", "copy-from")
BOOLEANS = frozenset(
    {
        *("start-on-boot", "logging", "privileged", "ignore-remote-image-change", "stop-on-unhealthy"),
        *("check-certificate", "default-dns"),
    }
)
SINCE_FLAGS_DEFAULTS = {"memory-high": "unlimited", "check-certificate": "true"}
TMPFS_SYNTAX = {
    "colon": re.compile(r"/[^:,@]+(:\d+[kKMG]?(:[0-7]{3,4})?)?"),
    "at": re.compile(r"\d+[kKMG]?@/[^:,@]+"),
}
LEAST_MEMORY_BYTES = 1024 * 1024
HIGHEST_SIGNAL = 64
SIGNAL_NAMES = {"1": "1-SIGHUP", "2": "2-SIGINT", "9": "9-SIGKILL", "15": "15-SIGTERM"}
SHELL_TIME_CATEGORY = Category.TTY


class ContainerTable(Table):
    """`/container`"""

    def __init__(self, device: Device) -> None:
        defaults = {"start-on-boot": "false", "logging": "false", "stop-signal": SIGNAL_NAMES["15"]}
        if device.has("flags"):
            defaults |= SINCE_FLAGS_DEFAULTS
        if "restart-policy" in device.schema.menus["/container"]["add"]:
            defaults |= {"restart-policy": "no", "restart-interval": "10s", "restart-max-count": "0"}
        if "ignore-remote-image-change" in device.schema.menus["/container"]["add"]:
            defaults["ignore-remote-image-change"] = "false"
        super().__init__(
            device,
            TableSpec(
                "/container",
                defaults=defaults,
                kept=("root-dir", "remote-image"),
                booleans=BOOLEANS,
            ),
        )
        del self.verbs["enable"], self.verbs["disable"], self.verbs["move"]
        engine = device.engine
        self.verbs |= {
            "start": self._each(engine.start),
            "stop": self._each(engine.stop),
            "kill": self._kill,
            "restart": self._each(engine.restart),
            "remove": self._each(engine.remove),
            "repull": self._repull,
            "update": self._each(engine.repull),
            "shell": self._shell,
        }

    # adding and changing

    def normal(self, name: str, value: str) -> str:
        """Values as a router stores them, references checked."""
        if name in UNMODELLED and value:
            raise Trap(f"{name} is not modelled in the lab", Category.GENERAL)
        if name == "stop-signal" and value:
            number = str(_signal_number(name, value))
            return SIGNAL_NAMES.get(number, number)
        if name == "root-dir":
            return self._path(value)
        if name == "interface":
            self._check_interfaces(value)
        if name == "tmpfs":
            self._check_tmpfs(value)
        if name in {"mounts", "mountlists", "envlist", "envlists"}:
            self._check_lists(name, value)
        stored = super().normal(name, value)
        if name == "memory-max" and stored.isdecimal() and int(stored) < LEAST_MEMORY_BYTES:
            raise invalid_value(name)
        return stored

    def before_add(self, new: dict[str, str]) -> None:
        """Refuse what cannot become a container."""
        require(self.device, "container")
        self._check_source(new)
        if self.device.has("names"):
            new.setdefault("name", new["remote-image"].rpartition("/")[2])
            self._check_name(new["name"], None)
        else:
            new["name"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.device.build.name}/{self._last_id}"))
        new.setdefault("root-dir", self._path(f"container-store/{self._last_id + 1:08x}"))
        self._check_root(values.path_key(new["root-dir"]))
        self._check_layers(new)
        self._check_shared(new)

    def after_add(self, item: Item) -> None:
        """The image is pulled from now on."""
        self.device.engine.created(item)

    def before_set(self, item: Item, changes: dict[str, str]) -> None:
        """Refuse names that are taken, roots that move, an image while another one comes."""
        if "name" in changes:
            self._check_name(changes["name"], item)
        if "root-dir" in changes and changes["root-dir"] != item.values["root-dir"]:
            raise Trap("moving a root-dir is not modelled in the lab", Category.GENERAL)
        self._check_layers(changes)
        self._check_shared(changes, item)
        if self._pulls_anew({**item.values, **changes}, item.values):
            self.device.engine.check_repull(self.device.engine.containers[item.id])

    def after_set(self, item: Item, before: Mapping[str, str]) -> None:
        """From 7.22 another image is pulled at once, unless that is switched off; setting `privileged` restarts."""
        container = self.device.engine.containers[item.id]
        if self._pulls_anew(item.values, before):
            self.device.engine.repull(container)
        elif item.values.get("privileged") != before.get("privileged") and container.phase is Phase.RUNNING:
            self.device.engine.restart(container)

    def _pulls_anew(self, after: Mapping[str, str], before: Mapping[str, str]) -> bool:
        changed = self.device.has("auto-repull") and after["remote-image"] != before["remote-image"]
        return changed and after.get("ignore-remote-image-change") != "true"

    def _check_source(self, new: Mapping[str, str]) -> None:
        if new.get("file"):
            if values.path_key(new["file"]) not in self.device.files:
                raise no_match("file")
            raise Trap("importing from a file is not modelled in the lab", Category.GENERAL)
        reference = new.get("remote-image", "")
        if not reference:
            raise failure("No file or remote-image")
        if "@" in reference and not self.device.quirks.digest_references:
            raise invalid_value("remote-image")

    def _check_name(self, name: str, current: Item | None) -> None:
        for item in self.items.values():
            if item is not current and item.values["name"] == name:
                raise Trap(self.device.quirks.duplicate_name_text)

    def _check_root(self, root: str) -> None:
        if not root and self.device.has("system-root-refused"):
            raise invalid_value("root-dir")
        conflict = self.device.engine.root_conflict(root)
        if conflict is not None:
            raise failure(f"root-dir overlap with /{conflict}")
        must_be_absent = self.device.has("root-dir-must-be-absent")
        if must_be_absent and root in self.device.files and self.device.quirks.root_dir_exists == "trap":
            raise Trap(self.device.quirks.root_dir_exists_text)

    def _check_layers(self, new: Mapping[str, str]) -> None:
        directory = values.path_key(new.get("layer-dir", ""))
        roots = [one.root for one in self.device.engine.containers.values()]
        if "root-dir" in new:
            roots.append(values.path_key(new["root-dir"]))
        if directory and any(f"{directory}/".startswith(f"{root}/") for root in roots):
            raise invalid_value("layer-dir")

    def _check_interfaces(self, value: str) -> None:
        veths = {item.values["name"] for item in self.device.table("/interface/veth").items.values()}
        names = [name for name in value.split(",") if name]
        if self.device.quirks.deleting_holds_veth:
            veths -= {veth for one in self.device.engine.leaving() for veth in interfaces_of(one)}
        several = len(names) > 1 and not self.device.has("flags")
        if several or any(name not in veths for name in names):
            raise no_match("interface")

    def _check_lists(self, name: str, value: str) -> None:
        path = "/container/mounts" if name.startswith("mount") else "/container/envs"
        column = "list" if self.device.has("mount-lists" if name.startswith("mount") else "env-lists") else "name"
        known = {item.values.get(column) for item in self.device.table(path).items.values()}
        if self.device.quirks.lists_must_exist and any(part not in known for part in value.split(",") if part):
            raise no_match(name)

    def _check_shared(self, new: Mapping[str, str], current: Item | None = None) -> None:
        name = "mountlists" if self.device.has("mount-lists") else "mounts"
        wanted = {part for part in new.get(name, "").split(",") if part}
        others = (item.values.get(name, "").split(",") for item in self.items.values() if item is not current)
        if not self.device.quirks.shared_mount_lists and any(wanted & set(parts) for parts in others):
            raise no_match(name)

    def _check_tmpfs(self, value: str) -> None:
        accepted = self.device.quirks.tmpfs_syntax
        syntaxes = [syntax for kind, syntax in TMPFS_SYNTAX.items() if accepted in {"both", kind}]
        if not all(any(syntax.fullmatch(part) for syntax in syntaxes) for part in value.split(",") if part):
            raise invalid_value("tmpfs")

    def _path(self, path: str) -> str:
        return stored_path(self.device, path)

    # acting

    def _each(self, act: Callable[[Container], None]) -> Callable[[Call], Reply]:
        def handler(call: Call) -> Reply:
            if call.command.verb in {"start", "update", "restart"}:
                require(self.device, "container")
            for item in self.selected(call):
                act(self.device.engine.containers[item.id])
            return DONE

        return handler

    def _kill(self, call: Call) -> Reply:
        signal = _signal_number("signal", call.command.args.get("signal") or SIGNAL_NAMES["9"])
        for item in self.selected(call):
            self.device.engine.kill(self.device.engine.containers[item.id], signal)
        return DONE

    def _repull(self, call: Call) -> Reply:
        require(self.device, "container")
        if call.command.args.get("file"):
            raise Trap("importing from a file is not modelled in the lab", Category.GENERAL)
        for item in self.selected(call):
            container = self.device.engine.containers[item.id]
            self.device.engine.check_repull(container)
            if reference := call.command.args.get("remote-image"):
                item.values["remote-image"] = reference
            self.device.engine.repull(container)
        return DONE

    def _shell(self, call: Call) -> Reply:
        container = self.device.engine.containers[self.selected_one(call).id]
        command = call.command.args.get("cmd")
        answer = self.device.quirks.shell_answer
        if call.job is not None and answer != "unavailable":
            answer = "ret"  # a script has the console that the API lacks
        if command is None or answer in {"tty-trap", "unavailable"}:
            raise Trap("no terminal", SHELL_TIME_CATEGORY)
        output = self.device.engine.shell(container, command)
        if answer == "rows":
            return Reply(rows=[{"ret": line} for line in output.splitlines()])
        return Reply(ret=output)

    # showing

    def view(self, item: Item) -> dict[str, str]:
        """What this version's print shows of a container."""
        device = self.device
        container = device.engine.containers.get(item.id)
        if container is None:
            return {".id": item.ref, **item.values}
        return {".id": item.ref, **container_row(device, container)}


def _signal_number(argument: str, value: str) -> int:
    """The number in front of `15-SIGTERM`."""
    return values.whole(argument, value.partition("-")[0], 1, HIGHEST_SIGNAL)
