"""The options that say how a release goes out over several routers."""

from typing import Annotated, Final

import typer

from mtts.cli.options import gathers
from mtts.core.rollout import Rollout, Share, parse_serial


def _rollout(
    *,
    canary: Annotated[
        int,
        typer.Option("--canary", min=0, metavar="N", show_default=False, help="Routers to begin with (1); 0 for none."),
    ] = 1,
    serial: Annotated[
        str,
        typer.Option("--serial", metavar="SIZES", show_default=False, help="Waves after that, e.g. 1,10%,100% (100%)."),
    ] = "100%",
    max_fail: Annotated[
        str,
        typer.Option("--max-fail", metavar="N|P%", show_default=False, help="Failed routers that do not stop it (0)."),
    ] = "0",
) -> Rollout:
    try:
        sizes = parse_serial(serial)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--serial") from error
    try:
        budget = Share.parse(max_fail)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-fail") from error
    return Rollout(canary, sizes, budget)


takes_rollout: Final = gathers("rollout", _rollout)
"""Gives a command the options of a rollout, as the argument `rollout`."""
