"""Commands of menus inside a script: the same gate as a client's, the console's way of finding and reading."""

import pytest

from mtts.lab.call import Caller
from mtts.lab.device import Device
from tests.lab.desk import ask, make_device, printed

VETHS = """
/interface/veth
add name=v1 address=10.0.0.2/24 gateway=10.0.0.1 comment="mtts:a"
add name=v2 address=10.0.1.2/24 gateway=10.0.1.1 disabled=yes
add name=007 address=10.0.2.2/24 gateway=10.0.2.1
"""


def with_veths() -> Device:
    device = make_device()
    printed(device, VETHS)
    return device


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (":put [/interface/veth/find]", "*1;*2;*3"),
        (":put [/interface veth find name=v1]", "*1"),
        (":put [/interface/veth/find where name=v1 or name=v2]", "*1;*2"),
        (":put [/interface/veth/find where disabled]", "*2"),
        (":put [/interface/veth/find where !disabled comment]", "*1"),
        (":put [/interface/veth/find where missing or name=v2]", "*2"),
        (":put [/interface/veth/find where comment && !disabled]", "*1"),
        (":put [/interface/veth/find where disabled=no && name!=007]", "*1"),
        (":put [/interface/veth/find where (name=v1 || name=v2) && disabled=yes]", "*2"),
        (':put [/interface/veth/find where comment~"^mtts"]', "*1"),
        (':put [/interface/veth/find where comment=""]', "*2;*3"),
        (":put [/interface/veth/find where name=007]", "*3"),
        (":put [/interface/veth/find where .id=*2]", "*2"),
        (":put [/interface/veth/find where gateway in 10.0.1.0/24]", "*2"),
        (":local x v2; :put [/interface/veth/find where name=$x]", "*2"),
        (':local x v; :put [/interface/veth/find where name=($x . "2")]', "*2"),
        (":local name v2; :put [/interface/veth/find where name=$name]", "*1;*2;*3"),
        (":put [:len [/interface/veth/find where name=none]]", "0"),
        (":put [/interface/veth/print count-only]", "3"),
        ("/interface/veth/print count-only where disabled", "1"),
        (':put ([/interface/veth/print as-value where name=v1]->0->"comment")', "mtts:a"),
        (":put [/interface/veth/get v1 comment]", "mtts:a"),
        (":put [/interface/veth/get [find name=v2] disabled]", "true"),
        (":put [:typeof [/interface/veth/get v2 disabled]]", "bool"),
        (":put [:typeof [/interface/veth/get 007 name]]", "str"),
        (":put [/interface/veth/get v2 comment]", ""),
        (':put ([/interface/veth/get v1]->"gateway")', "10.0.0.1"),
        (":put [/interface/veth/get v1 colour]", "input does not match any value of value-name"),
        (":put [/interface/veth/get none name]", "no such item"),
        (":put [/interface/veth/get [find name=none] name]", "no such item"),
        ("/interface/veth/set [find name=none] comment=x; :put fine", "fine"),
        ("/interface/veth/set v1,v2 comment=x; :put [/interface/veth/find where comment=x]", "*1;*2"),
        ("/interface/veth/remove [find]; :put [/interface/veth/print count-only]", "0"),
        ("/interface/veth/disable [find name=v1]; :put [/interface/veth/find where disabled]", "*1;*2"),
        (":put [/interface/veth/add name=v4]", "*4"),
        ("/interface/veth/add name=v1", "failure: already have interface with such name"),
        ("/interface/veth/add name=v5 disabled=maybe", "input does not match any value of disabled"),
        (":put [/system/identity/get name]", "desk"),
        (':put ([/system/identity/print as-value]->"name")', "desk"),
        ('/system/identity/set name=($undeclared . "other"); :put [/system/identity/get name]', "other"),
        (":put ([/system/resource/get free-memory] > 1000)", "true"),
        (":put ([/system/resource/get uptime] < 1m)", "true"),
        (
            ':if ([:len [/file/find]] < 9) do={ /file/add name=x contents="a b" }; :put [/file/get x contents]',
            "a b",
        ),
        ('/log/info message=hi; :log warning there; :put [/log/print count-only where topics~"script"]', "2"),
    ],
)
def test_the_console_finds_reads_and_changes(source: str, output: str) -> None:
    assert printed(with_veths(), source) == output


@pytest.mark.parametrize(
    ("version", "shown"),
    [("7.23.3", "false"), ("7.20.8", "false"), ("7.18.2", "input does not match any value of value-name")],
)
def test_a_container_flag_that_is_not_sent_is_false_and_before_there_were_flags_unknown(
    version: str, shown: str
) -> None:
    device = make_device(version)
    device.table("/container").insert({"name": "c"})
    assert printed(device, ":put [/container/get *1 running]") == shown


def test_commands_of_a_script_are_in_the_journal_with_its_name_and_user() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="guard", source="/interface/veth/add name=v\n/interface/veth/print")
    ask(device, "/system/script/run", number="guard")
    entries = [(entry.path, entry.is_write, entry.user, entry.script, entry.session) for entry in device.journal]
    assert entries == [
        ("/interface/veth/add", True, "admin", "guard", 0),
        ("/interface/veth/print", False, "admin", "guard", 0),
    ]
    assert device.journal[0].words == ("/interface/veth/add", "=name=v")
    assert (device.journal[0].took_effect, device.journal[0].reply) == (True, "done")


def test_a_refused_command_is_in_the_journal_with_its_trap() -> None:
    device = make_device()
    device.faults.trap_next("/interface/veth/add", "failure: busy")
    assert printed(device, "/interface/veth/add name=v") == "failure: busy"
    assert (device.journal[0].took_effect, device.journal[0].reply) == (False, "trap: failure: busy")


def test_a_write_at_which_the_power_is_cut_is_the_last_thing_that_a_script_does() -> None:
    device = make_device()
    device.faults.on_write(lambda n, _entry: device.restart(clean=False) if n == 2 else None)
    printed(device, ':for i from=1 to=5 do={ /interface/veth/add name="v$i" }')
    assert [item.values["name"] for item in device.table("/interface/veth").items.values()] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("policies", "source", "output"),
    [
        ("read,write", "/interface/veth/add name=v", ""),
        ("read,write", "/system/reboot", "not enough permissions (9)"),
        ("read,write", "/user/add name=x group=full", "not enough permissions (9)"),
        ("read,write", ":do { /system/reboot } on-error={ :put refused }", "refused"),
    ],
)
def test_a_script_may_do_what_its_caller_may(policies: str, source: str, output: str) -> None:
    caller = Caller("somebody", frozenset(policies.split(",")))
    assert printed(make_device(), source, caller) == output


def test_a_script_without_the_policy_to_write_writes_nothing() -> None:
    device = make_device()
    ask(device, "/system/script/add", name="s", policy="read", source="/interface/veth/add name=v")
    with pytest.raises(Exception, match="not enough permissions"):
        ask(device, "/system/script/run", number="s")
    assert not device.table("/interface/veth").items
