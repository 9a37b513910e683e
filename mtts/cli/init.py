"""`mtts init`."""

from pathlib import Path
from typing import Annotated

import typer

from mtts.cli.options import settings_of

DEFAULT_IMAGE = "registry.example.net/team/mikrotik-tailscale:stable"


def init(
    context: typer.Context,
    *,
    router: Annotated[list[str] | None, typer.Option("--router", metavar="NAME=HOST", help="A router; repeat.")] = None,
    image: Annotated[str | None, typer.Option("--image", help="The image to run.")] = None,
    login_server: Annotated[str | None, typer.Option("--login-server", help="Headscale's URL.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="tag:NAME", help="A tag; repeat.")] = None,
) -> None:
    """Write a commented inventory.yaml to start from; never overwrites one."""
    from mtts.adapters.inventory.template import render_inventory  # noqa: PLC0415 - --help stays light
    from mtts.cli.approval import is_terminal  # noqa: PLC0415
    from mtts.core.errors import UsageError  # noqa: PLC0415

    path = Path(settings_of(context).inventory or "inventory.yaml")
    if path.exists():
        raise UsageError(f"{path} exists and is left as it is", code="inventory-exists", hint="name another with -i")
    given = list(router or ())
    if is_terminal():
        given = given or [_ask_router()]
        image = image or typer.prompt("Image", default=DEFAULT_IMAGE, err=True)
    routers = dict(_name_and_host(entry) for entry in given or ["router1=192.168.88.1"])
    text = render_inventory(
        routers=routers, image=image or DEFAULT_IMAGE, login_server=login_server, tags=tuple(tag or ())
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists and is left as it is", code="inventory-exists") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", code="inventory-unreadable") from error
    typer.echo(f"wrote {path}; next: mtts trust {next(iter(routers))}")


def _ask_router() -> str:
    name = typer.prompt("Name of the first router", default="router1", err=True)
    host = typer.prompt("Its address", default="192.168.88.1", err=True)
    return f"{name}={host}"


def _name_and_host(entry: str) -> tuple[str, str]:
    name, _, host = entry.partition("=")
    if not (name and host):
        raise typer.BadParameter(f"{entry!r} is not NAME=HOST", param_hint="--router")
    return name, host
