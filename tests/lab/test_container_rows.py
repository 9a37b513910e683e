"""What each RouterOS version shows of a container: its state, its image, its names and paths."""

import pytest

from mtts.lab.quirks import Quirks
from tests.lab.conftest import MakeGround
from tests.lab.ground import publish


async def test_up_to_7_19_the_state_is_a_text(ground: MakeGround) -> None:
    on = await ground(version="7.19.6")
    await on.run()
    row = await on.print()
    assert row["status"] == "running"
    assert "running" not in row


@pytest.mark.parametrize("version", ["7.20.8", "7.22.3"])
async def test_from_7_20_there_are_flags_and_false_ones_are_sent(version: str, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.run()
    row = await on.print()
    assert "status" not in row
    assert (row["running"], row["stopped"], row["download/extract failed"]) == ("true", "false", "false")


@pytest.mark.parametrize("version", ["7.23.3", "7.24"])
async def test_from_7_23_false_flags_are_left_out(version: str, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.run()
    row = await on.print()
    assert row["running"] == "true"
    assert not {"status", "stopped", "starting", "stopping"} & set(row)


async def test_status_may_stand_beside_the_flags(ground: MakeGround) -> None:
    on = await ground(version="7.21.5", quirks=Quirks(status_beside_flags=True))
    await on.run()
    row = await on.print()
    assert (row["status"], row["running"]) == ("running", "true")


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        ("7.18.2", {"repo", "arch", "name"}, {"tag", "image-id", "config-json", "restart-count"}),
        ("7.20.8", {"tag", "config-json"}, {"repo", "image-id"}),
        ("7.21.5", {"tag", "config-json", "image-id"}, {"repo", "restart-count"}),
        ("7.23.3", {"image-id", "restart-count"}, {"cmd", "domain-name"}),
    ],
)
async def test_read_only_properties_follow_the_version(
    version: str, present: set[str], absent: set[str], ground: MakeGround
) -> None:
    on = await ground(version=version)
    await on.run()
    row = await on.print()
    assert present <= set(row)
    assert not absent & set(row)


async def test_image_id_is_the_config_digest_of_the_platform(ground: MakeGround) -> None:
    on = await ground(arch="x86_64")
    await on.run()
    row = await on.print()
    assert row["arch"] == "amd64"
    assert row["image-id"].startswith("sha256:")
    publish(on.lab, "2.0")
    await on.add("mtts/b", "=name=other")
    await on.lab.clock.advance(5)
    assert (await on.print(1))["image-id"] != row["image-id"]


async def test_stopped_may_show_while_the_extraction_still_runs(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(stopped_while_extracting=True))
    await on.lay()
    await on.add()
    row = await on.print()
    assert (row["stopped"], row["arch"]) == ("true", "")
    assert "image-id" not in row


async def test_names_are_derived_settable_and_unique_from_7_19(ground: MakeGround) -> None:
    on = await ground(version="7.19.6")
    await on.lay()
    await on.add()
    assert (await on.print())["name"] == "mikrotik-tailscale:stable"
    assert (await on.add("mtts/b")).trap == Quirks().duplicate_name_text
    await on.talker.say("/container/set", "=numbers=mikrotik-tailscale:stable", "=name=tailscale")
    assert (await on.print())["name"] == "tailscale"


@pytest.mark.parametrize(("version", "shown"), [("7.21.5", "mtts"), ("7.22.3", "/mtts")])
async def test_paths_read_back_with_a_slash_from_7_22(version: str, shown: str, ground: MakeGround) -> None:
    on = await ground(version=version)
    await on.lay()
    await on.add()
    assert (await on.print())["root-dir"] == f"{shown}/a"
    mount = (await on.talker.say("/container/mounts/print")).rows[0]
    assert mount["src"] == f"{shown}/state"


async def test_an_old_router_tells_pulling_from_extracting(ground: MakeGround) -> None:
    on = await ground(version="7.18.2", link_bytes_per_s=200_000)
    await on.lay()
    await on.add()
    seen: list[str] = []
    while not seen or seen[-1] != "stopped":
        seen.append(await on.state())
        await on.lab.clock.advance(0.05)
    assert list(dict.fromkeys(seen)) == ["pulling", "extracting", "stopped"]
