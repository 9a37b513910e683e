"""The journal of open transactions: a file of JSON lines for each, on disk before the step that it tells of.

It stays on the machine that does the work, wherever the store is. A file that is gone is a transaction that ended.
The truth about a transaction is what the router shows; a line that a crash left half written, or that cannot be
understood, is passed over, and the next one begins anew.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from mtts.core.errors import StoreError
from mtts.core.transaction_record import Opening, OpenTransaction, TransactionKey

_SUFFIX: Final = ".jsonl"


class FileJournal:
    """The `Journal` port over one directory, which is looked for when the first transaction is asked about."""

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._find = directory
        self._files: dict[TransactionKey, Path] | None = None

    def begin(self, opening: Opening) -> None:
        """Open a transaction, or go on with one."""
        key, files = opening.key, self._known()
        with _faults():
            is_new = key not in files
            directory = self._find()
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = files.setdefault(key, directory / _name(key))
            _append(
                path,
                {
                    "event": "begin",
                    "router": key.router,
                    "node": key.node,
                    "transaction": key.id,
                    "run": opening.run,
                    "from": opening.from_digest,
                    "to": opening.to_digest,
                    "root": opening.staged_root,
                    "uptime_s": opening.uptime_s,
                },
            )
            if is_new:
                _sync_directory(directory)

    def note(self, key: TransactionKey, step: str, *, is_done: bool) -> None:
        """A step of an open transaction begins, or came to its end."""
        with _faults():
            _append(self._known()[key], {"event": "done" if is_done else "step", "step": step})

    def end(self, key: TransactionKey) -> None:
        """Nothing is open any more; nothing happens where nothing was."""
        path = self._known().pop(key, None)
        if path is not None:
            with _faults():
                path.unlink(missing_ok=True)

    def open_of(self, router: str, node: str) -> Sequence[OpenTransaction]:
        """The open transactions of a node."""
        keys = [key for key in self._known() if (key.router, key.node) == (router, node)]
        return [self._read(key) for key in keys]

    def runs(self) -> frozenset[str]:
        """Every run that worked on an open transaction."""
        return frozenset(run for key in self._known() for run in self._read(key).runs)

    def _known(self) -> dict[TransactionKey, Path]:
        """The files; read once, since nobody else writes them while this run holds the run lock."""
        if self._files is None:
            with _faults():
                directory = self._find()
                found = sorted(directory.glob(f"*{_SUFFIX}")) if directory.is_dir() else []
            keyed = ((_key(path.name), path) for path in found)
            self._files = {key: path for key, path in keyed if key is not None}
        return self._files

    def _read(self, key: TransactionKey) -> OpenTransaction:
        with _faults():
            lines = list(_lines(self._known()[key]))
        runs = dict.fromkeys(_words(lines, "begin", "run"))
        return OpenTransaction(key, tuple(runs), frozenset(_words(lines, "done", "step")))


def _append(path: Path, line: dict[str, Any]) -> None:
    """One line more, and on disk: all of it, or an OSError; what a crash left half written stays a line of its own."""
    text = (json.dumps(line, ensure_ascii=True) + "\n").encode("ascii")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = b"\n" + text
        while text:
            text = text[os.write(descriptor, text) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    """A file is found again after a power cut only where its directory is on disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):  # half a line, or none of ours
            continue
        if isinstance(line, dict):
            yield line


def _words(lines: Iterable[dict[str, Any]], event: str, name: str) -> Iterator[str]:
    """What the lines of one kind say under `name`, as far as it is a word."""
    return (line[name] for line in lines if line.get("event") == event and isinstance(line.get(name), str))


def _name(key: TransactionKey) -> str:
    return ".".join(_escaped(part) for part in (key.router, key.node, key.id)) + _SUFFIX


def _escaped(part: str) -> str:
    """Fit for a file's name, whatever a comment on a router says, and without the dot that parts it from the next."""
    return quote(part, safe="").replace(".", "%2E")


def _key(name: str) -> TransactionKey | None:
    parts = [unquote(part) for part in name.removesuffix(_SUFFIX).split(".")]
    return TransactionKey(*parts) if len(parts) == len(TransactionKey.__slots__) else None


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the journal {error.filename or ''} cannot be used: {error.strerror}".replace("  ", " "),
            hint="make room, or name another directory with --state",
        ) from error
