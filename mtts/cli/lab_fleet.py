"""The running lab behind `mtts lab up`: its files, its inventory, its end."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from mtts.adapters.inventory.source_text import read_source
from mtts.adapters.inventory.yaml_text import parse_yaml
from mtts.adapters.whole_file import write_private
from mtts.core.errors import UsageError
from mtts.lab.control import ControlError, Order, Publication, give, publish, read_control_file, write_control_file
from mtts.lab.fault_kinds import REGISTRY_KINDS, ROUTER_KINDS, kind_of
from mtts.lab.fleet import Lab
from mtts.lab.images import PLATFORMS, build_image
from mtts.lab.scenario import KeyPath, ScenarioError, Step, read_scenario, run_scenario

CONTROL_FILE = "control.json"
INVENTORY_FILE = "inventory.yaml"
FIRST_VERSION = "1.98.10-mt.1"

# The lab's routers live faster than real ones, so that waiting for them need not take as long.
TIMING = """\
  timing: {{poll: 100ms, observe: 500ms, healthy: 20s, settle: {settle_ms:.0f}ms, gap: 50ms}}
"""
SETTLE_S = 45.0
"""Simulated: the lab's flash follows what is written within 40 s."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What `mtts lab up` was asked for."""

    routers: int
    version: str
    arch: str
    speed: float
    directory: Path
    tailnet_path: bool = False
    scenario: Path | None = None


async def serve(options: LabOptions) -> None:
    """Run the lab until it is interrupted; its files go with it."""
    names = [f"router{number}" for number in range(1, options.routers + 1)]
    steps = load_scenario(options.scenario, names) if options.scenario else []
    async with Lab(clock="running", speed=options.speed) as lab:
        lab.registry.publish(build_image(FIRST_VERSION), tags=("stable", f"v{FIRST_VERSION}"))
        try:
            for name in names:
                router = await lab.add_router(name, version=options.version, arch=options.arch)
                router.faults.tailnet_path(off=not options.tailnet_path)
        except (KeyError, LookupError, ValueError) as error:
            raise UsageError(f"the lab has no such router: {error}", hint="--arch arm, arm64 or x86_64") from error
        inventory, control = options.directory / INVENTORY_FILE, options.directory / CONTROL_FILE
        options.directory.mkdir(parents=True, exist_ok=True)
        write_private(inventory, inventory_text(lab, settle_s=SETTLE_S / options.speed))
        write_control_file(control, lab.registry.control)
        typer.echo(f"{options.routers} router(s) with RouterOS {options.version}; try, in another terminal:\n")
        typer.echo(f"  export MTTS_INVENTORY={inventory}")
        typer.echo(f"  export MTTS_STATE={options.directory / 'state'}")
        typer.echo("  mtts deploy --all\n\nCtrl-C ends the lab.")
        run_scenario(lab, steps)
        try:
            await _until_interrupted()
        finally:
            for file in (inventory, control):
                file.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's files may lie there too
                options.directory.rmdir()


async def publish_version(directory: Path, version: str, behaviour: str, platforms: tuple[str, ...]) -> str:
    """Have the running lab publish an image; its index digest."""
    try:
        control = read_control_file(directory / CONTROL_FILE)
        return await publish(
            control,
            Publication(version, tags=("stable", f"v{version}"), platforms=platforms or PLATFORMS, behaviour=behaviour),
        )
    except ControlError as error:
        raise UsageError(str(error), hint="mtts lab up") from error


async def break_something(directory: Path, order: Order) -> str:
    """Have the running lab make something go wrong; what that had to say."""
    try:
        return await give(read_control_file(directory / CONTROL_FILE), order)
    except ControlError as error:
        raise UsageError(str(error), hint="mtts lab fault --list") from error


def read_options(target: str, kind: str, words: Sequence[str]) -> dict[str, object]:
    """`--name value …` of a fault's own options; UsageError when the fault has no such option."""
    try:
        options = kind_of(target, kind).options
    except ValueError as error:
        raise UsageError(str(error), hint="mtts lab fault --list") from error
    given: dict[str, object] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        option = options.get(name.removeprefix("--"))
        if option is None or not name.startswith("--"):
            taken = " ".join(f"[{one.syntax}]" for one in options.values()) or "no options"
            raise UsageError(f"{kind} does not take {name}", hint=f"it takes {taken}")
        if option.is_flag:
            given[option.name] = True
            continue
        if not equals and not rest:
            raise UsageError(f"{name} needs a value", hint=option.syntax)
        value = value if equals else rest.pop(0)
        held = given.setdefault(option.name, []) if option.is_repeated else None
        if isinstance(held, list):
            held.append(value)
        else:
            given[option.name] = value
    return given


def fault_list() -> str:
    """Every fault there is, with its options."""
    lines: list[str] = []
    for heading, kinds in (("of a router (its name, or all)", ROUTER_KINDS), ("of the registry", REGISTRY_KINDS)):
        lines += [heading, ""]
        for kind in kinds.values():
            options = (one.syntax if one.is_required else f"[{one.syntax}]" for one in kind.options.values())
            lines += [f"  {' '.join((kind.name, *options))}", f"      {kind.says}"]
        lines.append("")
    return "\n".join(lines).rstrip()


def load_scenario(path: Path, routers: Sequence[str]) -> list[Step]:
    """The steps of a scenario file; UsageError names file, line and key of all that is wrong."""
    document = parse_yaml(read_source(path).text)
    complaints = [(one.line, one.path, one.text) for one in document.complaints]
    if not complaints:
        try:
            return read_scenario(document.value, routers)
        except ScenarioError as error:
            complaints = [(document.line_of(where), where, text) for where, text in error.complaints]
    said = [f"{path}:{line}: {_spelt(where)}{text}" for line, where, text in sorted(complaints)]
    raise UsageError("\n".join(said), hint="docs/LAB.md, Scenario files")


def _spelt(path: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return f"{text}: " if text else ""


def inventory_text(lab: Lab, *, settle_s: float = 0.0) -> str:
    """The lab's inventory with a key of its tailnet, and waits that suit it."""
    text = lab.inventory_yaml().replace("{env: TS_AUTHKEY}", lab.tailnet.issue_key(reusable=True))
    return text.replace("  node:\n", f"{TIMING.format(settle_ms=settle_s * 1000)}  node:\n", 1)


async def _until_interrupted() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
