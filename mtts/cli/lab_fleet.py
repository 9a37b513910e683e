"""The running lab behind `mtts lab up`, and what other commands ask of it."""

import asyncio
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from mtts.adapters.inventory.source_text import read_source
from mtts.adapters.inventory.yaml_text import parse_yaml
from mtts.cli.lab_directory import CONTROL_FILE, lab_directory
from mtts.core.errors import UsageError
from mtts.lab.control import ControlError, Order, OrderRefusedError, give, read_control_file
from mtts.lab.fault_kinds import PUBLISH, REGISTRY, REGISTRY_KINDS, ROUTER_KINDS, kind_of
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.scenario import KeyPath, ScenarioError, Step, read_scenario, run_scenario
from mtts.lab.schema import load_schema, published
from mtts.lab.version import parse_version

FIRST_VERSION = "1.98.10-mt.1"
SCENARIO_CODE = "scenario-invalid"
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(\.\d{1,3})?((alpha|beta|rc)\d{1,3})?", re.ASCII)

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
    warning = check_version(options.version)
    ended = _interruption()
    with lab_directory(options.directory) as directory:
        async with Lab(clock="running", speed=options.speed) as lab:
            lab.registry.publish(build_image(FIRST_VERSION), tags=("stable", f"v{FIRST_VERSION}"))
            for name in names:
                router = await lab.add_router(name, version=options.version, arch=options.arch)
                router.faults.tailnet_path(off=not options.tailnet_path)
            directory.write(inventory_text(lab, settle_s=SETTLE_S / options.speed), lab.registry.control)
            if warning:
                typer.echo(f"warning: {warning}", err=True)
            typer.echo(f"{options.routers} router(s) with RouterOS {options.version}; try, in another terminal:\n")
            typer.echo(f"  export MTTS_INVENTORY={directory.inventory}")
            typer.echo(f"  export MTTS_STATE={options.directory / 'state'}")
            typer.echo("  mtts deploy --all\n\nCtrl-C ends the lab.")
            run_scenario(lab, steps)
            await ended.wait()


def check_version(text: str) -> str:
    """What there is to warn of in a RouterOS version; UsageError when the lab cannot be one."""
    if not _VERSION.fullmatch(text):
        raise UsageError(f"no version of RouterOS: {text}", hint="--version 7.23.3")
    version = parse_version(text)
    trees = published()
    oldest = min(trees)
    if version[:2] < oldest[:2]:
        raise UsageError(
            f"the lab knows no RouterOS older than {trees[oldest].stem}", hint=f"--version {trees[oldest].stem}"
        )
    source = load_schema(version).source
    if parse_version(source)[:2] == version[:2]:
        return ""
    return f"nothing is published of RouterOS {text}'s words; the lab takes those of {source}"


async def publish_version(directory: Path, version: str, behaviour: str, platforms: tuple[str, ...]) -> str:
    """Have the running lab publish an image; its index digest."""
    options = {"version": version, "behaviour": behaviour, **({"platforms": platforms} if platforms else {})}
    return await give_order(directory, Order(REGISTRY, PUBLISH.name, options), hint="mtts lab publish --help")


async def give_order(directory: Path, order: Order, *, hint: str = "mtts lab fault --list") -> str:
    """Have the running lab do something; what came of it. UsageError with the lab's or a router's own words."""
    try:
        return await give(read_control_file(directory / CONTROL_FILE), order)
    except OrderRefusedError as error:
        if error.trapped:
            raise UsageError(str(error), code="command-trapped", hint="mtts lab fault --list") from error
        raise UsageError(str(error), hint=hint) from error
    except ControlError as error:
        raise UsageError(str(error), hint="mtts lab up") from error


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
            when = "" if target == REGISTRY else "; with --at-command N it happens at the n-th command"
            raise UsageError(f"{kind} does not take {name}", hint=f"it takes {taken}{when}")
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
    document = parse_yaml(read_source(path, code=SCENARIO_CODE).text, instead="")
    complaints = [(one.line, one.path, one.text) for one in document.complaints]
    if not complaints:
        try:
            return read_scenario(document.value, routers)
        except ScenarioError as error:
            complaints = [(document.line_of(where), where, text) for where, text in error.complaints]
    said = [f"{path}:{line}: {_spelt(where)}{text}" for line, where, text in sorted(complaints)]
    raise UsageError("\n".join(said), hint="docs/LAB.md, Scenario files", code=SCENARIO_CODE)


def _spelt(path: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return f"{text}: " if text else ""


def inventory_text(lab: Lab, *, settle_s: float = 0.0) -> str:
    """The lab's inventory with a key of its tailnet, and waits that suit it."""
    text = lab.inventory_yaml().replace("{env: TS_AUTHKEY}", lab.tailnet.issue_key(reusable=True))
    return text.replace("  node:\n", f"{TIMING.format(settle_ms=settle_s * 1000)}  node:\n", 1)


def _interruption() -> asyncio.Event:
    """Set by Ctrl-C, or by whoever asks the process to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    return ended
