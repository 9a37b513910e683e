"""The inside of one simulated router: its menus, files, memory, log, and its life between two boots.

Menus come into being when they are first asked for, so an idle router costs next to nothing. What a reboot
forgets and what it keeps is decided here; how the outside reaches the router is not (see `router` and
`session`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from mtts.lab import menus
from mtts.lab.boards import Board
from mtts.lab.call import Answer, Call, Menu
from mtts.lab.clock import SimClock, Timer, moved
from mtts.lab.dispatch import perform
from mtts.lab.engine import Engine
from mtts.lab.faults import Faults
from mtts.lab.filetree import FileTree
from mtts.lab.importing import Puller
from mtts.lab.journal import JournalEntry, is_write, mask
from mtts.lab.menus.packages import PackageTable
from mtts.lab.menus.safe_mode import SafeMode
from mtts.lab.menus.scheduler import SchedulerTable
from mtts.lab.quirks import Quirks
from mtts.lab.reply import Row
from mtts.lab.schema import load_schema
from mtts.lab.script.scripts import Scripts
from mtts.lab.storage import Storage, Volume
from mtts.lab.table import Singleton, Table
from mtts.lab.tailnet import Tailnet
from mtts.lab.values import stamp
from mtts.lab.version import Trait, has, parse_version

if TYPE_CHECKING:
    from mtts.lab.session import Session

BOOT_S = 30.0
CLOCK_SET_S = 20.0
"""How long after a boot a router that lost the time has asked for it."""
FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
SHUTDOWN_DELAY_S = 1.0
LOG_LINES = 1000
CONTAINER_PACKAGE_MENUS = ("/container", "/interface/veth")
DEFAULT_REGISTRY, FORMER_DEFAULT_REGISTRY = "https://registry-1.docker.io", "https://lscr.io"
"""Where images without a host come from when nobody set a registry: the former one up to 7.21.1 (changelogs)."""

MenuT = TypeVar("MenuT", bound=Menu)


@dataclass(frozen=True, slots=True)
class Build:
    """How a router is built and set up, before anyone connects."""

    name: str
    version: str
    board: Board
    users: dict[str, tuple[str, str]]
    container_package: bool = True
    device_mode_container: bool = True
    dns: tuple[str, ...] = ("192.0.2.53",)
    clock_skew_s: float = 0.0
    usb: dict[str, int] | None = None
    link_bytes_per_s: float = 4_000_000.0
    extract_bytes_per_s: float = 4_000_000.0
    tls: bool = True


class Device:
    """One router's hardware, software and configuration."""

    def __init__(self, build: Build, *, clock: SimClock, quirks: Quirks, tailnet: Tailnet, puller: Puller) -> None:
        self.build = build
        self.clock = clock
        self.quirks = quirks
        self.tailnet = tailnet
        self.version = parse_version(build.version)
        self.schema = load_schema(self.version)
        self.sessions: dict[int, Session] = {}
        self.is_up = True
        self.boots = 0
        self.booted_at_s = clock.now
        self.clock_error_s = build.clock_skew_s
        self.log_rows: deque[Row] = deque(maxlen=LOG_LINES)
        self.log_watchers: set[Callable[[Row], None]] = set()
        self._log_id = 0
        self.journal: list[JournalEntry] = []
        """Every command that was given here, by clients and by scripts."""
        self._menus: dict[str, Menu] = {}
        board = build.board
        self.storage = Storage(
            flash_total_bytes=board.flash_total_bytes,
            flash_free_bytes=board.flash_free_bytes,
            ram_bytes=board.ram_bytes,
            flash_trap=board.flash_trap,
            schedule_flush=self._flush_late,
            out_of_memory=self._out_of_memory,
        )
        self.files = FileTree(self.storage, lambda: self.wall)
        if board.flash_trap:
            self.files.add_disk("flash")
        for slot, size_bytes in (build.usb or {}).items():
            self.mount(Volume(slot, size_bytes, volatile=False))
        self.faults = Faults(self)
        self.engine = Engine(self, puller)
        self.scripts = Scripts(self)

    def has(self, trait: Trait) -> bool:
        """Whether this router's version behaves so."""
        return has(self.version, trait)

    # menus

    def menu(self, path: str) -> Menu:
        """The menu at a path; one that the lab does not model refuses every command."""
        menu = self._menus.get(path)
        if menu is None:
            menu = self._menus[path] = menus.build_menu(self, path)
        return menu

    def menu_of(self, kind: type[MenuT], path: str) -> MenuT:
        """The menu at a path, known to be of this class."""
        menu = self.menu(path)
        if not isinstance(menu, kind):
            raise TypeError(f"{path} is no {kind.__name__}")
        return menu

    def become(self, version: str) -> Mapping[str, Menu]:
        """Be of another version from now on, every menu in its factory state; the menus so far."""
        before, self._menus = self._menus, {}
        self.build = replace(self.build, version=version)
        self.version = parse_version(version)
        self.schema = load_schema(self.version)
        return before

    def lacks_menu(self, path: str) -> bool:
        """Whether a menu of this version is missing on this very router (package not active, no RouterBOARD)."""
        if path == "/system/routerboard":
            return self.build.board.architecture == "x86_64"
        if path == "/safe-mode":
            return not self.quirks.safe_mode_menu
        if not path.startswith(CONTAINER_PACKAGE_MENUS):
            return False
        if self.menu_of(PackageTable, "/system/package").is_active("container"):
            return False
        return path.startswith("/container") or self.has("veth-in-container-package")

    def perform(self, call: Call) -> Answer:
        """Answer one command."""
        return perform(self, call)

    def table(self, path: str) -> Table:
        """The table at a path."""
        return self.menu_of(Table, path)

    def setting(self, path: str, name: str) -> str:
        """One value of a menu that holds one set of values; empty when it is not set."""
        return self.menu_of(Singleton, path).values.get(name, "")

    def dns_servers(self) -> tuple[str, ...]:
        """Every resolver that the router would ask, its own and the uplink's."""
        given = (self.setting("/ip/dns", name) for name in ("servers", "dynamic-servers"))
        return tuple(server for value in given for server in value.split(",") if server)

    def disk_slots(self) -> frozenset[str]:
        """Every slot that the router has a disk configured for."""
        return frozenset(item.values.get("slot", "") for item in self.table("/disk").items.values())

    def registry_host(self) -> str:
        """Where images without a host in their reference come from."""
        default = DEFAULT_REGISTRY if self.has("docker-by-default") else FORMER_DEFAULT_REGISTRY
        url = self.setting("/container/config", "registry-url") or default
        return url.partition("://")[2] or url

    def has_interface(self, name: str) -> bool:
        """Whether an interface of this name exists."""
        return name in menus.interface_names(self)

    def session_ended(self, number: int) -> None:
        """A client is gone: what it changed in safe mode goes with it."""
        self.menu_of(SafeMode, "/safe-mode").session_ended(number)

    # time, log and journal

    @property
    def uptime_s(self) -> float:
        """Seconds since the last boot."""
        return self.clock.now - self.booted_at_s

    @property
    def wall(self) -> datetime:
        """What the router's own clock says."""
        return moved(self.clock.wall, self.clock_error_s)

    def _lose_time(self) -> None:
        """The power was gone: a board without a battery goes on from what it knows, until it has asked."""
        answer = self.quirks.clock_after_power_cut
        if answer == "kept" or self.build.board.is_virtual:
            return
        if answer == "1970":
            self.clock_error_s = (FIRST_MOMENT - self.clock.wall).total_seconds()
        else:
            self.clock_error_s -= BOOT_S
        self.later(CLOCK_SET_S, self._set_clock)

    def _set_clock(self) -> None:
        self.clock_error_s = self.build.clock_skew_s
        self.menu_of(SchedulerTable, "/system/scheduler").rearm()

    def jump_clock(self, seconds: float) -> None:
        """Set the router's own clock forward, or back with a number below zero."""
        self.clock_error_s += seconds
        self.menu_of(SchedulerTable, "/system/scheduler").rearm()

    def later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Do something later, unless the router restarts before."""
        boot = self.boots
        return self.clock.call_later(delay_s, lambda: callback() if self.boots == boot else None)

    def log(self, topics: str, message: str) -> int:
        """Write a line into the router's log; its number."""
        self._log_id += 1
        row = {".id": f"*{self._log_id:X}", "time": stamp(self.wall), "topics": topics, "message": message}
        self.log_rows.append(row)
        for watcher in self.log_watchers:
            watcher(row)
        return self._log_id

    def note(self, path: str, words: Sequence[str], *, user: str, session: int = 0, script: str = "") -> JournalEntry:
        """Enter a command into the journal, without passwords; what comes of it is filled in later."""
        entry = JournalEntry(
            number=len(self.journal) + 1,
            time_s=self.clock.now,
            session=session,
            user=user,
            path=path,
            words=mask(words),
            is_write=is_write(path),
            script=script,
        )
        self.journal.append(entry)
        return entry

    # storage

    def mount(self, volume: Volume) -> None:
        """Make a disk's volume reachable under its slot."""
        self.storage.volumes[volume.name] = volume
        self.files.add_disk(volume.name)

    def unmount(self, slot: str) -> None:
        """Take a disk's volume away, with what a volatile one holds."""
        self.files.remove(slot)
        self.storage.volumes.pop(slot, None)

    def _flush_late(self, flush: Callable[[], None]) -> None:
        self.clock.call_later(self.quirks.flash_flush_s, flush)

    # restarting

    def restart(self, *, clean: bool = True, cold: bool = False) -> None:
        """Go down and come back after the time that booting takes; `cold` is with the power gone."""
        self.boots += 1
        self.is_up = False
        self.drop_sessions()
        self.scripts.lose_power()
        self.engine.lose_power()
        self.storage.restarted()
        self.files.forget_volatile()
        self.log_rows.clear()
        self._log_id = 0
        self.later(BOOT_S, lambda: self._boot(clean, cold))

    def restart_soon(self) -> None:
        """Restart when the answer to the command that asked for it is out."""
        self.later(SHUTDOWN_DELAY_S, self.restart)

    def shut_down_soon(self) -> None:
        """Go down in good order and stay down until somebody cuts the power and gives it back."""
        self.later(SHUTDOWN_DELAY_S, self._shut_down)

    def _shut_down(self) -> None:
        self.restart()
        self.boots += 1  # nobody boots it

    def drop_sessions(self) -> None:
        """Cut every connection, without a word."""
        for session in list(self.sessions.values()):
            session.abort()

    def _boot(self, clean: bool, cold: bool) -> None:
        self.is_up = True
        self.booted_at_s = self.clock.now
        if cold:
            self._lose_time()
        cause = "router rebooted" if clean else "router was rebooted without proper shutdown"
        self.log("system,error,critical" if not clean else "system,info", cause)
        self.menu_of(PackageTable, "/system/package").booted()
        if not self.lacks_menu("/container"):
            self.engine.boot()
        self.menu_of(SchedulerTable, "/system/scheduler").boot()

    def _out_of_memory(self) -> None:
        self.later(0, self._reboot_for_memory)

    def _reboot_for_memory(self) -> None:
        self.restart(clean=False)
        self.later(BOOT_S, self._tell_of_memory)

    def _tell_of_memory(self) -> None:
        self.log("system,error,critical", "out of memory condition was detected")
