"""The flavours `serve` and `plain`, where `make image` has built them, as skopeo and umoci see them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.image.local_bases import call
from tests.image.trees import ROOT

pytestmark = pytest.mark.image

LINES = b"tailscale.com@v"  # how the name of a file in the tables of lines begins


class Flavour:
    """A flavour for arm64, taken apart."""

    def __init__(self, name: str, directory: Path) -> None:
        self.layout = ROOT / "build/image" / name / "oci"
        if not self.layout.is_dir():
            pytest.skip(f"{name} is not built: `make image FLAVOUR={name}` does")
        how = ["--override-arch=arm64", "--insecure-policy"]
        call("skopeo", *how, "copy", f"oci:{self.layout}", f"oci:{directory / 'one'}:x")
        call("umoci", "unpack", "--image", f"{directory / 'one'}:x", str(directory / "bundle"))
        self.rootfs = directory / "bundle/rootfs"
        self.program = self.rootfs / "usr/local/bin/tailscaled"
        self.told: dict[str, Any] = json.loads(call("skopeo", "inspect", f"oci:{directory / 'one'}:x").stdout)

    def command_line(self, *arguments: str) -> str:
        """What the command line says under emulation; its program is told by the name that it is called by."""
        emulator = shutil.which("qemu-aarch64-static")
        if emulator is None:
            pytest.skip("qemu-aarch64-static is not installed (qemu-user-static)")
        argv = [emulator, "-0", "tailscale", str(self.program), *arguments]
        return subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout


@pytest.fixture(params=["serve", "plain"])
def flavour(request: pytest.FixtureRequest, tmp_path: Path) -> Flavour:
    return Flavour(request.param, tmp_path)


@pytest.fixture
def serve(tmp_path: Path) -> Flavour:
    return Flavour("serve", tmp_path)


@pytest.fixture
def plain(tmp_path: Path) -> Flavour:
    return Flavour("plain", tmp_path)


def test_it_is_one_layer_whose_size_the_label_says(flavour: Flavour) -> None:
    files = [path for path in flavour.rootfs.rglob("*") if path.is_file() and not path.is_symlink()]
    assert str(sum(path.stat().st_size for path in files)) == flavour.told["Labels"]["org.mtts.image.extracted-size"]
    assert (flavour.told["Architecture"], len(flavour.told["Layers"])) == ("arm64", 1)
    assert [path.name for path in files if path.stat().st_size > 500_000] == ["tailscaled"]
    assert (flavour.rootfs / "usr/local/bin/tailscale").readlink() == Path("tailscaled")


def test_serve_can_serve_and_says_its_version(serve: Flavour) -> None:
    version = serve.told["Labels"]["org.opencontainers.image.version"].partition("-")[0]
    assert serve.command_line("version").startswith(version)
    assert "set-config" in serve.command_line("serve", "--help")
    assert "--cert-file" in serve.command_line("cert", "--help")
    assert b"UPX!" in serve.program.read_bytes()


def test_plain_is_not_packed_and_has_its_lines(plain: Flavour) -> None:
    program = plain.program.read_bytes()
    assert b"UPX!" not in program
    assert LINES in program
    version = plain.told["Labels"]["org.opencontainers.image.version"].partition("-")[0]
    assert plain.command_line("version").startswith(version)
