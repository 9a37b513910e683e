"""The bill of materials: what of a build it lists, and that it hangs together."""

import json
from pathlib import Path
from typing import Any

from tests.image.trees import run, small_parts

# What `go version -m` says, in short; the hash is that of an empty input.
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
LISTING = """\
work/tailscaled: go1.26.8
\tpath\tmtts.org/image/cmd/tailscaled
\tmod\tmtts.org/image\t(devel)\t
\tdep\ttailscale.com\tv1.102.5\th1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
\tdep\tgolang.org/x/net\tv0.53.0\th1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
\tbuild\tGOARCH=arm64
"""


def bill(tmp_path: Path) -> dict[str, Any]:
    """That of two architectures, the second of which has a module of its own."""
    directories = [small_parts(tmp_path / arch) for arch in ("amd64", "arm64")]
    own = LISTING.replace("golang.org/x/net", "golang.org/x/arm")
    for directory, listing in zip(directories, (LISTING, own), strict=True):
        (directory / "tailscale-default.modules").write_text(listing)
    out = tmp_path / "sbom.json"
    run("sbom.py", "default", out, *directories)
    return dict(json.loads(out.read_bytes()))


def test_it_lists_modules_programs_and_tools_with_their_hashes(tmp_path: Path) -> None:
    packages = {entry["name"]: entry for entry in bill(tmp_path)["packages"]}
    assert set(packages) == {
        "Tailscale for RouterOS (default)",
        "tailscale.com",
        "golang.org/x/net",
        "golang.org/x/arm",
        "stdlib",
        "busybox",
        "iptables",
        "ca-certificates",
        "upx-ucl",
        "ziglang",
    }
    assert packages["tailscale.com"]["versionInfo"] == "v1.102.5"
    assert packages["tailscale.com"]["checksums"] == [{"algorithm": "SHA256", "checksumValue": EMPTY_SHA256}]
    assert packages["stdlib"]["versionInfo"] == "1.26.8"
    urls = {entry["externalRefs"][0]["referenceLocator"] for entry in packages.values() if "externalRefs" in entry}
    assert {"pkg:golang/tailscale.com@v1.102.5", "pkg:golang/stdlib@1.26.8"} < urls
    for name in ("busybox", "iptables", "ca-certificates", "ziglang", "upx-ucl"):
        assert packages[name]["versionInfo"][0].isdigit()
        assert len(packages[name]["checksums"][0]["checksumValue"]) == 64


def test_everything_in_it_is_related_to_the_image(tmp_path: Path) -> None:
    document = bill(tmp_path)
    names = [entry["SPDXID"] for entry in document["packages"]]
    assert len(set(names)) == len(names)
    ends = [(entry["spdxElementId"], entry["relatedSpdxElement"]) for entry in document["relationships"]]
    assert {name for pair in ends for name in pair} == {*names, "SPDXRef-DOCUMENT"}
    tools = [
        entry["spdxElementId"] for entry in document["relationships"] if entry["relationshipType"] == "BUILD_TOOL_OF"
    ]
    assert [name.split("-")[1] for name in tools] == ["upx", "ziglang"]


def test_the_same_build_has_the_same_bill(tmp_path: Path) -> None:
    assert bill(tmp_path / "first") == bill(tmp_path / "second")
