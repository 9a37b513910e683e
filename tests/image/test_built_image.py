"""The image as `make image` left it, looked at by the tools of others: skopeo and umoci."""

import json
import os
import re
import shutil
import stat
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.image.trees import IMAGE, ROOT

pytestmark = pytest.mark.image

BUILT = ROOT / "build" / "image"
ARCHITECTURES = {"amd64": "amd64", "arm64": "arm64", "arm-v7": "arm"}

# What the image may hold on small routers, extracted: all of it, and all but iptables.
SMALL = ["arm64", "arm-v7"]
LIMIT_BYTES = 3_900_000
LIMIT_WITHOUT_IPTABLES_BYTES = 3_700_000


@pytest.fixture(params=ARCHITECTURES)
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rootfs(arch: str, tmp_path: Path) -> Path:
    """One architecture's root file system, taken out of the OCI layout by umoci."""
    copy = tmp_path / "one"
    variant = ["--override-variant", "v7"] if arch == "arm-v7" else []
    call(
        "skopeo",
        "--override-arch",
        ARCHITECTURES[arch],
        *variant,
        "--insecure-policy",
        "copy",
        layout(),
        f"oci:{copy}:x",
    )
    call("umoci", "unpack", "--image", f"{copy}:x", str(tmp_path / "bundle"))
    return tmp_path / "bundle" / "rootfs"


def call(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    assert found, f"install {program}"
    return subprocess.run([found, *arguments], check=True, text=True, capture_output=True).stdout


def layout() -> str:
    return f"oci:{BUILT / 'default/oci'}"


def inspect(arch: str) -> dict[str, Any]:
    variant = ["--override-variant", "v7"] if arch == "arm-v7" else []
    return dict(json.loads(call("skopeo", "--override-arch", ARCHITECTURES[arch], *variant, "inspect", layout())))


def size_bytes(rootfs: Path) -> int:
    return sum(path.stat().st_size for path in rootfs.rglob("*") if path.is_file() and not path.is_symlink())


def test_skopeo_reads_labels_and_architecture(arch: str) -> None:
    told = inspect(arch)
    assert told["Architecture"] == ARCHITECTURES[arch]
    assert len(told["Layers"]) == 1
    assert set(told["Labels"]) >= {
        "org.mtts.image.extracted-size",
        *(f"org.opencontainers.image.{name}" for name in ("created", "licenses", "revision", "title", "version")),
    }
    assert re.fullmatch(r"\d+\.\d*[02468]\.\d+-mt\.\d+", told["Labels"]["org.opencontainers.image.version"])


def test_umoci_unpacks_what_the_label_says(arch: str, rootfs: Path) -> None:
    assert str(size_bytes(rootfs)) == inspect(arch)["Labels"]["org.mtts.image.extracted-size"]


def test_every_link_leads_to_a_file(rootfs: Path) -> None:
    links = [path for path in rootfs.rglob("*") if path.is_symlink()]
    assert len(links) > 50
    for link in links:
        leads_to = link.readlink()
        target = rootfs / leads_to.relative_to("/") if leads_to.is_absolute() else link.parent / leads_to
        assert target.is_file(), f"{link} leads to {leads_to}"
        assert target.stat().st_mode & stat.S_IXUSR


def test_large_files_are_there_once(rootfs: Path) -> None:
    large = [path for path in rootfs.rglob("*") if not path.is_symlink() and path.is_file()]
    large = [path for path in large if path.stat().st_size > 50_000]
    assert {path.relative_to(rootfs).as_posix() for path in large} == {
        "bin/busybox",
        "usr/local/bin/tailscaled",
        "usr/sbin/iptables",
    }
    assert {path.stat().st_nlink for path in large} == {1}


@pytest.mark.parametrize("arch", SMALL, indirect=True)
def test_it_is_as_small_as_promised(rootfs: Path) -> None:
    whole = size_bytes(rootfs)
    assert whole <= LIMIT_BYTES
    assert whole - (rootfs / "usr/sbin/iptables").stat().st_size <= LIMIT_WITHOUT_IPTABLES_BYTES


def test_the_tarball_is_the_same_image(arch: str) -> None:
    tarball = json.loads(call("skopeo", "inspect", "--config", f"docker-archive:{BUILT / 'default' / arch}.tar"))
    variant = ["--override-variant", "v7"] if arch == "arm-v7" else []
    config = json.loads(
        call("skopeo", "--override-arch", ARCHITECTURES[arch], *variant, "inspect", "--config", layout())
    )
    assert tarball["rootfs"] == config["rootfs"]
    assert tarball["config"] == config["config"]


def test_building_elsewhere_gives_the_same_image(tmp_path: Path) -> None:
    """All of one architecture anew, in another directory; only what was fetched is taken from here."""
    config = json.loads(call("skopeo", "inspect", "--config", f"docker-archive:{BUILT / 'default/amd64.tar'}"))
    shutil.copytree(IMAGE, tmp_path / "image", symlinks=True)
    shutil.copytree(ROOT / "build/inputs", tmp_path / "build/inputs", copy_function=os.link)
    environ = {
        "SOURCE_DATE_EPOCH": str(int(datetime.fromisoformat(config["created"]).timestamp())),
        "MTTS_IMAGE_REVISION": config["config"]["Labels"]["org.opencontainers.image.revision"],
    }
    subprocess.run([tmp_path / "image/build", "default", "amd64"], check=True, env=os.environ | environ)
    assert (tmp_path / "build/image/default/amd64.tar").read_bytes() == (BUILT / "default/amd64.tar").read_bytes()


def test_the_amd64_program_says_its_version(tmp_path: Path) -> None:
    version = call(str(IMAGE / "version")).strip()
    program = BUILT / "amd64/rootfs-default/usr/local/bin/tailscaled"
    assert version in call(str(program), "--version")
    (tmp_path / "tailscale").symlink_to(program)
    assert call(str(tmp_path / "tailscale"), "version").startswith(version.partition("-")[0])


def test_verbose_lines_stay_out_of_the_log(tmp_path: Path) -> None:
    program = BUILT / "amd64/rootfs-default/usr/local/bin/tailscaled"
    logs = {level: started(program, tmp_path / level, TS_LOG_VERBOSITY=level) for level in ("0", "2")}
    for log in logs.values():
        assert "Engine created." in log
        assert "[v" not in log
        assert "\0" not in log
    verbose = "using fake (no-op) tun device"  # upstream writes it as [v1]
    assert (verbose in logs["0"], verbose in logs["2"]) == (False, True)


def started(program: Path, state: Path, **environ: str) -> str:
    """The log of a daemon that is started without any network of its own and ended once it listens."""
    state.mkdir()
    socket = state / "socket"
    arguments = [str(program), f"--statedir={state}", f"--socket={socket}", "--tun=userspace-networking", "--port=0"]
    with subprocess.Popen(
        ["/usr/bin/unshare", "--net", *arguments, "--no-logs-no-support"],
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as daemon:
        assert daemon.stderr is not None
        lines = []
        for line in daemon.stderr:
            lines.append(line)
            if "Switching ipn state" in line:
                daemon.terminate()
        assert daemon.wait() == 0
    return "".join(lines)
