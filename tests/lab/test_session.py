"""The protocol above the codec: login, permissions, tags, cancelling, wanted properties, the end of a session."""

import asyncio
import contextlib
import ssl

import pytest

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login
from tests.lab.talker import Talker


@pytest.mark.parametrize(("user", "password"), [("mtts", "wrong"), ("nobody", PASSWORD), ("mtts", "")])
async def test_wrong_credentials_are_refused_and_the_session_stays_open(user: str, password: str, lab: Lab) -> None:
    router = await lab.add_router("r")
    talker = await Talker.connect(router)
    heard = await talker.say("/login", f"=name={user}", f"=password={password}")
    assert heard.trap == "invalid user name or password (6)"
    assert (await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")).kinds == ["!done"]
    assert router.logins == 1
    await talker.close()


async def test_a_command_before_login_ends_the_session(lab: Lab) -> None:
    talker = await Talker.connect(await lab.add_router("r"))
    assert (await talker.say("/system/identity/print")).sentences == [("!fatal", "not logged in")]
    with pytest.raises(EOFError):
        await talker.hear()
    await talker.close()


async def test_passwords_do_not_reach_the_journal(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router, "admin")
    await talker.say("/user/add", "=name=x", "=group=read", "=password=canary-secret")
    assert "canary-secret" not in repr(router.journal)
    assert PASSWORD not in repr(router.journal)


@pytest.mark.parametrize(
    ("policies", "command", "allowed"),
    [
        ("api,read", ("/system/identity/print",), True),
        ("api,read", ("/system/identity/set", "=name=x"), False),
        ("api,read", ("/execute", "=script=:put x"), False),
        ("api,write", ("/system/identity/print",), False),
        ("api,read,write", ("/system/identity/set", "=name=x"), True),
        ("api,read,write", ("/tool/ping", "=address=192.0.2.1", "=count=1"), False),
        ("api,test", ("/tool/ping", "=address=192.0.2.1", "=count=1"), True),
        ("api,read,write,test", ("/user/add", "=name=y", "=group=read"), False),
        ("api,read,write,test", ("/system/reboot",), False),
    ],
)
async def test_a_group_s_policies_decide(
    policies: str, command: tuple[str, ...], allowed: bool, lab: Lab, login: Login
) -> None:
    router = await lab.add_router("r")
    router.add_row("/user/group", name="narrow", policy=policies)
    router.add_row("/user", name="somebody", group="narrow", password=PASSWORD, disabled="false", address="")
    heard = await (await login(router, "somebody")).say(*command)
    assert heard.trap == (None if allowed else "not enough permissions (9)")


@pytest.mark.parametrize(
    "change",
    [{"disabled": "true"}, {"address": "192.0.2.0/24"}, {"group": "sshonly"}],
)
async def test_a_user_who_may_not_come_in_is_told_no_more_than_a_stranger(change: dict[str, str], lab: Lab) -> None:
    router = await lab.add_router("r")
    router.add_row("/user/group", name="sshonly", policy="ssh,read,write")
    router.set_row("/user", "mtts", **change)
    talker = await Talker.connect(router)
    heard = await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")
    assert heard.trap == "invalid user name or password (6)"
    await talker.close()


async def test_tags_come_back_and_commands_overlap(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router)
    router.device.log("system,info", "before")
    talker.send(encode_sentence(("/log/print", "=follow-only=", ".tag=log")))
    assert (await talker.say("/system/identity/get", "=value-name=name", ".tag=id")).sentences == [
        ("!done", ".tag=id", "=ret=r")
    ]
    router.device.log("system,info", "after")
    heard = await talker.hear()
    assert heard[:2] == ("!re", ".tag=log")
    assert "=message=after" in heard
    stopped = await talker.say("/cancel", "=tag=log", ".tag=stop")
    assert stopped.sentences == [
        ("!trap", ".tag=log", "=category=2", "=message=interrupted"),
        ("!done", ".tag=stop"),
    ]
    assert await talker.hear() == ("!done", ".tag=log")


async def test_cancel_without_a_tag_ends_everything_that_waits(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    first, second = await login(router), await login(router)
    for talker in (first, second):
        talker.send(encode_sentence(("/log/print", "=follow-only=", ".tag=1")))
        talker.send(encode_sentence(("/tool/ping", "=address=192.0.2.1", ".tag=2")))
        assert (await talker.hear())[:2] == ("!re", ".tag=2")
    first.send(encode_sentence(("/cancel",)))
    heard = [await first.hear() for _ in range(5)]
    assert sorted(heard[:2]) == [("!trap", f".tag={tag}", "=category=2", "=message=interrupted") for tag in (1, 2)]
    assert heard[2] == ("!done",)
    assert sorted(heard[3:]) == [("!done", ".tag=1"), ("!done", ".tag=2")]
    router.device.log("system,info", "still followed")
    assert "=message=still followed" in await second.hear()


async def test_a_command_cancelled_in_the_same_breath_is_ended_too(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"), "admin")
    talker.send(
        encode_sentence(("/system/device-mode/update", "=container=yes", ".tag=1"))
        + encode_sentence(("/log/print", "=follow-only=", ".tag=2"))
        + encode_sentence(("/cancel", "=tag=1", ".tag=3"))
        + encode_sentence(("/cancel", "=tag=2", ".tag=4"))
    )
    heard = [await talker.hear() for _ in range(6)]
    ends = {sentence[1] for sentence in heard if sentence[0] == "!done"}
    assert ends == {".tag=1", ".tag=2", ".tag=3", ".tag=4"}


async def test_cancel_of_what_does_not_run_changes_nothing(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    assert (await talker.say("/cancel", "=tag=none", ".tag=x")).sentences == [("!done", ".tag=x")]


async def test_what_waits_ends_with_its_session(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    quiet, talker = await login(router), await login(router)
    talker.send(encode_sentence(("/log/print", "=follow-only=", ".tag=log")))
    assert (await talker.say("/system/identity/print")).kinds == ["!re", "!done"]
    assert router.device.log_watchers
    await talker.close()
    while router.device.log_watchers:
        await quiet.say("/system/identity/print")
    assert len(router.device.sessions) == 1


async def test_a_follower_sees_what_the_next_command_in_the_same_breath_logs(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    talker.send(
        encode_sentence(("/log/print", "=follow-only=", ".tag=1"))
        + encode_sentence(("/log/info", "=message=hello", ".tag=2"))
    )
    heard = {await talker.hear() for _ in range(2)}
    assert {sentence[:2] for sentence in heard} == {("!re", ".tag=1"), ("!done", ".tag=2")}


async def test_a_command_that_waits_can_be_overtaken_by_time(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router, "admin")
    talker.send(encode_sentence(("/system/device-mode/update", "=container=yes")))
    assert (await talker.say("/system/identity/print", ".tag=1")).rows == [{"name": "r"}]
    await lab.clock.advance(301)
    assert (await talker.listen()).trap == "update canceled"


async def test_only_wanted_properties_come_back_and_unknown_ones_are_ignored(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    heard = await talker.say("/system/resource/print", "=.proplist=version,nonsense,board-name")
    assert heard.rows == [{"version": "7.23.3 (stable)", "board-name": "RB5009UG+S+IN"}]


async def test_a_query_selects_rows_and_count_only_counts_them(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    heard = await talker.say("/ip/service/print", "?name=api", "?name=api-ssl", "?#|", "=.proplist=port")
    assert [row["port"] for row in heard.rows] == ["8728", "8729"]
    assert (await talker.say("/ip/service/print", "=count-only=")).ret == "8"


@pytest.mark.parametrize(("version", "says_empty"), [("7.17.2", False), ("7.18.2", True), ("7.24", True)])
async def test_nothing_to_list_is_said_so_from_7_18(version: str, says_empty: bool, lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r", version=version))
    kinds = (await talker.say("/container/print")).kinds
    assert kinds == (["!empty", "!done"] if says_empty else ["!done"])


async def test_quit_and_garbage_end_the_session(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    assert (await (await login(router)).say("/quit")).kinds == ["!fatal"]
    talker = await login(router)
    talker.send(b"\xff\xff\xff")
    assert (await talker.listen()).sentences[0][1].startswith("malformed sentence")
    with pytest.raises(EOFError):
        await talker.hear()
    assert (await (await login(router)).say("/system/identity/print")).kinds == ["!re", "!done"]


async def test_an_unknown_command_is_refused_and_the_session_goes_on(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    heard = await talker.say("/no/such/thing")
    assert (heard.trap, heard.category) == ("no such command", "0")
    assert (await talker.say("/container/set", "=.id=*1", "=nonsense=1")).trap == "unknown parameter nonsense"
    assert (await talker.say("/container/set", "=.id=*1", "=cmd=x")).trap == "no such item"


async def test_active_users_are_listed_until_they_hang_up(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    first, second = await login(router), await login(router, "admin")
    rows = (await first.say("/user/active/print")).rows
    assert [(row["name"], row["via"], row["address"]) for row in rows] == [
        ("mtts", "api", "127.0.0.1"),
        ("admin", "api", "127.0.0.1"),
    ]
    await second.close()
    while len((await first.say("/user/active/print")).rows) == 2:
        pass
    assert router.connections == router.logins == 2


async def test_a_service_takes_no_more_sessions_than_it_may(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    router.set_row("/ip/service", "api", max_sessions="1")
    await login(router)
    talker = await Talker.connect(router)
    with pytest.raises(EOFError):
        await talker.say("/login")
    await talker.close()


async def test_a_disabled_service_takes_no_session(lab: Lab) -> None:
    router = await lab.add_router("r")
    router.set_row("/ip/service", "api", disabled="true")
    talker = await Talker.connect(router)
    with pytest.raises(EOFError):
        await talker.say("/login")
    await talker.close()


async def test_the_fingerprint_is_that_of_the_certificate_served(lab: Lab) -> None:
    router = await lab.add_router("r")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    talker = await Talker.connect(router, tls=context)
    assert router.fingerprint == talker.fingerprint()
    assert (await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")).kinds == ["!done"]
    await talker.close()


async def test_without_a_certificate_only_anonymous_ciphers_are_served(lab: Lab) -> None:
    router = await lab.add_router("r", certificate=False)
    assert router.fingerprint is None
    usual = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    usual.check_hostname = False
    usual.verify_mode = ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await Talker.connect(router, tls=usual)
    usual.set_ciphers("ADH:@SECLEVEL=0")
    talker = await Talker.connect(router, tls=usual)
    assert (await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")).kinds == ["!done"]
    await talker.close()


@pytest.mark.parametrize(
    ("words", "text", "category"),
    [
        (("/no/such/thing",), "no such command", "0"),
        (("/interface/veth/remove", "=.id=*99"), "no such item", "0"),
        (("/interface/veth/add", "=nonsense=1"), "unknown parameter nonsense", "1"),
        (("/interface/bridge/add", "=forward-delay=soon"), "invalid value for argument forward-delay", "1"),
        (("/ip/service/print", "?#|"), "invalid query operation", "5"),
        (("/container/print", "?"), "invalid query word", "5"),
        (
            ("/ip/address/add", "=address=192.0.2.1/24", "=interface=none"),
            "input does not match any value of interface",
            None,
        ),
        (("/interface/veth/add", "=name=ether1"), "failure: already have interface with such name", None),
        (("/user/print", "=from=mtts"), None, None),
    ],
)
async def test_a_trap_has_the_category_of_its_cause_or_none(
    words: tuple[str, ...], text: str | None, category: str | None, lab: Lab, login: Login
) -> None:
    heard = await (await login(await lab.add_router("r"))).say(*words)
    assert (heard.trap, heard.category) == (text, category)


@pytest.mark.parametrize("size_bytes", [1, 0x7F, 0x80, 0x3FFF, 0x4000, 60 * 1024])
async def test_words_of_every_length_arrive_both_ways(size_bytes: int, lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    contents = "x" * size_bytes
    assert (await talker.say("/file/add", "=name=long", f"=contents={contents}")).trap is None
    assert (await talker.say("/file/get", "=number=long", "=value-name=contents")).ret == contents


async def test_bytes_that_are_no_tls_hurt_nobody_on_the_tls_port(lab: Lab) -> None:
    router = await lab.add_router("r")
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for noise in (b"GET / HTTP/1.1\r\n\r\n", encode_sentence(("/login",)), b"\x16\x03\x01\xff\xff" + b"\xff" * 64, b""):
        reader, writer = await asyncio.open_connection(router.host, router.tls_port)
        writer.write(noise)
        with contextlib.suppress(ConnectionError):  # the router may hang up without reading it all
            writer.write_eof()
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    talker = await Talker.connect(router, tls=context)
    assert (await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")).kinds == ["!done"]
    rows = (await talker.say("/user/active/print")).rows
    assert [row["via"] for row in rows] == ["api-ssl"]
    await talker.close()
    assert complaints == []
