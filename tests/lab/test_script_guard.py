"""A guard as one would leave it on a router: it swaps two containers by itself and back again when in doubt."""

from pathlib import Path

import pytest

from mtts.lab.container import UP
from mtts.lab.device import BOOT_S
from tests.lab.conftest import MakeGround
from tests.lab.desk import logged
from tests.lab.ground import Ground, publish

SWAP = (Path(__file__).parents[1] / "cases" / "scripts" / "swap.rsc").read_text(encoding="utf-8")
VERSIONS = ("7.19.6", "7.20.8", "7.22.3", "7.24")
LONG_S = 300


async def two_containers(ground: MakeGround, version: str, behaviour: str = "ok") -> Ground:
    """The old one runs and starts on boot, the new one is there; both on one veth."""
    on = await ground(version=version)
    publish(on.lab, "2.0", behaviour=behaviour, tag="next")
    await on.lay(key=on.lab.tailnet.issue_key())
    await on.add("mtts/a", "=name=old", "=start-on-boot=yes")
    await on.add("mtts/b", "=name=new", tag="next")
    await on.lab.clock.advance(10)
    assert (await on.do("start", 1)).trap is None
    await on.lab.clock.advance(10)
    heard = await on.talker.say("/system/script/add", "=name=swap", "=policy=read,write", f"=source={SWAP}")
    assert heard.trap is None
    assert (await on.talker.say("/system/script/print")).rows[0]["invalid"] == "false"
    assert up(on) == ["old"]
    return on


def up(on: Ground) -> list[str]:
    containers = on.router.device.engine.containers.values()
    return [one.item.values["name"] for one in containers if one.phase in UP and one.process is not None]


async def leave_it_alone(on: Ground) -> None:
    """Start the swap in the background and lose the link at once."""
    heard = await on.talker.say("/execute", "=script=/system/script/run swap")
    assert heard.trap is None
    on.router.device.drop_sessions()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_swap_that_is_confirmed_is_kept(version: str, ground: MakeGround) -> None:
    on = await two_containers(ground, version)
    await leave_it_alone(on)
    await on.lab.clock.advance(60)
    assert up(on) == ["new"]
    on.router.write_file("swap.ok", b"")
    await on.lab.clock.advance(5)
    assert logged(on.router.device)[-1] == "swap: new is kept"
    on.router.device.restart(clean=False)
    await on.lab.clock.advance(BOOT_S + 10)
    assert up(on) == ["new"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_swap_that_nobody_confirms_is_taken_back(version: str, ground: MakeGround) -> None:
    on = await two_containers(ground, version)
    await leave_it_alone(on)
    await on.lab.clock.advance(LONG_S)
    assert up(on) == ["old"]
    assert logged(on.router.device)[-1] == "swap: rolled back, the new container is not kept"
    assert not on.router.device.scripts.jobs


@pytest.mark.parametrize("behaviour", ["crash", "crash-later"])
async def test_a_swap_to_what_does_not_stay_up_is_taken_back(behaviour: str, ground: MakeGround) -> None:
    on = await two_containers(ground, "7.23.3", behaviour)
    await leave_it_alone(on)
    await on.lab.clock.advance(60)
    assert up(on) == ["old"]
    assert logged(on.router.device)[-1] == "swap: rolled back, the new container is not kept"


@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_power_cut_at_any_write_leaves_exactly_one_container_up(
    after: int, confirmed: bool, ground: MakeGround
) -> None:
    on = await two_containers(ground, "7.23.3")
    if confirmed:
        on.router.write_file("swap.ok", b"")
    device = on.router.device
    heard = await on.talker.say("/execute", "=script=/system/script/run swap")
    assert heard.trap is None
    device.faults.on_write(lambda n, _entry: device.restart(clean=False) if n == after else None)
    await on.lab.clock.advance(LONG_S)
    assert len(up(on)) == 1
    assert device.boots == 1
    assert not device.scripts.jobs


GUARD = """
:global phase "armed"
:local rests do={
  :local which [/container/find where name=$1]
  :onerror e in={ :return [/container/get $which stopped] } do={ :return ([/container/get $which status] = "stopped") }
}
:local up do={
  :local which [/container/find where name=$1]
  :onerror e in={ :return [/container/get $which running] } do={ :return ([/container/get $which status] = "running") }
}
:do { /file/add name=guard.json contents="{}" } on-error={}
/system/scheduler/add name=guard policy=read,write start-time=startup on-event={
  /file/set guard.json contents="rebooted"
}
:onerror problem in={
  /container/stop [/container/find where name=old]
  :for i from=1 to=60 do={ :if (![$rests old]) do={ :delay 1s } }
  :if (![$rests old]) do={ :error "old does not stop" }
  :set phase "swapped"
  /container/start [/container/find where name=new]
  :for i from=1 to=60 do={
    :local said [:deserialize from=json [/file/get guard.json contents]]
    :if (($said->"token") = "go" and [$up new]) do={ :set phase "confirmed" }
    :if ($phase = "swapped") do={ :delay 1s }
  }
  :if ($phase != "confirmed") do={ :error "no token" }
} do={
  :log warning "guard: $problem"
  :do { /container/stop [/container/find where name=new] } on-error={}
  :delay 15s
  /container/start [/container/find where name=old]
  :set phase "returned"
}
/system/scheduler/remove [/system/scheduler/find where name=guard]
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("token", "phase", "left"), [("go", "confirmed", "new"), ("no", "returned", "old")])
async def test_a_guard_that_reads_its_token_from_a_file_ends_well(
    version: str, token: str, phase: str, left: str, ground: MakeGround
) -> None:
    on = await two_containers(ground, version)
    device = on.router.device
    assert (await on.talker.say("/execute", f"=script={GUARD}")).trap is None
    await on.lab.clock.advance(20)
    assert (len(device.table("/system/scheduler").items), logged(device)) == (1, [])
    on.router.write_file("guard.json", f'{{"token":"{token}"}}'.encode())
    await on.lab.clock.advance(LONG_S)
    assert (device.scripts.globals["phase"], up(on)) == (phase, [left])
    assert not device.scripts.jobs
    assert not device.table("/system/scheduler").items
    assert logged(device) == ([] if phase == "confirmed" else ["guard: no token"])
