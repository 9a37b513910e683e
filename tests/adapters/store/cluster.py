"""A PostgreSQL cluster of the tests' own: its files in a directory of its own, reached by a socket there, no port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_DEBIAN = Path("/usr/lib/postgresql")
_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server."""

    socket: Path

    def url(self, database: str, *, password: str = "") -> str:
        """Of one of its databases; the server asks for no password, and takes any."""
        secret = f":{password}" if password else ""
        return f"postgresql+psycopg://postgres{secret}@/{database}?host={self.socket}"


def programs() -> Path | None:
    """Where Debian keeps PostgreSQL's server programs, which are in nobody's PATH."""
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def running_cluster(binaries: Path) -> Iterator[Cluster]:
    """Make a cluster and run it; PostgreSQL refuses root, so that root becomes `postgres`."""
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    directory = Path(tempfile.mkdtemp(prefix="mtts-pg-"))
    try:
        os.chown(directory, user.pw_uid, user.pw_gid)
        files = directory / "data"
        _run(user, [str(binaries / "initdb"), "-D", str(files), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"])
        settings = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off -c max_connections=40"
        control = [str(binaries / "pg_ctl"), "-D", str(files), "-w", "-t", str(_DEADLINE_S)]
        _run(user, [*control, "-l", str(directory / "log"), "-o", settings, "start"])
        try:
            yield Cluster(directory)
        finally:
            _run(user, [*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(directory)


def _run(user: pwd.struct_passwd, command: Sequence[str]) -> None:
    is_other = user.pw_uid != os.getuid()
    subprocess.run(
        command,
        cwd="/",
        user=user.pw_uid if is_other else None,
        group=user.pw_gid if is_other else None,
        extra_groups=[] if is_other else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=2 * _DEADLINE_S,
        check=True,
    )
