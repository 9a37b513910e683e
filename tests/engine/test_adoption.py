"""A container that was set up by hand along an older guide's names: shown, refused, and taken over as it stands."""

from typing import Any

import pytest

from mtts.core.desired import STATE_FILE
from mtts.core.guard import copy_of
from mtts.core.outcome import Outcome
from mtts.engine.collect import collect_router
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import TABLES, Deployment, services_for, versions


async def _set_up_by_hand(here: Deployment, *, start: bool = True, name: str = "tailscale") -> None:
    """veth1 on a bridge `containers`, mount and environment both called `tailscale`."""
    device, add = here.router.device, here.router.add_row
    prefix = "flash/" if device.build.board.flash_trap else ""
    device.files.make_directory(f"{prefix}tailscale")
    add("/interface/bridge", name="containers")
    add("/interface/veth", name="veth1", address="172.17.0.2/24", gateway="172.17.0.1")
    add("/interface/bridge/port", bridge="containers", interface="veth1")
    add("/ip/address", address="172.17.0.1/24", network="172.17.0.0", interface="containers")
    add("/ip/route", dst_address="100.64.0.0/10", gateway="172.17.0.2")
    envs = "list" if device.version >= (7, 20, 0) else "name"
    mounts = "list" if device.version >= (7, 21, 0) else "name"
    for key, value in {"TS_AUTHKEY": here.lab.tailnet.issue_key(), "TS_HOSTNAME": "old-router"}.items():
        add("/container/envs", **{envs: "tailscale", "key": key, "value": value})
    add("/container/mounts", **{mounts: "tailscale", "src": f"{prefix}tailscale", "dst": "/var/lib/tailscale"})
    words: dict[str, Any] = {
        "envlists" if device.version >= (7, 20, 0) else "envlist": "tailscale",
        "mountlists" if device.version >= (7, 21, 0) else "mounts": "tailscale",
    }
    table = device.table("/container")
    item = table.insert(
        {
            "name": name,
            "remote-image": str(here.node.image),
            "interface": "veth1",
            "root-dir": f"/{prefix}tailscale-root",
            "entrypoint": "/entrypoint.sh",
            "logging": "true",
            "start-on-boot": "true",
            "comment": "made on a Sunday",
            **words,
        }
    )
    container = device.engine.created(item)
    await here.wait(10)
    if start:
        device.engine.start(container)
        await here.wait(60)


def _all(here: Deployment) -> dict[str, list[dict[str, str]]]:
    return {path: here.rows(path) for path in TABLES}


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_a_hand_made_container_is_refused_and_then_adopted_without_being_touched(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version, node={"auth_key": None})
    await _set_up_by_hand(here)
    (node,) = here.online
    process, before = here.container.process, _all(here)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "foreign-container")
    assert "--adopt" in result.problem.hint
    assert here.writes == []

    result = await here.deploy(adopt=True)

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.writes == ["/container/set"]
    assert here.container.process is process, "it was restarted"
    assert here.online == [node]
    after = _all(here)
    (row,), (was,) = after.pop("/container"), before.pop("/container")
    assert row.pop("comment").startswith("mtts:tailscale ")
    assert was.pop("comment") == "made on a Sunday"
    assert row == was
    assert after == before

    for adopt in (False, True):
        assert (await here.deploy(adopt=adopt)).outcome is Outcome.NO_OP
        assert here.writes == []
        assert here.commands <= 13


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
async def test_a_stopped_hand_made_container_is_started_when_it_is_adopted(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    await _set_up_by_hand(here, start=False)

    result = await here.deploy(adopt=True)

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.writes == ["/container/start", "/container/set"]
    assert [node.hostname for node in here.online] == ["old-router"]
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_a_hand_made_container_under_another_name_is_known_by_its_mount(deployment: MakeDeployment) -> None:
    here = await deployment()
    await _set_up_by_hand(here, name="vpn")
    here.router.set_row("/container", "vpn", remote_image="example.org/private/vpn:1")
    here.router.device.engine.containers[1].item.values["root-dir"] = "/vpn"

    result = await here.deploy()

    assert result.problem is not None
    assert result.problem.code == "foreign-container"
    assert "vpn" in result.problem.message


async def test_an_adopted_node_that_went_down_is_started_again(deployment: MakeDeployment) -> None:
    here = await deployment()
    await _set_up_by_hand(here)
    await here.deploy(adopt=True)
    here.router.device.engine.stop(here.container)
    await here.wait(5)

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.writes == ["/container/start"]


async def test_adopt_on_a_router_with_nothing_to_adopt_is_an_ordinary_deploy(deployment: MakeDeployment) -> None:
    here = await deployment()

    assert (await here.deploy(adopt=True)).outcome is Outcome.DEPLOYED
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_a_copy_of_the_state_that_a_guard_left_in_its_own_place_is_collected(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version, node={"auth_key": None})
    await _set_up_by_hand(here)
    await here.deploy(adopt=True)
    (state,) = (path for path in here.router.files() if path.endswith(f"/{STATE_FILE}"))
    before = here.router.files()
    here.router.write_file(copy_of(state), before[state])

    async with services_for(here.lab, []) as services:
        (result,) = await collect_router(services, here.spec)

    assert [warning.code for warning in result.warnings] == ["leftover-removed"]
    assert here.router.files() == before
