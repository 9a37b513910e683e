"""`mtts trust`."""

import sys
from typing import Annotated

import typer

from mtts.cli.options import Targets, settings_of, takes_targets


@takes_targets
def trust(
    context: typer.Context,
    named: Targets,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Pin without asking.")] = False,
) -> None:
    """Show the TLS certificates' SHA-256 fingerprints and pin them in the inventory."""
    from pathlib import Path  # noqa: PLC0415 - --help stays light

    from mtts.adapters.inventory.pin import pin_fingerprint  # noqa: PLC0415
    from mtts.cli.approval import require_yes  # noqa: PLC0415
    from mtts.cli.runner import conclude, over_fleet  # noqa: PLC0415
    from mtts.cli.wiring import inventory_for, show_fingerprint  # noqa: PLC0415
    from mtts.report import lines  # noqa: PLC0415

    settings = settings_of(context)
    finished = over_fleet(settings, "trust", named, show_fingerprint)
    inventory = inventory_for(settings)
    for shown in finished.found:
        typer.echo(f"{shown.router}: {shown.fingerprint}{shown.remark}", err=settings.json)
        if shown.is_pinned:
            continue
        if not yes:
            require_yes(f"the certificate of {shown.router} is not pinned, and nobody is here to judge it")
            sys.stdout.flush()
            if not typer.confirm(f"Is this what {shown.router} itself shows, and shall it be pinned?", err=True):
                continue
        pin_fingerprint(Path(inventory.path), shown.router, shown.fingerprint)
    details = {"fingerprints": {shown.router: shown.fingerprint for shown in finished.found}}
    conclude(settings, finished, lines.problems(finished.results), details=details)
