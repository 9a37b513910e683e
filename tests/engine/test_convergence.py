"""From nothing to a running node, and then to nothing more to do, on every version, architecture and kind of board."""

import pytest

from mtts.core.outcome import Outcome, exit_code
from mtts.lab.boards import BOARD_BY_ARCHITECTURE
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import HOSTNAME, VERSIONS

MAX_COMMANDS = 13


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("arch", BOARD_BY_ARCHITECTURE)
@pytest.mark.parametrize("flash_trap", [False, True], ids=["", "flash-trap"])
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_a_deploy_converges_and_the_next_one_writes_nothing(
    deployment: MakeDeployment, version: str, arch: str, flash_trap: bool, secured: bool
) -> None:
    here = await deployment(version=version, arch=arch, flash_trap=flash_trap, secured=secured)

    result = await here.deploy()

    assert (result.outcome, result.problem, result.to_version) == (Outcome.DEPLOYED, None, "1.2.3")
    assert [node.hostname for node in here.online] == [HOSTNAME]
    files = here.router.files()
    assert list(files) == [f"{here.state_dir}/tailscaled.state"]
    if flash_trap:
        outside = {path for path in here.router.directories() if not path.startswith("flash/")}
        assert {path.partition("/")[0] for path in outside} <= {"mtts-tmp"}
        assert here.container.root.startswith("flash/")
    assert here.connections == (1, 1)

    again = await here.deploy()

    assert (again.outcome, again.problem, again.from_version) == (Outcome.NO_OP, None, "1.2.3")
    assert exit_code([result, again]) == 0
    assert here.writes == []
    assert here.connections == (1, 1)
    assert here.commands <= MAX_COMMANDS
