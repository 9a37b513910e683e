"""The inventory's bytes: read once, bounded, as UTF-8, with the answer to who else can read them.

The size and the mode are those of the open file, so that nothing can be swapped in between. A pipe
(`-i <(sops -d inventory.yaml)`) is as good as a file.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mtts.core.errors import UsageError

LARGEST_BYTES: Final = 1024 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SourceText:
    text: str
    mode: int
    """Permission bits."""
    is_regular: bool

    @property
    def is_private(self) -> bool:
        """Whether only the owner can read it."""
        return not self.mode & _OTHERS


def read_source(path: Path, *, code: str = "inventory-unreadable") -> SourceText:
    """The file's text; UsageError with this code when it cannot be had or is no text of ours."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = b"" if status.st_size > LARGEST_BYTES else file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise unreadable(f"{path}: cannot be read: {reason}", code=code) from error
    if status.st_size > LARGEST_BYTES or len(content) > LARGEST_BYTES:
        raise unreadable(
            f"{path}: is larger than {LARGEST_BYTES // 1024} KiB, which none is that people write", code=code
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unreadable(f"{path}:{line}: is not UTF-8 text", code=code) from None
    return SourceText(text, stat.S_IMODE(status.st_mode), stat.S_ISREG(status.st_mode))


def unreadable(message: str, *, hint: str = "", code: str = "inventory-unreadable") -> UsageError:
    """The error of a file that cannot be read or written."""
    return UsageError(message, code=code, hint=hint)
