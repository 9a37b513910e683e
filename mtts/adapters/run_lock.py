"""The run lock: of all commands that write to routers, one at a time for each store on this machine.

The kernel holds the lock for as long as the process lives, so that a killed run leaves none behind. Who holds it is
written beside it, for people only.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtts.adapters.process_lock import HeldError, UnlockableError, process_lock
from mtts.adapters.whole_file import write_private
from mtts.core.errors import LockHeldError, StoreError
from mtts.core.text import printable


@contextmanager
def run_lock(file: Path, command: str) -> Iterator[None]:
    """Hold the lock; LockHeldError where another process does, StoreError where there can be none."""
    holder = file.with_suffix(".holder")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _untakeable(file, error.strerror or "there is no directory for it") from error
    try:
        with process_lock(file):
            try:
                write_private(holder, json.dumps({"pid": os.getpid(), "command": command}))
            except OSError as error:
                raise UnlockableError(error.strerror) from error
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)
    except HeldError:
        raise LockHeldError(
            f"another run writes to routers: {_holder(holder)}", hint="wait for its end, then run the command again"
        ) from None
    except UnlockableError as error:
        raise _untakeable(file, str(error)) from error


def _untakeable(file: Path, reason: str) -> StoreError:
    return StoreError(f"the run lock {file} cannot be taken: {reason}", hint="name another directory with --state")


def _holder(file: Path) -> str:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return f"mtts {printable(str(said['command']))} (process {int(said['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):  # it has not been written yet, or is gone again
        return "it does not say which"
