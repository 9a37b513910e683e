"""What happens to a container between its start and its end: signals, health checks, memory, mounts, the clock."""

from datetime import timedelta
from typing import Literal

import pytest

from mtts.lab.boards import MIB
from mtts.lab.images import build_image
from mtts.lab.quirks import Quirks
from tests.lab.conftest import MakeGround
from tests.lab.ground import STATE, Ground, publish

CHECK = ("=healthcheck-cmd=tailscale status", "=healthcheck-interval=10s", "=healthcheck-retries=2")


async def up(on: Ground, *words: str, behaviour: str = "ok", key: bool = True) -> None:
    """A container with these words, started ten seconds ago."""
    await on.lay(key=on.lab.tailnet.issue_key() if key else None)
    publish(on.lab, behaviour=behaviour)
    assert (await on.add("mtts/a", *words)).trap is None
    await on.lab.clock.advance(5)
    assert (await on.do("start")).trap is None
    await on.lab.clock.advance(10)


def said(on: Ground, text: str) -> bool:
    """Whether the router's log has it."""
    return any(text in row["message"] for row in on.router.device.log_rows)


@pytest.mark.parametrize(("behaviour", "verdict"), [("ok", "healthy"), ("unhealthy", "unhealthy")])
async def test_a_health_check_says_starting_first_and_its_verdict_then(
    behaviour: str, verdict: str, ground: MakeGround
) -> None:
    on = await ground()
    await up(on, *CHECK, behaviour=behaviour)
    row = await on.print()
    assert row["starting-with-healthcheck"] == "true"
    await on.lab.clock.advance(15)
    row = await on.print()
    assert (row[verdict], row["healthcheck-status"]) == ("true", verdict)
    assert "running" not in row


async def test_running_may_show_beside_the_verdict(ground: MakeGround) -> None:
    on = await ground(version="7.22.3", quirks=Quirks(running_beside_health=True))
    await up(on, *CHECK)
    await on.lab.clock.advance(15)
    row = await on.print()
    assert (row["running"], row["healthy"], row["unhealthy"]) == ("true", "true", "false")


async def test_failures_within_the_start_period_do_not_count(ground: MakeGround) -> None:
    on = await ground()
    words = ("=healthcheck-cmd=x", "=healthcheck-start-period=1m", "=healthcheck-start-interval=5s")
    await up(on, *words, "=healthcheck-retries=1", "=healthcheck-interval=5s", behaviour="unhealthy")
    await on.lab.clock.advance(40)
    assert (await on.print())["starting-with-healthcheck"] == "true"
    await on.lab.clock.advance(20)
    assert (await on.print())["unhealthy"] == "true"


async def test_who_is_unhealthy_is_stopped_where_that_is_asked_for(ground: MakeGround) -> None:
    on = await ground()
    await up(on, *CHECK, "=stop-on-unhealthy=yes", behaviour="unhealthy")
    await on.lab.clock.advance(60)
    assert await on.state() == "stopped"


@pytest.mark.parametrize(("quirks", "counts"), [(Quirks(), True), (Quirks(image_health_check=False), False)])
async def test_an_image_s_own_check_may_count(quirks: Quirks, counts: bool, ground: MakeGround) -> None:
    on = await ground(quirks=quirks)
    await on.lay(key=on.lab.tailnet.issue_key())
    on.lab.registry.publish(build_image("1.0", extracted_bytes=400_000, healthcheck=("tailscale", "status")))
    await on.add()
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(60)
    assert ((await on.print()).get("healthy") == "true") is counts


@pytest.mark.parametrize(("words", "ends_s"), [((), 10), (("=stop-time=30s",), 30)])
async def test_who_ignores_the_signal_is_killed_after_stop_time(
    words: tuple[str, ...], ends_s: int, ground: MakeGround
) -> None:
    on = await ground()
    await up(on, *words, behaviour="ignores-stop")
    await on.do("stop")
    await on.lab.clock.advance(ends_s - 1)
    assert await on.state() == "stopping"
    await on.lab.clock.advance(2)
    assert await on.state() == "stopped"


async def test_who_has_no_handler_for_the_signal_is_killed_at_once(ground: MakeGround) -> None:
    on = await ground()
    await up(on, "=stop-signal=2", behaviour="crash-later")
    assert (await on.print())["stop-signal"] == "2-SIGINT"
    await on.do("stop")
    await on.lab.clock.advance(0.1)
    assert await on.state() == "stopped"
    assert said(on, "signal 2 (Interrupt) not caught, kill immediately")


async def test_a_kill_has_a_signal_and_a_restart_keeps_to_good_order(ground: MakeGround) -> None:
    on = await ground()
    await up(on)
    assert (await on.talker.say("/container/kill", "=number=*1", "=signal=x")).trap is not None
    assert (await on.talker.say("/container/restart", "=number=*1")).trap is None
    assert await on.state() == "stopping"
    await on.lab.clock.advance(10)
    assert await on.state() == "running"
    assert (await on.talker.say("/container/kill", "=number=*1", "=signal=9-SIGKILL")).trap is None
    assert await on.state() == "stopped"
    assert (await on.talker.say("/container/restart", "=number=*1")).trap is None
    await on.lab.clock.advance(10)
    assert await on.state() == "running"


async def test_a_manual_stop_between_two_restarts_is_the_last_word(ground: MakeGround) -> None:
    on = await ground()
    await up(on, "=restart-policy=always", "=restart-interval=20s", behaviour="crash")
    await on.do("stop")
    await on.lab.clock.advance(60)
    assert (await on.print())["restart-count"] == "0"


@pytest.mark.parametrize(("ignored", "pulled"), [("no", True), ("yes", False)])
async def test_another_remote_image_is_pulled_unless_changes_are_ignored(
    ignored: str, pulled: bool, ground: MakeGround
) -> None:
    on = await ground()
    await up(on, f"=ignore-remote-image-change={ignored}")
    before = (await on.print())["image-id"]
    publish(on.lab, "2.0", tag="next")
    image = f"{on.lab.registry.address}/team/mikrotik-tailscale:next"
    assert (await on.talker.say("/container/set", "=.id=*1", f"=remote-image={image}")).trap is None
    await on.lab.clock.advance(15)
    assert await on.state() == "running"
    assert ((await on.print())["image-id"] != before) is pulled
    assert ("mtts/a.backup" in on.router.directories()) is pulled


@pytest.mark.parametrize(("dead", "flag"), [("stopped", "stopped"), ("failed", "download/extract failed")])
async def test_a_repull_that_dies_leaves_no_image_and_starts_nothing(
    dead: Literal["stopped", "failed"], flag: str, ground: MakeGround
) -> None:
    on = await ground(quirks=Quirks(dead_repull=dead))
    await up(on)
    on.router.faults.fail_pull("connection reset")
    await on.talker.say("/container/repull", "=number=*1")
    await on.lab.clock.advance(30)
    row = await on.print()
    assert row[flag] == "true"
    assert "image-id" not in row
    if dead == "stopped":
        await on.do("start")
        await on.lab.clock.advance(5)
        assert said(on, "execvpe")


async def test_before_7_22_what_runs_is_not_pulled_again(ground: MakeGround) -> None:
    on = await ground(version="7.21.5")
    await up(on)
    assert (await on.talker.say("/container/repull", "=number=*1")).trap == "failure: container is running"


async def test_a_running_container_keeps_its_veth_when_its_setting_changes(ground: MakeGround) -> None:
    on = await ground()
    await up(on)
    await on.talker.say("/interface/veth/add", "=name=veth2", "=address=172.20.0.6/30", "=gateway=172.20.0.5")
    await on.talker.say("/container/set", "=.id=*1", "=interface=veth2")
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    await on.do("start", 2)
    await on.lab.clock.advance(5)
    assert (await on.print(1))[".about"] == "could not acquire interface"


@pytest.mark.parametrize("filled", [True, False])
async def test_a_missing_mount_source_is_made_and_filled_from_the_image(filled: bool, ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(mounts_filled_from_image=filled))
    await on.lay()
    for source, destination in {"mtts/certs": "/etc/ssl", "mtts/script": "/entrypoint.sh"}.items():
        await on.talker.say("/container/mounts/add", "=list=ts", f"=src={source}", f"=dst={destination}")
    await on.add()
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(5)
    assert ("mtts/certs/certs/ca-certificates.crt" in on.router.files()) is filled
    assert ("mtts/script" in on.router.files()) is filled
    await on.do("stop")
    await on.lab.clock.advance(5)
    await on.do("remove")
    await on.lab.clock.advance(5)
    assert {"mtts/certs", STATE} <= on.router.directories()


@pytest.mark.parametrize(("limit", "runs"), [("64M", True), ("8M", False)])
async def test_who_takes_more_than_memory_max_is_killed(limit: str, runs: bool, ground: MakeGround) -> None:
    on = await ground()
    await up(on, f"=memory-max={limit}")
    assert await on.state() == ("running" if runs else "stopped")
    heard = await on.talker.say("/container/set", "=.id=*1", "=memory-max=1000")
    assert heard.trap == "invalid value for argument memory-max"


@pytest.mark.parametrize(("taken", "lives"), [(0, True), (200 * MIB, False)])
async def test_an_import_takes_memory_and_too_much_of_it_reboots(taken: int, lives: bool, ground: MakeGround) -> None:
    on = await ground(ram=256 * MIB, quirks=Quirks(extraction_ram_bytes=taken))
    await on.lay()
    await on.add()
    await on.lab.clock.advance(60)
    assert (on.router.device.boots == 0) is lives
    assert said(on, "out of memory condition was detected") is not lives
    free = on.router.device.storage.free_memory_bytes
    assert free == on.router.device.storage.ram_bytes - on.router.device.storage.system_ram_bytes


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        ("7.15.3", {"tag"}, {"repo", "memory-current"}),
        ("7.20.8", {"tag", "memory-current"}, {"cpu-usage", "default-entrypoint", "container-size"}),
        ("7.21.5", {"cpu-usage", "default-entrypoint", "env-current", "layers"}, {"container-size", "swap-current"}),
        ("7.23.3", {"container-size", "data-size"}, {"swap-current"}),
        ("7.24", {"swap-current"}, {"repo"}),
    ],
)
async def test_what_a_row_says_of_image_and_use_follows_the_version(
    version: str, present: set[str], absent: set[str], ground: MakeGround
) -> None:
    on = await ground(version=version)
    await up(on)
    row = await on.print()
    assert present <= set(row)
    assert not absent & set(row)


async def test_layers_may_not_lie_in_a_root_directory(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    for inside in ("mtts/a", "mtts/a/layers"):
        assert (await on.add("mtts/a", f"=layer-dir={inside}")).trap == "invalid value for argument layer-dir"
    assert (await on.add("mtts/a", "=layer-dir=mtts/layers")).trap is None


async def test_file_commands_do_nothing_in_a_tree_that_is_going(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    await on.do("remove")
    assert (await on.talker.say("/file/remove", "=numbers=mtts/a")).trap is None
    assert "mtts/a" in on.router.directories()


async def test_a_container_on_tmpfs_has_nothing_to_run_after_a_reboot(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.talker.say("/disk/add", "=type=tmpfs", "=slot=ram1", "=tmpfs-max-size=64M")
    await on.add("ram1/a", "=start-on-boot=yes")
    await on.lab.clock.advance(5)
    on.router.faults.reboot()
    await on.lab.clock.advance(60)
    assert on.router.rows("/container")[0]["stopped"] == "true"
    assert said(on, "execvpe")


@pytest.mark.parametrize(
    ("version", "quirks", "lost"),
    [
        ("7.22.1", Quirks(reboot_loses_containers=True), True),
        ("7.22.1", Quirks(), False),
        ("7.22.3", Quirks(reboot_loses_containers=True), False),
    ],
)
async def test_two_versions_may_lose_containers_over_a_reboot(
    version: str, quirks: Quirks, lost: bool, ground: MakeGround
) -> None:
    on = await ground(version=version, quirks=quirks)
    await up(on)
    on.router.faults.reboot()
    await on.lab.clock.advance(60)
    assert (on.router.rows("/container") == []) is lost


@pytest.mark.parametrize(("answer", "year"), [("last-known", 0), ("1970", 1970), ("kept", 0)])
async def test_a_power_cut_costs_the_time_until_it_has_been_asked_for(
    answer: Literal["last-known", "1970", "kept"], year: int, ground: MakeGround
) -> None:
    on = await ground(quirks=Quirks(clock_after_power_cut=answer))
    device, clock = on.router.device, on.lab.clock
    on.router.faults.power_cut()
    await clock.advance(35)
    late = clock.wall - device.wall
    assert late == timedelta(seconds={"last-known": 30, "kept": 0}.get(answer, late.total_seconds()))
    assert (device.wall.year == 1970) is (year == 1970)
    await clock.advance(20)
    assert device.wall == clock.wall
    on.router.faults.reboot()
    await clock.advance(35)
    assert device.wall == clock.wall
