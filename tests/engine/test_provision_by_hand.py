"""Somebody pastes what `mtts script --kind provision` prints: mtts finds nothing left to do."""

import pytest

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
