"""The machine's time."""

import time

from mtts.adapters.clock import SystemClock


async def test_the_clock_is_the_machines_own() -> None:
    clock = SystemClock()
    before, started = time.time(), time.monotonic()
    await clock.sleep(0)
    assert before <= clock.now() <= time.time()
    assert started <= clock.monotonic() <= time.monotonic()
