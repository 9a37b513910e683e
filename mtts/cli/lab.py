"""`mtts lab`: simulated routers and a registry, to try, teach and test with."""

from pathlib import Path
from typing import Annotated

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
    routers: Annotated[int, typer.Option("--routers", min=1, help="How many.")] = 1,
    version: Annotated[str, typer.Option("--version", help="Their RouterOS.")] = "7.23.3",
    arch: Annotated[str, typer.Option("--arch", help="arm, arm64 or x86_64.")] = "arm64",
    speed: Annotated[float, typer.Option("--speed", min=0.1, help="Simulated seconds per second.")] = 20.0,
    lab_dir: _StateOption = None,
) -> None:
    """Start routers and a registry, print the inventory to use, and run until Ctrl-C."""
    import asyncio  # noqa: PLC0415 - --help stays light

    from mtts.cli.lab_fleet import LabOptions, serve  # noqa: PLC0415

    asyncio.run(serve(LabOptions(routers, version, arch, speed, _directory(lab_dir))))


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
