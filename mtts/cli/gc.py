"""`mtts gc`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def gc(
    context: typer.Context,
    named: Targets,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it without asking.")] = False,
) -> None:
    """List what interrupted runs left on routers, and remove exactly that once somebody says yes.

    Without --yes and without a terminal it only lists, and exits with 3 where there is anything.
    """
    from mtts.cli.approval import ask, is_terminal, stop_if_interrupted  # noqa: PLC0415 - --help stays light
    from mtts.cli.runner import bare, conclude, over_fleet  # noqa: PLC0415
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.core import plan_file  # noqa: PLC0415
    from mtts.core.plan import Plan  # noqa: PLC0415
    from mtts.engine.collect import collect_router, plans_of_collection  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    approved: Sequence[Plan] | None = None
    with sole_writer(settings, "gc") as store:
        if not yes:
            listed = over_fleet(settings, "gc", named, plans_of_collection)
            stop_if_interrupted(listed)
            approved = listed.found
            if not is_terminal() or not any(plan.changes for plan in approved):
                shown = [line for plan in approved for line in lines.plan(plan)]
                planned = {(plan.router, plan.node) for plan in approved}
                unplanned = [result for result in listed.results if (result.router, result.node) not in planned]
                conclude(
                    settings,
                    listed,
                    [*shown, *lines.problems(unplanned)],
                    details={"plans": [plan_file.document(plan) for plan in approved]},
                )
            ask(settings, approved, "Remove all this?")
        finished = over_fleet(
            settings,
            "gc",
            named,
            bare(lambda services, router: collect_router(services, router, approved=approved)),
            store=store,
        )
    conclude(settings, finished, lines.results(finished.results))
