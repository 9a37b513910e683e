"""A small world of network namespaces for the image: a control server, name server, two sites, real programs.

`core` joins everything on 10.99.0.0/24: control, relay and name server at .1. A node is a copy of the image's root
file system in a namespace of its own, started as an engine would: its entrypoint is process 1. Nothing leaves.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parents[2]
CONTROL: Final = "http://10.99.0.1:8080"
KEY: Final = "tskey-auth-canary"
PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
PATIENCE_S: Final = 90.0
CORE: Final = "core"


def sh(*argv: str, check: bool = True) -> str:
    """Run a program of this machine, and what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def await_that(what: str, condition: Callable[[], bool], log: Callable[[], str] = str) -> None:
    """Poll until it holds; the last lines of a log tell why it did not."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}\n{log()[-4000:]}"
        time.sleep(0.2)


class Node:
    """One container of the image."""

    def __init__(self, namespace: str, root: Path) -> None:
        self._namespace, self.root = namespace, root
        self._log = root.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def key_file(self) -> Path:
        return self.root / "var/lib/tailscale/authkey"

    def start(self, **environ: str) -> None:
        """Start the container; its log begins anew."""
        script = (
            'mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev"'
            ' && mount -t tmpfs tmpfs "$0/var/run/tailscale"'
            ' && mknod -m 666 "$0/dev/null" c 1 3 && mknod -m 666 "$0/dev/urandom" c 1 9'
            ' && exec chroot "$0" /entrypoint.sh'
        )
        command = ("ip", "netns", "exec", self._namespace)
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(self.root))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                (*command, *unshare),
                env={"PATH": f"{PATH}:/usr/local/sbin", "TS_LOGIN_SERVER": CONTROL, **environ},
                stdout=log,
                stderr=log,
            )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        await_that("the container starts", lambda: bool(children.read_text().split()), self.log)
        self._pid = int(children.read_text().split()[0])

    def stop(self) -> int:
        """SIGTERM, as RouterOS stops a container; the exit code."""
        assert self._process is not None
        os.kill(self._pid, signal.SIGTERM)
        return self._process.wait(timeout=PATIENCE_S)

    def kill(self) -> None:
        """End it whatever it does; nothing happens where it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def inside(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the image in its container."""
        enter = ("nsenter", f"--target={self._pid}", "--mount", "--pid", "--net", "--root", "--wd=/")
        return subprocess.run((*enter, *argv), env={"PATH": PATH}, capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        text = self.inside("tailscale", "status", "--json", "--peers=false").stdout
        return json.loads(text) if text else {}

    def address(self) -> str:
        addresses: list[str] = self.status().get("TailscaleIPs") or [""]
        return addresses[0]

    def await_running(self) -> None:
        await_that("the node is running", lambda: self.status().get("BackendState") == "Running", self.log)

    def await_log(self, text: str) -> None:
        await_that(f"the log says {text!r}", lambda: text in self.log(), self.log)


class World:
    """The namespaces, what runs in them, and the nodes."""

    def __init__(self, directory: Path, rootfs: Path) -> None:
        self._directory, self._rootfs = directory, rootfs
        self._prefix = f"mtts{os.getpid()}-"
        self._namespaces: list[str] = []
        self._servers: list[subprocess.Popen[bytes]] = []
        self._nodes: list[Node] = []

    def namespace(self, name: str) -> str:
        return self._prefix + name

    def in_namespace(self, name: str, *argv: str) -> str:
        return sh("ip", "netns", "exec", self.namespace(name), *argv)

    def add_namespace(self, name: str) -> None:
        sh("ip", "netns", "add", self.namespace(name))
        self._namespaces.append(name)
        self.in_namespace(name, "ip", "link", "set", "lo", "up")

    def link(self, one: str, one_link: str, other: str, other_link: str) -> None:
        """A cable between two namespaces."""
        peer = ("peer", "name", other_link, "netns", self.namespace(other))
        self.in_namespace(one, "ip", "link", "add", one_link, "type", "veth", *peer)
        self.in_namespace(one, "ip", "link", "set", one_link, "up")
        self.in_namespace(other, "ip", "link", "set", other_link, "up")

    def add_core(self, control: Path) -> None:
        self.add_namespace(CORE)
        self.in_namespace(CORE, "ip", "link", "add", "hub", "type", "bridge")
        self.in_namespace(CORE, "ip", "address", "add", "10.99.0.1/24", "dev", "hub")
        self.in_namespace(CORE, "ip", "link", "set", "hub", "up")
        self.serve(CORE, str(control), "-listen", "10.99.0.1:8080", "-key", KEY, "-dns", "10.99.0.1")
        self.serve(CORE, sys.executable, str(Path(__file__).with_name("echo_servers.py")), "dns", "10.99.0.1")
        await_that("the control server answers", lambda: self.nodes_known() == [])

    def serve(self, name: str, *argv: str) -> None:
        """A server in a namespace, until the end."""
        with (self._directory / f"server{len(self._servers)}.log").open("wb") as log:
            command = ("ip", "netns", "exec", self.namespace(name), *argv)
            self._servers.append(subprocess.Popen(command, stdout=log, stderr=log))

    def add_node(self, name: str, number: int) -> Node:
        """A site of its own, joined to the core, with a copy of the image."""
        self.add_namespace(name)
        self.link(name, "eth0", CORE, f"port{number}")
        self.in_namespace(CORE, "ip", "link", "set", f"port{number}", "master", "hub")
        self.in_namespace(name, "ip", "address", "add", f"10.99.0.{number}/24", "dev", "eth0")
        self.in_namespace(name, "ip", "route", "add", "default", "via", "10.99.0.1")
        root = self._directory / name
        sh("cp", "-a", str(self._rootfs), str(root))
        (root / "etc/resolv.conf").write_text("nameserver 10.99.0.1\n")
        node = Node(self.namespace(name), root)
        self._nodes.append(node)
        return node

    def nodes_known(self) -> list[dict[str, Any]] | None:
        """Whom the control server knows, None while it does not answer."""
        script = f"import urllib.request as u; print(u.urlopen('{CONTROL}/nodes', timeout=5).read().decode())"
        text = sh("ip", "netns", "exec", self.namespace(CORE), sys.executable, "-c", script, check=False)
        return json.loads(text) if text else None

    def close(self) -> None:
        for node in self._nodes:
            node.kill()
        for server in self._servers:
            server.kill()
            server.wait()
        for name in self._namespaces:
            sh("ip", "netns", "delete", self.namespace(name))


@contextmanager
def world(directory: Path, rootfs: Path, control: Path) -> Iterator[World]:
    """The core alone; nodes are added by the test."""
    built = World(directory, rootfs)
    try:
        built.add_core(control)
        yield built
    finally:
        built.close()
