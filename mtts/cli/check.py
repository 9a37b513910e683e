"""`mtts check`."""

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def check(context: typer.Context, named: Targets) -> None:
    """Look at every precondition of a deploy, and say what mends each problem; writes nothing."""
    from mtts.cli.runner import conclude, over_fleet  # noqa: PLC0415 - --help stays light
    from mtts.engine.inspect import check_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415
    from mtts.report.document import check_json  # noqa: PLC0415

    settings = settings_of(context)
    finished = over_fleet(settings, "check", named, check_router)
    checked = {(checks.router, checks.node) for checks in finished.found}
    unchecked = [result for result in finished.results if (result.router, result.node) not in checked]
    shown = [line for checks in finished.found for line in lines.checks(checks.router, checks.node, checks.checks)]
    conclude(
        settings,
        finished,
        [*shown, *lines.problems(unchecked)],
        details={"checks": [check_json(checks.router, checks.node, checks.checks) for checks in finished.found]},
    )
