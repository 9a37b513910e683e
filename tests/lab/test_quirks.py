"""Switches of the lab that change what a container's commands do, each turned both ways."""

from typing import Any

import pytest

from mtts.lab.quirks import Quirks
from tests.lab.conftest import Login, MakeGround
from tests.lab.ground import publish


@pytest.mark.parametrize(("busy_veth", "running"), [("refused", 1), ("shared", 2)])
async def test_a_start_on_a_busy_veth_comes_to_nothing_or_shares_it(
    ground: MakeGround, busy_veth: Any, running: int
) -> None:
    on = await ground(quirks=Quirks(busy_veth=busy_veth))
    await on.run()
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)

    assert (await on.do("start", 2)).trap is None
    await on.lab.clock.advance(5)

    assert [await on.state(0), await on.state(1)].count("running") == running
    assert ((await on.print(1)).get(".about") == "could not acquire interface") is (busy_veth == "refused")


@pytest.mark.parametrize("version", ["7.18.2", "7.24"])
@pytest.mark.parametrize("shared", [True, False])
async def test_a_mount_list_may_belong_to_one_container_only(ground: MakeGround, version: str, shared: bool) -> None:
    on = await ground(version=version, quirks=Quirks(shared_mount_lists=shared))
    await on.run()

    heard = await on.add("mtts/b", *(("=name=b",) if on.router.device.has("names") else ()))

    assert heard.trap == (None if shared else f"input does not match any value of {on.word('mounts')}")
    assert (await on.talker.say("/container/set", "=numbers=*1", f"={on.word('mounts')}=ts")).trap is None


@pytest.mark.parametrize("survive", [True, False])
async def test_comments_survive_a_reboot_or_do_not(ground: MakeGround, login: Login, survive: bool) -> None:
    on = await ground(quirks=Quirks(comments_survive_reboot=survive))
    await on.lay()
    await on.add("mtts/a", "=comment=kept")
    await on.lab.clock.advance(5)
    on.router.faults.reboot()
    await on.lab.clock.advance(40)

    (row,) = (await (await login(on.router)).say("/container/print")).rows

    assert row.get("comment") == ("kept" if survive else None)


@pytest.mark.parametrize("policy", ["always", "on-failure", "no"])
@pytest.mark.parametrize("counts", [True, False])
async def test_a_stop_is_no_failure_for_the_restart_policy_unless_switched(
    ground: MakeGround, policy: str, counts: bool
) -> None:
    on = await ground(quirks=Quirks(stop_counts_as_failure=counts))
    await on.lay()
    await on.add("mtts/a", f"=restart-policy={policy}", "=restart-interval=5s")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(5)
    await on.do("stop")
    await on.lab.clock.advance(20)

    assert await on.state() == ("running" if counts and policy != "no" else "stopped")


@pytest.mark.parametrize(
    ("behaviour", "signal", "states"),
    [
        ("ok", "15", ("stopping", "stopped")),
        ("ok", "9", ("stopped", "stopped")),
        ("ignores-stop", "15", ("running", "running")),
        ("ignores-stop", "9", ("stopped", "stopped")),
    ],
)
@pytest.mark.parametrize("in_order", [True, False])
async def test_a_kill_ends_at_once_or_delivers_its_signal(
    ground: MakeGround, behaviour: str, signal: str, states: tuple[str, str], in_order: bool
) -> None:
    on = await ground(quirks=Quirks(kill_in_good_order=in_order))
    publish(on.lab, "2.0", behaviour=behaviour)
    await on.run()

    assert (await on.talker.say("/container/kill", "=number=*1", f"=signal={signal}")).trap is None

    soon = await on.state()
    await on.lab.clock.advance(5)
    assert (soon, await on.state()) == (states if in_order else ("stopped", "stopped"))


@pytest.mark.parametrize("interval_s", [5.0, 30.0])
async def test_a_health_check_that_says_no_interval_has_the_switch_s(ground: MakeGround, interval_s: float) -> None:
    on = await ground(version="7.23.3", quirks=Quirks(health_check_interval_s=interval_s))
    await on.lay(key=on.lab.tailnet.issue_key())
    await on.add("mtts/a", "=healthcheck-cmd=true")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(12)

    assert ("healthy" in await on.print()) is (interval_s < 12)


@pytest.mark.parametrize("how", ["fin", "silence"])
async def test_a_session_through_a_node_that_stops_is_cut_or_half_open(
    ground: MakeGround, login: Login, how: Any
) -> None:
    on = await ground(quirks=Quirks(cut_through_node=how))
    on.router.faults.tailnet_path()
    await on.run(key=on.lab.tailnet.issue_key())
    await on.lab.clock.advance(10)
    through = await login(on.router)

    assert (await through.say("/container/stop", "=.id=*1")).trap is None
    await on.lab.clock.advance(20)

    there = len((await on.talker.say("/user/active/print")).rows)  # over the session from before the node
    assert there == (1 if how == "fin" else 2)
    on.router.device.drop_sessions()
    with pytest.raises(EOFError):
        await through.hear()


@pytest.mark.parametrize("version", ["7.20.8", "7.22.3", "7.24"])
@pytest.mark.parametrize("false_flags", ["sent", "omitted"])
async def test_false_flags_are_sent_or_left_out(ground: MakeGround, version: str, false_flags: Any) -> None:
    on = await ground(version=version, quirks=Quirks(false_flags=false_flags))
    await on.run()

    assert (await on.print()).get("stopped") == ("false" if false_flags == "sent" else None)
    assert await on.state() == "running"


@pytest.mark.parametrize("version", ["7.18.2", "7.24"])
@pytest.mark.parametrize(("name", "other"), [("tag", "repo"), ("repo", "tag")])
async def test_an_image_s_reference_has_either_name(ground: MakeGround, version: str, name: Any, other: str) -> None:
    on = await ground(version=version, quirks=Quirks(image_reference=name))
    await on.run()

    row = await on.print()
    assert row[name].endswith("/team/mikrotik-tailscale:stable")
    assert other not in row


@pytest.mark.parametrize(
    ("version", "host"),
    [
        ("7.18.2", "lscr.io"),
        ("7.21.1", "lscr.io"),
        ("7.21.2", "registry-1.docker.io"),
        ("7.24", "registry-1.docker.io"),
    ],
)
async def test_an_image_without_a_host_comes_from_the_version_s_registry(
    ground: MakeGround, version: str, host: str
) -> None:
    on = await ground(version=version)
    await on.lay()
    await on.talker.say("/container/add", "=remote-image=a/b:c", "=interface=veth1")

    row = await on.print()
    assert row.get("repo", row.get("tag")) == f"{host}/a/b:c"
