"""The image's Go module: the audit of Tailscale's features and the log filter, which have tests of their own."""

import os
import shutil
import subprocess

import pytest

from tests.image.trees import IMAGE

GO = shutil.which("go") or ""


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the go command without any network: what it needs is there, or it fails."""
    environ = os.environ | {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    return subprocess.run([GO, *arguments], cwd=IMAGE / "go", env=environ, check=False, text=True, capture_output=True)


@pytest.mark.skipif(not GO, reason="no go command here")
def test_the_go_tests_pass() -> None:
    if go("list", "-deps", "-test", "./...").returncode:
        pytest.skip("the Go that image/go/go.mod names, or Tailscale's module, has not been fetched")
    tests = go("test", "./...")
    assert tests.returncode == 0, tests.stdout + tests.stderr
