"""Simulated time: order, cancellation, and waiting for real input and output."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mtts.lab.clock import SimClock


async def test_events_happen_in_order_and_equal_moments_keep_theirs() -> None:
    clock = SimClock()
    seen: list[tuple[str, float]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, clock.now))

    for delay, name in [(2, "late"), (1, "first"), (1, "second"), (9, "never")]:
        clock.call_later(delay, note(name))
    await clock.advance(5)
    assert seen == [("first", 1), ("second", 1), ("late", 2)]
    assert clock.now == 5


async def test_an_event_may_cause_another_within_the_same_advance() -> None:
    clock = SimClock()
    seen: list[float] = []

    def cause_another() -> None:
        clock.call_later(1, lambda: seen.append(clock.now))

    clock.call_later(1, cause_another)
    await clock.advance(3)
    assert seen == [2]


async def test_a_watcher_sees_what_each_event_did_and_no_event_that_was_cancelled() -> None:
    clock, events, seen = SimClock(), list[float](), list[list[float]]()
    clock.watchers.append(lambda: seen.append(list(events)))
    for delay in (1.0, 2.0):
        clock.call_later(delay, lambda: events.append(clock.now))
    clock.call_later(1.5, lambda: events.append(clock.now)).cancel()
    await clock.advance(3)
    assert seen == [[1], [1, 2]]


async def test_a_cancelled_event_does_not_happen() -> None:
    clock = SimClock()
    seen: list[int] = []
    clock.call_later(1, lambda: seen.append(1)).cancel()
    await clock.advance(2)
    assert seen == []


async def test_time_does_not_pass_real_work_in_flight() -> None:
    clock = SimClock()
    finished = asyncio.Event()
    moments: list[float] = []

    async def work() -> None:
        await finished.wait()
        moments.append(clock.now)
        clock.call_later(1, lambda: moments.append(clock.now))

    clock.track(work())
    moving = asyncio.ensure_future(clock.advance(10))
    await asyncio.sleep(0)
    assert clock.now == 0
    finished.set()
    await moving
    assert moments == [0, 1]


async def test_a_mistake_in_real_work_is_not_lost() -> None:
    clock = SimClock()

    async def blunder() -> None:
        raise LookupError("oops")

    clock.track(blunder())
    with pytest.raises(LookupError, match="oops"):
        await clock.advance(1)


async def test_a_mistake_in_a_running_clock_s_event_shows_at_its_end() -> None:
    clock = SimClock(speed=1000)
    await clock.start()

    def blunder() -> None:
        raise LookupError("oops")

    done = asyncio.ensure_future(clock.wait(0))
    await asyncio.sleep(0)
    clock.call_later(0, blunder)
    await done
    with pytest.raises(LookupError, match="oops"):
        await clock.stop()


async def test_two_who_advance_from_the_same_moment_arrive_together() -> None:
    clock = SimClock()
    await asyncio.gather(clock.advance(5), clock.advance(5))
    assert clock.now == 5


async def test_a_running_clock_makes_things_happen_by_itself() -> None:
    clock = SimClock(speed=1000)
    await clock.start()
    await clock.wait(1)
    assert clock.now >= 1
    await clock.stop()


async def test_the_wall_clock_follows_time_moved_by_hand() -> None:
    clock = SimClock(epoch=datetime(2026, 11, 21, tzinfo=UTC))
    await clock.advance(3600)
    assert clock.wall == datetime(2026, 11, 21, 1, tzinfo=UTC)


async def test_a_leaping_clock_goes_to_each_event_in_its_order() -> None:
    clock = SimClock(leaps=True)
    await clock.start()
    moments: list[float] = []
    for delay_s in (3600, 10, 86400):
        clock.call_later(delay_s, lambda: moments.append(clock.now))
    await clock.advance(86401)
    assert moments == [10, 3600, 86400]
    assert clock.now == 86401
    await clock.stop()


async def test_a_leaping_clock_waits_for_real_work_and_for_those_who_talk() -> None:
    clock = SimClock(leaps=True)
    await clock.start()
    told: list[str] = []
    finished = asyncio.Event()

    async def work() -> None:
        await finished.wait()
        told.append("work")

    clock.call_later(1, lambda: told.append("event"))
    clock.track(work())
    for _ in range(500):
        clock.heard()
        await asyncio.sleep(0)
    finished.set()
    await clock.wait(2)
    assert told == ["work", "event"]
    await clock.stop()


async def test_a_mistake_in_a_leaping_clock_s_event_shows_at_its_end() -> None:
    clock = SimClock(leaps=True)
    await clock.start()

    def blunder() -> None:
        raise LookupError("oops")

    clock.call_later(1, blunder)
    await clock.wait(2)
    with pytest.raises(LookupError, match="oops"):
        await clock.stop()
