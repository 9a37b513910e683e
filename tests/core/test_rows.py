"""Replies of RouterOS in every shape that it has shown them in, and shapes that nobody has seen yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core import rows
from mtts.core.facts import ContainerState
from mtts.core.tag import Tag
from tests.core.examples import MIB, RESOURCE_ROW, digest
from tests.core.plan_cases import NOW_S

S = ContainerState
ALL_FLAGS = (
    "stopped", "starting", "running", "stopping", "downloading/extracting", "deleting", "download/extract failed",
    "starting-with-healthcheck", "healthy", "unhealthy",
)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "state"),
    [
        # to 7.19: one text
        ({"status": "stopped"}, S.STOPPED),
        ({"status": "running"}, S.RUNNING),
        ({"status": "starting"}, S.STARTING),
        ({"status": "stopping"}, S.STOPPING),
        ({"status": "extracting"}, S.EXTRACTING),
        ({"status": "pulling"}, S.EXTRACTING),
        ({"status": "downloading"}, S.EXTRACTING),
        ({"status": "deleting"}, S.DELETING),
        ({"status": "error"}, S.FAILED),
        ({"status": "hibernating"}, S.UNKNOWN),
        # from 7.20: flags
        ({"stopped": "true"}, S.STOPPED),
        ({"starting": "true"}, S.STARTING),
        ({"running": "true"}, S.RUNNING),
        ({"stopping": "true"}, S.STOPPING),
        ({"downloading/extracting": "true"}, S.EXTRACTING),
        ({"deleting": "true"}, S.DELETING),
        ({"download/extract failed": "true"}, S.FAILED),
        ({"starting-with-healthcheck": "true"}, S.RUNNING),
        ({"healthy": "true"}, S.RUNNING),
        ({"unhealthy": "true"}, S.RUNNING),
        ({"running": "yes"}, S.RUNNING),
        # several at once: what forbids comes before what allows
        ({"stopped": "true", "downloading/extracting": "true"}, S.EXTRACTING),
        ({"stopped": "true", "download/extract failed": "true"}, S.FAILED),
        ({"running": "true", "stopping": "true"}, S.STOPPING),
        ({"running": "true", "healthy": "true"}, S.RUNNING),
        ({"stopped": "true", "deleting": "true"}, S.DELETING),
        # both shapes at once, and none
        ({"status": "running", "stopped": "true"}, S.RUNNING),
        ({"status": "", "stopped": "true"}, S.STOPPED),
        ({}, S.UNKNOWN),
        ({"hibernating": "true"}, S.UNKNOWN),
        ({"running": "maybe"}, S.UNKNOWN),
    ],
)
def test_a_container_s_state_is_read_from_either_shape(row: dict[str, str], state: ContainerState) -> None:
    assert rows.decode_state(row) is state


@pytest.mark.parametrize("flag", ALL_FLAGS)
def test_flags_that_are_off_say_nothing_whether_sent_or_left_out(flag: str) -> None:
    sent = {**dict.fromkeys(ALL_FLAGS, "false"), flag: "true"}
    assert rows.decode_state(sent) is rows.decode_state({flag: "true"})
    assert rows.decode_state(dict.fromkeys(ALL_FLAGS, "false")) is S.UNKNOWN


@given(st.dictionaries(st.sampled_from([*ALL_FLAGS, "status", "comment", "name"]), st.text(max_size=12)))
def test_any_row_is_read(row: dict[str, str]) -> None:
    assert rows.container_row(row).state in ContainerState


def test_a_deployed_container_of_7_23_is_read_whole() -> None:
    found = rows.container_row(
        {
            ".id": "*1",
            "name": "tailscale-a",
            "comment": "mtts:tailscale v=1.90.1",
            "root-dir": "/flash/mtts/root/tailscale/a",
            "interface": "veth-tailscale",
            "tag": "registry.example.net/team/x:stable",
            "image-id": str(digest("3")),
            "arch": "arm64",
            "restart-count": "2",
            "healthy": "true",
        }
    )
    assert found.tag == Tag("tailscale", version="1.90.1")
    assert (found.id, found.name, found.label) == ("*1", "tailscale-a", "tailscale-a")
    assert found.root_dir == "flash/mtts/root/tailscale/a"
    assert (found.image, found.image_id) == ("registry.example.net/team/x:stable", str(digest("3")))
    assert (found.is_up, found.is_imported, found.probe, found.restart_count) == (True, True, "healthy", 2)


@pytest.mark.parametrize(
    ("row", "image"),
    [
        ({"tag": "a", "repo": "b"}, "a"),
        ({"repo": "b", "remote-image": "c"}, "b"),
        ({"tag": "", "remote-image": "c"}, "c"),
        ({}, ""),
    ],
)
def test_the_image_is_called_differently_by_version(row: dict[str, str], image: str) -> None:
    assert rows.container_row(row).image == image


def test_a_failed_pull_tells_its_reason() -> None:
    reason = "download/extract error: fetch manifest failed: auth error"
    found = rows.container_row({"download/extract failed": "true", ".about": reason, "arch": "arm64"})
    assert (found.state, found.about, found.is_imported, found.is_up) == (S.FAILED, reason, False, False)


@pytest.mark.parametrize(
    ("row", "is_imported"),
    [
        ({"stopped": "true"}, False),
        ({"stopped": "true", "arch": "", "image-id": ""}, False),
        ({"stopped": "true", "arch": "arm64"}, True),
        ({"stopped": "true", "image-id": str(digest("3"))}, True),
        ({"status": "running", "arch": "arm"}, True),
        ({"starting": "true", "arch": "arm"}, True),
        ({"stopping": "true", "arch": "arm"}, True),
        ({"downloading/extracting": "true", "arch": "arm64"}, False),
        ({"deleting": "true", "arch": "arm64"}, False),
        ({"hibernating": "true", "arch": "arm64"}, False),
    ],
)
def test_stopped_alone_does_not_prove_that_the_image_is_there(row: dict[str, str], *, is_imported: bool) -> None:
    assert rows.container_row(row).is_imported is is_imported


@pytest.mark.parametrize(
    ("row", "probe"),
    [
        ({"healthy": "true"}, "healthy"),
        ({"unhealthy": "true", "running": "true"}, "unhealthy"),
        ({"starting-with-healthcheck": "true"}, "starting"),
        ({"running": "true"}, None),
    ],
)
def test_the_router_s_own_probe_is_read(row: dict[str, str], probe: str | None) -> None:
    assert rows.container_row(row).probe == probe


@pytest.mark.parametrize(("row", "label"), [({"root-dir": "/a/b"}, "a/b"), ({".id": "*7"}, "*7"), ({"name": "n"}, "n")])
def test_a_container_without_a_name_is_called_by_its_place(row: dict[str, str], label: str) -> None:
    assert rows.container_row(row).label == label


def test_a_resource_is_read_with_its_units() -> None:
    found = rows.resource(RESOURCE_ROW | {"bad-blocks": "3%"})
    assert (str(found.version), found.version_text, found.architecture) == ("7.23.3", "7.23.3 (stable)", "arm64")
    assert found.uptime_s == 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5
    assert (found.free_flash_bytes, found.total_memory_bytes) == (900 * MIB, 1024 * MIB)
    assert (found.write_sectors_since_reboot, found.write_sectors_total, found.bad_blocks_percent) == (58279, 222100, 3)


def test_what_a_router_does_not_say_is_unknown() -> None:
    found = rows.resource({"version": "7.25"})
    assert (found.architecture, found.board, found.cpu) == ("", "", "")
    unknown = (found.uptime_s, found.free_memory_bytes, found.free_flash_bytes, found.write_sectors_total)
    assert {*unknown, found.bad_blocks_percent, found.total_flash_bytes} == {None}


def test_a_resource_without_a_version_is_none() -> None:
    with pytest.raises(ValueError, match="not a RouterOS version"):
        rows.resource({})


def test_items_are_kept_as_text() -> None:
    (item,) = rows.items([{".id": "*1", "comment": "mtts:shared", "name": "123", "disabled": "false"}])
    assert (item.id, item.get("name"), item.get("absent"), item.tag) == ("*1", "123", "", Tag("shared"))


@pytest.mark.parametrize(
    ("packages", "is_active"),
    [
        ([{"name": "container", "disabled": "false"}], True),
        ([{"name": "routeros"}, {"name": "container"}], True),
        ([{"name": "container", "disabled": "true"}], False),
        ([{"name": "container", "disabled": "true", "available": "true", "version": ""}], False),
        ([{"name": "container", "available": "true"}], False),
        ([{"name": "routeros"}], False),
        ([], False),
    ],
)
def test_only_an_active_package_counts(packages: list[dict[str, str]], *, is_active: bool) -> None:
    assert rows.container_package(packages) is is_active


@pytest.mark.parametrize(
    ("clock", "skew_s"),
    [
        ({"date": "2026-09-21", "time": "14:13:20", "gmt-offset": "+00:00"}, 0),
        ({"date": "2026-09-21", "time": "16:13:20", "gmt-offset": "+02:00"}, 0),
        ({"date": "2026-09-21", "time": "16:13:20", "gmt-offset": "7200"}, 0),
        ({"date": "2026-09-21", "time": "08:43:20", "gmt-offset": "-05:30"}, 0),
        ({"date": "2026-09-21", "time": "09:13:20", "gmt-offset": "4294949296"}, 0),
        ({"date": "2026-09-21", "time": "09:13:20", "gmt-offset": "-18000"}, 0),
        ({"date": "sep/21/2026", "time": "14:13:25", "gmt-offset": ""}, 5),
        ({"date": "2026-09-21", "time": "14:13:10"}, -10),
        ({"date": "1970-01-02", "time": "00:00:00", "gmt-offset": "0"}, 86400 - NOW_S),
        ({"date": "2026-09-21", "time": "14:13:20", "gmt-offset": "Riga"}, None),
        ({"date": "2026-09-21", "time": "14:13:20", "gmt-offset": "+2:xx"}, None),
        ({"date": "21.9.2026", "time": "14:13:20"}, None),
        ({}, None),
    ],
)
def test_a_clock_is_compared_in_every_form_of_date_and_offset(clock: dict[str, str], skew_s: float | None) -> None:
    assert rows.clock_skew_s(clock, NOW_S) == skew_s


@pytest.mark.parametrize(
    ("row", "servers"),
    [
        ({"servers": "9.9.9.9,1.1.1.1"}, ("9.9.9.9", "1.1.1.1")),
        ({"servers": "", "dynamic-servers": "10.0.0.1"}, ("10.0.0.1",)),
        ({"use-doh-server": "https://dns.example/q"}, ("https://dns.example/q",)),
        ({}, ()),
    ],
)
def test_every_kind_of_resolver_counts(row: dict[str, str], servers: tuple[str, ...]) -> None:
    assert rows.dns_servers(row) == servers
