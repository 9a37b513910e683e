"""`mtts login`."""

from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def login(
    context: typer.Context,
    named: Targets,
    *,
    reauth: Annotated[bool, typer.Option("--reauth", help="Log in anew even where the node is online.")] = False,
) -> None:
    """Log nodes in with the inventory's auth key where they wait for a login."""
    from mtts.cli.runner import bare, conclude, over_fleet  # noqa: PLC0415 - --help stays light
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.engine.operate import login_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    with sole_writer(settings, "login") as store:
        finished = over_fleet(
            settings,
            "login",
            named,
            bare(lambda services, router: login_router(services, router, reauth=reauth)),
            store=store,
        )
    conclude(settings, finished, lines.results(finished.results))
