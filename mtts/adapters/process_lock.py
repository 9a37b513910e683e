"""A lock that one process at a time holds; the kernel lets go of it when the process ends, however that happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class HeldError(Exception):
    """Another process has it."""


class UnlockableError(Exception):
    """There can be no lock in that place; the text says why."""


@contextmanager
def process_lock(file: Path) -> Iterator[None]:
    """Hold `file`, at once or not at all; its directory is there."""
    lock = FileLock(file, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise HeldError from None
    except (OSError, NotImplementedError) as error:  # filelock raises the latter on a file system without locks
        raise UnlockableError(getattr(error, "strerror", None) or "it cannot be locked") from error
    try:
        yield
    finally:
        lock.release()
