"""`mtts status`."""

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def status(context: typer.Context, named: Targets) -> None:
    """Show container, running and latest release, tailnet state and free flash of each node."""
    from mtts.cli.runner import conclude, over_fleet  # noqa: PLC0415 - --help stays light
    from mtts.engine.inspect import status_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415
    from mtts.report.document import status_json  # noqa: PLC0415

    settings = settings_of(context)
    finished = over_fleet(settings, "status", named, status_router)
    conclude(
        settings,
        finished,
        [*lines.statuses(finished.found), *lines.problems(finished.results)],
        details={"status": [status_json(status) for status in finished.found]},
    )
