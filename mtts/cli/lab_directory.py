"""The directory of a running lab: one lab at a time, and only its own files go with it.

The kernel holds the lock for as long as the process lives, so that a lab that was killed keeps nobody out; what it
left is replaced. Files that no lab wrote are neither replaced nor removed.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtts.adapters.process_lock import HeldError, UnlockableError, process_lock
from mtts.adapters.whole_file import write_private
from mtts.core.errors import LockHeldError, UsageError
from mtts.lab.control import Control, ControlError, read_control_file, write_control_file

CONTROL_FILE = "control.json"
INVENTORY_FILE = "inventory.yaml"
LOCK_FILE = "lab.lock"
MARK = "# Written by `mtts lab up`, which replaces and removes it.\n"


class LabDirectory:
    """The files of one lab, from when it holds the lock."""

    def __init__(self, path: Path) -> None:
        self.inventory = path / INVENTORY_FILE
        self.control = path / CONTROL_FILE
        self._inventory_text = ""
        self._control: Control | None = None

    def write(self, inventory: str, control: Control) -> None:
        """Leave the inventory and the way to the lab."""
        self._inventory_text = MARK + inventory
        write_private(self.inventory, self._inventory_text)
        write_control_file(self.control, control)
        self._control = control

    def clear(self) -> None:
        """Remove what `write` left, unless somebody has put something else in its place."""
        with suppress(OSError, ValueError):  # gone, or not text any more
            if self.inventory.read_text(encoding="utf-8") == self._inventory_text:
                self.inventory.unlink()
        with suppress(ControlError):  # the same
            if read_control_file(self.control) == self._control:
                self.control.unlink()


@contextmanager
def lab_directory(path: Path) -> Iterator[LabDirectory]:
    """Hold the directory for one lab; LockHeldError where another lab does, UsageError where none can."""
    found = LabDirectory(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unfit(path, error.strerror or "it cannot be made") from error
    try:
        with process_lock(path / LOCK_FILE):
            try:
                _check_inventory(found.inventory)
                yield found
            finally:
                found.clear()
                (path / LOCK_FILE).unlink(missing_ok=True)  # held: whoever opened it before finds it without a name
                with suppress(OSError):  # somebody else's files lie there too
                    path.rmdir()
    except HeldError:
        raise LockHeldError(
            f"another lab is running in {path}",
            hint="end it with Ctrl-C in its terminal, or name another directory with --lab-dir",
            code="lab-running",
        ) from None
    except UnlockableError as error:
        raise _unfit(path, str(error)) from error


def _unfit(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} cannot hold a lab: {reason}", hint="name another directory with --lab-dir")


def _check_inventory(file: Path) -> None:
    try:
        is_ours = file.read_text(encoding="utf-8").startswith(MARK)
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        is_ours = False
    if not is_ours:
        raise UsageError(
            f"{file} was not written by a lab and is not replaced", hint="name another directory with --lab-dir"
        )
