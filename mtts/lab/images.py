"""Container images made in memory: real gzip layers, configurations, manifests and a multi-platform index.

An image is a function of its arguments: built twice it has the same digests, and a platform's digests depend on
that platform and the release alone. The programs inside are noise of the right size: nothing in here can be run,
and what a simulated router makes of an image is told to it by the label `org.mtts.lab.behaviour`.
"""

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
STATEMENT_TYPE = "application/vnd.in-toto+json"

VERSION_LABEL = "org.opencontainers.image.version"
EXTRACTED_SIZE_LABEL = "org.mtts.image.extracted-size"
BEHAVIOUR_LABEL = "org.mtts.lab.behaviour"

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")
Behaviour = Literal[
    "ok", "crash", "crash-later", "never-online", "unhealthy", "ignores-stop", "lose-identity", "keeps-key",
    "migrates-state"
]  # fmt: skip
"""What the program in an image does, as a simulated router reads it from the label."""
SMALLEST_EXTRACTED_BYTES = 4096
CREATED = "2026-01-01T00:00:00Z"  # fixed, or the same release would have new digests every second

ENTRYPOINT_SCRIPT = b"""#!/bin/sh
echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward
echo 1 2>/dev/null > /proc/sys/net/ipv6/conf/all/forwarding
exec tailscaled --statedir=/var/lib/tailscale --socket=/var/run/tailscale/tailscaled.sock "$@"
"""

_Entry = bytes | str | None  # a file's content, a symbolic link's target, a directory


@dataclass(frozen=True, slots=True)
class LabImage:
    """A published unit: the index as bytes, and by digest every manifest and blob that it leads to."""

    version: str
    index: bytes = field(repr=False)
    manifests: Mapping[str, bytes] = field(repr=False)
    blobs: Mapping[str, bytes] = field(repr=False)

    @property
    def index_digest(self) -> str:
        """The digest that a tag on this image answers."""
        return digest_of(self.index)

    def manifest_digest(self, platform: str) -> str:
        """The digest of one platform's manifest; `KeyError` when the image lacks it."""
        for entry in json.loads(self.index)["manifests"]:
            if _platform_name(entry["platform"]) == platform:
                return str(entry["digest"])
        raise KeyError(platform)


def digest_of(content: bytes) -> str:
    """The OCI digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def build_image(
    version: str,
    *,
    platforms: Sequence[str] = PLATFORMS,
    behaviour: str = "ok",
    extracted_bytes: int = 4_000_000,
    labels: Mapping[str, str] = MappingProxyType({}),
    entrypoint: Sequence[str] = ("/entrypoint.sh",),
    cmd: Sequence[str] = (),
    healthcheck: Sequence[str] = (),
    attested: bool = False,
) -> LabImage:
    """An image of a release whose root file system holds exactly `extracted_bytes` in files on every platform.

    `attested` adds to the index an `unknown/unknown` entry per platform, as buildx does for provenance.
    """
    if extracted_bytes < SMALLEST_EXTRACTED_BYTES:
        raise ValueError(f"an image needs at least {SMALLEST_EXTRACTED_BYTES} bytes, not {extracted_bytes}")
    settings: dict[str, Any] = {
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "TS_STATE_DIR=/var/lib/tailscale"],
        "WorkingDir": "/",
        "Labels": {
            VERSION_LABEL: version,
            EXTRACTED_SIZE_LABEL: str(extracted_bytes),
            BEHAVIOUR_LABEL: behaviour,
            **labels,
        },
    }
    if entrypoint:
        settings["Entrypoint"] = list(entrypoint)
    if cmd:
        settings["Cmd"] = list(cmd)
    if healthcheck:
        settings["Healthcheck"] = {"Test": ["CMD", *healthcheck]}
    entries: list[dict[str, Any]] = []
    attestations: list[dict[str, Any]] = []
    manifests: dict[str, bytes] = {}
    blobs: dict[str, bytes] = {}
    for platform in platforms:
        layers = [_tar(files) for files in _root_file_system(version, platform, extracted_bytes)]
        packed = [_gzip(layer) for layer in layers]
        config = _json(
            {
                **_platform_fields(platform),
                "created": CREATED,
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
                "history": [{"created": CREATED, "created_by": f"COPY layer {n}"} for n in range(len(layers))],
            }
        )
        manifest = _manifest(_descriptor(CONFIG_TYPE, config), [_descriptor(LAYER_TYPE, layer) for layer in packed])
        entry = {**_descriptor(MANIFEST_TYPE, manifest), "platform": _platform_fields(platform)}
        entries.append(entry)
        manifests[entry["digest"]] = manifest
        blobs.update({digest_of(blob): blob for blob in (config, *packed)})
        if attested:
            attestations.append(_attest(entry["digest"], manifests, blobs))
    return LabImage(version, _index(entries + attestations), manifests, blobs)


def replace_platforms(image: LabImage, newer: LabImage, *platforms: str) -> LabImage:
    """The image with these platforms taken from a newer one: a rebuild that left the others as they were."""
    fresh = {_platform_name(entry["platform"]): entry for entry in json.loads(newer.index)["manifests"]}
    entries = [
        fresh[name] if (name := _platform_name(entry["platform"])) in platforms else entry
        for entry in json.loads(image.index)["manifests"]
    ]
    return LabImage(
        newer.version, _index(entries), {**image.manifests, **newer.manifests}, {**image.blobs, **newer.blobs}
    )


def write_oci_layout(image: LabImage, directory: Path, *, tag: str) -> None:
    """Write the image as an OCI image layout, which skopeo and others read as `oci:DIRECTORY:TAG`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for content in (image.index, *image.manifests.values(), *image.blobs.values()):
        (blobs / digest_of(content).removeprefix("sha256:")).write_bytes(content)
    named = {
        **_descriptor(INDEX_TYPE, image.index),
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    (directory / "index.json").write_bytes(_index([named]))
    (directory / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))


def _root_file_system(version: str, platform: str, extracted_bytes: int) -> list[dict[str, _Entry]]:
    """Two layers, the lower one the same in every release of a platform, with shares as in a real small image."""
    small_bytes = extracted_bytes // 18
    base: dict[str, _Entry] = {
        "bin": None,
        "bin/busybox": _noise(f"busybox {platform}", small_bytes),
        "bin/sh": "busybox",
        "etc": None,
        "etc/ssl": None,
        "etc/ssl/certs": None,
        "etc/ssl/certs/ca-certificates.crt": _noise("certificates", small_bytes),
        "var": None,
        "var/lib": None,
        "var/lib/tailscale": None,
        "var/run": None,
        "var/run/tailscale": None,
    }
    daemon_bytes = extracted_bytes - 2 * small_bytes - len(ENTRYPOINT_SCRIPT)
    release: dict[str, _Entry] = {
        "entrypoint.sh": ENTRYPOINT_SCRIPT,
        "usr": None,
        "usr/local": None,
        "usr/local/bin": None,
        "usr/local/bin/tailscale": "tailscaled",
        "usr/local/bin/tailscaled": _noise(f"tailscaled {version} {platform}", daemon_bytes),
    }
    return [base, release]


def _noise(seed: str, size_bytes: int) -> bytes:
    """Bytes as good as a packed program's: always the same for a seed, and no compressor shrinks them."""
    return hashlib.shake_256(seed.encode()).digest(size_bytes)


def _tar(files: Mapping[str, _Entry]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, entry in files.items():
            member = tarfile.TarInfo(path)
            member.mode = 0o755
            match entry:
                case None:
                    member.type = tarfile.DIRTYPE
                    tar.addfile(member)
                case str():
                    member.type, member.linkname = tarfile.SYMTYPE, entry
                    tar.addfile(member)
                case bytes():
                    member.size = len(entry)
                    tar.addfile(member, io.BytesIO(entry))
    return archive.getvalue()


def _gzip(layer: bytes) -> bytes:
    # Stored, not deflated: noise does not shrink, and this is ten times faster. Not by `gzip.compress`, whose
    # header differs between Python 3.12 and 3.13.
    return zlib.compress(layer, level=0, wbits=31)


def _attest(subject: str, manifests: dict[str, bytes], blobs: dict[str, bytes]) -> dict[str, Any]:
    """Add a provenance statement for a manifest; returns the index entry that announces it."""
    statement = _json({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": {"sha256": subject[7:]}}]})
    config = _json(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
        }
    )
    manifest = _manifest(_descriptor(CONFIG_TYPE, config), [_descriptor(STATEMENT_TYPE, statement)])
    manifests[digest_of(manifest)] = manifest
    blobs.update({digest_of(blob): blob for blob in (config, statement)})
    return {
        **_descriptor(MANIFEST_TYPE, manifest),
        "platform": {"architecture": "unknown", "os": "unknown"},
        "annotations": {
            "vnd.docker.reference.digest": subject,
            "vnd.docker.reference.type": "attestation-manifest",
        },
    }


def _platform_fields(platform: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def _platform_name(fields: Mapping[str, str]) -> str:
    return "/".join(fields[key] for key in ("os", "architecture", "variant") if key in fields)


def _index(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def _manifest(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> bytes:
    return _json({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers})


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
