"""One run of a script: who started it, what it waits for, how it ends.

A job is driven by the lab's clock alone, so it runs on when the session that started it is cut, and ends with the
power. Every command that it gives passes the same gate as a client's and is in the router's journal.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from mtts.lab.call import Answer, Call, Caller
from mtts.lab.clock import Timer
from mtts.lab.journal import JournalEntry
from mtts.lab.reply import Reply, Row, Trap
from mtts.lab.script.console import api_command
from mtts.lab.script.control import CONTROLS
from mtts.lab.script.errors import ScriptError
from mtts.lab.script.host import Delay, Steps, Wait
from mtts.lab.script.machine import Machine
from mtts.lab.script.nodes import Block, MenuCommand
from mtts.lab.script.values import TEXT_LIMIT, Empty, Value
from mtts.lab.values import stamp

if TYPE_CHECKING:
    from mtts.lab.script.scripts import Scripts

OUTPUT_LIMIT = 4 * TEXT_LIMIT
"""Most that a script may print to whoever waits for it."""
LINK_CUT = "link cut"
"""With these words a session cancels what it waits for when its client is gone."""


class _KilledError(Exception):
    """The job was ended in the middle of a command of its own."""


class Job:
    """One run of a script."""

    def __init__(
        self, scripts: Scripts, number: int, block: Block, caller: Caller, *, name: str, origin: str, is_heard: bool
    ) -> None:
        self.number = number
        self.name = name
        self.origin = origin
        self.caller = caller
        self.started = stamp(scripts.device.wall)
        self.output: list[str] = []
        self.value: Value = Empty.NOTHING
        self.error: str | None = None
        self.has_ended = False
        self.words = scripts.words
        self.globals = scripts.globals
        self._device = scripts.device
        self._scripts = scripts
        self._printed = 0
        self._printer: Callable[[str], None] = self._collect if is_heard else _ignore
        self._steps: Steps = Machine(self, CONTROLS).run(block)
        self._random = random.Random(number)
        self._is_stepping = False
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._entry: JournalEntry | None = None
        self._listeners: list[Callable[[], None]] = [lambda: scripts.forget(self)]

    @property
    def ref(self) -> str:
        """The job's `.id`."""
        return f"*{self.number:X}"

    def printed(self) -> list[str]:
        """Everything that it printed, the error that it died of last."""
        return [line for line in (*self.output, self.error) if line]

    # what the script finds around it

    def put(self, text: str) -> None:
        """Print a line; ScriptError when that is more than can be handed over."""
        self._printer(text)

    def _collect(self, text: str) -> None:
        self._printed += len(text) + 1
        if self._printed > OUTPUT_LIMIT:
            raise ScriptError("out of memory: the output is too long")
        self.output.append(text)

    def keep(self, name: str, value: Value) -> None:
        """Give a global variable a value; ScriptError when there is no room for it."""
        self._scripts.keep(name, value)

    def print_to(self, other: Job) -> None:
        """Print where another job prints."""
        self._printer = other.put

    def perform(self, command: MenuCommand, args: Mapping[str, str]) -> Answer:
        """Give a command to a menu, as its caller, and note it."""
        words = (command.path, *(f"={name}={value}" for name, value in args.items()))
        entry = self._device.note(command.path, words, user=self.caller.user, script=self.name or self.ref)
        try:
            answer = self._give(command, args)
        except Trap as trap:
            entry.reply = f"trap: {trap.message}"
            raise
        if isinstance(answer, Reply):
            self._took_effect(entry)
        else:
            self._entry = entry
        return answer

    def _give(self, command: MenuCommand, args: Mapping[str, str]) -> Answer:
        refusal = self._device.faults.take_trap(command.path)
        if refusal is not None:
            raise Trap(refusal)
        return self._device.perform(Call(api_command(command, args), self.caller, job=self))

    def now_s(self) -> float:
        """Seconds of the router's own clock since 1970."""
        return self._device.wall.timestamp()

    def elapsed_s(self) -> float:
        """Simulated seconds."""
        return self._device.clock.now

    def random(self, low: int, high: int) -> int:
        """A number between two others, the same in every run of a test."""
        return self._random.randint(low, high)

    def _took_effect(self, entry: JournalEntry) -> None:
        entry.took_effect = True
        entry.reply = "done"
        if entry.is_write:
            self._device.faults.wrote(entry)
        if self.has_ended:
            raise _KilledError  # the write was what somebody cut the power at

    # its life

    def start(self) -> None:
        """Run until something has to be waited for."""
        self._go_on(lambda: next(self._steps))

    def end(self, error: str = "interrupted") -> None:
        """End it wherever it is; nothing of it runs any more."""
        if not self.has_ended:
            self.error = error
            self._finish()

    def when_ended(self, listener: Callable[[], None]) -> None:
        """Have `listener` called at the end, now when that has come."""
        if self.has_ended:
            listener()
        else:
            self._listeners.append(listener)

    def _go_on(self, step: Callable[[], Wait]) -> None:
        if self.has_ended:
            return
        self._is_stepping = True
        try:
            self._wait_for(step())
        except StopIteration as stop:
            self.value = stop.value
            self._finish()
        except ScriptError as error:
            self.error = str(error)
            self._finish()
        except RecursionError:
            self.error = "nested too deeply"
            self._finish()
        except _KilledError:
            pass
        finally:
            self._is_stepping = False

    def _wait_for(self, wait: Wait) -> None:
        if self.has_ended:
            self._steps.close()
        elif isinstance(wait, Delay):
            self._timer = self._device.later(wait.seconds, lambda: self._go_on(lambda: next(self._steps)))
        elif isinstance(wait, JobReply):
            job_reply = wait
            job_reply.job.when_ended(lambda: self._answer_soon(job_reply.outcome))
        elif not isinstance(wait, Reply):
            self._task = asyncio.ensure_future(self._await(wait))

    def _answer_soon(self, outcome: Callable[[], Reply]) -> None:
        # not at once: scripts that wait for one another may be many
        self._timer = self._device.later(0, lambda: self._answered(outcome))

    async def _await(self, answer: Awaitable[Reply] | AsyncIterator[Row]) -> None:
        try:
            reply = Reply(rows=[row async for row in answer]) if isinstance(answer, AsyncIterator) else await answer
        except Trap as trap:
            refusal = trap
            self._answered(lambda: _refuse(refusal))
        else:
            self._answered(lambda: reply)

    def _answered(self, outcome: Callable[[], Reply]) -> None:
        entry, self._entry = self._entry, None

        def step() -> Wait:
            try:
                reply = outcome()
            except Trap as trap:
                if entry is not None:
                    entry.reply = f"trap: {trap.message}"
                return self._steps.throw(trap)
            if entry is not None:
                self._took_effect(entry)
            return self._steps.send(reply)

        self._go_on(step)

    def _finish(self) -> None:
        self.has_ended = True
        if not self._is_stepping:
            self._steps.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._is_stepping:
            self._task.cancel()
        for listener in self._listeners:
            listener()
        self._listeners.clear()


def _ignore(_text: str) -> None:
    """Nobody hears it."""


def _refuse(trap: Trap) -> Reply:
    raise trap


class JobReply(Awaitable[Reply]):
    """The answer to a command that waits for a job's end."""

    def __init__(self, job: Job, outcome: Callable[[], Reply], *, ends_with_link: bool) -> None:
        self.job = job
        self.outcome = outcome
        self._ends_with_link = ends_with_link

    def __await__(self) -> Generator[Any, None, Reply]:
        if not self.job.has_ended:
            ended = asyncio.get_running_loop().create_future()
            self.job.when_ended(lambda: None if ended.done() else ended.set_result(None))
            try:
                yield from ended
            except asyncio.CancelledError as reason:
                if self._ends_with_link or LINK_CUT not in reason.args:
                    self.job.end()
                raise
        return self.outcome()
