"""What a test or an operator makes go wrong on one router's connection, commands and pulls.

Set here, honoured by the session (links, replies) and the container engine (pulls, stopping). Nothing
happens by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from mtts.lab.journal import JournalEntry

WriteCallback = Callable[[int, JournalEntry], None]


class Fate(Enum):
    """What becomes of a command."""

    NORMAL = auto()
    CUT_BEFORE = auto()
    CUT_AFTER = auto()


@dataclass(slots=True)
class _Cut:
    remaining: int
    before: bool


class Faults:
    """The faults of one router; all off at first."""

    def __init__(self, *, restart: Callable[[], None], power_cut: Callable[[], None], thaw: Callable[[], None]) -> None:
        self.reboot = restart
        """Restart in good order."""
        self.power_cut = power_cut
        """Lose power for a moment."""
        self.stuck_stopping = False
        """Containers that are told to stop stay `stopping` until they are killed or the router reboots."""
        self.is_hung = False
        self._thaw = thaw
        self._cut: _Cut | None = None
        self._traps: list[tuple[str, str]] = []
        self._pull_failures: list[str] = []
        self._garbled = False
        self._write_callback: WriteCallback | None = None
        self._writes = 0

    def cut_after(self, n: int, *, before: bool = False) -> None:
        """Cut the link at the n-th command from now, before or after it took effect; its reply is never sent."""
        self._cut = _Cut(n, before)

    def trap_next(self, path: str, message: str) -> None:
        """Refuse the next command of this path with this text, without effect."""
        self._traps.append((path, message))

    def fail_pull(self, text: str) -> None:
        """Have the next pull fail; `text` is what follows `download/extract error: `."""
        self._pull_failures.append(text)

    def garble_reply(self) -> None:
        """Replace the next reply by bytes that are no API stream."""
        self._garbled = True

    def hang(self) -> None:
        """Accept connections and bytes, answer nothing: a half-open link."""
        self.is_hung = True

    def thaw(self) -> None:
        """End `hang`; what was sent meanwhile is lost with its connections."""
        self.is_hung = False
        self._thaw()

    def on_write(self, callback: WriteCallback | None) -> None:
        """Call `callback(n, entry)` after the n-th write from now took effect, before its reply is sent."""
        self._write_callback = callback
        self._writes = 0

    def meet(self) -> Fate:
        """The fate of a command that has just arrived."""
        if self._cut is None:
            return Fate.NORMAL
        self._cut.remaining -= 1
        if self._cut.remaining > 0:
            return Fate.NORMAL
        cut, self._cut = self._cut, None
        return Fate.CUT_BEFORE if cut.before else Fate.CUT_AFTER

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

    def take_garble(self) -> bool:
        """Whether this reply is to be garbled, once."""
        garbled, self._garbled = self._garbled, False
        return garbled

    def wrote(self, entry: JournalEntry) -> None:
        """A write took effect."""
        self._writes += 1
        if self._write_callback is not None:
            self._write_callback(self._writes, entry)
