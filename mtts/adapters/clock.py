"""The machine's own time, behind the `Clock` port. Tests have theirs."""

import asyncio
import time


class SystemClock:
    """Real seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait, while others work."""
        await asyncio.sleep(seconds)
