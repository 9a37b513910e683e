"""Reading a layer as it arrives: every tar that builders write, in pieces of any size, and no damaged one."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping

import pytest

from mtts.lab.layer import Layer, LayerError, LayerReader

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LONG = "/".join(["directory"] * 40) + "/file"


def tar_of(files: Mapping[str, bytes], *, kind: int = tarfile.PAX_FORMAT) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=kind) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def read(content: bytes, media_type: str = GZIP, piece_bytes: int = 1000) -> Layer:
    reader = LayerReader(media_type)
    for start in range(0, len(content), piece_bytes):
        reader.feed(content[start : start + piece_bytes])
    return reader.finish()


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("piece_bytes", [1, 511, 512, 100_000])
def test_names_and_sizes_are_those_of_the_archive_however_it_arrives(kind: int, piece_bytes: int) -> None:
    files = {"empty": b"", "bin/one": b"x", "./block": 512 * b"y", "/big": 3000 * b"z"}
    content = tar_of(files, kind=kind)
    packed = gzip.compress(content)
    layer = read(packed, piece_bytes=piece_bytes)
    assert layer.files == {"/empty": 0, "/bin/one": 1, "/block": 512, "/big": 3000}
    assert layer.digest == "sha256:" + hashlib.sha256(packed).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(content).hexdigest()
    assert (layer.compressed_bytes, layer.extracted_bytes) == (len(packed), len(content))


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", [LONG, "é" * 120])
def test_names_too_long_for_a_header_are_read_from_where_they_stand(kind: int, name: str) -> None:
    files = {name: b"12345", "after": b"1"}
    assert read(gzip.compress(tar_of(files, kind=kind))).files == {f"/{name}": 5, "/after": 1}


def test_links_have_no_size_and_directories_are_no_files() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, kind in [("d", tarfile.DIRTYPE), ("d/s", tarfile.SYMTYPE), ("d/h", tarfile.LNKTYPE)]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "d/target"
            tar.addfile(member)
    assert read(archive.getvalue(), "application/vnd.oci.image.layer.v1.tar").files == {"/d/s": 0, "/d/h": 0}


@pytest.mark.parametrize("piece_bytes", [1, 100_000])
def test_a_gzip_of_several_frames_is_one_layer(piece_bytes: int) -> None:
    content = tar_of({"a": 700 * b"a"})
    packed = gzip.compress(content[:600]) + gzip.compress(content[600:])
    assert read(packed, piece_bytes=piece_bytes).files == {"/a": 700}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no gzip at all", "layer is not gzip"),
        (gzip.compress(tar_of({"a": b"a"}))[:-9], "layer ends early"),
        (b"", "layer ends early"),
        (gzip.compress(tar_of({"a": 5000 * b"a"})[:2000]), "archive ends early"),
        (gzip.compress(1024 * b"x"), "archive is damaged"),
    ],
    ids=["not packed", "packed and cut", "nothing", "cut and packed", "packed nonsense"],
)
def test_a_damaged_layer_is_refused_with_the_reason(content: bytes, complaint: str) -> None:
    with pytest.raises(LayerError, match=complaint):
        read(content)


def test_a_bomb_is_refused_before_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtts.lab.layer.EXTRACTED_LIMIT_BYTES", 1_000_000)
    with pytest.raises(LayerError, match="too large"):
        read(gzip.compress(tar_of({"zeros": bytes(2_000_000)})))


def test_zstd_is_not_spoken() -> None:
    with pytest.raises(LayerError, match=r"unsupported layer type .*zstd"):
        LayerReader("application/vnd.oci.image.layer.v1.tar+zstd")
