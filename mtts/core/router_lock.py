"""The lock on a router: one run at a time writes to it, from whichever machine (I14).

It is a script that is never run, since script names are unique on a router, which makes taking it one atomic command.
Its comment says who holds it, and is a lease: a holder that needs longer renews it, one that is gone does not. Age is
told by the router's uptime alone: no clock of anybody has to be right. Whether a holder on this machine still lives is
asked elsewhere (`Processes` in ports.py).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from mtts.core.errors import Problem
from mtts.core.inventory import Timing
from mtts.core.values import parse_int

PATH: Final = "/system/script"
NAME: Final = "mtts-lock"

_MARK: Final = "mtts:lock"
_SOURCE: Final = (
    "# A run of mtts writes to this router. Where none does any more, the next one takes the lock over;"
    f" by hand: /system/script/remove {NAME}"
)
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_FULL_DAY_S: Final = 86400.0
_COMMANDS: Final = 4
"""So many answers that come at the last moment a step may have to wait for, beside its own time."""

USUAL_S: Final = 180.0
"""A run that is done by then, as most updates are, never renews its lock: each renewal is a write to the flash."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One run of one process."""

    host: str
    system: str
    """What tells a process id on this host from an equal one on another: after a boot, or in another container."""
    pid: int
    run: str

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}"


def fit_host(name: str) -> str:
    """A host's name as a word of the comment."""
    return _UNFIT.sub("_", name) or "_"


@dataclass(frozen=True, slots=True)
class HeldLock:
    """The lock as the router shows it."""

    id: str
    comment: str
    holder: Holder | None
    """None where somebody else's script has the name, or somebody edited the comment."""
    uptime_s: float = 0.0
    """Of the router, when the lock was taken or renewed."""
    longest_s: float = _FULL_DAY_S
    """How long it is good from then on, by its holder's own `timing:`."""


def lock_props(holder: Holder, *, uptime_s: float, longest_s: float) -> dict[str, str]:
    """The script that is the lock; its policy is the least that a script can have."""
    return {
        "name": NAME,
        "policy": "read",
        "source": _SOURCE,
        "comment": lock_comment(holder, uptime_s=uptime_s, longest_s=longest_s),
    }


def lock_comment(holder: Holder, *, uptime_s: float, longest_s: float) -> str:
    """Who holds it, in one line."""
    return f"{_MARK} by={holder} on={holder.system} run={holder.run} uptime={uptime_s:.0f} longest={longest_s:.0f}"


def read_lock(row: Mapping[str, str]) -> HeldLock:
    """One row of the script menu."""
    id_, comment = row.get(".id", ""), row.get("comment", "")
    mark, *words = comment.split() or [""]
    fields = dict(word.partition("=")[::2] for word in words)
    host, _, pid_text = fields.get("by", "").rpartition("/")
    pid, uptime, longest = (parse_int(text) for text in (pid_text, fields.get("uptime"), fields.get("longest")))
    names = (host, fields.get("run", ""))
    if mark != _MARK or pid is None or uptime is None or not all(names) or any(map(_UNFIT.search, names)):
        return HeldLock(id_, comment, None)
    holder = Holder(host, fields.get("on", ""), pid, fields["run"])
    return HeldLock(id_, comment, holder, float(uptime), _FULL_DAY_S if longest is None else float(longest))


def why_stale(
    lock: HeldLock, *, uptime_s: float | None, has_ended: bool, ended_runs: Collection[str] = ()
) -> str | None:
    """Why nobody holds the lock any more; None where somebody may.

    `has_ended` says that its holder was a process of this machine that is gone, `ended_runs` which runs of our own
    state directory were killed.
    """
    if lock.holder is None:
        return None
    if has_ended or lock.holder.run in ended_runs:
        return "its process is gone"
    if uptime_s is None:
        return None
    if uptime_s < lock.uptime_s:
        return "the router was restarted since"
    if uptime_s - lock.uptime_s > lock.longest_s:
        return "it was not renewed in time"
    return None


def locked(router: str, lock: HeldLock, *, uptime_s: float | None) -> Problem:
    """Who holds the router, and for how long."""
    remove = f"/system/script/remove {NAME}"
    if lock.holder is None:
        said = f"{router} has a script {NAME} whose comment names no run of mtts"
        return Problem("router-locked", said, f"look at it, then: {remove}")
    age = f", who was at work {max(0.0, uptime_s - lock.uptime_s):.0f} s ago" if uptime_s is not None else ""
    return Problem(
        "router-locked",
        f"{router} is held by {lock.holder}, run {lock.holder.run}{age}",
        f"run the command again once that one has ended; if it surely has: {remove}",
    )


def left_behind(router: str, lock: HeldLock, why: str) -> Problem:
    """A lock that nobody holds any more: it stops nobody, and goes with the next run that writes."""
    said = f"{router} still has the lock of {lock.holder}, which nobody holds any more: {why}"
    return Problem("lock-left", said, f"mtts resume {router}")


def taken_away(lock: HeldLock) -> Problem:
    """What was done about a lock that nobody held any more."""
    said = f"the lock of {lock.holder} was left by a run that is gone, and is gone now"
    return Problem("leftover-removed", said)


def step_s(timing: Timing) -> float:
    """The longest that a run may be at one thing without looking after its lock: a pull, as `timing:` usually is.

    A guard that it left at work counts as well, so that nobody settles what is being settled.
    """
    waits_s = (timing.pull_s, timing.healthy_s + timing.observe_s, timing.confirm_s + 2 * timing.stop_s)
    return max(waits_s) + _COMMANDS * timing.command_s


def lease_s(timing: Timing) -> float:
    """For how long a lock is good: always for one more step, so that it never ends under a run that goes on."""
    return USUAL_S + step_s(timing)
