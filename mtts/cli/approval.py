"""What a person or a plan file has to say before something is done."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from mtts.cli.options import Settings, Targets
from mtts.cli.runner import Finished, over_fleet
from mtts.core.errors import InterruptedRunError, UsageError
from mtts.core.outcome import EXIT_INTERRUPTED
from mtts.core.plan import Plan
from mtts.core.plan_file import loads
from mtts.engine.inspect import plan_router
from mtts.report import lines


def read_plan_file(path: Path) -> tuple[Plan, ...]:
    """The plans that were approved."""
    try:
        return loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {type(error).__name__}", code="plan-file-invalid") from error


def approve_disruption(settings: Settings, named: Targets, *, adopt: bool) -> tuple[Plan, ...] | None:
    """At a terminal, show plans that interrupt a running node and ask; what was approved is what is applied.

    None where nobody had to be asked: elsewhere than at a terminal the inventory is the order.
    """
    if not is_terminal():
        return None
    planned = over_fleet(
        replace(settings, quiet=True),
        "plan",
        named,
        lambda services, router: plan_router(services, router, adopt=adopt),
    )
    stop_if_interrupted(planned)
    disruptive = [plan for plan in planned.found if plan.disrupts and not plan.refusals]
    if not disruptive:
        return None
    ask(settings, disruptive, "These nodes are off the tailnet for a moment. Go on?")
    return tuple(planned.found)


def stop_if_interrupted(planned: Finished[Plan]) -> None:
    """Ctrl-C while plans were made is a no to them."""
    if planned.was_interrupted:
        raise InterruptedRunError("stopped before anything was changed", hint="run the command again")


def is_terminal() -> bool:
    """Whether somebody is there to be asked; some supervisors close standard input altogether."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(settings: Settings, plans: Sequence[Plan], question: str) -> None:
    """Show the plans on stderr and have them confirmed; a no ends the command."""
    console = lines.stderr_console(no_color=settings.no_color)
    for plan in plans:
        for renderable in lines.plan(plan):
            console.print(renderable, soft_wrap=True)
    if not typer.confirm(question, err=True):
        raise typer.Exit(EXIT_INTERRUPTED)


def require_yes(question: str) -> None:
    """Refuse to destroy anything unasked where there is nobody to ask."""
    if not is_terminal():
        raise UsageError(question, code="confirmation-needed", hint="add --yes")
