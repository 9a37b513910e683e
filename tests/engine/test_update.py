"""A new release takes a node's place, on every version, and only where its own platform's image changed."""

import pytest

from mtts.core.outcome import Outcome
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import HOSTNAME, versions


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_a_new_release_takes_the_node_s_place(deployment: MakeDeployment, store: Store, version: str) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (before,) = here.online
    image = here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert (result.from_version, result.to_version, result.strategy) == ("1.2.3", "1.2.4", "a/b")
    assert here.container.root == "mtts/root/tailscale/b"
    (row,) = here.rows("/container")
    assert f"index={image.index_digest}" in row["comment"]
    assert here.online == [before]
    assert before.hostname == HOSTNAME

    again = await here.update(store)

    assert (again.outcome, again.problem) == (Outcome.NO_OP, None)
    assert here.writes == []
    assert here.connections == (1, 1)
    assert here.commands == 1
