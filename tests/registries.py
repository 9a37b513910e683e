"""A real registry for tests: Debian's `docker-registry` on a free loopback port, filled by `skopeo`.

It keeps no accounts, and asks for no tokens unless its environment says so. Tests that want it are skipped where the
programs are not installed.
"""

import os
import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from mtts.lab.images import LabImage, write_oci_layout

REPOSITORY = "team/mikrotik-tailscale"

_CONFIGURATION = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}}}
http: {{addr: "127.0.0.1:0"}}
"""


@dataclass(frozen=True, slots=True)
class RealRegistry:
    """A running registry; `address` is the host part of image references."""

    address: str
    scratch: Path

    def push(
        self,
        image: LabImage,
        *,
        repository: str = REPOSITORY,
        tag: str = "stable",
        platform: str | None = None,
        in_docker_form: bool = False,
    ) -> None:
        """Push the whole image bit by bit, or rewritten to Docker's types, or one platform's manifest alone."""
        layout = self.scratch / image.index_digest.removeprefix("sha256:")
        write_oci_layout(image, layout, tag="image")
        form = "--format=v2s2" if in_docker_form else "--preserve-digests"
        copy = ["copy", form, "--dest-tls-verify=false"]
        places = [f"oci:{layout}:image", f"docker://{self.address}/{repository}:{tag}"]
        if platform is None:
            _skopeo(*copy, "--all", *places)
        else:
            names = ("--override-os", "--override-arch", "--override-variant")
            _skopeo(
                *(f"{name}={value}" for name, value in zip(names, platform.split("/"), strict=False)), *copy, *places
            )


def inspect_raw(reference: str) -> bytes:
    """The exact bytes of what a reference names, as skopeo gets them over plain http."""
    return _skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")


@contextmanager
def real_registry(directory: Path, *, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[RealRegistry]:
    """Run a registry that stores below this directory; skips the test where it is not installed.

    Settings in `environment` are those of the distribution project: `REGISTRY_AUTH` and the like.
    """
    program = program_or_skip("docker-registry")
    program_or_skip("skopeo")
    configuration = directory / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(storage=directory / "storage"), encoding="utf-8")
    command = [program, "serve", str(configuration)]
    settings = {**os.environ, **environment}
    with subprocess.Popen(
        command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        # It logs every answer: a pipe that nobody empties would stop it.
        drain = threading.Thread(target=deque, args=(process.stderr, 0))
        try:
            address = _address(process.stderr)
            drain.start()
            yield RealRegistry(address, directory)
        finally:
            process.terminate()
            if drain.is_alive():
                drain.join()


def program_or_skip(name: str) -> str:
    """The path of a program, or the end of the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _address(log: Iterator[str]) -> str:
    said: list[str] = []
    for line in log:
        if match := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
            return match[1]
        said.append(line)
    raise AssertionError(f"the registry did not start: {''.join(said)}")


def _skopeo(*arguments: str) -> bytes:
    command = [program_or_skip("skopeo"), "--insecure-policy", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
