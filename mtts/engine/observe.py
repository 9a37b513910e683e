"""Looks at a node: its container's row, its log, and `tailscale status` from inside.

Which commands a router answers these questions to is not settled by any documentation, so the ways are tried
in turn and the one that worked is kept for the session: `/container/shell cmd=` directly, the same through
`/execute` (both 7.20 and newer). The log always works.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from mtts.core.changes import quote
from mtts.core.dialect import Dialect, Term
from mtts.core.errors import CommandTrappedError
from mtts.core.facts import ContainerRow
from mtts.core.health import Evidence, Health, health_from_log, health_from_status
from mtts.ports import RouterSession, Row

STATUS_COMMAND: Final = "tailscale status --json --peers=false"
_SHELL_TIMEOUT_S: Final = 60.0  # the packed CLI takes seconds to unpack on a small ARM core

_Shell = Callable[[ContainerRow, str], Awaitable[str]]


class NodeObserver:
    """The ways in which one router answers questions about a container."""

    def __init__(self, session: RouterSession, dialect: Dialect) -> None:
        self._session = session
        self.dialect = dialect
        has_shell = dialect.word(Term.SHELL_COMMAND) is not None
        self.tells_logs_apart = dialect.word(Term.CONTAINER_LOG) is not None
        """Whether a line surely is of the container that was asked about (7.20 and newer)."""
        self._shells: list[_Shell] = [self._shell_directly, self._shell_by_execute] if has_shell else []

    @property
    def can_kill(self) -> bool:
        """Whether there is a command that ends a container at once (7.21 and newer)."""
        return self.dialect.word(Term.CONTAINER_KILL) is not None

    async def quick(self, container: ContainerRow, *, since: frozenset[str] = frozenset()) -> Health | None:
        """The cheapest evidence there is: the log, else RouterOS' probe, else `tailscale status`.

        Log lines whose keys are in `since` are passed over: they tell of an earlier run of the container.
        """
        messages = [message for key, message in await self.log(container) if key not in since]
        health = health_from_log(messages)
        if health is None and container.probe == "healthy":
            health = Health(Evidence.PROBE, "Running")
        return health or await self.status(container)

    async def status(self, container: ContainerRow) -> Health | None:
        """`tailscale status` from inside; None where the router gives no way to ask, or the answer is none."""
        output = await self.run(container, STATUS_COMMAND)
        return None if output is None else health_from_status(output)

    async def run(self, container: ContainerRow, command: str) -> str | None:
        """What a command prints inside the container; None where the router gives no way to run one."""
        for shell in self._shells:
            try:
                output = await shell(container, command)
            except CommandTrappedError:
                continue
            if output.strip():
                self._shells = [shell]
                return output
        return None

    async def log(self, container: ContainerRow) -> list[tuple[str, str]]:
        """The container's log as (key, message), oldest first; ids begin anew at a reboot, so a key is id and time."""
        if self.tells_logs_apart:
            rows = await self._session.print(
                "/container/log", where=[{"container": container.name}], props=(".id", "time", "message")
            )
            return [(_key(row), row.get("message", "")) for row in rows]
        rows = await self._session.print("/log", props=(".id", "time", "topics", "message"))
        mine = [row for row in rows if "container" in row.get("topics", "").split(",")]
        named = [row for row in mine if container.name and row.get("message", "").startswith(container.name)]
        return [(_key(row), row.get("message", "")) for row in named or mine]

    async def _shell_directly(self, container: ContainerRow, command: str) -> str:
        rows = await self._session.command(
            "/container/shell", {"number": container.id, "cmd": command}, timeout_s=_SHELL_TIMEOUT_S
        )
        return _text(rows)

    async def _shell_by_execute(self, container: ContainerRow, command: str) -> str:
        script = f"/container/shell [find where name={quote(container.name)}] cmd={quote(command)}"
        rows = await self._session.command("/execute", {"script": script, "as-string": ""}, timeout_s=_SHELL_TIMEOUT_S)
        return _text(rows)


def _key(row: Row) -> str:
    return f"{row.get('.id', '')} {row.get('time', '')}"


def _text(rows: Sequence[Row]) -> str:
    """Whatever text a reply carries, in whichever properties the version puts it."""
    return "\n".join(value for row in rows for key, value in row.items() if not key.startswith("."))
