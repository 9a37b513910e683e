"""`mtts deploy`."""

from pathlib import Path
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def deploy(
    context: typer.Context,
    named: Targets,
    *,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over a container that was set up by hand.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even where a node is interrupted.")] = False,
    plan: Annotated[Path | None, typer.Option("--plan", help="Apply exactly this plan, or refuse.")] = None,
) -> None:
    """Bring nodes to the inventory's state and log them in; run again, it changes nothing."""
    from mtts.cli.approval import approve_disruption, read_plan_file  # noqa: PLC0415 - --help stays light
    from mtts.cli.runner import bare, conclude, over_fleet  # noqa: PLC0415
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.engine.deploy import deploy_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    approved = read_plan_file(plan) if plan is not None else None
    with sole_writer(settings, "deploy") as store:
        if approved is None and not yes:
            approved = approve_disruption(settings, named, adopt=adopt)
        finished = over_fleet(
            settings,
            "deploy",
            named,
            bare(lambda services, router: deploy_router(services, router, adopt=adopt, approved=approved)),
            store=store,
        )
    conclude(settings, finished, lines.results(finished.results))
