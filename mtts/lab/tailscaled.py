"""A model of tailscaled as the router image starts it: login by key file, identity, status as JSON.

The identity (a node id) lives in `tailscaled.state` in the state directory and nowhere else: a lost file is
a new machine. Settings come from containerboot's environment names. No packet is moved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mtts.lab.clock import Timer
from mtts.lab.process import STATE_DIRECTORY, OnSignal, World
from mtts.lab.storage import NoSpaceError
from mtts.lab.tailnet import TailnetNode

STATE_FILE = "tailscaled.state"
IN_MEMORY = "--state=mem:"
NEWER_FORMAT = 2
"""Of a state that only an image with the behaviour `migrates-state` reads."""
REFUSED_S = 0.2
STATE_BYTES = 2048
LOGIN_S = 2.0
CONNECT_S = 1.5
AUTH_URL = "https://login.tailscale.com/a/lab"


class Tailscaled:
    """The daemon of one container, from start to stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timer: Timer | None = None
        self._state = "NoState"
        self._node: TailnetNode | None = None
        self._health: list[str] = []
        self._starts_entrypoint = True
        self.on_signal: OnSignal = "ignored" if world.behaviour == "ignores-stop" else "handled"

    @property
    def node(self) -> TailnetNode | None:
        """Who it is in the tailnet, None before its login."""
        return self._node

    def begin(self) -> None:
        """Read the state directory and come online, or wait for a login."""
        self._world.log(f"Program starting: {self._world.image_version}")
        if self._world.behaviour == "lose-identity":
            self._world.files.remove(self._state_path())
        elif self._world.behaviour == "migrates-state":
            self._migrate()
        elif self._stored().get("format") == NEWER_FORMAT:
            self._world.log(f"ipn: load state: unsupported format {NEWER_FORMAT}")
            self._timer = self._world.later(REFUSED_S, lambda: self._world.exited(1))
            return
        self._node = self._stored_node()
        if self._node is not None and not self._node.expired:
            self._connect()
            return
        self._become("NeedsLogin", wants_running=False)
        key = self._auth_key()
        if key is None:
            self._world.log(f"To start this tailscaled, restart with TS_AUTHKEY or authenticate at: {AUTH_URL}")
        else:
            self._timer = self._world.later(LOGIN_S, lambda: self._login(key))

    def end(self) -> None:
        """Leave the tailnet in good order; the identity stays in its file."""
        self._leave()
        self._state = "Stopped"

    def run(self, argv: Sequence[str]) -> str:
        """The few commands that somebody who operates a node types."""
        program, *rest = argv
        if program.rpartition("/")[2] != "tailscale":
            return f"sh: {program}: not found"
        words = [word for word in rest if not word.startswith("--socket")]
        match words:
            case ["status", *flags] if "--json" in flags:
                return json.dumps(self._status(), indent=2)
            case ["version"]:
                return self._world.image_version
            case ["ip"]:
                return "\n".join(self._node.addresses) if self._node else "no current Tailscale IPs"
            case ["up", *flags]:
                return self._up(flags)
            case _:
                return f"tailscale: not modelled in the lab: {' '.join(words)}"

    def probe(self) -> bool:
        """Healthy is who is connected."""
        return self._state == "Running" and self._world.behaviour != "unhealthy"

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._state == "Running" and self._node is not None:
            self._world.tailnet.disconnect(self._node.id)

    # logging in

    def _auth_key(self) -> str | None:
        return self._key_text(self._world.environment.get("TS_AUTHKEY", ""))

    def _key_text(self, given: str) -> str | None:
        if not given.startswith("file:"):
            return given or None
        contents = self._world.files.read(self._world.outside(given.removeprefix("file:")))
        return None if contents is None else contents.decode().strip()

    def _up(self, flags: Sequence[str]) -> str:
        """`tailscale up` beside the daemon: it logs in where that is needed or forced, and deletes no key file."""
        given = dict(flag.lstrip("-").partition("=")[::2] for flag in flags)
        if self._node is not None and "force-reauth" not in given:
            return ""
        key = self._key_text(given.get("auth-key", given.get("authkey", "")))
        if key is None:
            return f"To authenticate, visit:\n\n\t{AUTH_URL}\n"
        self._starts_entrypoint = False
        self._login(key)
        return "" if self._state == "Starting" else "backend error: invalid key: unable to validate API key"

    def _login(self, key: str) -> None:
        world = self._world
        if not world.has_network or not world.tailnet.reachable:
            world.log("control: fetch control key: connection timed out")
            self._health = ["not connected to the control server"]
            return
        self._leave()
        hostname = world.environment.get("TS_HOSTNAME", "localhost")
        node = world.tailnet.register(key, hostname, known_as=self._node)
        if node is None:
            world.log("Received error: invalid key: unable to validate API key")
            self._health = ["invalid auth key"]
            self._become("NeedsLogin", wants_running=True)
            return
        try:
            self._store(node)
        except NoSpaceError:
            world.log("ipn: store: write tailscaled.state: no space left on device")
            return
        self._node = node
        self._connect()

    def _connect(self) -> None:
        node = self._node
        if node is None:
            return
        self._become("Starting", wants_running=True)
        node.version = self._world.image_version
        node.hostname = self._world.environment.get("TS_HOSTNAME", node.hostname)
        if self._world.behaviour in {"never-online", "migrates-state"} or not self._world.has_network:
            self._health = ["not in map poll"]
            return
        self._timer = self._world.later(CONNECT_S, self._online)

    def _online(self) -> None:
        if self._node is None or not self._world.tailnet.reachable:
            self._health = ["not in map poll"]
            return
        self._world.tailnet.connect(self._node.id)
        self._become("Running", wants_running=True)
        self._drop_key()

    def _drop_key(self) -> None:
        """The router image's entrypoint deletes the key file once the node is up; a stock image does not.

        Nor does the router image where the next start logs in again.
        """
        given = self._world.environment.get("TS_AUTHKEY", "")
        logs_in_again = self._is_in_memory() or self._world.environment.get("TS_AUTH_ONCE", "true") == "false"
        is_dropped = self._starts_entrypoint and self._world.behaviour != "keeps-key" and not logs_in_again
        if given.startswith("file:") and is_dropped:
            self._world.files.remove(self._world.outside(given.removeprefix("file:")))

    def _become(self, state: str, *, wants_running: bool) -> None:
        wants = "true" if wants_running else "false"
        self._world.log(f"Switching ipn state {self._state} -> {state} (WantRunning={wants}, nm={wants})")
        self._state = state

    # the identity

    def _state_path(self) -> str:
        directory = self._world.environment.get("TS_STATE_DIR", STATE_DIRECTORY)
        return self._world.outside(f"{directory}/{STATE_FILE}")

    def _is_in_memory(self) -> bool:
        return IN_MEMORY in self._world.environment.get("TS_TAILSCALED_EXTRA_ARGS", "").split()

    def _stored(self) -> dict[str, Any]:
        contents = None if self._is_in_memory() else self._world.files.read(self._state_path())
        return json.loads(contents) if contents else {}

    def _stored_node(self) -> TailnetNode | None:
        return self._world.tailnet.nodes.get(self._stored().get("node", ""))

    def _migrate(self) -> None:
        """Write the state in a form that other releases do not know."""
        stored = self._stored()
        if stored:
            self._write({**stored, "format": NEWER_FORMAT})

    def _store(self, node: TailnetNode) -> None:
        if not self._is_in_memory():
            self._write({"node": node.id, "_machinekey": "x"})

    def _write(self, state: dict[str, Any]) -> None:
        body = json.dumps(state)
        padded = body[:-1] + " " * max(0, STATE_BYTES - len(body)) + "}"
        self._world.files.write(self._state_path(), padded.encode())

    def _status(self) -> dict[str, Any]:
        node = self._node
        addresses = list(node.addresses) if node else None
        return {
            "Version": self._world.image_version,
            "TUN": True,
            "BackendState": self._state,
            "HaveNodeKey": node is not None,
            "AuthURL": AUTH_URL if self._state == "NeedsLogin" else "",
            "TailscaleIPs": addresses,
            "Self": {
                "ID": node.id if node else "",
                "HostName": self._world.environment.get("TS_HOSTNAME", "localhost"),
                "DNSName": f"{node.hostname}.lab.ts.net." if node else "",
                "TailscaleIPs": addresses,
                "Tags": list(node.tags) if node else [],
                "Online": self._state == "Running",
            },
            "Health": self._health,
            "Peer": None,
        }
