"""Releases of the image: their numbers, and what a registry holds after one."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.trees import IMAGE, lay_out, run, small_parts
from tests.registries import RealRegistry, inspect_raw, real_registry

REPOSITORY = "team/mikrotik-tailscale"
TAILSCALE = subprocess.run([IMAGE / "version"], check=True, text=True, capture_output=True).stdout.partition("-")[0]


@pytest.mark.parametrize(
    ("how", "tags", "number"),
    [
        ("bump", "", "1"),
        ("bump", "v1.2.4-mt.1\nv0.1.0", "1"),
        ("bump", f"v{TAILSCALE}-mt.1", ""),
        ("bump", f"v{TAILSCALE.replace('.', 'x')}-mt.1\nv{TAILSCALE}-mt.1x", "1"),
        ("manual", "", "1"),
        ("manual", f"v{TAILSCALE}-mt.10\nv{TAILSCALE}-mt.9\nv1.2.4-mt.77", "11"),
    ],
)
def test_a_tailscale_is_released_once_by_itself_and_again_by_hand(how: str, tags: str, number: str) -> None:
    said = subprocess.run([IMAGE / "next-release", how], input=tags, text=True, capture_output=True, check=True)
    assert said.stdout.strip() == number


def test_a_release_is_made_in_no_other_way() -> None:
    said = subprocess.run([IMAGE / "next-release"], input="", text=True, capture_output=True, check=False)
    assert said.returncode == 2


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RealRegistry]:
    with real_registry(tmp_path) as running:
        yield running


def made(directory: Path, *, busybox: str = "busybox") -> Path:
    """Images of two flavours, as image/build leaves them, of release 3."""
    parts = small_parts(directory / "parts")
    (parts / "busybox").write_text(busybox)
    for flavour in ("default", "plain"):
        trees = [f"{arch}={lay_out(parts, directory / f'{arch}-{flavour}', flavour)}" for arch in ("amd64", "arm64")]
        run("pack_image.py", directory / "made" / flavour, *trees)
    return directory / "made"


def publish(registry: RealRegistry, images: Path, release: str = "3") -> subprocess.CompletedProcess[str]:
    environ = {"MTTS_IMAGE_RELEASE": release, "MTTS_IMAGE_MADE": str(images), "MTTS_REGISTRY_HTTP": "1"}
    return subprocess.run(
        [IMAGE / "publish", f"{registry.address}/{REPOSITORY}", "default", "plain"],
        env=os.environ | environ,
        text=True,
        capture_output=True,
        check=False,
    )


def test_each_flavour_has_its_own_tag_and_a_stable_one(registry: RealRegistry, tmp_path: Path) -> None:
    images = made(tmp_path)
    done = publish(registry, images)
    assert done.returncode == 0, done.stderr
    for flavour, suffix in (("default", ""), ("plain", "-plain")):
        [entry] = json.loads((images / flavour / "oci/index.json").read_bytes())["manifests"]
        index = (images / flavour / "oci/blobs" / entry["digest"].replace(":", "/")).read_bytes()
        for tag in (f"v{TAILSCALE}-mt.3", "stable"):
            assert inspect_raw(f"{registry.address}/{REPOSITORY}:{tag}{suffix}") == index
    again = publish(registry, images)
    assert again.returncode == 0, again.stderr


def test_a_release_is_never_overwritten(registry: RealRegistry, tmp_path: Path) -> None:
    assert publish(registry, made(tmp_path / "first")).returncode == 0
    tags = [f"{registry.address}/{REPOSITORY}:{tag}" for tag in (f"v{TAILSCALE}-mt.3", "stable", "stable-plain")]
    before = [inspect_raw(tag) for tag in tags]
    done = publish(registry, made(tmp_path / "second", busybox="another one"))
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert [inspect_raw(tag) for tag in tags] == before


def test_a_registry_that_does_not_answer_gets_nothing(registry: RealRegistry, tmp_path: Path) -> None:
    nowhere = RealRegistry("127.0.0.1:9", tmp_path)
    done = publish(nowhere, made(tmp_path))
    assert done.returncode == 1
    assert "publish:" not in done.stderr


def test_what_is_no_release_is_not_published(tmp_path: Path) -> None:
    done = publish(RealRegistry("127.0.0.1:9", tmp_path), tmp_path, release="0")
    assert done.returncode == 2
    assert "is no release" in done.stderr
