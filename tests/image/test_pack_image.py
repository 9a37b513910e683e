"""The images that are made of root file systems: their bytes, their one layer, and what they say of themselves."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mtts.adapters.registry.manifest import Manifest, declared_size_bytes, parse_config, parse_document
from tests.image.trees import IMAGE, ROOT, lay_out, run, small_parts

ARCHITECTURES = {"amd64": ("amd64", None), "arm64": ("arm64", None), "arm-v7": ("arm", "v7")}


def packed(tmp_path: Path, name: str = "out") -> Path:
    """Images of all architectures, each of its own small tree."""
    trees = []
    for arch in ARCHITECTURES:
        parts = small_parts(tmp_path / name / f"{arch}-parts")
        (parts / "busybox").write_bytes(f"busybox of {arch}".encode())
        trees.append(f"{arch}={lay_out(parts, tmp_path / name / arch)}")
    run("pack_image.py", tmp_path / name / "images", *trees)
    return tmp_path / name / "images"


def blob(oci: Path, digest: str) -> bytes:
    content = (oci / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    return content


def manifests(oci: Path) -> list[dict[str, Any]]:
    """The entries of the layout's one index."""
    [entry] = json.loads((oci / "index.json").read_bytes())["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": version()}
    index = json.loads(blob(oci, entry["digest"]))
    return list(index["manifests"])


def version() -> str:
    required = re.search(r"^require tailscale\.com v(\S+)$", (IMAGE / "go/go.mod").read_text(), re.MULTILINE)
    assert required
    return f"{required[1]}-mt.3"


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = packed(tmp_path, "first"), packed(tmp_path, "second")
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert files
    assert sorted(files) == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [name for name in files if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_one_index_has_every_architecture(tmp_path: Path) -> None:
    oci = packed(tmp_path) / "oci"
    platforms = [entry["platform"] for entry in manifests(oci)]
    assert [(platform["architecture"], platform.get("variant")) for platform in platforms] == [*ARCHITECTURES.values()]
    for entry in manifests(oci):
        config = json.loads(blob(oci, json.loads(blob(oci, entry["digest"]))["config"]["digest"]))
        assert {key: config[key] for key in entry["platform"]} == entry["platform"]


def test_one_layer_holds_the_tree_and_belongs_to_root(tmp_path: Path) -> None:
    oci = packed(tmp_path) / "oci"
    for entry in manifests(oci):
        manifest = json.loads(blob(oci, entry["digest"]))
        config = json.loads(blob(oci, manifest["config"]["digest"]))
        [layer] = manifest["layers"]
        plain = gzip.decompress(blob(oci, layer["digest"]))
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(plain).hexdigest()}"]
        with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
            members = archive.getmembers()
        assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
        names = [member.name for member in members]
        assert len(names) == len(set(names))
        assert "usr/local/bin/tailscaled" in names


def test_mtts_reads_version_and_size_off_the_labels(tmp_path: Path) -> None:
    oci = packed(tmp_path) / "oci"
    for entry in manifests(oci):
        manifest = parse_document(blob(oci, entry["digest"]), entry["mediaType"])
        assert isinstance(manifest, Manifest)
        config = parse_config(blob(oci, str(manifest.config.digest)))
        with tarfile.open(fileobj=io.BytesIO(blob(oci, str(manifest.layers[0].digest))), mode="r:gz") as archive:
            size_bytes = sum(member.size for member in archive if member.isfile())
        assert declared_size_bytes(config, manifest) == size_bytes
        assert config.entrypoint == ("/entrypoint.sh",)
        told = {name.removeprefix("org.opencontainers.image."): value for name, value in config.labels.items()}
        assert told["version"] == version()
        assert told["revision"] == "0123abcd"
        assert told["created"] == "2023-11-14T22:13:20Z"
        assert "source" not in told


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_tarball_is_what_docker_save_writes(tmp_path: Path, arch: str) -> None:
    images = packed(tmp_path)
    with tarfile.open(images / f"{arch}.tar") as archive:
        contents = {member.name: archive.extractfile(member) for member in archive}
        read = {name: file.read() for name, file in contents.items() if file is not None}
    [listing] = json.loads(read.pop("manifest.json"))
    config = json.loads(read.pop(listing["Config"]))
    [layer_name] = listing["Layers"]
    layer = read.pop(layer_name)
    assert read == {}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (config["architecture"], config.get("variant")) == ARCHITECTURES[arch]


def test_the_dockerfile_says_the_same_of_the_process(tmp_path: Path) -> None:
    oci = packed(tmp_path) / "oci"
    manifest = json.loads(blob(oci, manifests(oci)[0]["digest"]))
    config = json.loads(blob(oci, manifest["config"]["digest"]))["config"]
    stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert f"ENV {config['Env'][0]}\n" in stage
    assert f"ENTRYPOINT {json.dumps(config['Entrypoint'])}\n" in stage
    assert f"STOPSIGNAL {config['StopSignal']}\n" in stage
    check = config["Healthcheck"]
    seconds = {name: check[name] // 1_000_000_000 for name in ("Interval", "Timeout", "StartPeriod")}
    assert (
        f"HEALTHCHECK --interval={seconds['Interval']}s --timeout={seconds['Timeout']}s"
        f" --start-period={seconds['StartPeriod']}s --retries={check['Retries']} CMD {json.dumps(check['Test'][1:])}\n"
    ) in stage
    fixed = {name: value for name, value in config["Labels"].items() if name.endswith((".title", ".licenses"))}
    assert len(fixed) == 2
    assert all(f'{name}="{value}"' in stage for name, value in fixed.items())


def test_the_dockerfile_copies_the_tree_once_and_into_nothing() -> None:
    stage = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert stage.startswith("scratch\n")
    instructions = [line.split()[0] for line in stage.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert instructions.count("COPY") == 1
    assert {"RUN", "ADD"}.isdisjoint(instructions)


def test_the_dockerfile_has_the_go_that_the_module_names() -> None:
    toolchain = re.search(r"^toolchain go(\S+)$", (IMAGE / "go/go.mod").read_text(), re.MULTILINE)
    assert toolchain
    assert f"/golang:{toolchain[1]}-bookworm AS build\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
