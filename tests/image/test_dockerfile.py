"""The Dockerfile, built by buildah without Docker Hub: the same image as image/build makes, and the controller."""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.image.local_bases import GO, base_names, call, have_bases
from tests.image.trees import ROOT

pytestmark = pytest.mark.image

NATIVE = ROOT / "build/image/arm64/rootfs-default"
LABELS = {
    "CREATED": "2026-01-02T03:04:05Z",
    "EXTRACTED_SIZE": "4000000",
    "REVISION": "0123abcd",
    "SOURCE": "https://git.example/mtts",
    "VERSION": "1.2.4-mt.5",
}


def build(name: str, *options: str) -> None:
    """Build a target under a name."""
    release = {"MTTS_IMAGE_RELEASE": os.environ.get("MTTS_IMAGE_RELEASE", "0")}  # as image/build was told, too
    arguments = [f"--build-arg={key}={value}" for key, value in (LABELS | release).items()]
    # For every platform those of this machine: buildah 1.28 looks for them in that of the target otherwise.
    bases = [f"--build-context={base}=docker://{base}" for base in base_names()]
    # chroot, since a build in a container must not make containers; docker, as OCI's form knows no health check.
    how = ["--isolation=chroot", "--format=docker", "--pull-never", "--ulimit=nofile=20000:20000", "--timestamp=0"]
    call("buildah", "build", *how, *arguments, *bases, *options, f"--tag={name}", str(ROOT))


@pytest.fixture(scope="module")
def bases() -> None:
    for program in ("buildah", "debootstrap", "skopeo", "umoci"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if not GO:
        pytest.skip("no go command here")
    have_bases()


@pytest.fixture(scope="module")
def router_image(bases: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The default target for arm64, built on this machine's own architecture, as an OCI layout tagged `x`."""
    name, layout = "localhost/mtts-test-router", tmp_path_factory.mktemp("router") / "oci"
    build(name, "--platform=linux/arm64", "--build-arg=BUILDPLATFORM=linux/amd64")
    call("skopeo", "--insecure-policy", "copy", f"containers-storage:{name}:latest", f"oci:{layout}:x")
    yield layout
    call("buildah", "rmi", name)


@pytest.fixture(scope="module")
def controller(bases: None) -> Iterator[str]:
    """A container of the controller's image, by its id."""
    name = "localhost/mtts-test-controller"
    build(name, "--target=controller")
    container = call("buildah", "from", "--pull-never", name).stdout.strip()
    yield container
    call("buildah", "rm", container)
    call("buildah", "rmi", name)


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def config_of(layout: Path) -> dict[str, Any]:
    return dict(json.loads(call("skopeo", "inspect", "--config", f"oci:{layout}:x").stdout))


def test_labels_are_what_the_build_was_told(router_image: Path) -> None:
    config = config_of(router_image)
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    labels = config["config"]["Labels"]
    assert labels["org.mtts.image.extracted-size"] == LABELS["EXTRACTED_SIZE"]
    for name in ("created", "revision", "source", "version"):
        assert labels[f"org.opencontainers.image.{name}"] == LABELS[name.upper()]
    assert config["config"]["Entrypoint"] == ["/entrypoint.sh"]


def test_each_file_is_in_the_layers_once(router_image: Path) -> None:
    manifest = json.loads(call("skopeo", "inspect", "--raw", f"oci:{router_image}:x").stdout)
    names: list[str] = []
    for layer in manifest["layers"]:
        with tarfile.open(blob(router_image, layer["digest"])) as archive:
            names += [entry.name.removeprefix("./") for entry in archive if not entry.isdir()]
    assert "usr/local/bin/tailscaled" in names
    assert sorted(names) == sorted(set(names))


def test_it_holds_the_same_files_as_the_build_without_docker(router_image: Path, tmp_path: Path) -> None:
    assert NATIVE.is_dir(), "there is no image: `make image` builds it"
    call("umoci", "unpack", "--image", f"{router_image}:x", str(tmp_path / "bundle"))
    built, native = tmp_path / "bundle/rootfs", NATIVE
    names = {path.relative_to(native) for path in native.rglob("*")}
    assert {path.relative_to(built) for path in built.rglob("*")} == names
    for name in names:
        one, other = built / name, native / name
        assert one.is_symlink() == other.is_symlink()
        if one.is_symlink():
            assert one.readlink() == other.readlink()
        elif one.is_file():
            assert one.read_bytes() == other.read_bytes(), name
        assert one.lstat().st_mode == other.lstat().st_mode, name


def test_the_controller_works_for_a_user_who_may_do_nothing(controller: str) -> None:
    def run(*argv: str) -> str:
        return call("buildah", "run", "--isolation=chroot", controller, "--", *argv).stdout

    assert run("id", "-u").strip() == "10001"
    assert run("mtts", "--version").startswith("mtts ")
    run("mtts", "init", "-i", "/etc/mtts/inventory.yaml", "--router", "router1=192.0.2.1")
    assert "192.0.2.1" in run("cat", "/etc/mtts/inventory.yaml")
    # Its state: a database made by migrations that have to be in the package.
    assert json.loads(run("mtts", "--json", "history"))["exit_code"] == 0
    assert run("find", "/var/lib/mtts", "-type", "f", "-user", "mtts")


def test_the_controller_has_the_programs_labels_and_no_tools(controller: str) -> None:
    told = json.loads(call("buildah", "inspect", controller).stdout)["Docker"]["config"]
    assert (told["User"], told["Entrypoint"]) == ("mtts", ["mtts"])
    assert told["Labels"]["org.opencontainers.image.revision"] == LABELS["REVISION"]
    assert told["Labels"]["org.opencontainers.image.licenses"] == "GPL-3.0-or-later"
    packages = call("buildah", "run", "--isolation=chroot", controller, "--", "ls", "/opt/mtts/bin").stdout.split()
    assert "mtts" in packages
    assert not {"ruff", "mypy", "pytest"} & set(packages)
