"""Where bytes go: flash that follows late, tmpfs that forgets, boards of the `flash` kind, wear, memory, files."""

import pytest

from mtts.lab.boards import MIB
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.quirks import Quirks
from tests.lab.conftest import Login, MakeGround
from tests.lab.ground import Ground


async def resource(on: Ground, name: str) -> int:
    """One figure of /system/resource."""
    return int((await on.talker.say("/system/resource/print")).rows[0][name])


async def test_free_space_and_wear_follow_a_write_late(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(flash_flush_s=40))
    await on.lay()
    await on.lab.clock.advance(60)
    free, wear = await resource(on, "free-hdd-space"), await resource(on, "write-sect-since-reboot")
    await on.add()
    await on.lab.clock.advance(5)
    assert await on.state() == "stopped"
    assert await resource(on, "free-hdd-space") == free
    await on.lab.clock.advance(60)
    taken = free - await resource(on, "free-hdd-space")
    assert 400_000 <= taken < 500_000
    assert await resource(on, "write-sect-since-reboot") - wear >= taken // 512
    await on.do("remove")
    await on.lab.clock.advance(60)
    assert await resource(on, "free-hdd-space") == free


async def test_a_container_wholly_on_tmpfs_writes_no_sector(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.talker.say("/disk/add", "=type=tmpfs", "=slot=ram1", "=tmpfs-max-size=64M")
    await on.lab.clock.advance(60)
    wear = await resource(on, "write-sect-total")
    await on.add("ram1/a")
    await on.lab.clock.advance(5)
    await on.do("remove")
    await on.lab.clock.advance(60)
    assert await resource(on, "write-sect-total") == wear


async def test_compressed_layers_lie_in_tmpdir_while_they_are_pulled(ground: MakeGround) -> None:
    on = await ground(link_bytes_per_s=50_000)
    await on.lay()
    await on.talker.say("/disk/add", "=type=tmpfs", "=slot=ram1", "=tmpfs-max-size=64M")
    await on.talker.say("/container/config/set", "=tmpdir=ram1")
    await on.add()
    await on.lab.clock.advance(4)
    disk = (await on.talker.say("/disk/print")).rows[0]
    assert int(disk["free"]) < int(disk["size"])
    await on.lab.clock.advance(60)
    disk = (await on.talker.say("/disk/print")).rows[0]
    assert disk["free"] == disk["size"]


async def test_a_full_flash_fails_the_extraction_and_keeps_what_was_written(ground: MakeGround) -> None:
    on = await ground(flash_total=16 * MIB, flash_free=300_000)
    await on.lay()
    await on.add()
    await on.lab.clock.advance(60)
    row = await on.print()
    assert "no space left" in row[".about"]
    assert row["download/extract failed"] == "true"
    await on.do("remove")
    await on.lab.clock.advance(60)
    assert await resource(on, "free-hdd-space") > 290_000


@pytest.mark.parametrize(
    ("version", "state"), [("7.19.6", ("status", "error")), ("7.24", ("download/extract failed", "true"))]
)
async def test_an_extraction_that_dies_halfway_leaves_half_a_root_directory_and_says_so(
    version: str, state: tuple[str, str], ground: MakeGround
) -> None:
    on = await ground(version=version)
    await on.lay()
    await on.lab.clock.advance(60)
    before, used = await resource(on, "free-hdd-space"), on.router.device.storage.flash.used_bytes
    on.router.faults.fail_extraction(after_percent=50)
    await on.add()
    await on.lab.clock.advance(60)
    row = await on.print()
    assert (row[state[0]], row.get("image-id", "")) == (state[1], "")
    assert any(
        "download/extract error: failed to extract layer" in line["message"] for line in on.router.device.log_rows
    )
    assert row[".about"] == "download/extract error: failed to extract layer"
    root = on.router.device.files.entries["mtts/a"].room_bytes
    assert 180_000 < root < 220_000  # of 400 000, in blocks
    assert on.router.device.storage.flash.used_bytes == used + root
    assert await resource(on, "free-hdd-space") == before - root
    assert "not ready" in str((await on.do("start")).trap)
    await on.do("remove")
    await on.lab.clock.advance(60)
    assert await resource(on, "free-hdd-space") == before
    await on.add("mtts/b")
    await on.lab.clock.advance(60)
    assert await on.state() == "stopped"


async def test_an_extraction_may_end_well_without_the_program(ground: MakeGround) -> None:
    on = await ground()
    on.router.faults.hollow_extraction(after_percent=25)
    await on.lay()
    await on.add()
    await on.lab.clock.advance(5)
    assert (await on.state(), (await on.print())["image-id"][:7]) == ("stopped", "sha256:")
    assert (await on.do("start")).trap is None
    await on.lab.clock.advance(10)
    assert await on.state() == "stopped"
    assert any("execvpe /entrypoint.sh failed" in line["message"] for line in on.router.device.log_rows)


async def test_tmpfs_keeps_its_configuration_and_forgets_its_contents(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    await (await login(router)).say("/disk/add", "=type=tmpfs", "=slot=ram1", "=tmpfs-max-size=1M")
    router.write_file("ram1/x", b"volatile")
    router.write_file("kept", b"persistent")
    router.faults.reboot()
    await lab.clock.advance(60)
    assert router.files() == {"kept": b"persistent"}
    disk = (await (await login(router)).say("/disk/print")).rows[0]
    assert (disk["mounted"], disk["free"]) == ("true", str(MIB))


async def test_on_a_board_of_the_flash_kind_everything_outside_flash_is_lost(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", board="hAP ac2")
    talker = await login(router)
    heard = await talker.say("/file/print", "?name=flash", "=.proplist=name,type")
    assert heard.rows == [{"name": "flash", "type": "disk"}]
    router.write_file("outside", b"x" * 100_000)
    router.write_file("flash/inside", b"x")
    router.faults.reboot()
    await lab.clock.advance(60)
    assert set(router.files()) == {"flash/inside"}


async def test_a_container_outside_flash_does_not_survive_a_reboot(ground: MakeGround) -> None:
    on = await ground(board="hAP ac2")
    await on.lay()
    on.lab.registry.publish(build_image("1.0", extracted_bytes=400_000))
    await on.add("mtts/a", "=start-on-boot=yes")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(5)
    assert await on.state() == "running"
    on.router.faults.reboot()
    await on.lab.clock.advance(60)
    rows = on.router.rows("/container")
    assert rows[0]["stopped"] == "true"


async def test_too_much_in_memory_reboots_the_router(lab: Lab) -> None:
    router = await lab.add_router("r", ram=128 * MIB, board="hAP ac2")
    router.write_file("big", b"x" * (100 * MIB))
    await lab.clock.advance(120)
    assert router.files() == {}
    assert any("out of memory" in row["message"] for row in router.device.log_rows)


async def test_running_containers_take_memory(ground: MakeGround) -> None:
    on = await ground()
    before = await resource(on, "free-memory")
    await on.run()
    assert before - await resource(on, "free-memory") > 10 * MIB
    await on.do("stop")
    await on.lab.clock.advance(5)
    assert await resource(on, "free-memory") == before


async def test_a_usb_disk_is_a_place_of_its_own(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", usb={"usb1": 64 * MIB})
    router.write_file("usb1/x", b"x" * MIB)
    await lab.clock.advance(60)
    talker = await login(router)
    assert (await talker.say("/system/resource/print")).rows[0]["write-sect-since-reboot"] == "0"
    assert (await talker.say("/disk/print")).rows[0]["free"] == str(63 * MIB)
    router.faults.reboot()
    await lab.clock.advance(60)
    assert "usb1/x" in router.files()


async def test_files_are_made_read_changed_renamed_and_removed_by_name(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    assert (await talker.say("/file/add", "=name=d/x", "=contents=1")).trap == "failure: no such directory: d"
    await talker.say("/file/add", "=name=/d", "=type=directory")
    assert (await talker.say("/file/add", "=name=d", "=type=directory")).trap == "failure: file already exists"
    await talker.say("/file/add", "=name=d/x.txt", "=contents=grüße")
    row = (await talker.say("/file/print", "?name=d/x.txt", "=.proplist=name,type,size,contents")).rows[0]
    assert row == {"name": "d/x.txt", "type": ".txt file", "size": "7", "contents": "grüße"}
    await talker.say("/file/set", "=numbers=d/x.txt", "=contents=neu")
    assert (await talker.say("/file/get", "=number=d/x.txt", "=value-name=contents")).ret == "neu"
    assert (await talker.say("/file/read", "=file=d/x.txt", "=chunk-size=2", "=offset=1")).rows == [{"data": "eu"}]
    await talker.say("/file/set", "=numbers=d/x.txt", "=name=d/y")
    assert (await talker.say("/file/remove", "=numbers=d/x.txt")).trap == "no such item"
    await talker.say("/file/remove", "=numbers=d")
    assert (await talker.say("/file/print")).rows == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("=file=x", "=chunk-size=0"), "value of chunk-size is out of range (1 .. 32768)"),
        (("=file=x", "=chunk-size=many"), "invalid value for argument chunk-size"),
        (("=file=none",), "no such item"),
    ],
)
async def test_reading_a_file_wants_sane_arguments(words: tuple[str, ...], text: str, lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    router.write_file("x", b"y")
    assert (await (await login(router)).say("/file/read", *words)).trap == text


async def test_contents_have_a_limit(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    assert (await talker.say("/file/add", "=name=x", f"=contents={'x' * 61_441}")).trap == "failure: contents too long"
