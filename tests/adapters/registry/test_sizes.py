"""The extracted size as it is read off layers: what counts, what hides what, and archives that are none."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence

import pytest

from mtts.adapters.registry import sizes
from mtts.adapters.registry.manifest import GZIP_LAYERS, PLAIN_LAYERS, MalformedError
from mtts.adapters.registry.sizes import RootTree
from mtts.core.image import Digest

Layer = Sequence[tuple[str, int | str | None]]
"""Path and: a size, a link's target (`=` in front: a hard link), or None for a directory."""


def tar(layer: Layer) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as writer:
        for path, content in layer:
            member = tarfile.TarInfo(path)
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, int):
                member.size = content
            else:
                member.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
                member.linkname = content.removeprefix("=")
            writer.addfile(member, io.BytesIO(b"x" * member.size))
    return archive.getvalue()


def digest_of(body: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(body).hexdigest())


def size_of(*layers: Layer) -> int:
    tree = RootTree()
    for layer in layers:
        body = tar(layer)
        tree.add_layer(io.BytesIO(gzip.compress(body)), GZIP_LAYERS[0], digest_of(body))
    return tree.size_bytes


@pytest.mark.parametrize(
    ("layers", "size_bytes"),
    [
        ([[]], 0),
        ([[("bin", None), ("bin/a", 1000), ("bin/b", "a")]], 1000),
        ([[("a", 1000), ("b", "=a"), ("c", "=./b")]], 1000),
        ([[("a", 1000)], [("b", "=a")], [(".wh.a", 0)]], 1000),
        ([[("a", 1000)], [("a", 10)]], 10),
        ([[("./a", 1000)], [("/a", 10)]], 10),
        ([[("a", 1000), ("b", 5)], [(".wh.a", 0)]], 5),
        ([[("d/a", 1000), ("d/e/b", 100), ("c", 5)], [(".wh.d", 0)]], 5),
        ([[("d/a", 1000), ("d/e/b", 100), ("c", 5)], [("d/.wh..wh..opq", 0), ("d/n", 3)]], 8),
        ([[("d/a", 1000)], [("d/.wh.a", 0), ("d/a", 7)]], 7),
        ([[("d/a", 1000)], [("d", "elsewhere")]], 0),
        ([[("d", 1000)], [("d", None), ("d/a", 1)]], 1),
        ([[("d", None), ("d/a", 1)], [("d", None)]], 1),
        ([[("very/" * 60 + "long", 9)]], 9),
        ([[("a", 1)], [(".wh..wh..opq", 0), ("b", 2)]], 2),
    ],
)
def test_what_the_last_layer_leaves_visible_counts_once(layers: list[Layer], size_bytes: int) -> None:
    assert size_of(*layers) == size_bytes


def test_a_plain_archive_is_read_too() -> None:
    body = tar([("a", 700)])
    tree = RootTree()
    tree.add_layer(io.BytesIO(body), PLAIN_LAYERS[0], digest_of(body))
    assert tree.size_bytes == 700


@pytest.mark.parametrize(
    ("stored", "media_type"),
    [
        (b"", GZIP_LAYERS[0]),
        (b"nonsense", GZIP_LAYERS[0]),
        (gzip.compress(b"nonsense"), GZIP_LAYERS[0]),
        (gzip.compress(tar([("a", 5000)]))[:-20], GZIP_LAYERS[0]),
        (gzip.compress(tar([("a", 5000)])[:2000]), GZIP_LAYERS[0]),
        (tar([("a", 5000)])[:2000], PLAIN_LAYERS[0]),
    ],
    ids=["nothing", "not packed", "packed nonsense", "packed and cut", "cut and packed", "cut"],
)
def test_what_is_no_archive_has_no_size(stored: bytes, media_type: str) -> None:
    with pytest.raises(MalformedError, match="no archive that can be read"):
        RootTree().add_layer(io.BytesIO(stored), media_type, digest_of(stored))


def test_a_layer_that_unpacks_to_something_else_than_promised_has_no_size() -> None:
    body = tar([("a", 5)])
    with pytest.raises(MalformedError, match="something else than the configuration says"):
        RootTree().add_layer(io.BytesIO(gzip.compress(body)), GZIP_LAYERS[0], digest_of(body + b"\0"))


def test_a_layer_that_swells_without_end_is_not_unpacked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "UNPACKED_LIMIT_BYTES", 2**20)
    body = tar([("a", 3 * 2**20)])
    with pytest.raises(MalformedError, match="unpacks to more than 1 MiB"):
        RootTree().add_layer(io.BytesIO(gzip.compress(body)), GZIP_LAYERS[0], digest_of(body))


def test_a_layer_of_too_many_files_is_not_walked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "ENTRIES_LIMIT", 10)
    body = tar([(f"a{number}", 1) for number in range(11)])
    with pytest.raises(MalformedError, match="more than 10 entries"):
        RootTree().add_layer(io.BytesIO(gzip.compress(body)), GZIP_LAYERS[0], digest_of(body))
