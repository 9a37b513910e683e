"""Images made in memory: the same when built twice, true to their digests, and readable by other tools."""

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mtts.lab.images import LabImage, build_image, digest_of, replace_platforms, write_oci_layout
from tests.registries import program_or_skip

PLATFORMS = {"linux/amd64", "linux/arm64", "linux/arm/v7"}


def manifest_of(image: LabImage, platform: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(image.manifests[image.manifest_digest(platform)])
    return document


def config_of(image: LabImage, platform: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(image.blobs[manifest_of(image, platform)["config"]["digest"]])
    return document


def test_a_version_built_twice_has_the_same_digests() -> None:
    assert build_image("1.0", extracted_bytes=9000) == build_image("1.0", extracted_bytes=9000)


def test_another_version_differs_on_every_platform() -> None:
    old, new = (build_image(version, extracted_bytes=9000) for version in ("1.0", "1.1"))
    assert all(old.manifest_digest(platform) != new.manifest_digest(platform) for platform in PLATFORMS)


def test_a_rebuild_of_one_platform_leaves_the_manifests_of_the_others_alone() -> None:
    old, new = (build_image(version, extracted_bytes=9000) for version in ("1.0", "1.1"))
    mixed = replace_platforms(old, new, "linux/arm64")
    assert mixed.index_digest not in {old.index_digest, new.index_digest}
    changed = {name for name in PLATFORMS if mixed.manifest_digest(name) != old.manifest_digest(name)}
    assert changed == {"linux/arm64"}
    assert mixed.manifest_digest("linux/arm64") == new.manifest_digest("linux/arm64")


def test_a_new_label_alone_changes_the_configuration_and_no_layer() -> None:
    plain = build_image("1.0", extracted_bytes=9000)
    labelled = build_image("1.0", extracted_bytes=9000, labels={"org.opencontainers.image.revision": "2"})
    before, after = (manifest_of(image, "linux/arm64") for image in (plain, labelled))
    assert before["layers"] == after["layers"]
    assert before["config"]["digest"] != after["config"]["digest"]


@pytest.mark.parametrize("attested", [False, True])
def test_every_descriptor_names_bytes_of_that_digest_and_size(attested: bool) -> None:
    image = build_image("1.0", extracted_bytes=9000, attested=attested)
    seen = 0
    for entry in json.loads(image.index)["manifests"]:
        body = image.manifests[entry["digest"]]
        manifest = json.loads(body)
        for descriptor, content in [
            (entry, body),
            *((part, image.blobs[part["digest"]]) for part in (manifest["config"], *manifest["layers"])),
        ]:
            assert (descriptor["digest"], descriptor["size"]) == (digest_of(content), len(content))
            seen += 1
    assert seen == (3 * 4 + 3 * 3 if attested else 3 * 4)


def test_attestations_are_for_no_platform_and_name_their_subject() -> None:
    image = build_image("1.0", extracted_bytes=9000, attested=True)
    entries = json.loads(image.index)["manifests"]
    attestations = [entry for entry in entries if entry["platform"]["os"] == "unknown"]
    subjects = {entry["annotations"]["vnd.docker.reference.digest"] for entry in attestations}
    assert subjects == {image.manifest_digest(platform) for platform in PLATFORMS}


@pytest.mark.parametrize("extracted_bytes", [4096, 4097, 1_000_003])
def test_the_layers_are_real_tars_that_hold_the_size_asked_for(extracted_bytes: int) -> None:
    image = build_image("1.0", platforms=["linux/arm64"], extracted_bytes=extracted_bytes)
    held, names, diff_ids = 0, set(), []
    for layer in manifest_of(image, "linux/arm64")["layers"]:
        content = gzip.decompress(image.blobs[layer["digest"]])
        diff_ids.append(digest_of(content))
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = tar.getmembers()
        names |= {member.name for member in members}
        held += sum(member.size for member in members if member.isreg())
    assert held == extracted_bytes
    assert {"usr/local/bin/tailscaled", "bin/busybox", "entrypoint.sh", "etc/ssl/certs"} <= names
    assert config_of(image, "linux/arm64")["rootfs"]["diff_ids"] == diff_ids


def test_an_image_too_small_for_its_own_files_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4096 bytes"):
        build_image("1.0", extracted_bytes=4095)


def test_the_configuration_says_what_a_router_and_mtts_read() -> None:
    image = build_image("1.0", extracted_bytes=9000, behaviour="crash", labels={"a": "b"}, cmd=["--verbose=1"])
    config = config_of(image, "linux/arm/v7")
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")
    assert config["config"]["Entrypoint"] == ["/entrypoint.sh"]
    assert config["config"]["Cmd"] == ["--verbose=1"]
    assert config["config"]["Labels"] == {
        "org.opencontainers.image.version": "1.0",
        "org.mtts.image.extracted-size": "9000",
        "org.mtts.lab.behaviour": "crash",
        "a": "b",
    }


def test_an_image_without_entrypoint_and_cmd_has_neither_key() -> None:
    image = build_image("1.0", platforms=["linux/arm64"], extracted_bytes=9000, entrypoint=())
    assert not {"Entrypoint", "Cmd"} & config_of(image, "linux/arm64")["config"].keys()


def test_a_platform_that_was_not_built_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="linux/arm64"):
        build_image("1.0", platforms=["linux/amd64"], extracted_bytes=9000).manifest_digest("linux/arm64")


def test_skopeo_reads_the_layout_and_finds_our_digest(tmp_path: Path) -> None:
    image = build_image("1.0", extracted_bytes=9000, attested=True)
    write_oci_layout(image, tmp_path, tag="release")
    command = [program_or_skip("skopeo"), "--insecure-policy", "inspect", "--raw", f"oci:{tmp_path}:release"]
    assert digest_of(subprocess.run(command, capture_output=True, check=True).stdout) == image.index_digest
