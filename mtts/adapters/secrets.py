"""Where passwords and keys are really read: environment, file, command, keyring, or the inventory itself.

Nothing here prints or logs; what goes wrong is told without the value and without what a command wrote
to its standard output. Each source is opened at most once in a run, and a source that failed is not
asked again, so that a password manager does not prompt once per router.
"""

import asyncio
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from mtts.adapters.redaction import Redactor
from mtts.core.errors import Problem, UsageError
from mtts.core.secret import FromCommand, FromEnv, FromFile, FromKeyring, Literal, Secret, SecretSource

MAX_SECRET_BYTES: Final = 64 * 1024
COMMAND_S: Final[float] = 60
"""Long enough for a person to approve a password manager's question."""
STDERR_TAIL: Final = 200
"""Characters of a failed command's standard error that are shown."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SecretStore:
    """Opens each source once, off the event loop, and tells the redactor what it found."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._opened: dict[SecretSource, Secret | Problem] = {}
        self._turn = asyncio.Lock()

    async def open(self, source: SecretSource) -> Secret:
        """The secret, or the UsageError of the first attempt."""
        if isinstance(source, Literal):  # not hashable, and nothing to open
            self._redactor.learn(source.value)
            return source.value
        if source not in self._opened:
            async with self._turn:
                if source not in self._opened:
                    self._opened[source] = await asyncio.to_thread(_attempt, source)
                    self._learn(self._opened[source])
        found = self._opened[source]
        if isinstance(found, Problem):
            raise UsageError(found.message, hint=found.hint, code=found.code)
        return found

    def _learn(self, found: Secret | Problem) -> None:
        if isinstance(found, Secret):
            self._redactor.learn(found)


def _attempt(source: SecretSource) -> Secret | Problem:
    try:
        return open_secret(source)
    except UsageError as exc:
        return exc.problem


def open_secret(
    source: SecretSource, *, environ: Mapping[str, str] = os.environ, command_s: float = COMMAND_S
) -> Secret:
    """Read a secret, blocking; UsageError `secret-unavailable` or `secret-exposed` says why there is none."""
    match source:
        case Literal(value):
            return value
        case FromEnv(variable):
            return _filled(environ.get(variable), where=f"the environment variable {variable}")
        case FromFile(path):
            return _filled(_read_file(Path(path)), where=path)
        case FromCommand(argv):
            return _filled(_run_command(argv, command_s), where=f"the output of {argv[0]}")
        case FromKeyring(service, username):
            return _filled(_ask_keyring(service, username), where=f"the keyring's entry {service}/{username}")
        case _:
            assert_never(source)


def _filled(value: str | None, *, where: str) -> Secret:
    if value is None:
        raise _unavailable(f"{where} does not exist")
    if not value:
        raise _unavailable(f"{where} is empty")
    return Secret(value)


def _unavailable(message: str, *, hint: str = "") -> UsageError:
    return UsageError(message, hint=hint, code="secret-unavailable")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _read_file(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang us
    except OSError as exc:
        raise _unavailable(f"{path} cannot be read: {exc.strerror}") from exc
    try:
        _judge(os.fstat(descriptor), path)
        with open(descriptor, "rb", closefd=False) as file:  # what was judged, not what the path is now
            content = file.read(MAX_SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SECRET_BYTES:
        raise _unavailable(f"{path} is larger than {MAX_SECRET_BYTES} bytes, which no secret is")
    return _text(content.removesuffix(b"\n").removesuffix(b"\r"))


def _judge(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unavailable(f"{path} is not a regular file")
    if status.st_uid != os.geteuid():
        raise UsageError(f"{path} belongs to another user", code="secret-exposed", hint="make a copy that is yours")
    if status.st_mode & _OTHERS:
        raise UsageError(f"{path} is open to other users", code="secret-exposed", hint=f"chmod 600 {path}")


def _run_command(argv: tuple[str, ...], limit_s: float) -> str:
    name = argv[0]  # the rest may hold what should not be shown
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False)
    except OSError as exc:
        failure = f"{name} cannot be run: {exc.strerror}"
    except subprocess.TimeoutExpired:
        failure = f"{name} gave no secret within {limit_s:g} s"
    else:
        if done.returncode == 0:
            return _text(done.stdout.split(b"\n", 1)[0].removesuffix(b"\r"))
        said = "".join(each if each.isprintable() else " " for each in done.stderr.decode("utf-8", "replace"))
        failure = f"{name} ended with {done.returncode}: {said.strip()[-STDERR_TAIL:] or 'it said nothing'}"
    raise _unavailable(failure)  # out here, since TimeoutExpired holds what the command wrote so far


def _ask_keyring(service: str, username: str) -> str | None:
    try:
        import keyring  # noqa: PLC0415  # an extra, and slow to import
        from keyring.errors import KeyringError  # noqa: PLC0415  # as above
    except ImportError as exc:
        raise _unavailable("the keyring extra is not installed", hint="pip install 'mtts[keyring]'") from exc
    try:
        return keyring.get_password(service, username)
    except KeyringError as exc:
        failure = f"the keyring does not answer: {type(exc).__name__}"
    raise _unavailable(failure)
