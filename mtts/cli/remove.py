"""`mtts remove`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def remove(
    context: typer.Context,
    named: Targets,
    *,
    purge_identity: Annotated[
        bool, typer.Option("--purge-identity", help="Delete the state directory too: the node is lost for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take everything of ours off routers; the node's identity stays unless asked."""
    from mtts.cli.approval import ask, require_yes, stop_if_interrupted  # noqa: PLC0415 - --help stays light
    from mtts.cli.runner import bare, conclude, over_fleet  # noqa: PLC0415
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.core.plan import Plan  # noqa: PLC0415
    from mtts.engine.operate import plans_of_removal, remove_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    approved: Sequence[Plan] | None = None
    if not yes:
        require_yes("mtts remove takes nodes off routers, and nobody is here to confirm it")
    with sole_writer(settings, "remove") as store:
        if not yes:
            planned = over_fleet(
                settings,
                "remove",
                named,
                lambda services, router: plans_of_removal(services, router, purge_identity=purge_identity),
            )
            stop_if_interrupted(planned)
            approved = planned.found
            if any(plan.changes for plan in approved):
                ask(settings, approved, "Remove all this?")
        finished = over_fleet(
            settings,
            "remove",
            named,
            bare(
                lambda services, router: remove_router(
                    services, router, purge_identity=purge_identity, approved=approved
                )
            ),
            store=store,
        )
    conclude(settings, finished, lines.results(finished.results))
