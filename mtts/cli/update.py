"""`mtts update`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets
from mtts.cli.rollout_options import takes_rollout
from mtts.core.rollout import Rollout


@takes_targets
@takes_rollout
def update(
    context: typer.Context,
    *,
    named: Targets,
    rollout: Rollout,
    check: Annotated[bool, typer.Option("--check", help="Only tell what would be done; exit 3 if anything.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Install a release that is in quarantine, too.")] = False,
    allow_downgrade: Annotated[
        bool, typer.Option("--allow-downgrade", help="Follow the image to an older release, too.")
    ] = False,
    allow_in_place: Annotated[
        bool, typer.Option("--allow-in-place", help="Where nothing else fits, have the node away for a whole pull.")
    ] = False,
) -> None:
    """Swap containers whose own platform's image changed; made for cron, with -q."""
    from mtts.cli.runner import conclude, drive_fleet  # noqa: PLC0415 - --help stays light
    from mtts.cli.wiring import sole_writer, store_for  # noqa: PLC0415
    from mtts.core.inventory import Router  # noqa: PLC0415
    from mtts.engine.fleet import Fleet  # noqa: PLC0415
    from mtts.engine.quarantine import Quarantine  # noqa: PLC0415
    from mtts.engine.services import Services  # noqa: PLC0415
    from mtts.engine.update import Update, UpdateOrder  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415
    from mtts.report.document import swap_json  # noqa: PLC0415

    settings = settings_of(context)
    order = UpdateOrder(
        rollout, check=check, force=force, allow_downgrade=allow_downgrade, allow_in_place=allow_in_place
    )
    with store_for(settings) if check else sole_writer(settings, "update") as store:

        async def drive(fleet: Fleet, services: Services, routers: Sequence[Router]) -> None:
            quarantine = await Quarantine.load(store, services.clock)
            await Update(services, order, quarantine).run(fleet, routers)

        finished = drive_fleet(settings, "update", named, drive, store=None if check else store)
    swaps = [swap for result in finished.results if (swap := swap_json(result)) is not None]
    conclude(settings, finished, lines.results(finished.results), details={"swaps": swaps} if check else None)
