"""The layout of the image's root file system."""

import stat
from pathlib import Path

from tests.image.trees import EPOCH_S, lay_out, small_parts


def test_every_big_file_is_there_once_and_its_other_names_are_links(tmp_path: Path) -> None:
    parts = small_parts(tmp_path / "parts")
    rootfs = lay_out(parts, tmp_path / "rootfs")
    links = {str(path.relative_to(rootfs)): str(path.readlink()) for path in rootfs.rglob("*") if path.is_symlink()}
    assert links == {
        "bin/ls": "/bin/busybox",
        "sbin/ip": "/bin/busybox",
        "usr/bin/wc": "/bin/busybox",
        "usr/local/bin/tailscale": "tailscaled",
        "usr/sbin/ip6tables": "iptables",
    }
    contents = [path.read_bytes() for path in rootfs.rglob("*") if path.is_file() and not path.is_symlink()]
    for name in ("busybox", "iptables", "tailscale-default"):
        assert contents.count((parts / name).read_bytes()) == 1
    assert (parts / "tailscale-plain").read_bytes() not in contents


def test_modes_and_times_do_not_depend_on_who_builds(tmp_path: Path) -> None:
    rootfs = lay_out(small_parts(tmp_path / "parts"), tmp_path / "rootfs")
    modes = {
        str(path.relative_to(rootfs)): stat.S_IMODE(path.lstat().st_mode)
        for path in rootfs.rglob("*")
        if not path.is_symlink()
    }
    assert modes.pop("tmp") == 0o1777
    assert {modes.pop("root"), modes.pop("var/lib/tailscale")} == {0o700}
    unreadable = {path: oct(mode) for path, mode in modes.items() if mode not in {0o644, 0o755}}
    assert unreadable == {}
    assert {modes[name] for name in ("entrypoint.sh", "healthcheck.sh", "bin/busybox")} == {0o755}
    assert {path.lstat().st_mtime for path in [rootfs, *rootfs.rglob("*")]} == {float(EPOCH_S)}


def test_what_was_there_before_is_gone(tmp_path: Path) -> None:
    parts = small_parts(tmp_path / "parts")
    rootfs = lay_out(parts, tmp_path / "rootfs")
    (rootfs / "stale").write_text("x", encoding="ascii")
    lay_out(parts, rootfs, "plain")
    assert not (rootfs / "stale").exists()
    assert (rootfs / "usr/local/bin/tailscaled").read_bytes() == (parts / "tailscale-plain").read_bytes()
