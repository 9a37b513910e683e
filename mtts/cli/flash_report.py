"""`mtts flash-report`."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtts.cli.options import Settings, Targets, seconds, settings_of, takes_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtts.cli.runner import Finished
    from mtts.core.flash_history import FlashReport
    from mtts.core.inventory import Router
    from mtts.engine.fleet import Fleet
    from mtts.engine.services import Services

_SINCE_S = 90 * 86400.0


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    PROM = "prom"


@takes_targets
def flash_report(
    context: typer.Context,
    named: Targets,
    *,
    since: Annotated[
        float | None,
        typer.Option("--since", parser=seconds, metavar="DURATION", help="How far back (90d).", show_default=False),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="How it is written (table).", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to a file, whole or not at all.")] = None,
) -> None:
    """Report what updates cost in flash, what is left and how it wears; of all routers where none is named."""
    import time  # noqa: PLC0415 - --help stays light
    import uuid  # noqa: PLC0415

    from mtts import __version__  # noqa: PLC0415
    from mtts.adapters.whole_file import check_writable  # noqa: PLC0415
    from mtts.cli.runner import drive_fleet  # noqa: PLC0415
    from mtts.cli.wiring import store_for  # noqa: PLC0415
    from mtts.core.ledger import PastRun  # noqa: PLC0415
    from mtts.engine.flash_report import report_flash  # noqa: PLC0415
    from mtts.engine.fleet import Drain  # noqa: PLC0415

    settings = settings_of(context)
    form = _form(settings, form)
    if form is Format.PROM and since is not None:
        raise typer.BadParameter("prom counts from the beginning; leave --since out")
    if out is not None:
        check_writable(out)
    run = PastRun(uuid.uuid4().hex, "flash-report", time.time(), __version__)
    since_s = None if form is Format.PROM else run.started_s - (since or _SINCE_S)
    made: list[FlashReport] = []
    drain = Drain()
    with store_for(settings) as store:

        async def drive(fleet: "Fleet", services: "Services", routers: "Sequence[Router]") -> None:
            made.append(
                await report_flash(fleet, services, routers, store=store, run=run, since_s=since_s, drain=drain)
            )

        finished = drive_fleet(settings, run.command, named.or_all(), drive, drain=drain)
    warnings = {history.router: history.warnings for history in made[0].histories}
    results = [replace(result, warnings=warnings.get(result.router, ())) for result in finished.results]
    _deliver(settings, replace(finished, run_id=run.run_id, results=results), made[0], form=form, out=out)


def _form(settings: Settings, form: Format | None) -> Format:
    if settings.json and form not in (None, Format.JSON):
        raise typer.BadParameter(f"--json and --format {form} say different things")
    return Format.JSON if settings.json else form or Format.TABLE


def _deliver(
    settings: Settings, finished: "Finished[Any]", report: "FlashReport", *, form: Format, out: Path | None
) -> None:
    """Print the report, or write it to a file, and exit."""
    from mtts.adapters.whole_file import write_whole  # noqa: PLC0415 - --help stays light
    from mtts.cli.runner import conclude, print_result  # noqa: PLC0415
    from mtts.report.flash_table import flash_table  # noqa: PLC0415

    if form is Format.TABLE and out is None:
        conclude(settings, finished, flash_table(report, finished.results))
    text = finished.redact(_text(finished, report, form))
    if out is None:
        print_result(text.removesuffix("\n"))
    else:
        write_whole(out, text)
    raise typer.Exit(finished.exit_code)


def _text(finished: "Finished[Any]", report: "FlashReport", form: Format) -> str:
    """The whole report; what renders it is loaded here, since most forms need little."""
    match form:
        case Format.TABLE:
            from mtts.report.flash_table import flash_text  # noqa: PLC0415

            return flash_text(report, finished.results)
        case Format.JSON:
            from mtts.cli.runner import json_text  # noqa: PLC0415
            from mtts.report.flash_json import flash_json  # noqa: PLC0415

            return json_text(finished, {"flash": flash_json(report)}) + "\n"
        case Format.CSV:
            from mtts.report.flash_json import flash_csv  # noqa: PLC0415

            return flash_csv(report)
        case Format.HTML:
            from mtts.report.flash_page import flash_page  # noqa: PLC0415

            return flash_page(report, [(each.router, each.problem) for each in finished.results if each.problem])
        case Format.PROM:
            from mtts.report.flash_prom import flash_prom  # noqa: PLC0415

            return flash_prom(report)
