"""What README.md tells people to type exists and works."""

import re
import runpy
from pathlib import Path

import pytest

from mtts.adapters.inventory.loader import load_inventory
from mtts.cli.app import main
from mtts.lab.fleet import Lab

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = set(runpy.run_path(str(ROOT / "tools" / "make_usage.py"))["commands"]())


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", BLOCKS, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_command_exists() -> None:
    named = set(re.findall(r"^(?:\$ )?mtts ([a-z][a-z-]*)", BLOCKS, re.MULTILINE))
    assert named
    assert named <= COMMANDS


def test_the_command_that_starts_an_inventory_starts_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = re.findall(r"^mtts (init .+)$", BLOCKS, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 0
    assert [router.name for router in load_inventory(tmp_path / "inventory.yaml").routers] == ["router1"]


async def test_the_group_that_is_recommended_is_the_one_that_the_tests_run_with() -> None:
    (policies,) = re.findall(r"^/user/group/add name=mtts policy=(\S+)$", BLOCKS, re.MULTILINE)
    async with Lab() as lab:
        router = await lab.add_router("router1")
        (group,) = [row for row in router.rows("/user/group") if row["name"] == "mtts"]
    granted = {policy for policy in group["policy"].split(",") if not policy.startswith("!")}
    assert granted == set(policies.split(","))
