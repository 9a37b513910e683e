"""A RouterOS upgrade under a deployed node: the next update finds its way in the words of the new version."""

import pytest

from mtts.core.outcome import Outcome
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S


@pytest.mark.parametrize(("before", "after"), [("7.18.2", "7.20.8"), ("7.20.8", "7.21.5"), ("7.18.2", "7.24")])
async def test_an_update_after_it_swaps_as_ever(
    deployment: MakeDeployment, store: Store, before: str, after: str
) -> None:
    here = await deployment(version=before)
    await here.deploy()
    (node,) = here.online
    here.router.upgrade(after)
    await here.wait(BOOT_S + 60)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem, result.to_version) == (Outcome.UPDATED, None, "1.2.4")
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP
