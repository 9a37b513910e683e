"""The `mtts` command: its sub-commands, and what happens to errors that reach the top."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from mtts import __version__
from mtts.cli import (
    check,
    deploy,
    flash_report,
    gc,
    history,
    init,
    lab,
    login,
    logs,
    plan,
    remove,
    resume,
    rollback,
    schema,
    script,
    status,
    trust,
    update,
)
from mtts.cli.options import Settings, takes_globals
from mtts.core.errors import InterruptedRunError, LockHeldError, MttsError, Problem, StoreError, UsageError
from mtts.core.outcome import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_LOCKED, EXIT_USAGE

_LOG = logging.getLogger(__name__)

_CommandLineError: Any = typer.BadParameter.__mro__[2]
"""What the option parser raises; typer exports only this descendant of it."""

app = typer.Typer(
    name="mtts",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help reads as well, and starts twice as fast
)

_COMMANDS: Final[Mapping[str, tuple[Callable[..., None], str]]] = {
    "init": (init.init, "Write an inventory to start from."),
    "check": (check.check, "Look at every precondition of a deploy."),
    "plan": (plan.plan, "Show what a deploy would change."),
    "deploy": (deploy.deploy, "Bring nodes to the inventory's state and log them in."),
    "update": (update.update, "Swap containers whose image changed; made for cron."),
    "rollback": (rollback.rollback, "Swap nodes back to the release that they ran before."),
    "resume": (resume.resume, "Finish or undo updates that were interrupted."),
    "status": (status.status, "Show how nodes stand, and what their image is now."),
    "flash-report": (flash_report.flash_report, "Show what updates cost in flash, and what is left."),
    "history": (history.history, "Show what earlier runs did."),
    "login": (login.login, "Log nodes in that wait for a login."),
    "logs": (logs.logs, "Print the logs of nodes."),
    "gc": (gc.gc, "List and remove what interrupted runs left on routers."),
    "remove": (remove.remove, "Take everything of ours off routers."),
    "trust": (trust.trust, "Show and pin the routers' TLS certificates."),
    "script": (script.script, "Print RouterOS commands to paste, or a router's own updater."),
    "schema": (schema.schema, "Print the inventory's JSON Schema."),
}
for _name, (_command, _short_help) in _COMMANDS.items():
    app.command(_name, short_help=_short_help)(takes_globals(_command))
app.add_typer(lab.app, name="lab")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mtts {__version__}")
        raise typer.Exit


@app.callback()
@takes_globals
def _root(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Deploys a small Tailscale container on MikroTik RouterOS routers, and looks after it."""
    del context, version  # both have been taken care of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    settings = Settings()
    try:
        code = app(args=words, obj=settings, prog_name="mtts", standalone_mode=False)
    except _CommandLineError as error:
        settings.json = settings.json or "--json" in words  # it may not have been read yet
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            return EXIT_USAGE
        return _tell(settings, Problem("usage", error.format_message(), "mtts --help"), EXIT_USAGE)
    except typer.Abort:
        return _tell(settings, Problem("interrupted", "stopped; nothing was changed"), EXIT_INTERRUPTED)
    except MttsError as error:
        return _tell(settings, error.problem, _exit_code(error))
    except OSError as error:
        _LOG.debug("an operating system error", exc_info=True)
        problem = Problem("internal", f"this machine refuses: {error.strerror or type(error).__name__}")
        return _tell(settings, problem, EXIT_INTERNAL)
    except Exception as error:  # noqa: BLE001 - boundary: people get a sentence, -vv gets the traceback
        _LOG.debug("a fault in mtts", exc_info=True)
        message = f"a fault in mtts: {type(error).__name__}"
        return _tell(settings, Problem("internal", message, "please report it, with what -vv prints"), EXIT_INTERNAL)
    return code if isinstance(code, int) else 0


def _exit_code(error: MttsError) -> int:
    """For errors outside a run over the fleet; inside one, every node has an outcome."""
    match error:
        case UsageError() | StoreError():
            return EXIT_USAGE
        case LockHeldError():
            return EXIT_LOCKED
        case InterruptedRunError():
            return EXIT_INTERRUPTED
        case _:
            return EXIT_INTERNAL


def _tell(settings: Settings, problem: Problem, code: int) -> int:
    if settings.json:
        from mtts.report.document import failure, to_text  # noqa: PLC0415 - only when something went wrong

        typer.echo(to_text(failure(problem, code)))
        return code
    from mtts.core.text import printable  # noqa: PLC0415 - only when something went wrong

    lines = [printable(line) for line in problem.message.splitlines()]
    hint = [f"hint: {printable(problem.hint)}"] if problem.hint else []
    typer.echo("\n".join([f"mtts: {lines[0]} [{problem.code}]", *lines[1:], *hint]), err=True)
    return code
