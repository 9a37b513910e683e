"""Takes the lock on a router before its first write, and gives it back at the end.

The lock's own two writes are no work on a node: a run that got no further has touched nothing. What the router shows
decides who holds it, never the answer to the command that takes it.
"""

import logging
from typing import Final

from mtts.core.errors import CommandTrappedError, MttsError, RouterLockedError, SessionLostError
from mtts.core.inventory import Router
from mtts.core.router_lock import NAME, PATH, HeldLock, lock_props, locked, longest_s, read_lock, why_stale
from mtts.core.rows import uptime_s
from mtts.ports import Journal, Processes, Routers, RouterSession

_LOG = logging.getLogger(__name__)

_ATTEMPTS: Final = 3
"""Between a look at the lock and the next command its holder may release it, or another run may take it over."""


class RouterLock:
    """The lock of one router, for one piece of work on it."""

    def __init__(self, router: Router, *, routers: Routers, journal: Journal, processes: Processes) -> None:
        self._router = router
        self._routers = routers
        self._journal = journal
        self._processes = processes
        self._session: RouterSession | None = None
        """Over which it was taken, or found to be ours; None while it is not, as far as this run knows."""

    async def take(self, session: RouterSession) -> None:
        """Hold the lock, over this session if it is another one than before; RouterLockedError where that cannot be."""
        if self._session is session:
            return
        was_held, self._session = self._session is not None, session  # a lost answer may be to an add that took effect
        try:
            await self._take(session, is_ours=was_held)
        except (RouterLockedError, CommandTrappedError):
            self._session = None
            raise

    async def _take(self, session: RouterSession, *, is_ours: bool) -> None:
        me = self._processes.me
        limit_s = longest_s(self._router.timing, len(self._router.nodes))
        for _ in range(_ATTEMPTS):
            uptime = await _uptime(session)
            held = await find_lock(session) if is_ours else None
            props = lock_props(me, uptime_s=uptime or 0.0, longest_s=limit_s)
            trap = None
            if held is None:
                trap = await self._add(session, props)
                held = await find_lock(session)
            if held is not None and held.holder is not None and held.holder.run == me.run:
                if uptime is not None and uptime < held.uptime_s:  # a restart of the router would make it look stale
                    await session.set(PATH, {"comment": props["comment"]}, id_=held.id)
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

    async def clear(self, session: RouterSession) -> None:
        """Remove a lock that nobody holds any more; one that somebody holds stays."""
        held = await find_lock(session)
        if held is not None and self._why_stale(held, await _uptime(session)) is not None:
            await _remove(session, held)

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
