"""Reads one image layer as it arrives: hashes it, inflates it, and lists what the tar inside holds.

Nothing is kept but names and sizes, so hundreds of routers may pull at once. Knows gzip and plain tar, ustar, GNU
and pax names; zstd is refused. Contents are skipped, never written anywhere.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

BLOCK_BYTES = 512
EXTRACTED_LIMIT_BYTES = 512 * 1024 * 1024
_GZIP = 31  # zlib's name for a window of 32 KiB in a gzip frame


class LayerError(Exception):
    """The layer cannot be unpacked."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer turned out to be; `files` maps each path to its size, links and whiteouts having none."""

    digest: str
    diff_id: str
    compressed_bytes: int
    extracted_bytes: int
    files: Mapping[str, int]


class LayerReader:
    """Takes a layer's bytes piece by piece; `finish` tells what it was."""

    def __init__(self, media_type: str) -> None:
        if media_type.endswith(("tar+gzip", "tar.gzip")):
            self._inflater: zlib._Decompress | None = zlib.decompressobj(_GZIP)
        elif media_type.endswith("tar"):
            self._inflater = None
        else:
            raise LayerError(f"unsupported layer type {media_type}")
        self._digest = hashlib.sha256()
        self._diff_id = hashlib.sha256()
        self._compressed_bytes = 0
        self._extracted_bytes = 0
        self._tar = _TarList()

    def feed(self, piece: bytes) -> None:
        """The next bytes as they came from the registry; raises `LayerError`."""
        self._digest.update(piece)
        self._compressed_bytes += len(piece)
        content = piece if self._inflater is None else self._inflate(piece)
        self._diff_id.update(content)
        self._extracted_bytes += len(content)
        if self._extracted_bytes > EXTRACTED_LIMIT_BYTES:
            raise LayerError("layer too large")
        self._tar.feed(content)

    def _inflate(self, piece: bytes) -> bytes:
        content = b""
        try:
            while piece and self._inflater is not None:
                content += self._inflater.decompress(piece)
                piece = self._inflater.unused_data
                if piece:  # a gzip file may be several frames after one another
                    self._inflater = zlib.decompressobj(_GZIP)
        except zlib.error as error:
            raise LayerError("layer is not gzip") from error
        return content

    def finish(self) -> Layer:
        """The layer, once all of it was fed; raises `LayerError` when its end is missing."""
        if self._inflater is not None and not self._inflater.eof:
            raise LayerError("layer ends early")
        return Layer(
            digest="sha256:" + self._digest.hexdigest(),
            diff_id="sha256:" + self._diff_id.hexdigest(),
            compressed_bytes=self._compressed_bytes,
            extracted_bytes=self._extracted_bytes,
            files=self._tar.finish(),
        )


class _TarList:
    """Lists a tar's files with their sizes from a stream, stepping over the contents."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip_bytes = 0
        self._files: dict[str, int] = {}
        self._next_name: str | None = None
        self._ended = False

    def feed(self, content: bytes) -> None:
        self._buffer += content
        while not self._ended:
            skipped = min(self._skip_bytes, len(self._buffer))
            del self._buffer[:skipped]
            self._skip_bytes -= skipped
            if self._skip_bytes or not self._take_member():
                return
        self._buffer.clear()

    def finish(self) -> Mapping[str, int]:
        if self._skip_bytes or self._buffer:
            raise LayerError("archive ends early")
        return self._files

    def _take_member(self) -> bool:
        """Read one header, with its content where that is a name; `False` until enough has arrived."""
        if len(self._buffer) < BLOCK_BYTES:
            return False
        block = bytes(self._buffer[:BLOCK_BYTES])
        if not any(block):
            self._ended = True
            return True
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise LayerError("archive is damaged") from error
        padded_bytes = -(-member.size // BLOCK_BYTES) * BLOCK_BYTES
        if member.type in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE}:
            if len(self._buffer) < BLOCK_BYTES + padded_bytes:
                return False
            self._note(member.type, bytes(self._buffer[BLOCK_BYTES : BLOCK_BYTES + member.size]))
        else:
            self._list(member)
        del self._buffer[:BLOCK_BYTES]
        self._skip_bytes = padded_bytes
        return True

    def _list(self, member: tarfile.TarInfo) -> None:
        name, self._next_name = self._next_name or member.name, None
        if not member.isdir():
            self._files["/" + name.removeprefix("./").strip("/")] = member.size if member.isreg() else 0

    def _note(self, kind: bytes, content: bytes) -> None:
        if kind == tarfile.GNUTYPE_LONGNAME:
            self._next_name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
        elif kind == tarfile.XHDTYPE:
            for record in content.split(b"\n"):
                key, _, value = record.partition(b" ")[2].partition(b"=")
                if key == b"path":
                    self._next_name = value.decode("utf-8", "surrogateescape")
