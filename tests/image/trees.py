"""A root file system laid out of small parts, by the scripts that lay out the real one."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "image"
EPOCH_S = 1_700_000_000


def small_parts(directory: Path) -> Path:
    """Parts as the build scripts leave them, but for their contents."""
    directory.mkdir(parents=True)
    for name in ("busybox", "iptables", "tailscale-default", "tailscale-plain"):
        (directory / name).write_bytes(f"{name} of a test\n".encode() * 1000)
    (directory / "busybox.links").write_text("bin/busybox\nbin/ls\nsbin/ip\nusr/bin/wc\n", encoding="ascii")
    (directory / "ca-certificates.crt").write_text("roots\n", encoding="ascii")
    return directory


def lay_out(parts: Path, rootfs: Path, flavour: str = "default") -> Path:
    """A root file system of parts."""
    run("assemble.py", parts, flavour, rootfs)
    return rootfs


def run(script: str, *arguments: str | Path) -> None:
    """Run a Python script of image/ as it is run in a build, with this Python: a system's own may be too old."""
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SOURCE_DATE_EPOCH": str(EPOCH_S),
        "MTTS_IMAGE_RELEASE": "3",
        "MTTS_IMAGE_REVISION": "0123abcd",
    }
    subprocess.run([sys.executable, IMAGE / script, *arguments], check=True, env=environ)
