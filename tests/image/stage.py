"""A stage for the image's entrypoint: the real script, with stand-ins for every program round it (see fakes/).

Each run ends by itself: the stand-in for tailscaled waits for the helper, and the one for `sleep` takes no time.
"""

import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).parents[2] / "image"
FAKES = Path(__file__).parent / "fakes"
RUN_LIMIT_S = 60


def shells() -> dict[str, list[str]]:
    """The shells of this machine that are near the image's own, by a name for the test; never none."""
    known = {"ash": ["busybox", "ash"], "dash": ["dash"]}
    return {name: argv for name, argv in known.items() if shutil.which(argv[0])} or {"sh": ["sh"]}


@dataclass(frozen=True, slots=True)
class Run:
    """What one start of the container did."""

    exit_code: int
    log: str
    calls: list[str]
    """Calls of the command line tool but for `status`, without the socket's option."""
    daemon_argv: list[str]
    daemon_environ: dict[str, str]
    status_calls: int


class Stage:
    """One container's directories, which outlive a run as they do on a router."""

    def __init__(self, root: Path, shell: list[str]) -> None:
        self.desk, self.state_dir, self.run_dir = root / "desk", root / "state", root / "run"
        self.tun = root / "dev" / "net" / "tun"
        for directory in (self.desk / "sysctl", self.state_dir, self.tun.parent):
            directory.mkdir(parents=True)
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            (self.desk / "sysctl" / name).write_text("0\n")
        self.tun.touch()
        self.put("backend", "NeedsLogin")
        self.put("patience", "4")
        self.environ: dict[str, str] = {}
        self._shell = shell
        self._script = root / "entrypoint.sh"
        script = (IMAGE / "entrypoint.sh").read_text(encoding="utf-8")
        assert "\nreadonly TUN=/dev/net/tun\n" in script
        self._script.write_text(script.replace("TUN=/dev/net/tun", f"TUN={self.tun}"), encoding="utf-8")

    @property
    def key_file(self) -> Path:
        return self.state_dir / "authkey"

    def give_key(self, key: str = "tskey-auth-canary") -> None:
        """As a deploy does: a file in the state directory, and its name in the environment."""
        self.key_file.write_text(f"{key}\n")
        self.environ["TS_AUTHKEY"] = f"file:{self.key_file}"

    def put(self, name: str, text: str) -> None:
        (self.desk / name).write_text(f"{text}\n")

    def lines(self, name: str) -> list[str]:
        path = self.desk / name
        return path.read_text().splitlines() if path.exists() else []

    def have_identity(self, backend: str = "Running") -> None:
        """As after an earlier login."""
        self.put("backend", backend)
        (self.desk / "identity").touch()
        (self.state_dir / "tailscaled.state").write_text("{}")

    def start(self, *outcomes: str, **environ: str) -> Run:
        """One start until the helper has ended. `outcomes` are those of `up` and `set`, `ok` when there are no more."""
        self.put("outcomes", "\n".join(outcomes))
        for name in ("calls", "sleeps"):
            (self.desk / name).unlink(missing_ok=True)
        variables = {
            "PATH": f"{FAKES}{os.pathsep}{os.environ['PATH']}",
            "FAKE_DESK": str(self.desk),
            "TS_STATE_DIR": str(self.state_dir),
            "TS_SOCKET": str(self.run_dir / "tailscaled.sock"),
            **self.environ,
            **environ,
        }
        done = subprocess.run(
            [*self._shell, str(self._script)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        daemon: dict[str, Any] = json.loads((self.desk / "daemon.json").read_text())
        calls = [line.partition(" ")[2] for line in self.lines("calls")]
        if (self.desk / "identity").exists():
            (self.state_dir / "tailscaled.state").write_text("{}")
        return Run(
            done.returncode,
            done.stdout + done.stderr,
            [call for call in calls if not call.startswith("status ")],
            daemon["argv"],
            daemon["environ"],
            sum(call.startswith("status ") for call in calls),
        )


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
