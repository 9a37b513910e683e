"""Commands that people paste: what they do on a simulated router, and that no name in them is ever a command."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters.scripts import read_script
from mtts.core.changes import Add, AwaitHealthy, AwaitPull, PlaceKey, RetireKey
from mtts.core.dialect import Dialect
from mtts.core.image import Digest, ImageRef
from mtts.core.inventory import TlsMode
from mtts.core.plan import Plan
from mtts.core.scripts import bootstrap_script, provision_script, updater_script
from mtts.core.updater import UpdaterOrder, render_updater, spellings, start_time, unsuited
from mtts.core.version import Version
from mtts.lab.device import Device
from mtts.lab.script.parser import parse
from tests.core.examples import a_node, a_release, a_router
from tests.core.test_guard import TEXTS, VERSIONS, shape
from tests.lab.desk import make_device, printed

TEMPLATE = read_script("update-tailscale")
PASSWORD = "a-long-enough-password"


def rows(device: Device, path: str) -> list[dict[str, str]]:
    """What a table of a simulated router holds."""
    return [item.values for item in device.table(path).items.values()]


def without_its_user(version: str) -> Device:
    """A router that nobody prepared for mtts."""
    device = make_device(version)
    printed(device, '/user/remove [find where name="mtts"]; /user/group/remove [find where name="mtts"]')
    return device


def order(version: str = "7.23.3", **changed: object) -> UpdaterOrder:
    """An updater of the usual node."""
    found = UpdaterOrder(
        node=a_node(),
        dialect=Dialect(Version.parse(version)),
        release=a_release(),
        registry="https://registry.example.net",
        tokens="https://auth.example.net/token?service=r&scope=repository:a:pull",
        disk=None,
        reserve_bytes=1024,
        timing=a_router().timing,
    )
    return replace(found, **changed)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tls", [TlsMode.PINNED, TlsMode.OFF, TlsMode.ANONYMOUS])
def test_a_pasted_bootstrap_makes_the_user_with_the_least_policies(version: str, tls: TlsMode) -> None:
    device = without_its_user(version)
    router = replace(a_router(), tls=tls, username='m"; /system/reboot #')
    text = bootstrap_script(router).replace('password ""', f'password "{PASSWORD}"')

    assert [printed(device, text), printed(device, text)] == ["", ""]

    (group,) = [row for row in rows(device, "/user/group") if row["name"] == "mtts"]
    assert {word for word in group["policy"].split(",") if not word.startswith("!")} == {"api", "read", "write", "test"}
    (user,) = [row for row in rows(device, "/user") if row["name"] == router.username]
    assert (user["group"], user["password"]) == ("mtts", PASSWORD)
    service = {row["name"]: row for row in rows(device, "/ip/service")}["api" if tls is TlsMode.OFF else "api-ssl"]
    assert service["disabled"] in ("false", "no")
    assert len(rows(device, "/certificate")) == (tls is TlsMode.PINNED)


def test_a_bootstrap_without_a_password_does_nothing() -> None:
    device = without_its_user("7.23.3")

    said = printed(device, bootstrap_script(a_router()))

    assert "first write a password" in said
    assert all(row["name"] != "mtts" for row in [*rows(device, "/user"), *rows(device, "/user/group")])


def test_a_provision_says_where_to_wait_and_leaves_a_place_for_the_key() -> None:
    changes = (
        Add("/interface/veth", "veth a", "its end", {"name": "a"}, {"name": "a", "comment": "x\n/system/reboot\\"}),
        PlaceKey("state/authkey", "auth key file", "it logs in"),
        AwaitPull("root/a", "container a", "the router pulls"),
        AwaitHealthy("root/a", "node a", "proves it"),
        RetireKey("state/authkey", "auth key file", "used once"),
    )
    plan = Plan("r\n/system/reboot\\", "tailscale", "7.23.3", "f", changes)

    text = provision_script(plan)

    lines = text.splitlines()
    assert r'/interface/veth/add name=a comment="x\0A/system/reboot\\"' in lines
    assert sum(line.startswith("# STOP here") for line in lines) == 2
    assert '  :local key ""' in lines
    assert not any(line.startswith("/system") or line.endswith("\\") for line in lines)
    device = make_device()
    assert "first write the auth key" in printed(device, text[text.index("{\n") : text.index("\n}\n") + 3])


def test_a_provision_of_what_is_there_says_so() -> None:
    assert "# Nothing is left to do." in provision_script(Plan("r", "tailscale", "7.23.3", "f"))


@pytest.mark.parametrize("version", VERSIONS)
def test_pasted_commands_leave_the_updater_with_its_entry_and_run_again_replace_it(version: str) -> None:
    device, source = make_device(version), render_updater(TEMPLATE, order(version))
    text = updater_script("router1", a_node(), source)

    assert [printed(device, text), printed(device, text)] == ["", ""]

    (script,), (entry,) = rows(device, "/system/script"), rows(device, "/system/scheduler")
    assert script["source"] == source
    parse(source, device.scripts.words)
    for row in (script, entry):
        assert row["name"] == "mtts-updater-tailscale"
        assert row["comment"] == "mtts:updater"
        assert row["policy"] == "read,write,test"
    assert script["dont-require-permissions"] in ("false", "no")
    assert (entry["on-event"], entry["interval"]) == ("mtts-updater-tailscale", "1d")
    assert (entry["start-date"], entry["start-time"]) == ("2026-01-01", start_time("router1", a_node()))


@pytest.mark.parametrize("version", VERSIONS)
@given(text=TEXTS)
def test_no_text_in_an_updater_is_ever_a_command(version: str, text: str) -> None:
    device = make_device(version)
    plain, hostile = (
        render_updater(TEMPLATE, order(version, tokens=f"https://t{word}", disk=f"d{word}")) for word in ("", text)
    )

    assert shape(parse(hostile, device.scripts.words)) == shape(parse(plain, device.scripts.words))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_script_arrives_as_it_was(text: str) -> None:
    device = make_device()
    source = "".join(f"{line}\n" for line in text.split("\n"))

    assert printed(device, updater_script("r", a_node(), source)) == ""

    (script,) = rows(device, "/system/script")
    assert script["source"] == source


def test_routers_ask_at_different_times() -> None:
    times = {start_time(f"router{number}", a_node()) for number in range(50)}
    assert len(times) > 40


def test_an_index_may_spell_a_platform_in_several_ways() -> None:
    assert spellings(a_release().platform)[0] == str(a_release().platform.normalised())


def test_a_pinned_node_and_an_ephemeral_one_are_left_to_mtts() -> None:
    pinned = replace(a_node(), image=ImageRef.parse(f"registry.example.net/a@{Digest.parse('sha256:' + '0' * 64)}"))
    found = [unsuited(node) for node in (a_node(), pinned, replace(a_node(), ephemeral=True))]
    assert [problem and problem.code for problem in found] == [None, "updater-unsuited", "updater-unsuited"]
