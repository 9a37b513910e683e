#!/usr/bin/env python3
"""Writes the bill of materials of an image, SPDX 2.3 as JSON: image/sbom.py FLAVOUR OUT PARTS...

PARTS are the directories that image/build-tailscale and the rest wrote to, one for each architecture; what any of them
has is listed. Tailscale's modules are those that Go linked, by its own record of them, the other inputs those of
inputs.lock. Times are those of SOURCE_DATE_EPOCH, so that the same build has the same bill.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).resolve().parent
IMAGE_ID = "SPDXRef-Image"
# What is said of each input: its licence, and its place in the image (CONTAINS) or in making it.
INPUTS = {
    "busybox": ("GPL-2.0-only", "CONTAINS"),
    "iptables": ("GPL-2.0-or-later", "CONTAINS"),
    "ca-certificates": ("MPL-2.0", "CONTAINS"),
    "ziglang-amd64": ("MIT", "BUILD_TOOL_OF"),  # its musl is linked into busybox and iptables
    "upx-amd64": ("GPL-2.0-or-later", "BUILD_TOOL_OF"),  # with an exception for what it packs
}
Json = dict[str, Any]


def package(name: str, version: str, *, purl: str, licence: str = "NOASSERTION", sha256: str | None = None) -> Json:
    """One entry; the hash, hexadecimal, is that of what was fetched."""
    entry: Json = {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{name}-{version}"),
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl},
        ],
    }
    if sha256:
        entry["checksums"] = [{"algorithm": "SHA256", "checksumValue": sha256}]
    return entry


def modules(listing: str) -> Iterable[Json]:
    """The Go modules of a `go version -m`, and Go's own library; a module's hash is that of its tree, as in go.sum."""
    go = re.search(r": go(\S+)\n", listing)
    if not go:
        raise ValueError("no listing of `go version -m`")
    yield package("stdlib", go[1], purl=f"pkg:golang/stdlib@{go[1]}", licence="BSD-3-Clause")
    for name, version, tree in re.findall(r"^\tdep\t(\S+)\t(\S+)\th1:(\S+)$", listing, re.MULTILINE):
        yield package(
            name, version, purl=f"pkg:golang/{name}@{version}", sha256=base64.b64decode(tree, validate=True).hex()
        )


def inputs(lock: str) -> Iterable[tuple[Json, str]]:
    """What inputs.lock names, each with its relation to the image."""
    for line in lock.splitlines():
        match line.split():
            case [name, sha256, "debian", path] if name in INPUTS:
                source, _, version = Path(path).name.rpartition(".orig.")[0].rpartition("_")
                if not source:  # a binary package: its name, version and architecture
                    source, version, _ = Path(path).stem.split("_")
                purl = f"pkg:deb/debian/{source}@{version}"
            case [name, sha256, "pypi", requirement] if name in INPUTS:
                source, version = requirement.split("==")
                purl = f"pkg:pypi/{source}@{version}"
            case _:
                continue
        licence, relation = INPUTS[name]
        yield package(source, version, purl=purl, licence=licence, sha256=sha256), relation


def bill(flavour: str, version: str, listings: Iterable[str], lock: str, *, epoch_s: int) -> Json:
    """The whole document."""
    related = {
        entry["SPDXID"]: (entry, relation)
        for entry, relation in (
            *((entry, "CONTAINS") for listing in listings for entry in modules(listing)),
            *inputs(lock),
        )
    }
    image = {
        "SPDXID": IMAGE_ID,
        "name": f"Tailscale for RouterOS ({flavour})",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"tailscale-{version}-{flavour}",
        "documentNamespace": f"urn:mtts:image:{version}:{flavour}:{epoch_s}",
        "creationInfo": {
            "created": datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: mtts-image-sbom"],
        },
        "packages": [image, *(related[name][0] for name in sorted(related))],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": IMAGE_ID},
            *(relationship(name, related[name][1]) for name in sorted(related)),
        ],
    }


def relationship(name: str, relation: str) -> Json:
    """The image contains a package, while a tool is one of the image."""
    first, second = (IMAGE_ID, name) if relation == "CONTAINS" else (name, IMAGE_ID)
    return {"spdxElementId": first, "relationshipType": relation, "relatedSpdxElement": second}


def main() -> None:
    if len(sys.argv) < 4:  # noqa: PLR2004  the program, flavour, file, one directory
        sys.exit(f"usage: {sys.argv[0]} FLAVOUR OUT PARTS...")
    flavour, out, *parts = sys.argv[1:]
    document = bill(
        flavour,
        subprocess.check_output([IMAGE / "version"], text=True).strip(),
        [Path(directory, f"tailscale-{flavour}.modules").read_text(encoding="utf-8") for directory in parts],
        (IMAGE / "inputs.lock").read_text(encoding="utf-8"),
        epoch_s=int(os.environ["SOURCE_DATE_EPOCH"]),
    )
    Path(out).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
