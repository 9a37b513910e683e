"""Simulated time: events in order of their moment, driven by hand, by the wall clock, or as fast as may be.

Everything a router does by itself happens in a callback of this clock. Driven by hand, time moves only
inside `advance`; leaping, it goes to the next event whenever the loop has nothing to say to the lab. Neither
goes past real input or output that the lab has started (`track`), so a test always sees the same story.
Running, one real second is `speed` simulated ones. It does not sleep for anyone but itself.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

QUIET_TURNS = 50
"""A leaping clock waits for so many turns of the loop in which no client said anything. Clients in the same loop
need a few from an answer to their next question; others (threads, processes) find that time has passed."""


def moved(moment: datetime, seconds: float) -> datetime:
    """A moment so much later, or earlier; the calendar's last or first one where there is none."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=moment.tzinfo) if seconds > 0 else datetime.min.replace(tzinfo=moment.tzinfo)


class Timer:
    """One event to come; `cancel` makes it not happen."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the event; does nothing when it has happened."""
        self.callback = None


class SimClock:
    """The lab's only source of time, in simulated seconds since the lab began."""

    def __init__(self, *, speed: float | None = None, leaps: bool = False, epoch: datetime | None = None) -> None:
        self._speed = speed
        self._leaps = leaps
        self._heard = 0
        self._now = 0.0
        self._began = 0.0
        self._epoch = epoch or datetime.now(UTC)
        self._events: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._mistakes: list[BaseException] = []
        self._moving = asyncio.Lock()
        self._news = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self.watchers: list[Callable[[], None]] = []
        """Called after each event: all that routers do by themselves is seen between two calls."""

    @property
    def now(self) -> float:
        """Simulated seconds since the lab began."""
        return self._now if self._speed is None or self._driver is None else self._real_now()

    @property
    def wall(self) -> datetime:
        """What a clock on the wall shows: it follows simulated time by hand, real time when running."""
        return moved(self._epoch, self.now / self.per_wall_second)

    @property
    def per_wall_second(self) -> float:
        """Simulated seconds in a second of the clock on the wall."""
        return self._speed or 1.0

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Have `callback` called `delay_s` simulated seconds from now; equal moments keep their order."""
        timer = Timer(callback)
        heapq.heappush(self._events, (self.now + delay_s, next(self._order), timer))
        self._news.set()
        return timer

    async def wait(self, delay_s: float) -> None:
        """Return when that much simulated time has passed."""
        arrived = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: arrived.set_result(None))
        try:
            await arrived
        finally:
            timer.cancel()

    def track(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run real input or output; time driven by hand waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._landed_one)
        return task

    async def advance(self, seconds: float) -> None:
        """Move time on, with everything that falls due on the way; one that leaps is waited for."""
        if self._leaps:
            await self.wait(seconds)
            return
        target = self._now + seconds
        await asyncio.sleep(0)  # others who are about to wait from the same moment get the same start
        async with self._moving:
            while True:
                await self._landed()
                if not self._events or self._events[0][0] > target:
                    break
                moment, _, timer = heapq.heappop(self._events)
                self._now = max(self._now, moment)
                self._happen(timer)
            self._now = max(self._now, target)

    def heard(self) -> None:
        """A client said something: what it will say to the answer comes before any leap."""
        self._heard += 1

    async def start(self) -> None:
        """Let a running or leaping clock run; a clock driven by hand has nothing to start."""
        if self._leaps:
            self._driver = asyncio.get_running_loop().create_task(self._leap())
        elif self._speed is not None:
            self._began = asyncio.get_running_loop().time()
            self._driver = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the driver and whatever is in flight; a mistake that one of them died of is raised."""
        tasks = [*self._in_flight, *([self._driver] if self._driver else [])]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._raise_mistake()

    def _real_now(self) -> float:
        return (asyncio.get_running_loop().time() - self._began) * (self._speed or 1.0)

    async def _landed(self) -> None:
        while self._in_flight:
            await asyncio.wait(set(self._in_flight))
        self._raise_mistake()

    def _landed_one(self, task: asyncio.Task[Any]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._mistakes.append(error)

    def _raise_mistake(self) -> None:
        if self._mistakes:
            raise self._mistakes.pop(0)

    async def _leap(self) -> None:
        while True:
            self._news.clear()
            while self._events:
                await self._quiet()
                moment, _, timer = heapq.heappop(self._events)
                if timer.callback is None:
                    continue
                self._now = max(self._now, moment)
                self._happen_alone(timer)
            await self._news.wait()

    async def _quiet(self) -> None:
        """Return when nobody has said anything for a while, and nothing is in flight."""
        heard, turns = self._heard, 0
        while turns < QUIET_TURNS or self._in_flight:
            if self._in_flight:
                await asyncio.wait(set(self._in_flight))
            await asyncio.sleep(0)
            turns = turns + 1 if heard == self._heard else 0
            heard = self._heard

    async def _run(self) -> None:
        speed = self._speed or 1.0
        while True:
            self._news.clear()
            while self._events and self._events[0][0] <= self.now:
                _, _, timer = heapq.heappop(self._events)
                self._happen_alone(timer)
                await asyncio.sleep(0)  # clients are heard however much falls due
            pause = (self._events[0][0] - self.now) / speed if self._events else None
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _happen_alone(self, timer: Timer) -> None:
        try:
            self._happen(timer)
        except Exception as error:  # noqa: BLE001 - the other routers live on; `stop` raises it
            self._mistakes.append(error)

    def _happen(self, timer: Timer) -> None:
        callback, timer.callback = timer.callback, None
        if callback is None:
            return
        callback()
        for watcher in self.watchers:
            watcher()
