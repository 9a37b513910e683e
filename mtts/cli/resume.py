"""`mtts resume`."""

from collections.abc import Sequence

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def resume(context: typer.Context, named: Targets) -> None:
    """Finish or undo updates that were interrupted, free routers that a killed run held, and do nothing else."""
    from mtts.cli.runner import conclude, drive_fleet  # noqa: PLC0415 - --help stays light
    from mtts.cli.wiring import sole_writer  # noqa: PLC0415
    from mtts.core.inventory import Router  # noqa: PLC0415
    from mtts.core.outcome import NodeResult  # noqa: PLC0415
    from mtts.engine.fleet import Fleet  # noqa: PLC0415
    from mtts.engine.quarantine import Quarantine  # noqa: PLC0415
    from mtts.engine.resume import resume_router  # noqa: PLC0415
    from mtts.engine.services import Services  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    with sole_writer(settings, "resume") as store:

        async def drive(fleet: Fleet, services: Services, routers: Sequence[Router]) -> None:
            quarantine = await Quarantine.load(store, services.clock)

            async def work(router: Router) -> list[NodeResult]:
                return await resume_router(services, quarantine, router)

            await fleet.run(routers, work)

        finished = drive_fleet(settings, "resume", named, drive, store=store)
    conclude(settings, finished, lines.results(finished.results))
