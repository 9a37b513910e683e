"""What a person or a plan file has to say before something is done."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from mtts.cli.options import Settings, Targets
from mtts.cli.runner import over_fleet
from mtts.core.errors import UsageError
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


def approve_disruption(settings: Settings, named: Targets, *, adopt: bool) -> tuple[Plan, ...]:
    """At a terminal, show plans that interrupt a running node and ask; what was approved is what is applied.

    Empty where nobody had to be asked: elsewhere than at a terminal the inventory is the order.
    """
    if not sys.stdin.isatty():
        return ()
    planned = over_fleet(
        replace(settings, quiet=True),
        "plan",
        named,
        lambda services, router: plan_router(services, router, adopt=adopt),
    )
    disruptive = [plan for plan in planned.found if plan.disrupts and not plan.refusals]
    if not disruptive:
        return ()
    ask(settings, disruptive, "These nodes are off the tailnet for a moment. Go on?")
    return tuple(planned.found)


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
    if not sys.stdin.isatty():
        raise UsageError(question, code="confirmation-needed", hint="add --yes")
