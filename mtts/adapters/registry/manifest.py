"""Reads what a registry stores about an image: index, manifest and configuration, and the choice of a platform.

Pure, and suspicious: all of it is untrusted JSON, so every field is checked before it is believed. A document that
says two things at once, and Docker's schema 1, which is signed anew at every request, are refused. What is stored
under the digests is never re-serialised: digests are those of the bytes as received.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mtts.core.image import Digest, Platform

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SCHEMA_1_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
# All four in every request: a registry that misses one answers 404, or with another architecture.
ACCEPT: Final = ", ".join(INDEX_TYPES + MANIFEST_TYPES)

CONFIG_TYPES: Final = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
GZIP_LAYERS: Final = (
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
PLAIN_LAYERS: Final = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
)
ZSTD_LAYERS: Final = ("application/vnd.oci.image.layer.v1.tar+zstd",)

VERSION_KEY: Final = "org.opencontainers.image.version"
EXTRACTED_SIZE_KEY: Final = "org.mtts.image.extracted-size"

_LARGEST_SIZE: Final = 2**40
_MAX_VERSION: Final = 64


class MalformedError(ValueError):
    """A document is not what it should be; the text says how, without naming the image."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to stored content."""

    media_type: str
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One manifest of an index; the platform is None where the index does not name one that can be."""

    descriptor: Descriptor
    platform: Platform | None


@dataclass(frozen=True, slots=True)
class Index:
    """Manifests for several platforms, attestations and other by-products left out; `nested` are further indexes."""

    entries: tuple[IndexEntry, ...]
    nested: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One platform's image: its configuration and its layers from the bottom up."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]

    @property
    def compressed_bytes(self) -> int:
        """The size of the download; a layer that occurs twice is fetched once."""
        return sum({layer.digest: layer.size_bytes for layer in self.layers}.values())


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image's configuration says to those who run it."""

    platform: Platform
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    diff_ids: tuple[Digest, ...] = ()
    """Digests of the uncompressed layers, from the bottom up."""


def digest_of(body: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of content; the algorithm is one that `Digest` knows."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}")


def bare_type(content_type: str) -> str:
    """A `Content-Type` without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def schema_1_error() -> MalformedError:
    """Schema 1 is signed anew at every request: by its digest it would be another image each time."""
    return MalformedError("the registry offers it only as schema 1, which has no lasting digest")


def parse_document(body: bytes, content_type: str) -> Index | Manifest:
    """What a manifest request was answered with; the body's own `mediaType` counts before the header's."""
    document = _object(_json(body), "the answer")
    if document.get("schemaVersion") == 1:
        raise schema_1_error()
    media_type = _text(document.get("mediaType")) or bare_type(content_type)
    is_index, is_manifest = "manifests" in document, "config" in document or "layers" in document
    if is_index and is_manifest:
        raise MalformedError("the answer claims to be an index and a manifest at once")
    if is_index and media_type not in MANIFEST_TYPES:
        return _parse_index(document)
    if is_manifest and media_type not in INDEX_TYPES:
        return _parse_manifest(document)
    raise MalformedError("the answer is neither an index nor a manifest")


def parse_config(body: bytes) -> ImageConfig:
    """An image's configuration."""
    document = _object(_json(body), "the image's configuration")
    settings = _object(document.get("config") or {}, "config")
    rootfs = _object(document.get("rootfs") or {}, "rootfs")
    platform = _platform(document)
    if platform is None:
        raise MalformedError("the image's configuration does not say which platform it is for")
    return ImageConfig(
        platform=platform,
        labels=_text_map(settings.get("Labels")),
        entrypoint=_texts(settings.get("Entrypoint"), "Entrypoint"),
        cmd=_texts(settings.get("Cmd"), "Cmd"),
        diff_ids=tuple(_digest(each) for each in _texts(rootfs.get("diff_ids"), "diff_ids")),
    )


def choose_entry(entries: Iterable[IndexEntry], wanted: Platform) -> IndexEntry | None:
    """The entry that a machine of the wanted platform runs: the best variant, and the first of equals."""
    named = [entry for entry in entries if entry.platform is not None]
    for platform in wanted.runnable():
        for entry in named:
            if entry.platform is not None and entry.platform.normalised() == platform:
                return entry
    return None


def version_of(config: ImageConfig, *annotations: Mapping[str, str]) -> str | None:
    """The version by the configuration's label, else by the first annotation that has one; printable, no blanks."""
    for source in (config.labels, *annotations):
        version = re.sub(r"[^\x21-\x7e]+", "-", source.get(VERSION_KEY, "")).strip("-")[:_MAX_VERSION]
        if version:
            return version
    return None


def declared_size_bytes(config: ImageConfig, manifest: Manifest) -> int | None:
    """The extracted size that the image declares of itself; None when it does not, or not as a number."""
    for source in (config.labels, manifest.annotations):
        text = source.get(EXTRACTED_SIZE_KEY, "")
        if re.fullmatch(r"[0-9]{1,13}", text) and 0 < int(text) <= _LARGEST_SIZE:
            return int(text)
    return None


def _parse_index(document: Mapping[str, Any]) -> Index:
    entries: list[IndexEntry] = []
    nested: list[Descriptor] = []
    for item in _list(document["manifests"], "manifests"):
        fields = _object(item, "an entry of the index")
        if fields.get("artifactType") or "vnd.docker.reference.type" in _text_map(fields.get("annotations")):
            continue  # attestations, signatures and the like: nothing that runs
        media_type = _text(fields.get("mediaType"))
        if media_type in INDEX_TYPES:
            nested.append(_descriptor(fields))
        elif media_type in MANIFEST_TYPES:
            platform = fields.get("platform")
            named = _platform(platform) if isinstance(platform, dict) else None
            if named is None or named.os != "unknown":
                entries.append(IndexEntry(_descriptor(fields), named))
    return Index(tuple(entries), tuple(nested), _text_map(document.get("annotations")))


def _parse_manifest(document: Mapping[str, Any]) -> Manifest:
    config = _descriptor(_object(document.get("config"), "config"))
    layers = tuple(_descriptor(_object(layer, "a layer")) for layer in _list(document.get("layers"), "layers"))
    if config.media_type not in CONFIG_TYPES:
        raise MalformedError(f"it is no container image, but holds {_shown(config.media_type)}")
    for layer in layers:
        if layer.media_type not in GZIP_LAYERS + PLAIN_LAYERS + ZSTD_LAYERS:
            raise MalformedError(f"it has a layer of a kind that cannot be unpacked: {_shown(layer.media_type)}")
    return Manifest(config, layers, _text_map(document.get("annotations")))


def _descriptor(fields: Mapping[str, Any]) -> Descriptor:
    size = fields.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _LARGEST_SIZE:
        raise MalformedError("a size in it is no number of bytes")
    return Descriptor(_text(fields.get("mediaType")), _digest(fields.get("digest")), size)


def _platform(fields: Mapping[str, Any]) -> Platform | None:
    parts = [_text(fields.get(key)).lower() for key in ("os", "architecture", "variant")]
    try:
        return Platform.parse("/".join(parts).removesuffix("/"))
    except ValueError:
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError("it is not JSON") from error


def _digest(value: Any) -> Digest:
    try:
        return Digest.parse(_text(value))
    except ValueError as error:
        raise MalformedError("a digest in it is none") from error


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is no object")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MalformedError(f"{name} is no list")
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    values = [] if value is None else _list(value, name)
    if not all(isinstance(each, str) for each in values):
        raise MalformedError(f"{name} holds something else than text")
    return tuple(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text_map(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: each for key, each in value.items() if isinstance(each, str)}


def _shown(media_type: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "?", media_type)[:80] or "something without a media type"
