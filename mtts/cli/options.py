"""The global options, accepted before and after the command's name, and the options that name routers."""

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

import typer

DEFAULT_PARALLEL: Final = 32

_PANEL: Final = "Global options (before or after the command)"


@dataclass(slots=True)
class Settings:
    """The global options as the user gave them."""

    inventory: str | None = None
    state: str | None = None
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    no_color: bool = field(default_factory=lambda: bool(os.environ.get("NO_COLOR")))
    parallel: int = DEFAULT_PARALLEL
    timeout: float | None = None
    """Seconds."""


def settings_of(context: typer.Context) -> Settings:
    """The one Settings of this invocation, whichever command asks."""
    return context.find_root().ensure_object(Settings)


def seconds(text: str) -> float:
    """What a person wrote as a duration."""
    from mtts.core.values import parse_duration  # noqa: PLC0415 - not needed for --help

    found = parse_duration(f"{text}s" if text.isdigit() else text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s or 15m")
    return found


def _state(text: str) -> str:
    from mtts.adapters.store.place import refuse_password  # noqa: PLC0415 - not needed for --help

    refuse_password(text)
    return text


def _option(kind: Any, *names: str, text: str, **given: Any) -> Any:
    return Annotated[kind, typer.Option(*names, help=text, rich_help_panel=_PANEL, show_default=False, **given)]


# Each is None or 0 where it was not given, so that neither place of writing it undoes the other.
_GLOBAL_OPTIONS: Final[dict[str, Any]] = {
    "inventory": _option(str | None, "-i", "--inventory", metavar="FILE", text="The inventory file."),
    "state": _option(
        str | None, "--state", parser=_state, metavar="URL_OR_DIR", text="Where history and flash samples are kept."
    ),
    "json": _option(bool | None, "--json", text="Print one JSON document."),
    "verbose": _option(int | None, "-v", "--verbose", count=True, text="Say more; -vv shows API words, no secrets."),
    "quiet": _option(bool | None, "-q", "--quiet", text="No progress, and no output where nothing is left to do."),
    "no_color": _option(bool | None, "--no-color", text="No colours; so does $NO_COLOR."),
    "parallel": _option(int | None, "--parallel", min=1, metavar="N", text="Routers at a time (32)."),
    "timeout": _option(
        float | None, "--timeout", parser=seconds, metavar="DURATION", text="For all the work on one router."
    ),
}


def takes_globals(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, or the group, the global options beside its own; they end up in its context's Settings."""
    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _GLOBAL_OPTIONS.items()
    ]

    @functools.wraps(command)
    def with_globals(context: typer.Context, **given: Any) -> None:
        settings = settings_of(context)
        for name in _GLOBAL_OPTIONS:
            value = given.pop(name)
            if value:
                setattr(settings, name, value)
        command(context, **given)

    return _shown_as(with_globals, own, [*own.parameters.values(), *added])


def _shown_as(
    wrapper: Callable[..., None], own: inspect.Signature, parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """The wrapper with the signature that typer is to read."""
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect looks for it
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def gathers(argument: str, gather: Callable[..., object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give commands the options of `gather`, in the place of `argument`, which gets what `gather` makes of them."""
    options = inspect.signature(gather, eval_str=True).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def with_options(context: typer.Context, **given: Any) -> None:
            gathered = gather(**{name: given.pop(name) for name in options})
            command(context, **{argument: gathered}, **given)

        place = list(own.parameters).index(argument)
        parameters = list(own.parameters.values())
        return _shown_as(with_options, own, [*parameters[:place], *options.values(), *parameters[place + 1 :]])

    return decorate


@dataclass(frozen=True, slots=True)
class Targets:
    """Which routers the command line names."""

    patterns: tuple[str, ...]
    everything: bool
    groups: tuple[str, ...]
    exclude: tuple[str, ...]

    def or_all(self) -> "Targets":
        """The same, or every router where none is named."""
        return self if self.patterns or self.groups else replace(self, everything=True)


def _targets(
    *,
    target: Annotated[list[str] | None, typer.Argument(metavar="TARGET", help="Routers: names or patterns.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every router of the inventory.")] = False,
    group: Annotated[list[str] | None, typer.Option("--group", metavar="G", help="Routers of this group.")] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="All but these.")] = None,
) -> Targets:
    return Targets(tuple(target or ()), everything, tuple(group or ()), tuple(exclude or ()))


takes_targets: Final = gathers("named", _targets)
"""Gives a command the ways of naming routers, as the argument `named`."""
