"""`mtts plan`."""

from pathlib import Path
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def plan(
    context: typer.Context,
    named: Targets,
    *,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over a container that was set up by hand.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the plan to a file for deploy --plan.")] = None,
) -> None:
    """Show what a deploy would change, with the RouterOS command of each change; writes nothing to a router."""
    from mtts.adapters.whole_file import write_whole  # noqa: PLC0415
    from mtts.cli.runner import conclude, over_fleet  # noqa: PLC0415 - --help stays light
    from mtts.core import plan_file  # noqa: PLC0415
    from mtts.engine.inspect import plan_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    finished = over_fleet(
        settings,
        "plan",
        named,
        lambda services, router: plan_router(services, router, adopt=adopt),
    )
    plans = finished.found
    if out is not None:
        write_whole(out, plan_file.dumps(plans))
    shown = [renderable for plan in plans for renderable in lines.plan(plan)]
    planned = {plan.router for plan in plans}
    unplanned = [result for result in finished.results if result.router not in planned]
    conclude(
        settings,
        finished,
        [*shown, *lines.problems(unplanned)],
        details={"plans": [plan_file.document(plan) for plan in plans]},
    )
