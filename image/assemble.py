#!/usr/bin/env python3
"""Lays out the root file system of one image: image/assemble.py PARTS FLAVOUR ROOTFS

PARTS is a directory with what the image/build-* scripts and image/make-ca made for one architecture. ROOTFS is made
anew: every file once, other names as links, modes and times fixed, so that the same parts give the same tree. Times
are those of SOURCE_DATE_EPOCH. Owners are whoever runs this: root in a Dockerfile, while pack_image.py writes root
whatever it finds.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

IMAGE = Path(__file__).resolve().parent

# Directories that the container needs and that hold nothing, or not for everybody to read.
DIRECTORIES = {
    "dev": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "sys": 0o755,
    "tmp": 0o1777,
    "var/lib/tailscale": 0o700,
    "var/run/tailscale": 0o755,
}

# Where the parts go.
BUSYBOX = "bin/busybox"  # it has to be a name that begins so
TAILSCALE = "usr/local/bin/tailscaled"
FILES = {
    BUSYBOX: 0o755,
    TAILSCALE: 0o755,
    "usr/sbin/iptables": 0o755,
    "entrypoint.sh": 0o755,
    "healthcheck.sh": 0o755,
    "etc/ssl/certs/ca-certificates.crt": 0o644,
    "etc/passwd": 0o644,
    "etc/group": 0o644,
}
LINKS = {
    "usr/local/bin/tailscale": "tailscaled",  # the same program: as which it acts, its name says
    "usr/sbin/ip6tables": "iptables",
}

# Tailscale looks up the name of whoever asks it something.
USERS = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}


def contents(parts: Path, flavour: str) -> dict[str, bytes]:
    """What is in each file of the image."""
    return {
        BUSYBOX: (parts / "busybox").read_bytes(),
        TAILSCALE: (parts / f"tailscale-{flavour}").read_bytes(),
        "usr/sbin/iptables": (parts / "iptables").read_bytes(),
        "entrypoint.sh": (IMAGE / "entrypoint.sh").read_bytes(),
        "healthcheck.sh": (IMAGE / "healthcheck.sh").read_bytes(),
        "etc/ssl/certs/ca-certificates.crt": (parts / "ca-certificates.crt").read_bytes(),
    } | {path: text.encode() for path, text in USERS.items()}


def links(parts: Path) -> dict[str, str]:
    """All names that lead to another file, with where they lead."""
    applets = (parts / "busybox.links").read_text(encoding="ascii").split()
    return LINKS | {applet: f"/{BUSYBOX}" for applet in applets if applet != BUSYBOX}


def lay_out(parts: Path, flavour: str, rootfs: Path, *, epoch_s: int) -> None:
    """Write the tree; raises FileExistsError where two things want the same name."""
    for path, content in contents(parts, flavour).items():
        target = rootfs / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(FILES[path])
    for path, leads_to in links(parts).items():
        (rootfs / path).parent.mkdir(parents=True, exist_ok=True)
        (rootfs / path).symlink_to(leads_to)
    for path in DIRECTORIES:
        (rootfs / path).mkdir(parents=True, exist_ok=True)
    for directory, _, files in os.walk(rootfs, topdown=False):  # from below: what is made in a directory changes it
        for name in files:
            os.utime(Path(directory, name), (epoch_s, epoch_s), follow_symlinks=False)
        Path(directory).chmod(DIRECTORIES.get(Path(directory).relative_to(rootfs).as_posix(), 0o755))
        os.utime(directory, (epoch_s, epoch_s))


def main() -> None:
    if len(sys.argv) != 4:  # noqa: PLR2004  the program and its three arguments
        sys.exit(f"usage: {sys.argv[0]} PARTS FLAVOUR ROOTFS")
    parts, flavour, rootfs = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    if rootfs.exists():
        shutil.rmtree(rootfs)
    lay_out(parts, flavour, rootfs, epoch_s=int(os.environ["SOURCE_DATE_EPOCH"]))


if __name__ == "__main__":
    main()
