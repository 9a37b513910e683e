#!/usr/bin/env python3
"""Makes images of root file systems: image/pack_image.py OUT ARCH=ROOTFS...

OUT gets `oci`, an OCI layout with one index for all architectures, and `<ARCH>.tar` for each, in the form of `docker
save`, the only one that RouterOS imports from a file. One layer holds everything. The same trees give the same bytes:
names are sorted, times are those of SOURCE_DATE_EPOCH, everything belongs to root, and no clock is asked.
MTTS_IMAGE_REVISION and MTTS_IMAGE_SOURCE, where set, tell in labels what was built and where it is from.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).resolve().parent
PLATFORMS = {
    "amd64": {"architecture": "amd64", "os": "linux"},
    "arm64": {"architecture": "arm64", "os": "linux"},
    "arm-v7": {"architecture": "arm", "os": "linux", "variant": "v7"},
}
SECOND_NS = 1_000_000_000

# What the Dockerfile says, too; a test compares the two.
PROCESS = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Entrypoint": ["/entrypoint.sh"],
    "StopSignal": "SIGTERM",
    "Healthcheck": {
        "Test": ["CMD", "/healthcheck.sh"],
        "Interval": 60 * SECOND_NS,
        "Timeout": 10 * SECOND_NS,
        "StartPeriod": 60 * SECOND_NS,
        "Retries": 3,
    },
}
TITLE = "Tailscale for RouterOS"
LICENCES = "BSD-3-Clause AND GPL-2.0-only AND MIT AND MPL-2.0"

OCI = "application/vnd.oci.image"
Json = dict[str, Any]


def walk(rootfs: Path) -> Iterator[Path]:
    """Every path of a tree, parents first, in an order that no file system decides."""
    return iter(sorted(rootfs.rglob("*"), key=lambda path: path.relative_to(rootfs).parts))


def layer_of(rootfs: Path, epoch_s: int) -> bytes:
    """The tree as an archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in walk(rootfs):
            entry = archive.gettarinfo(path, path.relative_to(rootfs).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch_s
            if entry.isfile():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
    return buffer.getvalue()


def extracted_bytes(rootfs: Path) -> int:
    """What the files hold; links and directories hold nothing, and no file system's rounding is counted."""
    return sum(path.stat().st_size for path in walk(rootfs) if path.is_file() and not path.is_symlink())


def config_of(arch: str, rootfs: Path, layer: bytes, *, origin: dict[str, str], epoch_s: int) -> Json:
    """The image's configuration."""
    created = datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.mtts.image.extracted-size": str(extracted_bytes(rootfs)),
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": LICENCES,
        "org.opencontainers.image.title": TITLE,
    } | {f"org.opencontainers.image.{name}": value for name, value in origin.items() if value}
    return {
        **PLATFORMS[arch],
        "config": {**PROCESS, "Labels": labels},
        "created": created,
        "history": [{"created": created, "created_by": "image/pack_image.py"}],
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encode(document: Json | list[Json]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """An OCI layout being written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)

    def add(self, content: bytes, media_type: str) -> Json:
        """Write a blob; returns its descriptor."""
        name = digest(content)
        (self._blobs / name.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": name, "size": len(content)}

    def finish(self, manifests: list[Json], version: str) -> None:
        """Write the index of all architectures, under the version as its tag."""
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}
        entry = self.add(encode(index), f"{OCI}.index.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": version}
        (self._directory / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [entry]}))
        (self._directory / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))


def write_archive(path: Path, config: Json, layer: bytes, *, version: str, epoch_s: int) -> None:
    """Write the form of `docker save`, whose layers are plain; packing what is packed would gain nothing."""
    encoded = encode(config)
    config_name = f"{digest(encoded).removeprefix('sha256:')}.json"
    layer_name = f"{digest(layer).removeprefix('sha256:')}/layer.tar"
    listing = encode([{"Config": config_name, "RepoTags": [f"mtts/tailscale:{version}"], "Layers": [layer_name]}])
    with tarfile.open(path, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in ((layer_name, layer), (config_name, encoded), ("manifest.json", listing)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), epoch_s
            archive.addfile(entry, io.BytesIO(content))


def pack(out: Path, trees: dict[str, Path], *, origin: dict[str, str], epoch_s: int) -> None:
    """Write the images of all the trees, which replace what was in `out`; `origin` has version, revision and source."""
    if out.exists():
        shutil.rmtree(out)
    layout = Layout(out / "oci")
    manifests = []
    for arch, rootfs in trees.items():
        layer = layer_of(rootfs, epoch_s)
        packed = gzip.compress(layer, mtime=0)
        config = config_of(arch, rootfs, layer, origin=origin, epoch_s=epoch_s)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": layout.add(encode(config), f"{OCI}.config.v1+json"),
            "layers": [layout.add(packed, f"{OCI}.layer.v1.tar+gzip")],
        }
        manifests.append(layout.add(encode(manifest), f"{OCI}.manifest.v1+json") | {"platform": PLATFORMS[arch]})
        write_archive(out / f"{arch}.tar", config, layer, version=origin["version"], epoch_s=epoch_s)
    layout.finish(manifests, origin["version"])


def main() -> None:
    if len(sys.argv) < 3:  # noqa: PLR2004  the program, its directory, one tree
        sys.exit(f"usage: {sys.argv[0]} OUT ARCH=ROOTFS...")
    trees = {}
    for argument in sys.argv[2:]:
        arch, _, rootfs = argument.partition("=")
        if arch not in PLATFORMS:
            sys.exit(f"{sys.argv[0]}: no architecture '{arch}'; there are {', '.join(PLATFORMS)}")
        trees[arch] = Path(rootfs)
    pack(
        Path(sys.argv[1]),
        trees,
        origin={
            "version": subprocess.check_output([IMAGE / "version"], text=True).strip(),
            "revision": os.environ.get("MTTS_IMAGE_REVISION", ""),
            "source": os.environ.get("MTTS_IMAGE_SOURCE", ""),
        },
        epoch_s=int(os.environ["SOURCE_DATE_EPOCH"]),
    )


if __name__ == "__main__":
    main()
