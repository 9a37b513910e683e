"""`mtts history`."""

from typing import Annotated, Final

import typer

from mtts.cli.options import Targets, settings_of, takes_targets

_UNFINISHED: Final = 3
"""The last runs that were killed, or go on: enough to know of them."""


@takes_targets
def history(
    context: typer.Context,
    named: Targets,
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="How many results.", show_default=True)
    ] = 20,
) -> None:
    """Show what earlier runs did to routers, newest first; all routers where none is named. Contacts none of them."""
    import asyncio  # noqa: PLC0415 - --help stays light
    import time  # noqa: PLC0415
    import uuid  # noqa: PLC0415

    from mtts.cli.runner import Finished, conclude, routers_named  # noqa: PLC0415
    from mtts.cli.wiring import inventory_for, set_up_logging, store_for  # noqa: PLC0415
    from mtts.report.history import History, history_json, history_lines  # noqa: PLC0415

    settings, started_s = settings_of(context), time.time()
    redactor = set_up_logging(settings.verbose)
    routers = routers_named(inventory_for(settings), named.or_all())
    names = [router.name for router in routers]
    with store_for(settings) as store:

        async def read() -> History:
            results = await store.history(names, limit=limit)
            since_s = min((past.run.started_s for past in results), default=started_s)
            return History(
                results, await store.samples(names, since_s=since_s), await store.unfinished(limit=_UNFINISHED)
            )

        found = asyncio.run(read())
    finished: Finished[object] = Finished(
        uuid.uuid4().hex, "history", started_s, routers, (), (), was_interrupted=False, redact=redactor.redact
    )
    conclude(settings, finished, history_lines(found), details=history_json(found))
