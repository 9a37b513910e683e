"""How large an image is once unpacked: read off its layers, for images that do not declare it.

Each layer is fetched once, checked against both its digests and walked as an archive; nothing is written to its
paths. The size is that of the files which the last layer leaves visible, a hard link counting once, without the
rounding of any file system. What cannot be read has no size here: nothing is guessed.
"""

import asyncio
import gzip
import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mtts.adapters.registry.manifest import GZIP_LAYERS, ZSTD_LAYERS, Descriptor, ImageConfig, MalformedError, Manifest
from mtts.core.image import Digest

MIB: Final = 1024 * 1024
DOWNLOAD_LIMIT_BYTES: Final = 1024 * MIB
UNPACKED_LIMIT_BYTES: Final = 4096 * MIB
ENTRIES_LIMIT: Final = 200_000
IN_MEMORY_BYTES: Final = 4 * MIB

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"

FetchLayer = Callable[[Descriptor, IO[bytes]], Awaitable[None]]


async def measure_extracted_bytes(manifest: Manifest, config: ImageConfig, fetch_layer: FetchLayer) -> int:
    """The size of the unpacked root file system; raises MalformedError where the layers cannot be read."""
    if any(layer.media_type in ZSTD_LAYERS for layer in manifest.layers):
        raise MalformedError("its layers are packed with zstd and it does not declare its extracted size")
    if len(manifest.layers) != len(config.diff_ids):
        raise MalformedError("it has another number of layers than its configuration says")
    if manifest.compressed_bytes > DOWNLOAD_LIMIT_BYTES:
        raise MalformedError(f"it is larger than {DOWNLOAD_LIMIT_BYTES // MIB} MiB")
    tree = RootTree()
    for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
            await fetch_layer(layer, file)
            file.seek(0)
            await asyncio.to_thread(tree.add_layer, file, layer.media_type, diff_id)
    return tree.size_bytes


@dataclass(eq=False, slots=True)
class _File:
    """One content, however many names it has."""

    size_bytes: int


class RootTree:
    """The files of a root file system, as layer after layer is laid over it."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in set(self._files.values()))

    def add_layer(self, file: IO[bytes], media_type: str, diff_id: Digest) -> None:
        """Lay a layer over what is there; raises MalformedError unless it is the archive that it should be."""
        unpack = gzip.GzipFile(fileobj=file, mode="rb").read if media_type in GZIP_LAYERS else file.read
        metered = _Metered(unpack, diff_id.algorithm)
        try:
            with tarfile.open(fileobj=metered, mode="r|") as archive:
                self._lay_over(archive)
            metered.drain()
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise MalformedError("a layer is no archive that can be read") from error
        if metered.digest != str(diff_id):
            raise MalformedError("a layer unpacks to something else than the configuration says")

    def _lay_over(self, archive: tarfile.TarFile) -> None:
        added: dict[str, _File] = {}
        directories: set[str] = set()
        removed: set[str] = set()
        emptied: set[str] = set()
        for count, member in enumerate(archive):
            if count >= ENTRIES_LIMIT:
                raise MalformedError(f"a layer has more than {ENTRIES_LIMIT} entries")
            path = _absolute(member.name)
            parent, name = posixpath.split(path)
            if name == _OPAQUE:
                emptied.add(parent)
            elif name.startswith(_WHITEOUT):
                removed.add(posixpath.join(parent, name.removeprefix(_WHITEOUT)))
            elif member.isdir():
                directories.add(path)
            elif member.islnk():
                target = _absolute(member.linkname)
                added[path] = added.get(target) or self._files.get(target) or _File(0)
            else:
                added[path] = _File(member.size if member.isfile() else 0)

        def is_hidden(path: str) -> bool:
            parents = list(_parents(path))
            covered = any(each in emptied or each in removed or each in added for each in parents)
            return covered or path in removed or path in directories

        kept = {path: file for path, file in self._files.items() if not is_hidden(path)}
        self._files = kept | added


class _Metered(io.BufferedIOBase):
    """A stream that hashes what is read and ends the reading when it is too much."""

    def __init__(self, source: Callable[[int], bytes], algorithm: str) -> None:
        self._source = source
        self._hasher = hashlib.new(algorithm)
        self._read_bytes = 0

    def read(self, size: int | None = None) -> bytes:
        piece = self._source(size or MIB)
        self._hasher.update(piece)
        self._read_bytes += len(piece)
        if self._read_bytes > UNPACKED_LIMIT_BYTES:
            raise MalformedError(f"a layer unpacks to more than {UNPACKED_LIMIT_BYTES // MIB} MiB")
        return piece

    def drain(self) -> None:
        """Read what stands behind the archive's end: it belongs to the digest."""
        while self.read():
            pass

    @property
    def digest(self) -> str:
        return f"{self._hasher.name}:{self._hasher.hexdigest()}"


def _absolute(name: str) -> str:
    return posixpath.normpath("/" + name.lstrip("/"))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) or "/" for length in range(1, len(parts))]
