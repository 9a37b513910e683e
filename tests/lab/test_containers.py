"""The container engine: from an add to its removal, who may start when, and everything that is refused."""

import pytest

from mtts.lab.quirks import Quirks
from tests.lab.conftest import MakeGround
from tests.lab.ground import VERSIONS, publish


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_container_lives_from_add_to_remove(version: str, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.lay(key=on.lab.tailnet.issue_key())
    heard = await on.add()
    assert heard.ret == "*1"
    assert await on.state() in {"pulling", "downloading/extracting"}
    await on.lab.clock.advance(5)
    assert await on.state() == "stopped"
    assert (await on.print())["arch"] == "arm64"
    assert (await on.do("start")).trap is None
    await on.lab.clock.advance(10)
    assert await on.state() == "running"
    assert (await on.talker.say("/interface/veth/print")).rows[0]["running"] == "true"
    assert (await on.do("remove")).trap == "failure: cannot remove running container"
    assert (await on.do("stop")).trap is None
    assert await on.state() == "stopping"
    await on.lab.clock.advance(3)
    assert (await on.do("remove")).trap is None
    assert (await on.print())[".id"] == "*1"
    assert "mtts/a" in on.router.directories()
    await on.lab.clock.advance(5)
    assert (await on.talker.say("/container/print")).rows == []
    assert "mtts/a" not in on.router.directories()
    assert (await on.add()).ret == "*2"


async def test_a_failed_pull_shows_later_and_says_why(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    assert (await on.add(tag="nowhere")).trap is None
    await on.lab.clock.advance(5)
    row = await on.print()
    assert row["download/extract failed"] == "true"
    assert row[".about"].startswith("download/extract error: ")
    assert "image-id" not in row
    assert (await on.do("start")).trap == "failure: container is not ready"
    assert (await on.do("remove")).trap is None


async def test_an_injected_pull_failure_happens_once(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    on.router.faults.fail_pull("fetch manifest failed: auth error")
    await on.add()
    await on.lab.clock.advance(5)
    assert (await on.print())[".about"] == "download/extract error: fetch manifest failed: auth error"
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    assert await on.state(1) == "stopped"


@pytest.mark.parametrize(
    ("version", "quirks", "queued"),
    [
        ("7.23.3", Quirks(), False),
        ("7.24", Quirks(), True),
        ("7.23.3", Quirks(start_while_extracting="queue"), True),
        ("7.24", Quirks(start_while_extracting="trap"), False),
    ],
)
async def test_a_start_before_the_image_is_there(
    version: str, quirks: Quirks, queued: bool, ground: MakeGround
) -> None:
    on = await ground(version=version, quirks=quirks)
    await on.lay()
    await on.add()
    heard = await on.do("start")
    assert (heard.trap is None) is queued
    await on.lab.clock.advance(10)
    assert await on.state() == ("running" if queued else "stopped")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("=interface=veth1",), "failure: No file or remote-image"),
        (("=remote-image=x/y:z", "=interface=veth9"), "input does not match any value of interface"),
        (("=file=none.tar", "=interface=veth1"), "input does not match any value of file"),
        (("=remote-image=x/y:z", "=envlists=none"), "input does not match any value of envlists"),
        (("=remote-image=x/y:z", "=mountlists=none"), "input does not match any value of mountlists"),
        (("=remote-image=x/y:z", "=root-dir=/"), "invalid value for argument root-dir"),
        (("=remote-image=x/y:z", "=tmpfs=nonsense"), "invalid value for argument tmpfs"),
        (("=remote-image=x/y:z", "=auto-restart-interval=5s"), "unknown parameter auto-restart-interval"),
    ],
)
async def test_an_add_that_cannot_work_is_refused(words: tuple[str, ...], text: str, ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    assert (await on.talker.say("/container/add", *words)).trap == text
    assert on.router.rows("/container") == []


async def test_root_directories_may_not_overlap_even_while_one_goes_away(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    for root in ("mtts/a", "mtts/a/inner", "mtts"):
        assert (await on.add(root, "=name=b")).trap == "failure: root-dir overlap with /mtts/a"
    await on.do("remove")
    assert (await on.add("mtts/a", "=name=b")).trap == "failure: root-dir overlap with /mtts/a"
    await on.lab.clock.advance(5)
    assert (await on.add("mtts/a", "=name=b")).trap is None


@pytest.mark.parametrize(("version", "refused"), [("7.22.3", False), ("7.23.3", True)])
async def test_a_directory_in_the_way_is_refused_from_7_23_and_moved_before(
    version: str, refused: bool, ground: MakeGround
) -> None:
    on = await ground(version=version)
    await on.lay()
    on.router.write_file("mtts/a/old", b"left over")
    heard = await on.add()
    assert (heard.trap == "failure: root-dir already exists") is refused
    await on.lab.clock.advance(5)
    assert ("mtts/a.backup/old" in on.router.files()) is not refused


async def test_before_7_23_old_files_may_keep_running_under_a_new_name(ground: MakeGround) -> None:
    on = await ground(version="7.22.3", quirks=Quirks(old_root_dir="stale"))
    await on.run()
    publish(on.lab, "2.0")
    await on.do("stop")
    await on.lab.clock.advance(3)
    await on.do("repull")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(5)
    heard = await on.talker.say("/container/shell", "=number=*1", "=cmd=tailscale version")
    assert heard.ret == "1.0"


async def test_two_containers_share_a_veth_but_only_one_runs(ground: MakeGround) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key())
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    assert (await on.do("start", 2)).trap is None
    await on.lab.clock.advance(2)
    row = await on.print(1)
    assert (row["stopped"], row[".about"]) == ("true", "could not acquire interface")
    await on.do("stop", 1)
    await on.lab.clock.advance(2)
    await on.do("start", 2)
    await on.lab.clock.advance(10)
    assert await on.state(1) == "running"
    assert on.lab.tailnet.fights == 0


@pytest.mark.parametrize("first", [1, 2])
async def test_of_two_that_start_at_once_on_a_veth_one_runs(first: int, ground: MakeGround) -> None:
    on = await ground()
    await on.lay(key=on.lab.tailnet.issue_key())
    await on.add("mtts/a", "=name=a")
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    await on.do("start", first)
    await on.lab.clock.advance(0.1)
    await on.do("start", 3 - first)
    await on.lab.clock.advance(10)
    assert await on.state(first - 1) == "running"
    assert await on.state(2 - first) == "stopped"
    assert on.lab.tailnet.fights == 0


async def test_a_start_that_cannot_work_may_be_refused_at_once(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(start_failure="trap"))
    await on.run()
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    assert (await on.do("start", 2)).trap == "failure: could not acquire interface"


async def test_a_vanished_veth_keeps_a_container_from_starting(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    on.router.remove_row("/interface/veth", "veth1")
    await on.do("start")
    await on.lab.clock.advance(2)
    assert (await on.print())[".about"] == "could not acquire interface: no device"


@pytest.mark.parametrize(("version", "runs"), [("7.21.5", True), ("7.22.3", False)])
async def test_from_7_22_the_image_s_own_command_is_not_enough(version: str, runs: bool, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.lay()
    await on.add("mtts/a", "=cmd=")
    await on.talker.say("/container/set", "=.id=*1", "=entrypoint=")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(2)
    row = await on.print()
    assert row["running"] == ("true" if runs else "false")
    assert row.get(".about", "") == ("" if runs else "start failed: no command specified, set cmd or entrypoint")


async def test_from_7_24_a_container_needs_a_resolver(ground: MakeGround) -> None:
    on = await ground(version="7.24", dns=())
    await on.run()
    assert (await on.print())[".about"] == "no DNS servers configured"
    await on.talker.say("/ip/dns/set", "=servers=192.0.2.53")
    await on.do("start")
    await on.lab.clock.advance(2)
    assert await on.state() == "running"


async def test_starting_and_stopping_twice_is_refused(ground: MakeGround) -> None:
    on = await ground()
    await on.run()
    assert (await on.do("start")).trap == Quirks().start_when_up_text
    await on.do("stop")
    assert (await on.do("stop")).trap == Quirks().stop_when_down_text


async def test_device_mode_and_a_missing_package_forbid_containers(ground: MakeGround) -> None:
    forbidden = await ground("forbidden", device_mode_container=False)
    await forbidden.lay()
    assert (await forbidden.add()).trap == "failure: not allowed by device-mode"
    without = await ground("without", container_package=False)
    for command in ("/container/print", "/container/config/print", "/interface/veth/print"):
        assert (await without.talker.say(command)).trap == "no such command"
    older = await ground("older", container_package=False, version="7.20.8")
    assert (await older.talker.say("/container/print")).trap == "no such command"
    assert (await older.talker.say("/interface/veth/print")).trap is None


async def test_restart_policy_gives_up_after_its_count(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    publish(on.lab, "2.0", behaviour="crash")
    policy = ("=restart-policy=on-failure", "=restart-max-count=3", "=restart-interval=5s")
    await on.add("mtts/a", *policy)
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(60)
    row = await on.print()
    assert (row["stopped"], row["restart-count"]) == ("true", "3")
    starts = [row for row in on.router.device.log_rows if row["message"].endswith("*** started /entrypoint.sh")]
    assert len(starts) == 4


async def test_a_stopped_crash_loop_stays_stopped(ground: MakeGround) -> None:
    on = await ground(version="7.22.3")
    await on.lay()
    publish(on.lab, "2.0", behaviour="crash-later")
    await on.add("mtts/a", "=auto-restart-interval=5s")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(10)
    assert await on.state() == "running"
    await on.do("stop")
    await on.lab.clock.advance(60)
    assert await on.state() == "stopped"


async def test_a_repull_of_the_same_image_can_leave_nothing_to_run(ground: MakeGround) -> None:
    on = await ground(version="7.22.3")
    await on.run()
    await on.do("repull")
    await on.lab.clock.advance(10)
    assert await on.state() == "stopped"
    messages = [row["message"] for row in on.router.device.log_rows]
    assert any("skip importing same version" in message for message in messages)
    assert any("No such file or directory" in message for message in messages)


@pytest.mark.parametrize(("cpu", "runs"), [("ARMv7", True), ("EN7562CT", False)])
async def test_an_armv7_program_is_illegal_on_en7562ct(cpu: str, runs: bool, ground: MakeGround) -> None:
    on = await ground(arch="arm", cpu=cpu)
    await on.run(key=on.lab.tailnet.issue_key())
    assert await on.state() == ("running" if runs else "stopped")
    messages = [row["message"] for row in on.router.device.log_rows]
    assert any("Illegal instruction" in message for message in messages) is not runs


async def test_stuck_in_stopping_until_killed(ground: MakeGround) -> None:
    on = await ground()
    await on.run()
    on.router.faults.stuck_stopping = True
    await on.do("stop")
    await on.lab.clock.advance(600)
    assert await on.state() == "stopping"
    assert (await on.do("remove")).trap == "failure: cannot remove running container"
    await on.talker.say("/container/kill", "=number=*1")
    assert await on.state() == "stopped"


@pytest.mark.parametrize("version", ["7.19.6", "7.20.8"])
async def test_start_has_the_selector_of_its_version(version: str, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    known, unknown = ("number", "numbers") if version == "7.19.6" else ("numbers", "number")
    assert (await on.talker.say("/container/start", f"={unknown}=*1")).trap == f"unknown parameter {unknown}"
    assert (await on.talker.say("/container/start", f"={known}=*1")).trap is None


async def test_a_listed_destination_appears_once(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    heard = await on.talker.say("/container/mounts/add", "=list=ts", "=src=x", "=dst=/var/lib/tailscale")
    assert heard.trap == "failure: same dst already exists"


async def test_digest_references_may_be_refused(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(digest_references=False))
    await on.lay()
    heard = await on.talker.say("/container/add", f"=remote-image=x.test/y@sha256:{'0' * 64}", "=interface=veth1")
    assert heard.trap == "invalid value for argument remote-image"


async def test_a_directory_in_the_way_may_fail_the_extraction_instead(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(root_dir_exists="failed"))
    await on.lay()
    on.router.write_file("mtts/a/old", b"left over")
    assert (await on.add()).trap is None
    await on.lab.clock.advance(5)
    assert "already exists" in (await on.print())[".about"]
    assert on.router.files()["mtts/a/old"] == b"left over"


async def test_a_container_that_goes_away_may_hold_its_veth(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(deleting_holds_veth=True))
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    await on.do("remove")
    assert (await on.add("mtts/b")).trap == "input does not match any value of interface"
    await on.lab.clock.advance(5)
    assert (await on.add("mtts/b")).trap is None


@pytest.mark.parametrize(("version", "told"), [("7.23.3", True), ("7.24", False)])
async def test_before_7_24_the_environment_shows_in_the_log(version: str, told: bool, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.run()
    messages = [row["message"] for row in on.router.device.log_rows]
    assert any(message.endswith("TS_HOSTNAME=r1") for message in messages) is told
