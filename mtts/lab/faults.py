"""What a test, a scenario or an operator makes go wrong on one router.

Set here, honoured by the session and its link, the container engine (pulls, stopping) and the router's door.
Nothing happens by chance. What can be had by name from outside is listed in `fault_kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated, Literal

from mtts.lab.call import Caller
from mtts.lab.command import Command, parse_command
from mtts.lab.fault_options import (
    ANY,
    PAIRS,
    WRITE,
    CommandPath,
    Count,
    CountedPath,
    OptionError,
    Spoken,
    Words,
    checked,
    within,
)
from mtts.lab.journal import JournalEntry, is_write
from mtts.lab.menus.users import POLICIES
from mtts.lab.others import RefusedError, find_rows, give_command

if TYPE_CHECKING:
    from mtts.lab.device import Device

WriteCallback = Callable[[int, JournalEntry], None]
How = Literal["fin", "rst", "silence"]
"""How a link ends: in good order, with a reset, or without a word so that both ends think it is there."""
Pairs = Annotated[Mapping[str, str], PAIRS]
OTHERS_FILE = "others.bin"
CENTURY_S = 100 * 365 * 86_400
YEARS = range(1970, 2101)
"""What a router's clock can show here."""


@dataclass(frozen=True, slots=True)
class BrokenExtraction:
    """How far an extraction gets, and what is said of it; None when it ends as if all were well."""

    percent: int
    text: str | None


class Fate(Enum):
    """What becomes of a command."""

    NORMAL = auto()
    CUT_BEFORE = auto()
    CUT_AFTER = auto()


@dataclass(slots=True)
class _Cut:
    remaining: int
    before: bool
    how: How


@dataclass(slots=True)
class _Watch:
    remaining: int
    path: str
    before: bool
    callback: Callable[[], None]
    entry: JournalEntry | None = None
    """The command that was waited for, once it has come."""

    def counts(self, entry: JournalEntry) -> bool:
        return self.path == ANY or (entry.is_write if self.path == WRITE else self.path == entry.path)


class Faults:
    """The faults of one router; all off at first."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.stuck_stopping = False
        self.is_hung = False
        self.bytes_per_s = 0
        """What replies may take of the link; 0 for as fast as can be."""
        self.latency_s = 0.0
        self.is_tailnet_only = False
        self.cut_how: How = "fin"
        """How the link of the last command that `meet` gave a fate to ends."""
        self._cut: _Cut | None = None
        self._watches: list[_Watch] = []
        self._traps: list[tuple[str, str]] = []
        self._pull_failures: list[str] = []
        self._extractions: list[BrokenExtraction] = []
        self._garbled = False
        self._truncated = False
        self._rivals = 0
        self._write_callback: WriteCallback | None = None
        self._writes = 0

    # power and time

    def reboot(self) -> None:
        """Restart in good order."""
        self._device.restart()

    def power_cut(self) -> None:
        """Lose power for a moment."""
        self._device.restart(clean=False, cold=True)

    @checked
    def clock_jump(self, seconds: Annotated[float, within(-CENTURY_S, CENTURY_S)]) -> None:
        """Set the router's own clock forward, or back with a number below zero."""
        year = (self._device.wall + timedelta(seconds=seconds)).year
        if year not in YEARS:
            raise OptionError("seconds", f"seconds: the year would be {year}, not one of {YEARS[0]} to {YEARS[-1]}")
        self._device.jump_clock(seconds)

    # the link

    @checked
    def cut_link(self, how: How = "fin") -> None:
        """Cut every connection: in good order, with a reset, or by silence that neither end notices."""
        for session in list(self._device.sessions.values()):
            session.cut(how)

    @checked
    def cut_after(self, n: Count, *, before: bool = False, how: How = "fin") -> None:
        """Cut the link at the n-th command from now, before or after it took effect; its reply is never sent."""
        self._cut = _Cut(n, before, how)

    def hang(self) -> None:
        """Accept connections and bytes, answer nothing: a half-open link."""
        self.is_hung = True

    def thaw(self) -> None:
        """End `hang`; what was sent meanwhile is lost with its connections."""
        self.is_hung = False
        self._device.drop_sessions()

    @checked
    def slow_link(
        self,
        bytes_per_s: Annotated[int, within(0, 1_000_000_000)] = 0,
        latency_s: Annotated[float, within(0, 86_400)] = 0.0,
    ) -> None:
        """Have replies arrive late, in simulated time: so long after they were made, and at that rate (0: any)."""
        self.bytes_per_s, self.latency_s = bytes_per_s, latency_s

    def truncate_reply(self) -> None:
        """Send the first half of the next reply and hang up."""
        self._truncated = True

    def garble_reply(self) -> None:
        """Replace the next reply by bytes that are no API stream."""
        self._garbled = True

    def tailnet_path(self, *, off: bool = False) -> None:
        """Let the API be reached only through the router's own node, from the moment that it is online."""
        self.is_tailnet_only = not off

    # commands and containers

    @checked
    def trap_next(self, path: CommandPath, message: Spoken = "failure: refused by the lab") -> None:
        """Refuse the next command of this path with this text, without effect."""
        self._traps.append((path, message))

    @checked
    def fail_pull(self, text: Words = "fetch manifest failed") -> None:
        """Have the next pull fail before anything is written; `text` is what follows `download/extract error: `."""
        self._pull_failures.append(text)

    @checked
    def fail_extraction(
        self, after_percent: Annotated[int, within(1, 99)] = 50, text: Words = "failed to extract layer"
    ) -> None:
        """Have the next extraction die so far on, leaving that much of the root directory; `text` as of `fail-pull`."""
        self._extractions.append(BrokenExtraction(after_percent, text))

    @checked
    def hollow_extraction(self, after_percent: Annotated[int, within(1, 99)] = 50, n: Count = 1) -> None:
        """Have the next n extractions end so far on as if all were well; the program is missing at the start."""
        self._extractions.extend([BrokenExtraction(after_percent, None)] * n)

    def stick_stopping(self, *, off: bool = False) -> None:
        """Have containers that are told to stop stay `stopping` until they are killed or the router reboots."""
        self.stuck_stopping = not off

    @checked
    def fill_disk(self, disk: str = "", leave_bytes: Annotated[int, within(0, 1 << 40)] = 0) -> None:
        """Fill a disk (its slot; the built-in flash where none is named) with somebody else's file."""
        files, storage = self._device.files, self._device.storage
        slot = disk or storage.flash.name
        if slot not in storage.volumes:
            there = ", ".join(name or "none for the built-in flash" for name in storage.volumes)
            raise OptionError("disk", f"disk: expected one of {there}, not {disk!r}")
        path, free = f"{slot}/{OTHERS_FILE}".lstrip("/"), storage.volumes[slot].free_bytes
        if leave_bytes > free:
            said = f"leave-bytes: expected at most the {free} that are free, not {leave_bytes}"
            raise OptionError("leave-bytes", said)
        if path not in files:
            files.write(path, b"")
        files.grow(path, free - leave_bytes)

    @checked
    def bad_blocks(self, percent: Annotated[int, within(1, 100)] = 1) -> None:
        """Have so many per cent of the flash's blocks be bad; a CHR does not tell."""
        self._device.storage.bad_blocks_percent = percent

    @checked
    def foreign_command(
        self, command: CommandPath, *, where: Pairs | None = None, values: Pairs | None = None, user: Words = "admin"
    ) -> None:
        """Have another administrator give a command now, to the rows with the values of `where`."""
        plain = parse_command((command,))
        caller = Caller(user, frozenset(POLICIES))
        args = dict(values or {})
        if where:
            refs = find_rows(self._device, plain.menu, where, caller)
            if not refs:
                wanted = ", ".join(f"{name}={value}" for name, value in where.items())
                raise OptionError("where", f"where: no row of {plain.menu} has {wanted}")
            args[".id"] = ",".join(refs)
        refusal = give_command(self._device, replace(plain, args=args), caller)
        if refusal is not None:
            raise RefusedError(f"{command}: {refusal}")

    @checked
    def second_controller(self, n: Count = 1) -> None:
        """Have another controller give each of the next n writing commands a moment before their clients do."""
        self._rivals = n

    def clear(self) -> None:
        """Mend everything that lasts, and forget what was still to come; what somebody filled is free again."""
        if self.is_hung:
            self.thaw()
        self.stuck_stopping = self.is_tailnet_only = self._garbled = self._truncated = False
        self.bytes_per_s, self.latency_s = 0, 0.0
        self._cut, self._rivals = None, 0
        self._device.storage.bad_blocks_percent = 0
        for waiting in (self._watches, self._traps, self._pull_failures, self._extractions):
            waiting.clear()
        for path in [path for path in self._device.files.entries if path.rpartition("/")[2] == OTHERS_FILE]:
            self._device.files.remove(path)

    # for those who watch

    def on_write(self, callback: WriteCallback | None) -> None:
        """Call `callback(n, entry)` after the n-th write from now took effect, before its reply is sent."""
        self._write_callback = callback
        self._writes = 0

    @checked
    def at_command(
        self, n: Count, callback: Callable[[], None], *, path: CountedPath = ANY, before: bool = False
    ) -> None:
        """Call back at the n-th client's command from now of this path, before it is looked at or before its reply.

        `path` may be `any`, which counts logins too, or `write`. A command that is refused has its reply as well.
        """
        self._watches.append(_Watch(n, path, before, callback))

    # asked by the session, by scripts and by the engine

    def meet(self, entry: JournalEntry) -> Fate:
        """The fate of a client's command that has just arrived."""
        for watch in [watch for watch in self._watches if watch.entry is None and watch.counts(entry)]:
            watch.remaining -= 1
            if watch.remaining == 0:
                watch.entry = entry
                if watch.before:
                    self._watches.remove(watch)
                    watch.callback()
        if self._cut is None:
            return Fate.NORMAL
        self._cut.remaining -= 1
        if self._cut.remaining > 0:
            return Fate.NORMAL
        cut, self._cut = self._cut, None
        self.cut_how = cut.how
        return Fate.CUT_BEFORE if cut.before else Fate.CUT_AFTER

    def answered(self, entry: JournalEntry) -> None:
        """A client's command was carried out or refused; its reply is not sent yet."""
        for watch in [watch for watch in self._watches if watch.entry is entry]:
            self._watches.remove(watch)
            watch.callback()

    def forestall(self, command: Command, caller: Caller) -> None:
        """Another controller may have given this very command a moment before."""
        if self._rivals and is_write(command.path):
            self._rivals -= 1
            give_command(self._device, command, Caller(caller.user, caller.policies))

    def take_trap(self, path: str) -> str | None:
        """The text that this command is to be refused with, once."""
        for position, (trapped, message) in enumerate(self._traps):
            if trapped == path:
                del self._traps[position]
                return message
        return None

    def take_pull_failure(self) -> str | None:
        """The text that this pull is to fail with, once."""
        return self._pull_failures.pop(0) if self._pull_failures else None

    def take_extraction(self) -> BrokenExtraction | None:
        """How this extraction is to break, once."""
        return self._extractions.pop(0) if self._extractions else None

    def take_garble(self) -> bool:
        """Whether this reply is to be garbled, once."""
        garbled, self._garbled = self._garbled, False
        return garbled

    def take_truncation(self) -> bool:
        """Whether this reply is to be cut in half, once."""
        truncated, self._truncated = self._truncated, False
        return truncated

    def wrote(self, entry: JournalEntry) -> None:
        """A write took effect."""
        self._writes += 1
        if self._write_callback is not None:
            self._write_callback(self._writes, entry)
