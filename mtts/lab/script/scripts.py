"""The scripts of one router: which of them run, and the global variables that outlive a run.

How many may run and how much they may keep is bounded here; everything ends and is forgotten with the power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtts.lab.call import Answer, Caller
from mtts.lab.reply import Reply, failure
from mtts.lab.script.errors import ScriptError
from mtts.lab.script.job import Job, JobReply
from mtts.lab.script.parser import parse
from mtts.lab.script.values import TEXT_LIMIT, Value, size_of
from mtts.lab.script.vocabulary import Words

if TYPE_CHECKING:
    from mtts.lab.device import Device

CHILD_START_S = 0.01
"""How long a script that a script starts takes to begin, so that a chain of them cannot stop time."""
JOB_LIMIT = 500
"""Most scripts that run on one router at once."""
GLOBALS_LIMIT = 64 * TEXT_LIMIT
"""Most that a router's global variables may hold."""


class Scripts:
    """Everything that runs on one router, and the variables that outlive a run."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.words = Words(device)
        self.jobs: dict[int, Job] = {}
        self.globals: dict[str, Value] = {}
        self._held = 0
        self._last = 0

    def start(
        self,
        source: str,
        caller: Caller,
        *,
        name: str = "",
        origin: str = "command",
        parent: Job | None = None,
        is_heard: bool = False,
    ) -> Job:
        """Begin a script, a moment later when a script asks for it; what it prints is kept if somebody hears it.

        ScriptSyntaxError when it cannot be read, Trap when too many run already.
        """
        if len(self.jobs) >= JOB_LIMIT:
            raise failure("too many scripts are running")
        block = parse(source, self.words)
        self._last += 1
        job = self.jobs[self._last] = Job(self, self._last, block, caller, name=name, origin=origin, is_heard=is_heard)
        if parent is None:
            job.start()
        else:
            self.device.later(CHILD_START_S, job.start)
        return job

    def spent_number(self) -> str:
        """The `.id` of a job that ended before it began."""
        self._last += 1
        return f"*{self._last:X}"

    def forget(self, job: Job) -> None:
        """A job has ended."""
        self.jobs.pop(job.number, None)

    def report(self, job: Job, describe: Callable[[str], str] = "script error: {}".format) -> None:
        """Write into the log what a job died of, when it has died of something."""
        job.when_ended(lambda: None if job.error is None else self.log_error(describe(job.error)))

    def log_error(self, message: str) -> None:
        """A line of the log about a script that failed."""
        self.device.log("script,error", message)

    def answer(self, job: Job, outcome: Callable[[], Reply]) -> Answer:
        """The answer to a command that waits for a job: at once when it has ended already."""
        if job.has_ended:
            return outcome()
        return JobReply(job, outcome, ends_with_link=self.device.quirks.cut_ends_foreground_script)

    def keep(self, name: str, value: Value) -> None:
        """Give a global variable a value that outlives the run; ScriptError when there is no room for it."""
        before = self._room(name, self.globals[name]) if name in self.globals else 0
        held = self._held - before + self._room(name, value)
        if held > GLOBALS_LIMIT:
            raise ScriptError("out of memory: too much in global variables")
        self.globals[name], self._held = value, held

    def _room(self, name: str, value: Value) -> int:
        return len(name) + size_of(value)

    def lose_power(self) -> None:
        """Nothing runs any more and every variable is forgotten."""
        for job in list(self.jobs.values()):
            job.end("power lost")
        self.globals.clear()
        self._held = 0
        self._last = 0
