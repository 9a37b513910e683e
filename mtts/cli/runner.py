"""Runs a use case over the routers that were named: events, Ctrl-C, results, document, exit code."""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import typer
from rich.console import RenderableType

from mtts import __version__
from mtts.adapters.redaction import Redactor
from mtts.cli.options import Settings, Targets
from mtts.cli.wiring import inventory_for, services_for, set_up_logging
from mtts.core.errors import InterruptedRunError, MttsError
from mtts.core.events import Event
from mtts.core.inventory import Inventory, Router, select_routers
from mtts.core.ledger import PastRun
from mtts.core.outcome import NodeResult, Outcome, exit_code
from mtts.engine.fleet import Drain, Fleet
from mtts.engine.recording import Recording
from mtts.engine.services import Services
from mtts.ports import Store
from mtts.report import lines
from mtts.report.document import Run, document, to_text
from mtts.report.live import progress

Found = TypeVar("Found")
UseCase = Callable[[Services, Router], Awaitable[Sequence[tuple[NodeResult, Found | None]]]]
Drive = Callable[[Fleet, Services, Sequence[Router]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Finished(Generic[Found]):
    """What a run over a fleet brought: a result per node, and what the use case found for each."""

    run_id: str
    command: str
    started_s: float
    routers: Sequence[Router]
    results: Sequence[NodeResult]
    found: Sequence[Found]
    was_interrupted: bool
    redact: Callable[[str], str]

    @property
    def exit_code(self) -> int:
        return exit_code(self.results, was_interrupted=self.was_interrupted)


def routers_named(inventory: Inventory, named: Targets) -> Sequence[Router]:
    """The routers that the command line names; UsageError where it names none, or one that is not there."""
    return select_routers(
        inventory,
        patterns=named.patterns,
        groups=named.groups,
        everything=named.everything,
        exclude=named.exclude,
    )


def over_fleet(
    settings: Settings,
    command: str,
    named: Targets,
    use_case: UseCase[Found],
    *,
    redactor: Redactor | None = None,
    drain: Drain | None = None,
    store: Store | None = None,
) -> Finished[Found]:
    """Run `use_case` on every named router, side by side; see `drive_fleet`."""
    found: dict[str, Sequence[Found]] = {}

    async def drive(fleet: Fleet, services: Services, routers: Sequence[Router]) -> None:
        async def work(router: Router) -> Sequence[NodeResult]:
            pairs = await use_case(services, router)
            found[router.name] = [value for _, value in pairs if value is not None]
            return [result for result, _ in pairs]

        await fleet.run(routers, work)

    finished = drive_fleet(settings, command, named, drive, redactor=redactor, drain=drain, store=store)
    values = [value for router in finished.routers for value in found.get(router.name, ())]
    return replace(finished, found=values)


def drive_fleet(
    settings: Settings,
    command: str,
    named: Targets,
    drive: Drive,
    *,
    redactor: Redactor | None = None,
    drain: Drain | None = None,
    store: Store | None = None,
) -> Finished[Any]:
    """Have `drive` lead the named routers through its waves; UsageError, StoreError before anything was contacted.

    A use case that prints by itself brings the `redactor` that it prints through; one that has no end of its own
    brings the `drain` that ends it; one that writes to routers brings the `store` that it is recorded in.
    """
    inventory = inventory_for(settings)
    routers = routers_named(inventory, named)
    redactor = redactor or set_up_logging(settings.verbose)
    redact = redactor.redact
    past = PastRun(uuid.uuid4().hex, command, time.time(), __version__)
    drain = drain or Drain()
    recording = Recording(store, past, redact=redact) if store else None

    async def run() -> Sequence[NodeResult]:
        if recording:
            await recording.begin()
        with progress(quiet=settings.quiet, verbosity=settings.verbose, no_color=settings.no_color) as show:

            def emit(event: Event) -> None:
                show(replace(event, text=redact(event.text)))

            async with services_for(
                inventory, settings, run_id=past.run_id, redactor=redactor, emit=emit, store=store
            ) as services:
                afterwards = partial(recording.follow, services, drain) if recording else None
                async with Fleet(emit=emit, parallel=settings.parallel, drain=drain, afterwards=afterwards) as fleet:
                    await drive(fleet, services, routers)
        results = fleet.results(routers)
        if recording is None:
            return results
        code = exit_code(results, was_interrupted=drain.requested)
        return await recording.finish(results, finished_s=time.time(), exit_code=code)

    results = run_interruptibly(run, drain)
    if drain.skipped:
        sys.stderr.write(f"not begun: {', '.join(drain.skipped)}\n")
    return Finished(past.run_id, command, past.started_s, routers, results, (), drain.requested, redact)


def run_interruptibly(work: Callable[[], Awaitable[Any]], drain: Drain) -> Any:
    """The one `asyncio.run`: the first Ctrl-C lets what runs end, the second one cancels it."""

    async def main() -> Any:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()

        def interrupted() -> None:
            if drain.requested:
                task.cancel()
                return
            drain.requested = True
            sys.stderr.write("finishing what has begun; Ctrl-C again stops at once\n")

        loop.add_signal_handler(signal.SIGINT, interrupted)
        try:
            return await task
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise _stopped_at_once(drain) from None


def _stopped_at_once(drain: Drain) -> InterruptedRunError:
    if not drain.underway:
        return InterruptedRunError("stopped; no router was being worked on", hint="run the command again to go on")
    return InterruptedRunError(
        f"stopped in the middle of {', '.join(drain.underway)}: nodes there may be down",
        hint="run the command again now; it reads first, and finishes or undoes the rest",
    )


def conclude(
    settings: Settings,
    finished: Finished[Any],
    shown: Iterable[RenderableType],
    *,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Print the result, as people or programs want it, and exit with the code that it asks for."""
    code = finished.exit_code
    if settings.json:
        print_result(finished.redact(json_text(finished, details)))
    elif not (settings.quiet and is_all_quiet(finished.results)):
        console = lines.stdout_console(no_color=settings.no_color)
        with console.capture() as captured:
            for renderable in shown:
                console.print(renderable, soft_wrap=True)
        if captured.get():
            print_result(finished.redact(captured.get()).removesuffix("\n"))
    raise typer.Exit(code)


def json_text(finished: Finished[Any], details: Mapping[str, Any] | None) -> str:
    """The run as its one JSON document, ended now; not redacted."""
    code, ended_s = finished.exit_code, time.time()
    run = Run(finished.run_id, finished.command, finished.started_s, ended_s, finished.results, code)
    return to_text(document(run, details=details))


def print_result(text: str) -> None:
    """Write to stdout; a reader that went away (`| head`) ends the output, not the work."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise MttsError(f"the result cannot be written: {error.strerror}", code="output-unwritable") from error


def is_all_quiet(results: Sequence[NodeResult]) -> bool:
    """Whether nothing happened and nothing needs a look: what cron should not mail."""
    return all(
        result.outcome is Outcome.NO_OP and not result.changes_pending and not result.warnings for result in results
    )


def bare(
    use_case: Callable[[Services, Router], Awaitable[Sequence[NodeResult]]],
) -> UseCase[object]:
    """A use case that brings nothing but results."""

    async def paired(services: Services, router: Router) -> Sequence[tuple[NodeResult, object | None]]:
        return [(result, None) for result in await use_case(services, router)]

    return paired
