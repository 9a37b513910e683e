"""`mtts script`."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


class Kind(StrEnum):
    """What a script is for."""

    BOOTSTRAP = "bootstrap"
    PROVISION = "provision"
    UPDATER = "updater"


@takes_targets
def script(
    context: typer.Context,
    named: Targets,
    *,
    kind: Annotated[
        Kind,
        typer.Option("--kind", help="Let mtts in, deploy by hand, or have the router update itself."),
    ] = Kind.BOOTSTRAP,
) -> None:
    """Print RouterOS commands to paste or to import; writes nothing to a router."""
    from mtts.adapters.scripts import read_script  # noqa: PLC0415 - --help stays light
    from mtts.cli.runner import UseCase, conclude, over_fleet, print_result  # noqa: PLC0415
    from mtts.cli.wiring import anonymous_way_for  # noqa: PLC0415
    from mtts.engine import scripting  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    use_cases: dict[Kind, UseCase[scripting.Script]] = {
        Kind.BOOTSTRAP: scripting.bootstrap,
        Kind.PROVISION: scripting.provision,
        Kind.UPDATER: partial(
            scripting.updater, template=read_script("update-tailscale"), way=anonymous_way_for(settings)
        ),
    }
    finished = over_fleet(settings, "script", named, use_cases[kind])
    if not settings.json and finished.found:
        print_result(finished.redact("\n".join(found.text for found in finished.found)).removesuffix("\n"))
    scripts = [{"router": found.router, "node": found.node, "text": found.text} for found in finished.found]
    conclude(settings, finished, lines.problems(finished.results), details={"scripts": scripts})
