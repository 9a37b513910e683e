"""Takes the lock on a router before its first write, renews it where the work goes on, gives it back at the end.

The lock's own writes are no work on a node: a run that got no further has touched nothing. What the router shows
decides who holds it, never the answer to the command that takes it.
"""

import logging
from dataclasses import dataclass
from typing import Final, Self

from mtts.core.errors import CommandTrappedError, MttsError, Problem, RouterLockedError, SessionLostError
from mtts.core.inventory import Router
from mtts.core.router_lock import (
    NAME,
    PATH,
    USUAL_S,
    HeldLock,
    lease_s,
    left_behind,
    lock_props,
    locked,
    read_lock,
    taken_away,
    why_stale,
)
from mtts.core.rows import uptime_s
from mtts.ports import Clock, Journal, Processes, Routers, RouterSession

_LOG = logging.getLogger(__name__)

_ATTEMPTS: Final = 3
"""Between a look at the lock and the next command its holder may release it, or another run may take it over."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """By both of this machine's clocks: one may be set while the other stands, as while the machine sleeps."""

    monotonic_s: float
    wall_s: float

    @classmethod
    def of(cls, clock: Clock) -> Self:
        return cls(clock.monotonic(), clock.now())

    def is_within(self, seconds: float, since: "_Moment") -> bool:
        """Whether no more than that has passed, whichever clock is asked."""
        return max(self.monotonic_s - since.monotonic_s, self.wall_s - since.wall_s) <= seconds


class RouterLock:
    """The lock of one router, for one piece of work on it."""

    def __init__(
        self, router: Router, *, routers: Routers, journal: Journal, processes: Processes, clock: Clock
    ) -> None:
        self._router = router
        self._routers = routers
        self._journal = journal
        self._processes = processes
        self._clock = clock
        self._session: RouterSession | None = None
        """Over which it was taken, or found to be ours; None while it is not, as far as this run knows."""
        self._looked = _Moment.of(clock)
        """When it was taken, renewed or found to be ours."""
        self._age_s = 0.0
        """How old it was then."""

    async def take(self, session: RouterSession) -> None:
        """Hold the lock for one more step, over this session; RouterLockedError where that cannot be.

        Costs nothing as long as it is good for that, and a read and a write where it has to be renewed.
        """
        if self._session is session and _Moment.of(self._clock).is_within(USUAL_S - self._age_s, self._looked):
            return
        was_held, self._session = self._session is not None, session  # a lost answer may be to an add that took effect
        try:
            await self._take(session, is_ours=was_held)
        except (RouterLockedError, CommandTrappedError):
            self._session = None
            raise

    async def _take(self, session: RouterSession, *, is_ours: bool) -> None:
        me = self._processes.me
        for _ in range(_ATTEMPTS):
            self._looked = _Moment.of(self._clock)  # before the router tells its uptime, so that ours ends first
            uptime = await _uptime(session)
            held = await find_lock(session) if is_ours else None
            props = lock_props(me, uptime_s=uptime or 0.0, longest_s=lease_s(self._router.timing))
            trap = None
            if held is None:
                trap = await self._add(session, props)
                held = await find_lock(session)
            if held is not None and held.holder is not None and held.holder.run == me.run:
                self._age_s = 0.0 if uptime is None else uptime - held.uptime_s
                if not 0 <= self._age_s <= USUAL_S:  # less than nothing is after a restart of the router
                    await session.set(PATH, {"comment": props["comment"]}, id_=held.id)
                    self._age_s = 0.0
                return
            if held is not None:
                await self._take_over(session, held, uptime)
            elif trap is not None:
                raise trap
            is_ours = False
        raise RouterLockedError(
            f"the lock of {self._router.name} was taken by others {_ATTEMPTS} times", hint="run the command again"
        )

    async def _add(self, session: RouterSession, props: dict[str, str]) -> CommandTrappedError | None:
        try:
            await session.add(PATH, props)
        except CommandTrappedError as trap:
            if trap.problem.code == "not-permitted":
                raise RouterLockedError(
                    f"{self._router.name} cannot be locked: {trap.problem.message}",
                    code="not-permitted",
                    hint=f"the group of the user {self._router.username} needs the policy write, beside read",
                ) from trap
            return trap
        return None

    async def _take_over(self, session: RouterSession, held: HeldLock, uptime: float | None) -> None:
        """Remove a lock that nobody holds any more: this one, by its id, and never one that took its place."""
        why = self._why_stale(held, uptime)
        if why is None:
            raise RouterLockedError.of(locked(self._router.name, held, uptime_s=uptime))
        _LOG.info("a stale lock is taken over router=%s holder=%s why=%s", self._router.name, held.holder, why)
        await _remove(session, held)

    def _why_stale(self, held: HeldLock, uptime: float | None) -> str | None:
        has_ended = held.holder is not None and self._processes.has_ended(held.holder)
        ended_runs = self._journal.runs() - {self._processes.me.run}
        return why_stale(held, uptime_s=uptime, has_ended=has_ended, ended_runs=ended_runs)

    async def release(self, session: RouterSession) -> None:
        """Give it back; over a session of its own where this one is lost, and where that fails, it ages out."""
        if self._session is None:
            return
        try:
            await self._release(session)
        except SessionLostError:
            try:
                async with self._routers.session(self._router) as another:
                    await self._release(another)
            except MttsError as error:
                _LOG.info("the lock is left to age out router=%s: %s", self._router.name, error.problem.message)
        except MttsError as error:
            _LOG.info("the lock is left to age out router=%s: %s", self._router.name, error.problem.message)

    async def _release(self, session: RouterSession) -> None:
        held = await find_lock(session)
        if held is not None and held.holder is not None and held.holder.run == self._processes.me.run:
            await _remove(session, held)
        self._session = None

    async def clear(self, session: RouterSession) -> tuple[Problem, ...]:
        """Remove a lock that nobody holds any more, and say so; one that somebody holds stays."""
        held = await find_lock(session)
        if held is None or self._why_stale(held, await _uptime(session)) is None:
            return ()
        await _remove(session, held)
        return (taken_away(held),)

    async def seen(self, session: RouterSession) -> Problem | None:
        """What is to be said of a lock on the router by who only looks."""
        held = await find_lock(session)
        if held is None:
            return None
        uptime = await _uptime(session)
        why = self._why_stale(held, uptime)
        if why is None:
            return locked(self._router.name, held, uptime_s=uptime)
        return left_behind(self._router.name, held, why)

    async def stale(self, session: RouterSession) -> HeldLock | None:
        """A lock that nobody holds any more; RouterLockedError where another run does."""
        held = await find_lock(session)
        if held is None or self._session is session:
            return None
        uptime = await _uptime(session)
        if self._why_stale(held, uptime) is None:
            raise RouterLockedError.of(locked(self._router.name, held, uptime_s=uptime))
        return held


async def find_lock(session: RouterSession) -> HeldLock | None:
    """The lock on the router, whoever holds it."""
    rows = await session.print(PATH, where=[{"name": NAME}], props=(".id", "name", "comment"))
    return read_lock(rows[0]) if rows else None


async def _remove(session: RouterSession, held: HeldLock) -> None:
    try:
        await session.remove(PATH, held.id)
    except CommandTrappedError as trap:
        if "no such item" not in trap.text:
            raise


async def _uptime(session: RouterSession) -> float | None:
    rows = await session.print("/system/resource", props=("uptime",))
    return uptime_s(rows[0]) if rows else None
