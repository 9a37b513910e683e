"""Somebody pastes what mtts prints: it does on a router of any version what mtts itself does."""

import pytest

from mtts.core.changes import Remove, Stop, routeros_command
from mtts.core.outcome import Outcome
from mtts.engine.scripting import provision
from mtts.lab.call import Call
from mtts.lab.command import Command
from mtts.lab.reply import Reply
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import services_for, versions
from tests.engine.updaters import ROOT


@pytest.mark.parametrize("version", versions("7.18.2", "7.24"))
async def test_a_router_that_was_set_up_by_pasting_is_as_the_inventory_wants_it(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    key = here.new_key()
    async with services_for(here.lab, []) as services:
        ((_, script),) = await provision(services, here.spec)
    assert script is not None
    assert key not in script.text
    for piece in script.text.replace(':local key ""', f':local key "{key}"').split("# STOP here until "):
        pasted = f"# {piece}"
        answer = here.router.device.perform(Call(Command("/", "execute", {"script": pasted, "as-string": ""}), ROOT))
        assert isinstance(answer, Reply)
        assert answer.ret in ("", "the image deleted it already")
        await here.wait(30)

    assert len(here.online) == 1
    result = await here.deploy()
    assert (result.problem, result.outcome, here.writes) == (None, Outcome.NO_OP, [])


@pytest.mark.parametrize("version", versions("7.18.2", "7.22.3", "7.24"))
async def test_a_command_of_a_plan_finds_its_container(deployment: MakeDeployment, version: str) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (row,) = here.rows("/container")
    root = row["root-dir"].removeprefix("/")

    for change in (Stop(root, "", ""), Remove("/container", "", "", {"root-dir": root})):
        call = Call(Command("/", "execute", {"script": routeros_command(change), "as-string": ""}), ROOT)
        assert isinstance(here.router.device.perform(call), Reply)
        await here.wait(30)

    assert here.rows("/container") == []
