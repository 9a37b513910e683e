"""One API session on librouteros' sentence protocol: whole commands in, whole replies out, all text.

A session counts as lost from the moment a command is sent until its reply has come to its end. So a
deadline, a cancellation, a closed connection and a reply that cannot be read all leave a dead session,
which never speaks to the router again: the byte stream would be out of step.
"""

import asyncio
from collections.abc import Mapping, Sequence

from librouteros.exceptions import FatalError, LibRouterosError
from librouteros.protocol import AsyncApiProtocol

from mtts.adapters.routeros.sentence import WIRE_ENCODING, Reply, compose, fatal_text, parse_reply, to_wire
from mtts.adapters.routeros.stream import Stream, StreamError
from mtts.core.errors import CommandTrappedError, SessionLostError
from mtts.ports import Row


class LibrouterosSession:
    """A `RouterSession` over one stream, which it owns; `label` names the router in messages."""

    def __init__(self, stream: Stream, *, label: str, command_s: float) -> None:
        self._stream = stream
        self._protocol = AsyncApiProtocol(transport=stream, encoding=WIRE_ENCODING, timeout=None)
        self._label = label
        self._command_s = command_s
        self._turn = asyncio.Lock()
        self._lost = ""
        """Why the session is dead; empty while it lives."""

    async def print(
        self, path: str, *, where: Sequence[Mapping[str, str]] = (), props: Sequence[str] = ()
    ) -> list[Row]:
        """The rows of a menu."""
        reply = await self._run(f"{path}/print", compose({}, where=where, props=props))
        return list(reply.rows)

    async def add(self, path: str, props: Mapping[str, str]) -> str:
        """Add an entry; its `.id`, or empty when the router names none."""
        reply = await self._run(f"{path}/add", compose(props))
        return reply.done.get("ret", "")

    async def set(self, path: str, props: Mapping[str, str], *, id_: str | None = None) -> None:
        """Change an entry, or a singleton menu when `id_` is None."""
        selector = {} if id_ is None else _selector(id_)
        await self._run(f"{path}/set", compose({**selector, **props}))

    async def remove(self, path: str, id_: str) -> None:
        """Remove an entry by its `.id` or name."""
        await self._run(f"{path}/remove", compose(_selector(id_)))

    async def command(
        self, path: str, args: Mapping[str, str] | None = None, *, timeout_s: float | None = None
    ) -> list[Row]:
        """Any other command; what `!done` carries comes as a last row."""
        reply = await self._run(path, compose(args or {}), timeout_s=timeout_s)
        return [*reply.rows, reply.done] if reply.done else list(reply.rows)

    async def close(self) -> None:
        """End the session within a bound; never raises."""
        self._lost = self._lost or "the session was closed"
        await self._stream.close()

    async def _run(self, command: str, words: tuple[str, ...], *, timeout_s: float | None = None) -> Reply:
        async with self._turn:
            reply = await self._exchange(command, words, self._command_s if timeout_s is None else timeout_s)
        if reply.traps:
            texts = dict.fromkeys(trap.text for trap in reply.traps)
            categories = (trap.category for trap in reply.traps if trap.category is not None)
            raise CommandTrappedError(command, "; ".join(texts), category=next(categories, None))
        return reply

    async def _exchange(self, command: str, words: tuple[str, ...], limit_s: float) -> Reply:
        self._raise_if_lost()
        self._lost = f"{command} was interrupted"
        try:
            async with asyncio.timeout(limit_s) as deadline:
                await self._protocol.writeSentence(to_wire(command), *words)
                sentences = [await self._protocol.readSentence()]
                while sentences[-1][0] != "!done":
                    sentences.append(await self._protocol.readSentence())
            self._lost = ""
        except (LibRouterosError, StreamError, OSError, IndexError) as exc:
            late = f"no full answer to {command} within {limit_s:g} s"
            self._lost = late if deadline.expired() else _explain(exc)
            raise SessionLostError(f"{self._label}: {self._lost}") from exc
        finally:
            if self._lost:
                self._stream.abort()
        return parse_reply(sentences)

    def _raise_if_lost(self) -> None:
        if self._lost:
            raise SessionLostError(f"{self._label}: {self._lost}")


def _selector(id_: str) -> dict[str, str]:
    """RouterOS finds an entry by `.id`, or by name through `numbers`."""
    return {".id" if id_.startswith("*") else "numbers": id_}


def _explain(exc: Exception) -> str:
    match exc:
        case FatalError():
            return f"the router ended the session: {fatal_text(exc.args) or 'no reason given'}"
        case StreamError():
            return str(exc)
        case OSError():
            return f"the connection broke: {exc.strerror or type(exc).__name__}"
        case _:  # ProtocolError, or the IndexError that librouteros makes of a sentence without words
            return "the reply cannot be read"
