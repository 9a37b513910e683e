"""Who this process is to others, and whether a process of this machine that held a router's lock is gone.

A process id means something only on the system that gave it: the host's name alone does not tell one boot, or one
container, from the next. Where that cannot be known, a holder counts as alive, and its lock ages out.
"""

import hashlib
import os
import socket
from pathlib import Path

from mtts.core.router_lock import Holder, fit_host

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


class SystemProcesses:
    """The `Processes` port on this machine, for one run."""

    def __init__(self, run: str) -> None:
        self._me = Holder(fit_host(socket.gethostname()), _system(), os.getpid(), run)

    @property
    def me(self) -> Holder:
        """This run."""
        return self._me

    def has_ended(self, holder: Holder) -> bool:
        """Whether it surely has; a process writes for one run at a time, so another run of this one is over."""
        if (holder.host, holder.system) != (self._me.host, self._me.system):
            return False
        if holder.pid == self._me.pid:
            return holder.run != self._me.run
        return not _lives(holder.pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _system() -> str:
    """Differs from boot to boot and from one PID namespace to another; the same word where Linux' files are missing."""
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
    namespace = str(_NAMESPACE.readlink()) if _NAMESPACE.is_symlink() else ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:8]
