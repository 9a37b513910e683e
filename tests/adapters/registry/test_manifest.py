"""Indexes, manifests and configurations: what is read, what is chosen, and what is refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters.registry.manifest import (
    CONFIG_TYPES,
    GZIP_LAYERS,
    INDEX_TYPES,
    MANIFEST_TYPES,
    Index,
    IndexEntry,
    MalformedError,
    Manifest,
    choose_entry,
    declared_size_bytes,
    digest_of,
    parse_config,
    parse_document,
    version_of,
)
from mtts.core.image import Digest, Platform
from mtts.lab.images import build_image

OCI_INDEX, DOCKER_LIST = INDEX_TYPES
OCI_MANIFEST, DOCKER_MANIFEST = MANIFEST_TYPES


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def entry(number: int, name: str | None, **fields: Any) -> dict[str, Any]:
    named = {}
    if name is not None:
        named = {"platform": dict(zip(("os", "architecture", "variant"), name.split("/"), strict=False))}
    return {"mediaType": OCI_MANIFEST, "digest": digest(number), "size": 1000, **named, **fields}


def index(*entries: Any, **fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **fields}).encode()


def manifest(**fields: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPES[0], "digest": digest(1), "size": 10},
        "layers": [{"mediaType": GZIP_LAYERS[0], "digest": digest(2), "size": 500}],
    }
    return json.dumps({key: value for key, value in (document | fields).items() if value is not None}).encode()


def config(**fields: Any) -> bytes:
    return json.dumps({"os": "linux", "architecture": "arm64", **fields}).encode()


def chosen(wanted: str, *platforms: str | None) -> int | None:
    """The place of the entry that a machine of the wanted platform would run."""
    document = parse_document(index(*(entry(number, each) for number, each in enumerate(platforms))), OCI_INDEX)
    assert isinstance(document, Index)
    found = choose_entry(document.entries, Platform.parse(wanted))
    return int(found.descriptor.digest.text[7:], 16) if found else None


@pytest.mark.parametrize(
    ("wanted", "there", "place"),
    [
        ("linux/arm64", ["linux/amd64", "linux/arm64"], 1),
        ("linux/arm64", ["linux/arm/v8", "linux/arm64/v8"], 1),
        ("linux/arm64/v8", ["linux/arm64"], 0),
        ("linux/arm64", ["linux/aarch64"], 0),
        ("linux/arm64", ["linux/arm64/v9", "linux/arm/v7"], None),
        ("linux/arm64", ["linux/arm64", "linux/arm64"], 0),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v1"], 1),
        ("linux/amd64", ["linux/amd64/v2", "linux/386"], None),
        ("linux/amd64", ["windows/amd64", "linux/x86_64"], 1),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], 2),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], 1),
        ("linux/arm/v7", ["linux/arm", "linux/arm/v5"], 1),
        ("linux/arm/v7", ["linux/arm/v8", "linux/arm"], 1),
        ("linux/arm/v7", ["linux/arm/v8", "linux/arm64"], None),
        ("linux/arm", ["linux/arm/v6", "linux/arm/v7"], 1),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm", "linux/arm/v5"], 2),
        ("linux/arm/v5", ["linux/arm/v5", "linux/arm/v7"], 0),
        ("linux/arm/v5", ["linux/arm/v6", "linux/arm/v7", "linux/arm"], None),
        ("linux/arm64", ["unknown/unknown", None], None),
        ("linux/arm64", [], None),
    ],
)
def test_the_platform_is_chosen_as_the_router_will_choose_it(
    wanted: str, there: list[str | None], place: int | None
) -> None:
    assert chosen(wanted, *there) == place


def test_attestations_artifacts_and_unknown_kinds_are_left_out_of_an_index() -> None:
    document = parse_document(
        index(
            entry(0, "linux/arm64", annotations={"vnd.docker.reference.type": "attestation-manifest"}),
            entry(1, "linux/arm64", artifactType="application/vnd.example"),
            entry(2, "linux/arm64", mediaType="application/vnd.docker.distribution.manifest.v1+json"),
            entry(3, "unknown/unknown"),
            entry(4, "linux/arm64"),
        ),
        OCI_INDEX,
    )
    assert isinstance(document, Index)
    assert [each.descriptor.digest.text for each in document.entries] == [digest(4)]


def test_nested_indexes_are_kept_apart_and_a_missing_or_odd_platform_is_none() -> None:
    document = parse_document(
        index(
            entry(0, None, mediaType=OCI_INDEX),
            entry(1, None),
            entry(2, None, platform={"os": "li\x1bnux", "architecture": "arm64"}),
            entry(3, None, platform="linux/arm64"),
            annotations={"a": "b", "c": 1},
        ),
        OCI_INDEX,
    )
    assert isinstance(document, Index)
    assert [each.digest.text for each in document.nested] == [digest(0)]
    assert [each.platform for each in document.entries] == [None, None, None]
    assert document.annotations == {"a": "b"}


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        (OCI_MANIFEST, OCI_MANIFEST),
        (f"{OCI_MANIFEST}; charset=utf-8", None),
        (DOCKER_MANIFEST, DOCKER_MANIFEST),
        ("application/json", OCI_MANIFEST),
        ("application/octet-stream", None),
        ("", None),
    ],
)
def test_a_manifest_is_known_by_its_own_word_its_header_or_its_shape(content_type: str, media_type: str | None) -> None:
    document = parse_document(manifest(mediaType=media_type), content_type)
    assert isinstance(document, Manifest)
    assert document.config.digest == Digest(digest(1))


@pytest.mark.parametrize("content_type", [OCI_INDEX, DOCKER_LIST, "application/json", ""])
def test_an_index_is_known_likewise(content_type: str) -> None:
    assert isinstance(parse_document(index(mediaType=content_type), content_type), Index)


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"", "", "not JSON"),
        (b"<html>", "text/html", "not JSON"),
        (b"[" * 100_000, "", "not JSON"),
        (b"[]", "", "no object"),
        (b"{}", OCI_MANIFEST, "neither"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "", "schema 1"),
        (manifest(manifests=[]), OCI_MANIFEST, "at once"),
        (manifest(mediaType=OCI_INDEX), OCI_MANIFEST, "neither"),
        (index(mediaType=OCI_MANIFEST), OCI_INDEX, "neither"),
        (index(manifests={}), OCI_INDEX, "no list"),
        (index("x"), OCI_INDEX, "no object"),
        (index(entry(0, "linux/arm64", digest="sha256:1")), OCI_INDEX, "digest"),
        (index(entry(0, "linux/arm64", size=-1)), OCI_INDEX, "size"),
        (index(entry(0, "linux/arm64", size=True)), OCI_INDEX, "size"),
        (index(entry(0, "linux/arm64", size=1.5)), OCI_INDEX, "size"),
        (index(entry(0, "linux/arm64", size=10**30)), OCI_INDEX, "size"),
        (manifest(config=None), OCI_MANIFEST, "config is no object"),
        (manifest(layers=None), OCI_MANIFEST, "layers is no list"),
        (
            manifest(config={"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(1), "size": 1}),
            OCI_MANIFEST,
            "no container image, but holds application/vnd.cncf.helm",
        ),
        (
            manifest(layers=[{"mediaType": "x/\x1b[31m", "digest": digest(1), "size": 1}]),
            OCI_MANIFEST,
            r"cannot be unpacked: x/\?\[31m",
        ),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_the_reason(body: bytes, content_type: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse_document(body, content_type)


def test_the_download_counts_a_repeated_layer_once() -> None:
    layer = {"mediaType": GZIP_LAYERS[0], "digest": digest(2), "size": 500}
    document = parse_document(manifest(layers=[layer, layer, layer | {"digest": digest(3), "size": 7}]), OCI_MANIFEST)
    assert isinstance(document, Manifest)
    assert document.compressed_bytes == 507


def test_a_configuration_says_how_to_run_the_image() -> None:
    read = parse_config(
        config(
            variant="v8",
            config={"Entrypoint": ["/entrypoint.sh"], "Cmd": ["a b", ""], "Labels": {"x": "y", "n": 1}},
            rootfs={"type": "layers", "diff_ids": [digest(7)]},
        )
    )
    assert read.platform == Platform("linux", "arm64", "v8")
    assert read.entrypoint == ("/entrypoint.sh",)
    assert read.cmd == ("a b", "")
    assert read.labels == {"x": "y"}
    assert read.diff_ids == (Digest(digest(7)),)


@pytest.mark.parametrize("settings", [None, {}, {"Entrypoint": None, "Cmd": None, "Labels": None}])
def test_a_configuration_may_leave_everything_but_its_platform_out(settings: Any) -> None:
    read = parse_config(config(config=settings))
    assert (read.entrypoint, read.cmd, dict(read.labels), read.diff_ids) == ((), (), {}, ())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"nonsense", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "which platform"),
        (config(architecture=""), "which platform"),
        (config(config=[1]), "config is no object"),
        (config(config={"Cmd": "sh"}), "Cmd is no list"),
        (config(config={"Cmd": [1]}), "something else than text"),
        (config(rootfs={"diff_ids": ["md5:1"]}), "digest"),
    ],
)
def test_a_configuration_of_another_shape_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse_config(body)


VERSION = "org.opencontainers.image.version"


@pytest.mark.parametrize(
    ("label", "annotation", "version"),
    [
        ("1.98.9-mt.1", "2", "1.98.9-mt.1"),
        (None, "2", "2"),
        ("", "2", "2"),
        (None, None, None),
        ("1.0 beta\x1b[31m\u202e", None, "1.0-beta-[31m"),
        ("x" * 200, None, "x" * 64),
    ],
)
def test_the_version_is_the_label_then_an_annotation_and_always_one_printable_word(
    label: str | None, annotation: str | None, version: str | None
) -> None:
    read = parse_config(config(config={"Labels": {} if label is None else {VERSION: label}}))
    assert version_of(read, {}, {} if annotation is None else {VERSION: annotation}) == version


SIZE = "org.mtts.image.extracted-size"


@pytest.mark.parametrize(
    ("label", "annotation", "size_bytes"),
    [
        ("4000000", "5", 4_000_000),
        (None, "5", 5),
        ("4 MB", "5", 5),
        ("0", None, None),
        ("-1", None, None),
        ("9" * 13, None, None),
        ("٤", None, None),
        (None, None, None),
    ],
)
def test_a_declared_size_counts_when_it_is_a_believable_number(
    label: str | None, annotation: str | None, size_bytes: int | None
) -> None:
    read = parse_config(config(config={"Labels": {} if label is None else {SIZE: label}}))
    annotations = {} if annotation is None else {SIZE: annotation}
    document = parse_document(manifest(annotations=annotations), OCI_MANIFEST)
    assert isinstance(document, Manifest)
    assert declared_size_bytes(read, document) == size_bytes


def test_a_whole_built_image_is_read() -> None:
    image = build_image("1.2.3", extracted_bytes=10_000, attested=True)
    document = parse_document(image.index, OCI_INDEX)
    assert isinstance(document, Index)
    assert digest_of(image.index).text == image.index_digest
    found = choose_entry(document.entries, Platform.parse("linux/arm/v7"))
    assert isinstance(found, IndexEntry)
    assert found.descriptor.digest.text == image.manifest_digest("linux/arm/v7")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = ["schemaVersion", "mediaType", "manifests", "config", "layers", "os", "architecture", "rootfs", "annotations"]


@given(st.dictionaries(st.sampled_from(keys), json_values))
def test_no_document_makes_the_readers_fail_in_another_way_than_theirs(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    with contextlib.suppress(MalformedError):
        assert isinstance(parse_document(body, OCI_INDEX), Index | Manifest)
    with contextlib.suppress(MalformedError):
        assert parse_config(body).platform.architecture
