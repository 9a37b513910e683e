"""`mtts rollback`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def rollback(
    context: typer.Context,
    *,
    named: Targets,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION|DIGEST", help="That release rather than the one before.")
    ] = None,
) -> None:
    """Swap nodes back to the release that they ran before; updates leave out what was left so."""
    from mtts.cli.runner import conclude, drive_fleet  # noqa: PLC0415 - --help stays light
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.core.inventory import Router  # noqa: PLC0415
    from mtts.core.outcome import NodeResult  # noqa: PLC0415
    from mtts.core.rollback import Target  # noqa: PLC0415
    from mtts.engine.fleet import Fleet  # noqa: PLC0415
    from mtts.engine.quarantine import Quarantine  # noqa: PLC0415
    from mtts.engine.rollback import rollback_router  # noqa: PLC0415
    from mtts.engine.services import Services  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    target = Target.parse(to) if to is not None else None
    with sole_writer(settings, "rollback") as store:

        async def drive(fleet: Fleet, services: Services, routers: Sequence[Router]) -> None:
            quarantine = await Quarantine.load(store, services.clock)

            async def work(router: Router) -> list[NodeResult]:
                return await rollback_router(services, quarantine, router, to=target)

            await fleet.run(routers, work)

        finished = drive_fleet(settings, "rollback", named, drive, store=store)
    conclude(settings, finished, lines.results(finished.results))
