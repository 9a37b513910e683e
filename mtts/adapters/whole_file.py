"""Writes a file whole or not at all: readers see the old text or the new one, never half of either.

The file is made with the modes that the user's umask asks for, since others may have to read it (the node exporter
reads its text files as a user of its own).
"""

import os
import secrets
from pathlib import Path

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
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        try:
            with beside.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
