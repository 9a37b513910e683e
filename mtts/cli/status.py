"""`mtts status`."""

import typer

from mtts.cli.options import AllOption, ExcludeOption, GroupOption, TargetArgument, settings_of, targets


def status(
    context: typer.Context,
    *,
    target: TargetArgument = None,
    everything: AllOption = False,
    group: GroupOption = None,
    exclude: ExcludeOption = None,
) -> None:
    """Show container, running and latest release, tailnet state and free flash of each node."""
    from mtts.cli.runner import conclude, over_fleet  # noqa: PLC0415 - --help stays light
    from mtts.engine.inspect import status_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415
    from mtts.report.document import status_json  # noqa: PLC0415

    settings = settings_of(context)
    finished = over_fleet(settings, "status", targets(target, everything, group, exclude), status_router)
    conclude(
        settings,
        finished,
        [*lines.statuses(finished.found), *lines.problems(finished.results)],
        details={"status": [status_json(status) for status in finished.found]},
    )
