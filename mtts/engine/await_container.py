"""Waits for a container to reach a state, each under a deadline of the inventory's `timing:`.

A command's answer proves nothing: start and stop are asynchronous, a trap may mean that the state is there
already, and `stopped` is shown by some versions while the image is still being unpacked.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mtts.core.errors import CommandTrappedError, StepFailedError
from mtts.core.events import Kind
from mtts.core.facts import ContainerRow, ContainerState, Resource
from mtts.core.guard import SIGKILL
from mtts.core.health import Evidence, Health
from mtts.core.pull_room import overrun
from mtts.core.rows import resource
from mtts.core.transaction import STOP_STUCK, STUCK_HINT
from mtts.core.trust import hint_of_pull
from mtts.core.values import normalise_path
from mtts.engine.gather import gather_containers
from mtts.engine.observe import NodeObserver
from mtts.engine.services import NodeWork
from mtts.ports import RouterSession

_LOG_TAIL: Final = 3
_PROGRESS_BYTES: Final = 16 * 1024
"""Free memory wavers by itself; less than this is no progress."""
_DYING_S: Final = 5.0
"""What a container that was killed may take to be gone."""


async def find(session: RouterSession, root_dir: str) -> ContainerRow | None:
    """The entry of that root directory."""
    wanted = normalise_path(root_dir)
    return next((row for row in await gather_containers(session) if row.root_dir == wanted), None)


async def pulled(
    work: NodeWork, observer: NodeObserver, root_dir: str, *, flash_bytes: int | None = None
) -> ContainerRow:
    """Wait until the image is there; `pull-failed` with the router's words, or `pull-stalled`.

    `flash-overrun` where the pull takes more of the internal flash than `flash_bytes` explain.
    """
    timing, clock = work.router.timing, work.services.clock
    started = progressed = clock.monotonic()
    first = room = await _room(work.session)
    while True:
        container = await _expect(work.session, root_dir)
        if container.is_imported:
            return container
        if container.state is ContainerState.FAILED:
            said = container.about or await log_tail(observer, container) or "it gives no reason"
            raise StepFailedError(
                f"the router could not pull {container.image or 'the image'}: {said}",
                code="pull-failed",
                hint=hint_of_pull(said, work.router.name)
                or "see /log on the router; it needs DNS, a right clock and a way to the registry",
            )
        now = clock.monotonic()
        previous, room = room, await _room(work.session)
        if any(abs((new or 0) - (old or 0)) >= _PROGRESS_BYTES for new, old in zip(room, previous, strict=True)):
            progressed = now
        if flash_bytes is not None:
            problem = overrun(flash_bytes, before_bytes=first[0], now_bytes=room[0])
            if problem is not None:
                raise StepFailedError.of(problem)
        if now - started > timing.pull_s or now - progressed > timing.stall_s:
            raise StepFailedError(
                f"the router shows {container.label} as {container.state} after {now - started:.0f} s",
                code="pull-stalled",
                hint="a slow link needs more under `timing: {pull: …, stall: …}`",
            )
        work.tell(Kind.WAITING, f"pulling, {now - started:.0f} s")
        await clock.sleep(timing.poll_s)


async def started(
    work: NodeWork, observer: NodeObserver, root_dir: str, *, since: frozenset[str] = frozenset()
) -> ContainerRow:
    """Start it and wait until its process is up; `start-failed` with the router's words.

    Log lines whose keys are in `since` are of an earlier run. One that wrote others and is stopped has run and ended.
    """
    container = await _expect(work.session, root_dir)
    trap = "" if container.is_up else await _command(work.session, "/container/start", container)
    container = await _expect(work.session, root_dir)  # what it said before is of another start
    timing, clock = work.router.timing, work.services.clock
    deadline = clock.monotonic() + timing.healthy_s
    while not container.is_up:
        said = trap or container.about
        if container.state is ContainerState.FAILED or said or clock.monotonic() > deadline:
            said = said or await log_tail(observer, container) or f"it is {container.state}"
            raise _start_failed(work, container, said)
        await clock.sleep(timing.poll_s)
        container = await _expect(work.session, root_dir)
        if container.state is ContainerState.STOPPED and observer.tells_logs_apart:
            lines = [message for key, message in await observer.log(container) if key not in since]
            if lines:
                raise _start_failed(work, container, "; ".join(lines[-_LOG_TAIL:]))
    return container


def _start_failed(work: NodeWork, container: ContainerRow, said: str) -> StepFailedError:
    return StepFailedError(
        f"{container.label} did not start: {said}", code="start-failed", hint=f"mtts logs {work.router.name}"
    )


async def stopped(work: NodeWork, observer: NodeObserver, root_dir: str) -> ContainerRow:
    """Stop it and wait until it is; kill it when it does not end in time, `stop-stuck` when that does not help."""
    container = await _expect(work.session, root_dir)
    if container.is_up:
        await _command(work.session, "/container/stop", container)
    timing, clock = work.router.timing, work.services.clock
    may_kill = observer.can_kill
    deadline = clock.monotonic() + timing.stop_s
    while container.is_up or container.state is ContainerState.STOPPING:
        if clock.monotonic() > deadline and may_kill:
            work.tell(Kind.STEP, f"! {container.label} is still {container.state} after {timing.stop_s:g} s: kill it")
            kill = partial(work.session.command, "/container/kill", {"number": container.id, "signal": str(SIGKILL)})
            await _trapped(kill)
            may_kill, deadline = False, clock.monotonic() + _DYING_S
        elif clock.monotonic() > deadline:
            raise StepFailedError(
                f"{container.label} is still {container.state} after {timing.stop_s:g} s",
                code=STOP_STUCK,
                hint=STUCK_HINT,
            )
        await clock.sleep(timing.poll_s)
        container = await _expect(work.session, root_dir)
    return container


async def removed(work: NodeWork, root_dir: str) -> None:
    """Remove it and wait until the entry is gone; RouterOS answers long before that.

    An accepted removal is not asked for again: until 7.19 a container that is being deleted looks like a stopped one.
    """
    timing, clock = work.router.timing, work.services.clock
    deadline = clock.monotonic() + timing.stop_s
    is_accepted, trap = False, ""
    while (container := await find(work.session, root_dir)) is not None:
        if not is_accepted and container.state is not ContainerState.DELETING:
            trap = await _trapped(partial(work.session.remove, "/container", container.id))
            is_accepted = not trap
        if clock.monotonic() > deadline:
            raise StepFailedError(
                f"{container.label} is not gone: {trap or container.state}",
                code="read-back-differs",
                hint="look at it with /container/print detail, then run the command again",
            )
        await clock.sleep(timing.poll_s)


async def vanished(work: NodeWork, root_dir: str) -> None:
    """Wait until no entry that is being deleted holds the directory."""
    timing, clock = work.router.timing, work.services.clock
    deadline = clock.monotonic() + timing.stop_s
    while (container := await find(work.session, root_dir)) is not None:
        if container.state is not ContainerState.DELETING or clock.monotonic() > deadline:
            raise StepFailedError(
                f"{root_dir} is in use by {container.label}", code="changed-underway", hint="run the command again"
            )
        await clock.sleep(timing.poll_s)


async def healthy(
    work: NodeWork,
    observer: NodeObserver,
    root_dir: str,
    *,
    since: frozenset[str] = frozenset(),
    node_id: str | None = None,
    on_first: Callable[[], None] = lambda: None,
) -> Health:
    """Wait until the node is online and has stayed so for the observation window, without a restart.

    `on_first` is called at the first sight of it online. With `node_id`, it must be that node of the tailnet.
    """
    timing, clock = work.router.timing, work.services.clock
    deadline = clock.monotonic() + timing.healthy_s
    first = await _expect(work.session, root_dir)
    healthy_since: float | None = None
    while True:
        container = await _expect(work.session, root_dir)
        if not container.is_up or container.restart_count != first.restart_count:
            said = await log_tail(observer, container) or container.about or "its log says nothing"
            raise StepFailedError(
                f"{container.label} does not stay up: {said}",
                code="crash-loop",
                hint=f"mtts logs {work.router.name}; a corrected image is pulled by: mtts deploy {work.router.name}",
            )
        health = await observer.quick(container, since=since)
        now = clock.monotonic()
        if health is not None and health.is_healthy and container.probe != "unhealthy":
            if healthy_since is None:
                healthy_since = now
                on_first()
            if now - healthy_since >= timing.observe_s:
                best = await _best(observer, container, health)
                if best.is_healthy:
                    _expect_identity(work, best, node_id)
                    return best
                health, healthy_since = best, None
        else:
            healthy_since = None
        if healthy_since is None and now > deadline:
            raise _not_healthy(work, container, health)
        work.tell(Kind.WAITING, _waiting(health, observed_s=None if healthy_since is None else now - healthy_since))
        await clock.sleep(timing.poll_s)


async def _best(observer: NodeObserver, container: ContainerRow, seen: Health) -> Health:
    if seen.evidence is Evidence.STATUS:
        return seen
    return await observer.status(container) or seen


def _expect_identity(work: NodeWork, health: Health, node_id: str | None) -> None:
    if node_id is not None and health.node_id is not None and health.node_id != node_id:
        raise StepFailedError(
            f"node {work.node.name} came back as another node of the tailnet ({health.node_id}, not {node_id})",
            code="identity-lost",
            hint=f"look at the mounts of its container: mtts plan {work.router.name}",
        )


def _waiting(health: Health | None, *, observed_s: float | None) -> str:
    if observed_s is not None:
        return f"online, observed for {observed_s:.0f} s"
    return f"waiting for the node: {health.backend_state if health else 'nothing known yet'}"


def _not_healthy(work: NodeWork, container: ContainerRow, health: Health | None) -> StepFailedError:
    if health is not None and health.needs_login:
        return StepFailedError(
            f"node {work.node.name} says {health.backend_state}: its auth key was missing, refused or expired",
            code="needs-login",
            hint=f"put a fresh key where the inventory points, then: mtts login {work.router.name}",
        )
    if container.probe == "unhealthy":
        return StepFailedError(
            "RouterOS' health check says unhealthy", code="not-healthy", hint=f"mtts logs {work.router.name}"
        )
    state = health.backend_state if health else "nothing at all"
    return StepFailedError(
        f"node {work.node.name} says {state} after {work.router.timing.healthy_s:g} s",
        code="not-healthy",
        hint=f"mtts logs {work.router.name}",
    )


async def _expect(session: RouterSession, root_dir: str) -> ContainerRow:
    container = await find(session, root_dir)
    if container is None:
        raise StepFailedError(
            f"the container at {root_dir} is gone", code="changed-underway", hint="run the command again"
        )
    return container


async def _command(session: RouterSession, path: str, container: ContainerRow) -> str:
    """Send it and return the trap's words, if any: whether it worked is seen in the container's state."""
    return await _trapped(partial(session.command, path, {".id": container.id}))


async def _trapped(send: Callable[[], Awaitable[object]]) -> str:
    try:
        await send()
    except CommandTrappedError as trap:
        if trap.problem.code == "not-permitted":
            raise
        return trap.text
    return ""


async def _room(session: RouterSession) -> tuple[int | None, int | None]:
    """Free flash and free memory: what moves while an image is pulled and unpacked."""
    rows = await session.print("/system/resource", props=("version", "free-hdd-space", "free-memory"))
    known: Resource | None = resource(rows[0]) if rows else None
    return (None, None) if known is None else (known.free_flash_bytes, known.free_memory_bytes)


async def log_tail(observer: NodeObserver, container: ContainerRow) -> str:
    """The last lines of a container's log as one; empty where it has none."""
    return "; ".join(message for _, message in (await observer.log(container))[-_LOG_TAIL:])
