"""docs/LAB.md's example runs, and every guess of the lab is listed in docs/DESIGN.md."""

import ast
import re
from collections.abc import Awaitable
from dataclasses import fields
from pathlib import Path

from mtts.adapters.inventory.yaml_text import parse_yaml
from mtts.lab.control import REPOSITORY
from mtts.lab.fault_kinds import REGISTRY_KINDS, ROUTER_KINDS
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.pull import pull
from mtts.lab.quirks import Quirks
from mtts.lab.scenario import read_scenario, run_scenario
from tests.lab.talker import Talker

DOCS = Path(__file__).parent.parent.parent / "docs"


async def test_the_example_runs() -> None:
    page = (DOCS / "LAB.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    code = compile(example, "docs/LAB.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {})  # noqa: S307 - a page of this repository
    assert isinstance(running, Awaitable)
    await running


def test_every_quirk_is_in_the_table_of_unknowns() -> None:
    page = (DOCS / "DESIGN.md").read_text(encoding="utf-8")
    table = page.partition("## What is unknown about RouterOS")[2].partition("\n## ")[0]
    rows = [line.rpartition(" | ")[2] for line in table.splitlines() if line.startswith("|")]
    listed = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert listed == {field.name for field in fields(Quirks)}


def test_every_fault_is_in_the_tables_with_its_options() -> None:
    chapter = (DOCS / "LAB.md").read_text(encoding="utf-8").partition("## Faults")[2].partition("\n## ")[0]
    ours, theirs = chapter.split("The registry's")
    for kind in ROUTER_KINDS.values():
        options = " ".join(f"`{option.syntax}`".replace("|", "\\|") for option in kind.options.values())
        assert f"| `{kind.name}` | {options} | {kind.says} |" in ours
    for kind in REGISTRY_KINDS.values():
        assert f"| `{kind.name}` | {kind.says} |" in theirs


async def test_the_scenario_runs() -> None:
    page = (DOCS / "LAB.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    async with Lab(clock="leaping") as lab:
        router = await lab.add_router("router1")
        run_scenario(lab, read_scenario(parse_yaml(example).value, lab.routers))
        await lab.clock.advance(0)
        talker = await Talker.login(router)
        await talker.say("/interface/bridge/add", "=name=bridge1")
        await talker.say("/container/add")
        await talker.close()
        assert router.faults.latency_s == 0.3
        assert [row["comment"] for row in router.rows("/interface/bridge")] == ["somebody else was here"]
        await lab.clock.advance(121)
        assert router.device.boots == 1
        pulled = await pull(f"{lab.registry.address}/{REPOSITORY}:stable", architecture="arm64")
        assert pulled.index_digest == build_image("1.99.0", behaviour="crash").index_digest
