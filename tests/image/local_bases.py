"""The images that the Dockerfile begins with, made here: Debian by debootstrap, with this machine's Go.

They stand in for those of Docker Hub under the same names, so that the Dockerfile is built as it is by somebody who has
no way there. What buildah's storage has under a name is used as it is; what is made stays there for the next time.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.image.trees import ROOT

RELEASE: Final = "bookworm"
PACKAGES: Final = "ca-certificates,python3,python3-pip,python3-venv"
PATH: Final = "/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GO: Final = shutil.which("go") or ""


def call(*argv: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A program run to its end; what it said is in the failure's own words."""
    done = subprocess.run(argv, check=False, text=True, capture_output=True)
    assert done.returncode == 0 or not check, f"{argv}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def base_names() -> set[str]:
    """What the Dockerfile begins its stages with, but for stages of its own."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return set(re.findall(r"^FROM (?:--platform=\S+ )?(\S+/\S+)", text, re.MULTILINE))


def have_bases() -> None:
    """Make what is missing in buildah's storage."""
    missing = [
        name for name in base_names() if call("buildah", "inspect", "--type=image", name, check=False).returncode
    ]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "root")
        call("debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, root)
        # As the image that the Dockerfile names has it; and whom this machine trusts to fetch from.
        shutil.copytree(call(GO, "env", "GOROOT").stdout.strip(), root / "usr/local/go", symlinks=True)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
        container = call("buildah", "from", "scratch").stdout.strip()
        try:
            call("buildah", "add", "--quiet", container, root, "/")
            call("buildah", "config", "--env", f"PATH={PATH}", "--env", "GOPATH=/go", container)
            for name in missing:
                call("buildah", "commit", "--quiet", container, name)
        finally:
            call("buildah", "rm", container)
