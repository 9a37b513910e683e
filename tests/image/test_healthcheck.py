"""The health check's verdicts, and that it leaves the command line tool alone where it can."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.image.stage import FAKES, IMAGE, shells


@contextmanager
def daemon_socket(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield


def check(desk: Path) -> tuple[int, str, bool]:
    """Exit code, what it says, and whether the command line tool was asked."""
    environ = {
        "PATH": f"{FAKES}{os.pathsep}{os.environ['PATH']}",
        "FAKE_DESK": str(desk),
        "TS_SOCKET": str(desk / "socket"),
    }
    shell = next(iter(shells().values()))
    done = subprocess.run(
        [*shell, str(IMAGE / "healthcheck.sh")], env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip(), (desk / "calls").exists()


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("inet 100.64.0.1/32", (0, "", False)),
        ("inet 100.127.255.254/32", (0, "", False)),
        ("inet6 fd7a:115c:a1e0::1/128", (0, "", False)),
        ("inet 100.63.0.1/32", (1, "tailscale0 has no address of the tailnet: not logged in", False)),
        ("inet 100.128.0.1/32", (1, "tailscale0 has no address of the tailnet: not logged in", False)),
        ("inet6 fe80::1/64", (1, "tailscale0 has no address of the tailnet: not logged in", False)),
    ],
)
def test_an_address_of_the_tailnet_is_health(tmp_path: Path, address: str, verdict: tuple[int, str, bool]) -> None:
    (tmp_path / "link").touch()
    (tmp_path / "addresses").write_text(f"5: tailscale0    {address} scope global tailscale0\n")
    with daemon_socket(tmp_path / "socket"):
        assert check(tmp_path) == verdict


def test_without_the_daemon_there_is_no_health(tmp_path: Path) -> None:
    assert check(tmp_path) == (1, "tailscaled is not running", False)


def test_without_an_interface_the_tool_is_asked(tmp_path: Path) -> None:
    (tmp_path / "backend").write_text("Running\n")
    with daemon_socket(tmp_path / "socket"):
        assert check(tmp_path) == (0, "", True)
