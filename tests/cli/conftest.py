"""A lab beside the test, an inventory of it in a file, and `fleet.mtts(…)`: a command as a user runs it."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mtts.cli.app import main
from mtts.lab.fleet import PASSWORD
from mtts.lab.images import LabImage
from mtts.lab.journal import JournalEntry
from mtts.lab.router import LabRouter
from tests.cli.lab_thread import LabThread
from tests.cli.snapshots import comparable
from tests.engine.fleet import REPOSITORY, lab_image

TIMING = {
    "poll": "10ms",
    "observe": "100ms",
    "healthy": "10s",
    "stop": "20s",
    "pull": "30s",
    "command": "20s",
    "settle": "0s",
    "gap": "10ms",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def snapshot(self) -> str:
        """Exit code, stdout and stderr, without what differs between two equal runs."""
        parts = [f"exit code: {self.code}", "----- stdout", self.out, "----- stderr", self.err]
        return comparable("\n".join(part.rstrip("\n") for part in parts if part)) + "\n"


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands keep their state: never at the user's."""
    directory = tmp_path / "state"
    monkeypatch.setenv("MTTS_STATE", str(directory))
    return directory


@pytest.fixture
def mtts(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `mtts` with these arguments in this process, and leaves the process' logging as it was."""

    def run(*arguments: str) -> Ran:
        root, factory = logging.getLogger(), logging.getLogRecordFactory()
        handlers, level = root.handlers[:], root.level
        root.handlers.clear()
        capsys.readouterr()
        try:
            code = main(list(arguments))
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
            logging.setLogRecordFactory(factory)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@dataclass(slots=True)
class Fleet:
    """The lab's routers and the inventory of them; tests edit `inventory` and run commands."""

    thread: LabThread
    path: Path
    _run: Run
    inventory: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str = "router1", *, secured: bool = False, **options: Any) -> LabRouter:
        """A new router, in the lab and in the inventory; options as `Lab.add_router` takes them."""
        router = self.thread.run(self.thread.lab.add_router(name, tls=secured, **options))
        entry: dict[str, Any] = {"host": router.host, "port": router.port, "tls": "off"}
        if secured:
            entry |= {"port": router.tls_port, "tls": "pinned", "fingerprint": router.fingerprint}
        self.inventory["routers"][name] = entry
        return router

    def router(self, name: str = "router1") -> dict[str, Any]:
        """What the inventory says of a router."""
        entry: dict[str, Any] = self.inventory["routers"][name]
        return entry

    @property
    def node(self) -> dict[str, Any]:
        """What the inventory says of every node."""
        node: dict[str, Any] = self.inventory["defaults"]["node"]
        return node

    def publish(self, image: LabImage, *, tags: tuple[str, ...] = ("stable",)) -> None:
        """Move tags to an image."""
        self.thread.call(self.thread.lab.registry.publish, image, repository=REPOSITORY, tags=tags)

    def new_key(self, **kind: Any) -> str:
        """Give the inventory a fresh auth key; its text."""
        key = self.thread.call(self.thread.lab.tailnet.issue_key, **kind)
        self.node["auth_key"] = key
        return key

    def save(self) -> Path:
        """Write the inventory's file; JSON is YAML too."""
        self.path.touch(mode=0o600)
        self.path.write_text(json.dumps(self.inventory, indent=2), encoding="utf-8")
        return self.path

    def mtts(self, *arguments: str) -> Ran:
        """Run a command with the inventory as it stands now."""
        self.save()
        return self._run(*arguments)

    def writes(self, router: LabRouter) -> list[JournalEntry]:
        """Every command so far that was to change the router."""
        return self.thread.call(router.writes)

    def node_ids(self) -> list[str]:
        """Every node that the tailnet knows."""
        return self.thread.call(lambda: list(self.thread.lab.tailnet.nodes))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtts: Run) -> Iterator[Fleet]:
    """A lab with an image and a key, without routers."""
    path = tmp_path / "inventory.yaml"
    monkeypatch.setenv("MTTS_INVENTORY", str(path))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    with LabThread() as thread:
        address = thread.lab.registry.address
        made = Fleet(thread, path, mtts)
        made.inventory = {
            "defaults": {
                "username": "mtts",
                "password": PASSWORD,
                "image": f"{address}/{REPOSITORY}:stable",
                "timing": dict(TIMING),
                "node": {},
            },
            "registries": {address: {"insecure": True}},
            "routers": {},
        }
        made.new_key(reusable=True)
        made.publish(lab_image())
        yield made


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and is nobody else's meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For commands in processes of their own."""
    return {
        **os.environ,
        "MTTS_INVENTORY": str(tmp_path / "inventory.yaml"),
        "MTTS_STATE": str(tmp_path / "state"),
        "PYTHONUNBUFFERED": "1",
    }
