"""The global options, accepted before and after the command's name, and the options that name routers."""

import os
from dataclasses import dataclass
from typing import Annotated, Any, Final

import click
import typer
from typer.core import TyperCommand, TyperGroup

DEFAULT_PARALLEL: Final = 32


@dataclass(slots=True)
class Settings:
    """The global options as the user gave them."""

    inventory: str | None = None
    json: bool = False
    verbosity: int = 0
    quiet: bool = False
    no_color: bool = bool(os.environ.get("NO_COLOR"))
    parallel: int = DEFAULT_PARALLEL
    timeout_s: float | None = None


def settings_of(context: click.Context) -> Settings:
    """The one Settings of this invocation, whichever command asks."""
    settings = context.find_root().ensure_object(Settings)
    return settings


class _Seconds(click.ParamType):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from mtts.core.values import parse_duration  # noqa: PLC0415 - not needed for --help

        seconds = parse_duration(f"{value}s" if str(value).isdigit() else str(value))
        if not seconds:
            self.fail(f"{value!r} is not a duration such as 90s or 15m", param, ctx)
        return seconds


def _remember(context: click.Context, param: click.Parameter, value: Any) -> None:
    given = context.get_parameter_source(param.name or "") is not click.core.ParameterSource.DEFAULT
    if given:
        setattr(settings_of(context), str(param.name), value)


def _global_options() -> list[click.Option]:
    def option(*names: str, **given: Any) -> click.Option:
        made = click.Option(names, expose_value=False, callback=_remember, **given)
        made.rich_help_panel = "Global options (before or after the command)"  # type: ignore[attr-defined]  # typer's
        return made

    return [
        option("-i", "--inventory", metavar="FILE", help="Inventory; else $MTTS_INVENTORY, ./inventory.yaml, …"),
        option("--json", is_flag=True, help="Print one JSON document."),
        option("-v", "--verbose", "verbosity", count=True, help="Say more; -vv shows the API words (no secrets)."),
        option("-q", "--quiet", is_flag=True, help="No progress; no output either when nothing is left to do."),
        option("--no-color", is_flag=True, help="No colours; $NO_COLOR does the same."),
        option("--parallel", type=click.IntRange(1, 10_000), metavar="N", help="Routers at a time (32)."),
        option("--timeout", "timeout_s", type=_Seconds(), help="For all the work on one router."),
    ]


class GlobalCommand(TyperCommand):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_global_options())


class GlobalGroup(TyperGroup):
    """The group that takes the global options before the command's name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_global_options())


@dataclass(frozen=True, slots=True)
class Targets:
    """Which routers the command line names."""

    patterns: tuple[str, ...]
    everything: bool
    groups: tuple[str, ...]
    exclude: tuple[str, ...]


TargetArgument = Annotated[list[str] | None, typer.Argument(metavar="[TARGET]...", help="Routers: names or patterns.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every router of the inventory.")]
GroupOption = Annotated[list[str] | None, typer.Option("--group", metavar="G", help="Routers of this group.")]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="All but these.")]


def targets(patterns: list[str] | None, everything: bool, group: list[str] | None, exclude: list[str] | None) -> Targets:
    return Targets(tuple(patterns or ()), everything, tuple(group or ()), tuple(exclude or ()))
