"""Where persistent things may live: the `flash` trap, disks that are there, and disks that only seem to be."""

import pytest

from mtts.core.errors import Problem
from mtts.core.facts import Item
from mtts.core.storage import Place, choose_storage
from tests.core.examples import MIB, a_resource, an_item

USB = an_item(slot="usb1", type="hardware", mounted="true", mount_point="usb1", size="8000000000", free="7000000000")
SMALL = an_item(slot="sd1", type="hardware", mounted="true", mount_point="sd1", size="8000000", free="4000000")
RAM = an_item(slot="ram", type="tmpfs", mounted="true", mount_point="ram", size="8000000", free="8000000")
OLD = an_item(slot="disk1", type="hardware", mount_point="/disk1", free="7000000000")
UNMOUNTED = an_item(slot="usb2", type="hardware", mounted="false", mount_point="usb2")
NOWHERE = an_item(slot="usb3", type="hardware")
DISABLED = an_item(slot="usb4", type="hardware", mounted="true", disabled="true")


def choose(
    setting: str, *disks: Item, flash_disk: bool = False, free: str = str(64 * MIB), needed_bytes: int = 12 * MIB
) -> Place | Problem:
    resource = a_resource(free_hdd_space=free, total_hdd_space=str(128 * MIB))
    return choose_storage(setting, resource=resource, disks=disks, flash_disk=flash_disk, needed_bytes=needed_bytes)


def prefix(found: Place | Problem) -> str:
    assert isinstance(found, Place), found
    return found.prefix


def test_auto_is_the_internal_storage_where_that_has_room() -> None:
    assert choose("auto", USB) == Place("", 64 * MIB)


def test_on_a_board_with_the_flash_trap_everything_lies_under_flash() -> None:
    assert choose("auto", flash_disk=True) == Place("flash", 64 * MIB)
    assert choose("/flash/apps/", flash_disk=True) == Place("flash/apps", 64 * MIB)


def test_flash_is_no_disk_on_a_board_without_the_trap() -> None:
    found = choose("flash")
    assert isinstance(found, Problem)
    assert found.code == "storage-not-found"


@pytest.mark.parametrize(
    ("free", "disks", "expected"),
    [
        ("1000000", (SMALL, USB), "usb1"),
        ("1000000", (SMALL,), ""),
        ("1000000", (UNMOUNTED, RAM, DISABLED), ""),
        ("1000000", (), ""),
        ("", (USB,), "usb1"),
        ("", (), ""),
        ("1000000", (OLD,), "disk1"),
    ],
)
def test_auto_takes_the_roomiest_mounted_disk_where_the_flash_has_no_room(
    free: str, disks: tuple[Item, ...], expected: str
) -> None:
    assert prefix(choose("auto", *disks, free=free)) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("usb1", "usb1"), ("/usb1/", "usb1"), ("usb1/apps/mtts", "usb1/apps/mtts"), ("disk1", "disk1")],
)
def test_a_named_disk_is_taken_with_the_directory_on_it(setting: str, expected: str) -> None:
    assert prefix(choose(setting, SMALL, OLD, USB)) == expected


def test_a_named_disk_tells_its_own_room() -> None:
    assert choose("usb1", USB) == Place("usb1", 7000000000)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("ram", "storage-not-persistent"),
        ("ram/x", "storage-not-persistent"),
        ("usb2", "storage-not-found"),
        ("usb3", "storage-not-found"),
        ("usb4", "storage-not-found"),
        ("usb9", "storage-not-found"),
    ],
)
def test_a_place_that_is_lost_or_missing_is_refused_with_those_that_serve(setting: str, code: str) -> None:
    found = choose(setting, RAM, UNMOUNTED, NOWHERE, DISABLED, USB)
    assert isinstance(found, Problem)
    assert found.code == code
    assert found.hint == "use `storage: auto` or one of: usb1"


def test_without_any_disk_the_hint_is_auto() -> None:
    found = choose("usb1")
    assert isinstance(found, Problem)
    assert found.hint == "use `storage: auto`"


@pytest.mark.parametrize(("place", "path"), [("", "mtts/state"), ("flash", "flash/mtts/state")])
def test_paths_have_no_leading_slash(place: str, path: str) -> None:
    assert Place(place, None).path("mtts", "state") == path
