"""`mtts logs`."""

from functools import partial
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def logs(
    context: typer.Context,
    named: Targets,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until Ctrl-C.")] = False,
) -> None:
    """Print the logs of nodes, as their routers keep them."""
    from mtts.cli.runner import conclude, over_fleet, print_result  # noqa: PLC0415 - --help stays light
    from mtts.cli.wiring import set_up_logging  # noqa: PLC0415
    from mtts.core.text import printable  # noqa: PLC0415
    from mtts.engine.fleet import Drain  # noqa: PLC0415
    from mtts.engine.inspect import log_router  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    redactor = set_up_logging(settings.verbose)
    drain = Drain()

    def goes_on() -> bool:
        return follow and not drain.requested

    def show(router: str, node: str, message: str) -> None:
        if not settings.json:
            print_result(f"{router}/{node}: {redactor.redact(printable(message))}")

    finished = over_fleet(
        settings,
        "logs",
        named,
        lambda services, router: log_router(services, router, follow=goes_on, show=partial(show, router.name)),
        redactor=redactor,
        drain=drain,
    )
    details = {"logs": [{"router": log.router, "node": log.node, "lines": log.lines} for log in finished.found]}
    conclude(settings, finished, lines.problems(finished.results), details=details)
