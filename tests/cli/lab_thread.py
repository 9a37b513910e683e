"""A lab that lives in a thread and an event loop of its own, so that commands can run as users run them.

What tests do to it, or read from it, happens in its loop: `run` a coroutine there, `call` a function.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from mtts.lab.fleet import Lab

T = TypeVar("T")

SPEED = 100.0
"""Simulated seconds per second: a login takes 20 ms, a reboot 0.3 s."""
_DEADLINE_S = 60


class LabThread:
    """From `with` to its end; `lab` is for the functions that `call` and `run` are given."""

    def __init__(self) -> None:
        self.lab = Lab(clock="running", speed=SPEED)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab")

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.lab.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.lab.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_DEADLINE_S)
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that ran in the lab's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE_S)

    def call(self, function: Callable[..., T], *given: Any, **named: Any) -> T:
        """The result of a function that ran in the lab's loop."""

        async def work() -> T:
            return function(*given, **named)

        return self.run(work())

    def pass_time(self, simulated_s: float) -> None:
        """Return when that much simulated time has passed."""
        self.run(self.lab.clock.wait(simulated_s))
