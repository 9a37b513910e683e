"""The image's shell scripts: what a reader of shell finds, and what they promise about their own lists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.image.stage import FAKES, IMAGE


def shell_scripts() -> list[Path]:
    files = [path for directory in (IMAGE, FAKES) for path in sorted(directory.iterdir()) if path.is_file()]
    return [path for path in files if path.read_bytes().startswith(b"#!/bin/sh\n")]


SHELLCHECK = shutil.which("shellcheck")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", shell_scripts(), ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    assert SHELLCHECK is not None
    done = subprocess.run([SHELLCHECK, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_busybox_leaves_out_what_a_packed_program_cannot_do() -> None:
    switches = re.findall(r"^CONFIG_(\w+)=", (IMAGE / "busybox.config").read_text(), re.MULTILINE)
    assert len(set(switches)) == len(switches)
    assert not {"FEATURE_PREFER_APPLETS", "FEATURE_SH_STANDALONE", "FEATURE_SH_NOFORK"} & set(switches)


def test_every_external_program_of_the_scripts_is_an_applet() -> None:
    """What the entrypoint and the health check call, against the list that busybox is built from."""
    switches = set(re.findall(r"^CONFIG_(\w+)=", (IMAGE / "busybox.config").read_text(), re.MULTILINE))
    text = "\n".join((IMAGE / name).read_text() for name in ("entrypoint.sh", "healthcheck.sh"))
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    applets = {"cat", "grep", "ip", "mkdir", "mknod", "mv", "rm", "sed", "sha256sum", "sleep", "sysctl", "tail", "tr"}
    used = {word for word in applets if re.search(rf"(^|[\s(|&]){word} ", code, re.MULTILINE)}
    assert used == applets
    assert {word.upper() if word != "sysctl" else "BB_SYSCTL" for word in used} <= switches


def test_the_stand_ins_cover_no_program_that_the_scripts_do_not_use() -> None:
    text = "\n".join((IMAGE / name).read_text() for name in ("entrypoint.sh", "healthcheck.sh"))
    assert all(re.search(rf"\b{path.name}\b", text) for path in FAKES.iterdir())
