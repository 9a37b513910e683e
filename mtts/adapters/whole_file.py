"""Writes a file whole or not at all: readers see the old text or the new one, never half of either.

A file that is there keeps its mode and owner. A new one has the mode that the user's umask asks for, since others may
have to read it (the node exporter reads its text files as a user of its own), or is its owner's alone.
"""

import os
import secrets
from pathlib import Path
from typing import TextIO

from mtts.core.errors import UsageError


def check_writable(path: Path) -> None:
    """UsageError where `write_whole` could not succeed, as far as that can be known beforehand."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise UsageError(f"{path} is no regular file")
    if not target.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no directory {target.parent}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written: {target.parent} is not writable")


def write_whole(path: Path, text: str) -> None:
    """Put `text` in the place of what the file held; UsageError, and the old file untouched, where that fails."""
    check_writable(path)
    try:
        replace_whole(path.resolve(), text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def replace_whole(target: Path, text: str) -> None:
    """The same for a regular file or none, OSError where it fails; a link would be replaced itself."""
    old = target.stat() if target.exists() else None
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with _private(beside, os.O_EXCL) if old else beside.open("x", encoding="utf-8", newline="") as file:
            if old is not None:
                os.fchmod(file.fileno(), old.st_mode)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in place; OSError where that fails."""
    with _private(path, os.O_TRUNC) as file:
        file.write(text)


def _private(path: Path, flag: int) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "w", encoding="utf-8", newline="")
