"""Menus that mtts hardly uses, but that other clients and people expect to find."""

import pytest

from mtts.lab.device import BOOT_S
from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.http import HttpServer, Request, Response
from mtts.lab.wire import encode_sentence
from tests.lab.conftest import Login, MakeGround
from tests.lab.talker import Talker


async def test_a_new_row_has_the_defaults_that_its_version_knows(lab: Lab, login: Login) -> None:
    for version, expected in {"7.10.2": None, "7.18.2": "long"}.items():
        talker = await login(await lab.add_router(version, version=version))
        await talker.say("/interface/bridge/add", "=name=b")
        bridge = (await talker.say("/interface/bridge/print")).rows[0]
        assert bridge["protocol-mode"] == "rstp"
        assert bridge.get("port-cost-mode") == expected
        await talker.say("/interface/bridge/set", "=numbers=b", "=protocol-mode=none")
        assert (await talker.say("/interface/bridge/print")).rows[0]["protocol-mode"] == "none"


async def test_log_lines_can_be_found_and_got(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    await talker.say("/log/warning", "=message=look here")
    found = (await talker.say("/log/find", "?message=look here")).ret
    assert (await talker.say("/log/get", f"=number={found}", "=value-name=topics")).ret == "script,warning"
    assert (await talker.say("/log/get", "=number=*FFFF", "=value-name=topics")).trap == "no such item"
    assert (await talker.say("/log/get")).trap == "missing value(s) of argument(s) numbers"


async def test_files_can_be_found(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    added = (await talker.say("/file/add", "=name=a.txt", "=contents=x")).ret
    assert (await talker.say("/file/find", "?name=a.txt")).ret == added


async def test_layers_of_an_image_are_listed_once(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add("mtts/a")
    await on.add("mtts/b", "=name=second")
    await on.lab.clock.advance(5)
    rows = (await on.talker.say("/container/layers/print")).rows
    assert {row["containers"] for row in rows} == {"mikrotik-tailscale:stable,second"}
    assert all(row["name"].startswith("sha256:") for row in rows)


@pytest.mark.parametrize(("version", "verb"), [("7.18.2", "request-logout"), ("7.24", "remove")])
async def test_a_session_can_be_ended_from_another(version: str, verb: str, lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r", version=version), "admin")
    other = await login(lab.routers["r"])
    row = (await talker.say("/user/active/print", "?name=mtts")).rows[0]
    assert row["group"] == "mtts"
    assert (await talker.say(f"/user/active/{verb}", f"=numbers={row['.id']}")).trap is None
    with pytest.raises(EOFError):
        await other.hear()


async def test_packages_are_scheduled_and_change_at_the_next_boot(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    talker = await login(router, "admin")
    assert (await talker.say("/system/package/disable", "=numbers=container")).trap is None
    row = (await talker.say("/system/package/print", "?name=container")).rows[0]
    assert (row["disabled"], row["scheduled"]) == ("false", "scheduled for disable")
    await talker.say("/system/package/apply-changes")
    await lab.clock.advance(BOOT_S + 2)
    talker = await login(router, "admin")
    assert (await talker.say("/container/print")).trap == "no such command"
    assert (await talker.say("/system/package/print", "?name=container")).rows[0]["disabled"] == "true"
    await talker.say("/system/package/enable", "=numbers=container")
    await talker.say("/system/reboot")
    await lab.clock.advance(BOOT_S + 2)
    talker = await login(router, "admin")
    assert (await talker.say("/container/print")).trap is None
    assert (await talker.say("/system/package/uninstall", "=numbers=routeros")).trap is not None


async def test_there_is_never_a_newer_version(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r", version="7.22.3"), "admin")
    rows = (await talker.say("/system/package/update/check-for-updates", "=once=")).rows
    assert (rows[-1]["installed-version"], rows[-1]["status"]) == ("7.22.3", "System is already up to date")


async def test_a_router_that_was_shut_down_does_not_come_back_by_itself(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    await (await login(router, "admin")).say("/system/shutdown")
    await lab.clock.advance(10 * BOOT_S)
    talker = await Talker.connect(router)
    with pytest.raises(EOFError):
        await talker.say("/login")
    await talker.close()
    router.faults.power_cut()
    await lab.clock.advance(BOOT_S + 1)
    await login(router)


async def test_certificates_are_described_signed_and_imported(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    assert (await talker.say("/certificate/add")).trap == "missing value(s) of argument(s) common-name"
    await talker.say("/certificate/add", "=common-name=router", "=name=api")
    await talker.say("/certificate/sign", "=number=api")
    row = (await talker.say("/certificate/print", "?name=api")).rows[0]
    assert len(row["fingerprint"]) == 64
    heard = await talker.say("/certificate/import", "=file-name=none.pem")
    assert heard.trap == "input does not match any value of file-name"
    await talker.say("/file/add", "=name=ca.pem", "=contents=-----BEGIN CERTIFICATE-----\nx")
    heard = await talker.say("/certificate/import", "=file-name=ca.pem", "=passphrase=")
    assert heard.rows[0]["certificates-imported"] == "1"
    assert (await talker.say("/certificate/print", "?name=ca.pem_0")).rows[0]["trusted"] == "true"


async def test_settings_are_stored_as_a_router_stores_them(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    await talker.say("/ip/dns/set", "=allow-remote-requests=yes", "=servers=192.0.2.1")
    row = (await talker.say("/ip/dns/print")).rows[0]
    assert (row["allow-remote-requests"], row["servers"], row["cache-size"]) == ("true", "192.0.2.1", "2048KiB")
    heard = await talker.say("/certificate/settings/set", "=crl-use=maybe")
    assert heard.trap == "input does not match any value of crl-use"
    assert (await talker.say("/disk/settings/get", "=value-name=auto-smb-sharing")).ret == "false"


async def test_a_static_name_is_given_once(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"))
    forward = ("/ip/dns/static/add", "=name=ts.net", "=type=FWD", "=forward-to=100.100.100.100")
    assert (await talker.say(*forward)).trap is None
    assert (await talker.say(*forward)).trap == "failure: entry already exists"
    assert (await talker.say(*forward[:-1], "=forward-to=192.0.2.9")).trap is None


async def test_an_expired_password_is_shown_as_such(lab: Lab, login: Login) -> None:
    talker = await login(await lab.add_router("r"), "admin")
    await talker.say("/user/expire-password", "=numbers=mtts")
    assert (await talker.say("/user/print", "?name=mtts")).rows[0]["expired"] == "true"


# safe mode


async def bridges(talker: Talker) -> list[str]:
    return [row["name"] for row in (await talker.say("/interface/bridge/print")).rows]


async def held(talker: Talker) -> str:
    return (await talker.say("/safe-mode/print")).rows[0]["enabled"]


async def test_what_a_lost_session_changed_in_safe_mode_is_undone(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    watcher, talker = await login(router), await login(router)
    await watcher.say("/interface/bridge/add", "=name=kept", "=comment=before")
    await talker.say("/safe-mode/take")
    await talker.say("/interface/bridge/add", "=name=new")
    await talker.say("/interface/bridge/set", "=numbers=kept", "=comment=after")
    await talker.say("/system/identity/set", "=name=other")
    assert (await bridges(watcher), await held(watcher)) == (["kept", "new"], "true")
    await talker.close()
    while await held(watcher) == "true":
        pass
    assert (await watcher.say("/interface/bridge/print", "=.proplist=name,comment")).rows == [
        {"name": "kept", "comment": "before"}
    ]
    assert (await watcher.say("/system/identity/print")).rows == [{"name": "r"}]


async def test_what_was_released_stays_and_what_is_unrolled_goes(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r")
    watcher, talker = await login(router), await login(router)
    await talker.say("/safe-mode/take")
    assert (await watcher.say("/safe-mode/take")).trap == "failure: safe mode is already taken"
    await talker.say("/interface/bridge/add", "=name=kept")
    await watcher.say("/safe-mode/release")
    await talker.say("/safe-mode/take")
    await talker.say("/interface/bridge/remove", "=numbers=kept")
    assert await bridges(watcher) == []
    await talker.say("/safe-mode/unroll")
    assert (await bridges(watcher), await held(watcher)) == (["kept"], "false")
    await talker.close()
    assert await bridges(watcher) == ["kept"]


# fetch


async def answer(request: Request) -> Response:
    match request.path:
        case "/hello":
            return Response(200, (("X-Kind", "greeting"),), b"hello " + request.body)
        case "/token":
            return Response(200, (), (request.header("Authorization") or "").encode())
        case "/long":
            return Response(200, (), b"x" * 70_000)
        case _:
            return Response(404)


async def test_fetch_asks_a_server_and_says_how_it_went(lab: Lab, login: Login) -> None:
    server = HttpServer(answer)
    port = await server.start("127.0.0.1", 0)
    router = await lab.add_router("r")
    talker = await login(router)

    async def fetch(path: str, *words: str, host: str = "127.0.0.1") -> list[dict[str, str]] | str | None:
        heard = await talker.say("/tool/fetch", f"=url=http://{host}:{port}{path}", *words)
        return heard.trap or heard.rows

    try:
        rows = await fetch("/hello", "=output=user-with-headers", "=http-data=you")
        assert isinstance(rows, list)
        assert [row["status"] for row in rows] == ["connecting", "finished"]
        assert rows[-1]["data"] == "hello you"
        assert "x-kind: greeting" in rows[-1]["http-headers"].lower()
        rows = await fetch("/token", "=output=user", "=http-header-field=Authorization: Bearer t")
        assert isinstance(rows, list)
        assert rows[-1]["data"] == "Bearer t"
        await fetch("/hello", "=dst-path=got.txt")
        assert router.files()["got.txt"] == b"hello "
        await fetch("/hello")
        assert router.files()["hello"] == b"hello "
        assert await fetch("/none", "=output=none") == "failure: Status 404, Not Found"
        assert await fetch("/long", "=output=user") == "failure: data too large"
        assert await fetch("/hello", host="192.0.2.1") == "failure: resolving error"
        assert await fetch("/hello", "=output=nonsense") == "input does not match any value of output"
    finally:
        await server.stop()
    assert await fetch("/hello") == "failure: Invalid argument"


async def test_fetch_needs_the_test_policy_and_device_mode(lab: Lab) -> None:
    router = await lab.add_router("r")
    router.change("/system/device-mode", fetch="false")
    talker = await Talker.login(router)
    heard = await talker.say("/tool/fetch", "=url=http://127.0.0.1/")
    assert heard.trap == "failure: not allowed by device-mode"
    router.add_row("/user/group", name="narrow", policy="api,read,write")
    router.set_row("/user", "mtts", group="narrow")
    await talker.close()
    talker = await Talker.connect(router)
    talker.send(encode_sentence(("/login", "=name=mtts", f"=password={PASSWORD}")))
    await talker.listen()
    assert (await talker.say("/tool/fetch", "=url=http://127.0.0.1/")).trap == "not enough permissions (9)"
    await talker.close()
