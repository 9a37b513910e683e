"""`mtts lab`: simulated routers and a registry, to try, teach and test with."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Simulated routers and a registry: try everything without a router.",
)

_StateOption = Annotated[
    Path | None, typer.Option("--lab-dir", metavar="DIR", help="Where the lab leaves its inventory and its address.")
]


@app.command("up")
def up(
    *,
    routers: Annotated[int, typer.Option("--routers", min=1, help="How many.")] = 1,
    version: Annotated[str, typer.Option("--version", help="Their RouterOS.")] = "7.23.3",
    arch: Annotated[
        Literal["arm", "arm64", "x86_64"], typer.Option("--arch", help="What they are built of.")
    ] = "arm64",
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=100_000, help="Simulated seconds per second.")] = 20.0,
    tailnet_path: Annotated[
        bool, typer.Option("--tailnet-path", help="Once a node is online, its router is reached through it alone.")
    ] = False,
    scenario: Annotated[
        Path | None, typer.Option("--scenario", metavar="FILE", help="Faults and when they happen, as YAML.")
    ] = None,
    lab_dir: _StateOption = None,
) -> None:
    """Start routers and a registry, print the inventory to use, and run until Ctrl-C."""
    import asyncio  # noqa: PLC0415 - --help stays light

    from mtts.cli.lab_fleet import LabOptions, serve  # noqa: PLC0415

    asyncio.run(serve(LabOptions(routers, version, arch, speed, _directory(lab_dir), tailnet_path, scenario)))


@app.command("publish")
def publish(
    version: Annotated[str, typer.Argument(help="The version that the tag moves to.")],
    behaviour: Annotated[str, typer.Option("--behaviour", help="ok, crash, never-online, …")] = "ok",
    platform: Annotated[list[str] | None, typer.Option("--platform", help="Build only this one; repeat.")] = None,
    lab_dir: _StateOption = None,
) -> None:
    """Publish an image in the running lab and move its `stable` tag there."""
    import asyncio  # noqa: PLC0415 - --help stays light

    from mtts.cli.lab_fleet import publish_version  # noqa: PLC0415

    digest = asyncio.run(publish_version(_directory(lab_dir), version, behaviour, tuple(platform or ())))
    typer.echo(f"stable is now {version} ({digest})")


@app.command("fault", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def fault(
    context: typer.Context,
    *,
    router: Annotated[str | None, typer.Argument(help="A router's name, all, or registry.")] = None,
    kind: Annotated[str | None, typer.Argument(help="What goes wrong; its own options follow.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Show every fault with its options.")] = False,
    at_command: Annotated[
        int | None, typer.Option("--at-command", min=1, help="Not now, but at the n-th command from now.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", help="Which commands count: a path, write, or any, as without it.")
    ] = None,
    beforehand: Annotated[
        bool, typer.Option("--beforehand", help="Before that command is looked at, not before its reply.")
    ] = False,
    lab_dir: _StateOption = None,
) -> None:
    """Make something go wrong in the running lab."""
    import asyncio  # noqa: PLC0415 - --help stays light

    from mtts.cli.lab_fleet import fault_list, give_order, read_options  # noqa: PLC0415
    from mtts.core.errors import UsageError  # noqa: PLC0415
    from mtts.lab.control import Order  # noqa: PLC0415

    if show:
        typer.echo(fault_list())
        return
    if router is None or kind is None:
        raise UsageError("what goes wrong where?", hint="mtts lab fault --list")
    if at_command is None and (of is not None or beforehand):
        raise UsageError("--of and --beforehand say more of --at-command, which is missing", hint="--at-command 1")
    options = read_options(router, kind, context.args)
    order = Order(router, kind, options, at_command=at_command, of=of or "any", before=beforehand)
    said = asyncio.run(give_order(_directory(lab_dir), order))
    typer.echo(said or f"{router}: {kind}")


@app.command("demo")
def demo() -> None:
    """Take a simulated router from nothing to a running node, with the real commands; under a minute."""
    from mtts.cli.demo import run_demo  # noqa: PLC0415 - --help stays light

    raise typer.Exit(run_demo())


def _directory(given: Path | None) -> Path:
    if given is not None:
        return given
    import platformdirs  # noqa: PLC0415 - --help stays light

    return platformdirs.user_runtime_path("mtts", ensure_exists=True) / "lab"
