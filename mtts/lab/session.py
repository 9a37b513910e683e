"""One API connection: bytes to commands, commands to answers, and all that the protocol allows between.

Login comes first and is tried against the router's users; commands may carry tags and overlap; `/cancel`
ends those that wait; a stream that cannot be read ends with `!fatal`. Faults of the link are worked here.
Who sends much, or reads nothing of what comes back, waits: every session has its turn, and answers do not pile up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Call, Caller, Stream
from mtts.lab.command import Command, parse_command
from mtts.lab.faults import Fate, How
from mtts.lab.journal import JournalEntry
from mtts.lab.link import Link
from mtts.lab.reply import Category, Reply, Row, Trap
from mtts.lab.script.job import LINK_CUT
from mtts.lab.values import stamp
from mtts.lab.wire import Sentence, SentenceReader, WireError, encode_sentence

if TYPE_CHECKING:
    from mtts.lab.router import LabRouter

GARBAGE = b"\xff\xfe\x00\xffgarbled"
TURN_COMMANDS = 4
"""How many commands of one client are worked before others have their turn; few, since asyncio tells only between
turns that a client is gone, and complains about the sixth answer to one that is."""


class Session(asyncio.Protocol):
    """The router's end of one connection."""

    def __init__(self, router: LabRouter, service: str) -> None:
        self._router = router
        self._device = router.device
        self._reader = SentenceReader()
        self._link: Link | None = None
        self._backlog: deque[Sentence | WireError] = deque()
        """What was heard and not looked at yet."""
        self._next_turn: asyncio.Handle | None = None
        self._is_congested = False
        self.waiting: dict[asyncio.Task[None], str | None] = {}
        """Commands that are not answered yet, with their tags."""
        self.service = service
        self.number = 0
        self.since = ""
        self.caller: Caller | None = None
        self.peer = ""
        self.is_through_node = False

    # the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Welcome a client, or not."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a session needs a stream")
        self._link = Link(transport, self._device)
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._device.clock.heard()
        if not self._router.admits(self):
            transport.abort()
            return
        self.number = self._router.enter(self)

    def data_received(self, data: bytes) -> None:
        """Read commands and answer them in their order."""
        self._device.clock.heard()
        if self._device.faults.is_hung or not self._is_open():
            return
        try:
            while heard := self._reader.feed(data):
                self._backlog += heard
                data = b""
        except WireError as error:
            self._backlog.append(error)
        if self._next_turn is None:
            self._work()

    def pause_writing(self) -> None:
        """Let a client that does not read its answers wait for more of them."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """Go on for a client that reads again."""
        self._is_congested = False
        if self._next_turn is None:
            self._work()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client and stop whatever it waited for."""
        self._link = None
        self._backlog.clear()
        for task in list(self.waiting):
            task.cancel(LINK_CUT)
        self._router.leave(self)

    def abort(self) -> None:
        """Cut the link without a word."""
        self.cut("fin")

    def cut(self, how: How) -> None:
        """Cut the link as told; what was not sent yet is lost."""
        if self._link is not None:
            self._link.cut(how)

    def _is_open(self) -> bool:
        return self._link is not None and self._link.is_open

    # commands

    def _work(self) -> None:
        """Take a turn's worth of the backlog; while something is left of it, no more is read."""
        self._next_turn = None
        for _ in range(min(TURN_COMMANDS, len(self._backlog))):
            if self._is_congested:
                break
            if self._device.faults.is_hung or not self._is_open():
                self._backlog.clear()
                break
            match self._backlog.popleft():
                case WireError() as error:
                    self._fatal(f"malformed sentence: {error}")
                case ():
                    continue
                case words:
                    self._receive(words)
        if self._link is None:
            return
        self._link.read(more=not self._backlog)
        if self._backlog and not self._is_congested:
            self._device.clock.heard()
            self._next_turn = asyncio.get_running_loop().call_soon(self._work)

    def _receive(self, words: Sentence) -> None:
        command = parse_command(words)
        user = self.caller.user if self.caller else ""
        entry = self._device.note(command.path, words, user=user, session=self.number)
        fate = self._device.faults.meet(entry)
        if not self._is_open():
            entry.reply = "cut"
        elif fate is Fate.CUT_BEFORE:
            self._cut(entry)
        elif command.path == "/quit":
            entry.reply = "fatal: session terminated on request"
            self._fatal("session terminated on request")
        elif command.path == "/login":
            self._login(command, entry)
        elif self.caller is None:
            entry.reply = "fatal: not logged in"
            self._fatal("not logged in")
        elif command.path == "/cancel":
            self._cancel(command)
            self._finish(command, entry, Reply())
        else:
            self._run(command, entry, self.caller, fate)

    def _login(self, command: Command, entry: JournalEntry) -> None:
        caller = self._router.authenticate(command.args.get("name", ""), command.args.get("password", ""), self.peer)
        if caller is None:
            self._trap(command, entry, Trap("invalid user name or password (6)"))
            self._device.log("system,error,critical", f"login failure for user {command.args.get('name', '')} via api")
            return
        self.caller = replace(caller, session=self.number)
        self.since = stamp(self._device.wall)
        self._router.logins += 1
        self._finish(command, entry, Reply())

    def _cancel(self, command: Command) -> None:
        """Interrupt what waits: its `!trap` goes out before the `!done` of `/cancel`, its own `!done` after it."""
        wanted = command.args.get("tag")
        for task, tag in list(self.waiting.items()):
            if not task.cancelling() and (wanted is None or tag == wanted):
                self._send(_trapped(tag, Trap("interrupted", Category.INTERRUPTED)))
                task.cancel()

    def _run(self, command: Command, entry: JournalEntry, caller: Caller, fate: Fate) -> None:
        try:
            answer = self._answer(command, caller)
        except Trap as trap:
            if fate is Fate.CUT_AFTER:
                self._cut(entry)
            else:
                self._trap(command, entry, trap)
            return
        if isinstance(answer, Reply):
            self._done(command, entry, answer, fate)
            return
        task = asyncio.ensure_future(self._await(command, entry, answer, fate))
        self.waiting[task] = command.tag
        task.add_done_callback(lambda ended: self._ended(ended, command, entry, answer))

    def _answer(self, command: Command, caller: Caller) -> Answer:
        refusal = self._device.faults.take_trap(command.path)
        if refusal is not None:
            raise Trap(refusal)
        self._device.faults.forestall(command, caller)
        return self._device.perform(Call(command, caller))

    async def _await(
        self, command: Command, entry: JournalEntry, answer: Awaitable[Reply] | AsyncIterator[Row], fate: Fate
    ) -> None:
        try:
            reply = await (self._stream(command, answer) if isinstance(answer, AsyncIterator) else answer)
        except Trap as trap:
            self._trap(command, entry, trap)
        except asyncio.CancelledError:
            self._interrupted(command, entry)
        else:
            self._done(command, entry, reply, fate)

    def _ended(self, task: asyncio.Task[None], command: Command, entry: JournalEntry, answer: object) -> None:
        self.waiting.pop(task, None)
        if isinstance(answer, Stream):
            answer.close()
        if task.cancelled():  # before its first step: `_await` never saw it
            if isinstance(answer, Coroutine):
                answer.close()
            self._interrupted(command, entry)

    def _interrupted(self, command: Command, entry: JournalEntry) -> None:
        entry.reply = "trap: interrupted"
        self._send(encode_sentence(("!done", *_tag(command.tag))))

    async def _stream(self, command: Command, rows: AsyncIterator[Row]) -> Reply:
        async for row in rows:
            self._send(encode_sentence(("!re", *_tag(command.tag), *_words(row))))
        return Reply()

    def _done(self, command: Command, entry: JournalEntry, reply: Reply, fate: Fate) -> None:
        entry.took_effect = True
        if entry.is_write:
            self._device.faults.wrote(entry)
        if fate is Fate.CUT_AFTER:
            self._cut(entry)
        else:
            self._finish(command, entry, reply)

    def _cut(self, entry: JournalEntry) -> None:
        entry.reply = "cut"
        self.cut(self._device.faults.cut_how)

    # answers

    def _finish(self, command: Command, entry: JournalEntry, reply: Reply) -> None:
        entry.took_effect = True
        entry.reply = "done"
        self._device.faults.answered(entry)
        tag = _tag(command.tag)
        parts: list[Sentence] = [("!re", *tag, *_words(row)) for row in reply.rows]
        if reply.listing and not reply.rows and self._device.has("empty-reply"):
            parts.append(("!empty", *tag))
        parts.append(("!done", *tag, *(() if reply.ret is None else (f"=ret={reply.ret}",))))
        self._send(b"".join([encode_sentence(part) for part in parts]))

    def _trap(self, command: Command, entry: JournalEntry, trap: Trap) -> None:
        entry.reply = f"trap: {trap.message}"
        self._device.faults.answered(entry)
        self._send(_trapped(command.tag, trap) + encode_sentence(("!done", *_tag(command.tag))))

    def _fatal(self, reason: str) -> None:
        self._send(encode_sentence(("!fatal", reason)))
        if self._link is not None:
            self._link.close()

    def _send(self, data: bytes) -> None:
        if self._link is None or not self._link.is_open or self._device.faults.is_hung:
            return
        if self._device.faults.take_truncation():
            self._link.write(data[: len(data) // 2])
            self._link.close()
        else:
            self._link.write(GARBAGE if self._device.faults.take_garble() else data)


def _tag(tag: str | None) -> Sentence:
    return () if tag is None else (f".tag={tag}",)


def _trapped(tag: str | None, trap: Trap) -> bytes:
    category = () if trap.category is None else (f"=category={int(trap.category)}",)
    return encode_sentence(("!trap", *_tag(tag), *category, f"=message={trap.message}"))


def _words(row: Row) -> Sentence:
    return tuple([f"={name}={value}" for name, value in row.items()])
