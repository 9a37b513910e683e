"""The model of tailscaled: logging in with a key file, and an identity that lives in the state directory alone."""

import json

import pytest

from mtts.lab.quirks import Quirks
from tests.lab.conftest import MakeGround
from tests.lab.ground import STATE, Ground, publish

STATE_FILE = f"{STATE}/tailscaled.state"
KEY_FILE = f"{STATE}/authkey"
SHELL = '/container/shell [find comment="mtts:ts"] cmd="tailscale status --json"'


async def status(on: Ground, number: int = 1) -> dict[str, object]:
    """What tailscale says of itself, and the node id beside it."""
    heard = await on.talker.say("/container/shell", f"=number=*{number:X}", "=cmd=tailscale status --json")
    document = json.loads(heard.ret or "null")
    return {"state": document["BackendState"], "id": document["Self"]["ID"], "online": document["Self"]["Online"]}


async def test_a_key_file_logs_in_once_and_is_deleted(ground: MakeGround) -> None:
    on = await ground()
    key = on.lab.tailnet.issue_key()
    await on.run(key=key)
    assert await status(on) == {"state": "Running", "id": "n0001LabCNTRL", "online": True}
    assert KEY_FILE not in on.router.files()
    assert on.router.files()[STATE_FILE]
    assert key not in repr(on.router.device.log_rows)
    assert not on.lab.tailnet.keys[key].is_valid


@pytest.mark.parametrize("expired", [False, True])
async def test_a_key_that_is_no_good_leaves_the_node_logged_out(expired: bool, ground: MakeGround) -> None:
    on = await ground()
    key = on.lab.tailnet.issue_key(expired=expired)
    if not expired:
        on.lab.tailnet.register(key, "somebody-else")
    await on.run(key=key)
    assert await status(on) == {"state": "NeedsLogin", "id": "", "online": False}
    assert KEY_FILE in on.router.files()
    assert STATE_FILE not in on.router.files()


async def test_the_identity_survives_everything_but_the_loss_of_its_file(ground: MakeGround) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key(reusable=True))
    for number in (1, 2):  # a new container on the same state directory is the same node
        assert (await status(on, number))["id"] == "n0001LabCNTRL"
        await on.do("stop", number)
        await on.lab.clock.advance(5)
        await on.do("remove", number)
        await on.lab.clock.advance(5)
        await on.add()
        await on.lab.clock.advance(5)
        await on.do("start", number + 1)
        await on.lab.clock.advance(10)
    on.router.device.files.remove(STATE_FILE)
    await on.do("stop", 3)
    await on.lab.clock.advance(5)
    await on.do("start", 3)
    await on.lab.clock.advance(10)
    assert await status(on, 3) == {"state": "NeedsLogin", "id": "", "online": False}


async def test_the_tailnet_counts_how_long_a_node_was_away(ground: MakeGround) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key())
    (node,) = on.lab.tailnet.nodes
    assert on.lab.tailnet.away_s(node) == 0
    await on.do("stop")
    await on.lab.clock.advance(1 + 30)  # stopping takes the first second, in which the node still serves
    assert on.lab.tailnet.away_s(node) == pytest.approx(30)
    await on.do("start")
    await on.lab.clock.advance(60)
    assert on.lab.tailnet.away_s(node) == pytest.approx(30 + 0.5 + 1.5)  # starting, and coming online


async def test_the_identity_comes_back_after_a_reboot(ground: MakeGround) -> None:
    on = await ground()
    await on.lay(key=on.lab.tailnet.issue_key())
    await on.add("mtts/a", "=start-on-boot=yes")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(10)
    on.router.faults.reboot()
    assert sum(on.lab.tailnet.online.values()) == 0
    await on.lab.clock.advance(60)
    assert on.lab.tailnet.online == {"n0001LabCNTRL": 1}


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("never-online", {"state": "Starting", "id": "n0001LabCNTRL", "online": False}),
        ("lose-identity", {"state": "NeedsLogin", "id": "", "online": False}),
    ],
)
async def test_bad_releases_misbehave_in_their_own_way(
    behaviour: str, expected: dict[str, object], ground: MakeGround
) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key())
    await on.do("stop")
    publish(on.lab, "2.0", behaviour=behaviour)
    await on.add("mtts/b", "=name=b")
    await on.lab.clock.advance(5)
    await on.do("start", 2)
    await on.lab.clock.advance(30)
    assert await status(on, 2) == expected


async def test_a_stock_image_keeps_the_key_file(ground: MakeGround) -> None:
    on = await ground()
    publish(on.lab, "2.0", behaviour="keeps-key")
    await on.run(key=on.lab.tailnet.issue_key())
    assert (await status(on))["online"] is True
    assert KEY_FILE in on.router.files()


async def test_the_log_tells_the_story_when_logging_is_on(ground: MakeGround) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key())
    messages = [row["message"] for row in (await on.talker.say("/container/log/print")).rows]
    assert messages[1:] == [
        "Switching ipn state NoState -> NeedsLogin (WantRunning=false, nm=false)",
        "Switching ipn state NeedsLogin -> Starting (WantRunning=true, nm=true)",
        "Switching ipn state Starting -> Running (WantRunning=true, nm=true)",
    ]
    routers = [row["message"] for row in (await on.talker.say("/log/print")).rows]
    assert f"mikrotik-tailscale:stable: {messages[3]}" in routers


async def test_without_logging_the_container_is_silent(ground: MakeGround) -> None:
    on = await ground()
    await on.lay(key=on.lab.tailnet.issue_key())
    await on.add("mtts/a")
    await on.talker.say("/container/set", "=.id=*1", "=logging=no")
    await on.lab.clock.advance(5)
    await on.do("start")
    await on.lab.clock.advance(10)
    assert (await on.talker.say("/container/log/print")).rows == []


@pytest.mark.parametrize(
    ("quirks", "direct", "by_execute"),
    [
        (Quirks(), "ret", True),
        (Quirks(shell_answer="rows"), "rows", True),
        (Quirks(shell_answer="tty-trap"), "trap", True),
        (Quirks(shell_answer="unavailable"), "trap", False),
    ],
)
async def test_a_shell_command_answers_in_one_way_or_another(
    quirks: Quirks, direct: str, by_execute: bool, ground: MakeGround
) -> None:
    on = await ground(quirks=quirks)
    await on.run(key=on.lab.tailnet.issue_key())
    await on.talker.say("/container/set", "=.id=*1", "=comment=mtts:ts")
    heard = await on.talker.say("/container/shell", "=.id=*1", "=cmd=tailscale status --json")
    answered = {
        "ret": heard.ret,
        "rows": heard.rows and "\n".join(row["ret"] for row in heard.rows),
        "trap": heard.trap,
    }
    text = answered[direct]
    assert text
    if direct == "trap":
        assert (text, heard.category) == ("no terminal", "6")
    else:
        assert json.loads(text)["BackendState"] == "Running"
    executed = (await on.talker.say("/execute", f"=script={SHELL}", "=as-string=")).ret
    assert ("BackendState" in (executed or "")) is by_execute


async def test_a_shell_may_take_no_id(ground: MakeGround) -> None:
    on = await ground(quirks=Quirks(shell_takes_id=False))
    await on.run()
    heard = await on.talker.say("/container/shell", "=.id=*1", "=cmd=tailscale version")
    assert heard.trap == "unknown parameter .id"
    assert (await on.talker.say("/container/shell", "=number=*1", "=cmd=tailscale version")).ret == "1.0"


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (':put "a \\"quoted\\" word"', 'a "quoted" word'),
        ("/container/shell number=stable cmd=x", "no such item"),
        ("/container/shell [find name=none] cmd=x", "no such item"),
        ("/container/print count-only", "1"),
        ('/container/shell *1 cmd="nonsense here"', "sh: nonsense: not found"),
        ("/container/shell *1 nonsense=1", "expected end of command (line 1 column 21)"),
        (":foreach x in={}", "missing value(s) of argument(s) do (line 1 column 17)"),
        (":nonsense", "bad command name nonsense (line 1 column 2)"),
        ("/no/such/print", "bad command name no (line 1 column 2)"),
    ],
)
async def test_the_console_prints_what_it_does_or_why_not(script: str, printed: str, ground: MakeGround) -> None:
    on = await ground()
    await on.run()
    heard = await on.talker.say("/execute", f"=script={script}", "=as-string=")
    assert (heard.trap, heard.ret) == (None, printed)


async def test_a_container_that_is_not_running_has_no_shell(ground: MakeGround) -> None:
    on = await ground()
    await on.lay()
    await on.add()
    heard = await on.talker.say("/container/shell", "=number=*1", "=cmd=tailscale status")
    assert heard.trap == "failure: container is not running"


async def test_up_logs_the_same_node_in_anew_and_leaves_the_key_file(ground: MakeGround) -> None:
    on = await ground()
    await on.run(key=on.lab.tailnet.issue_key())
    key = on.lab.tailnet.issue_key()
    on.router.write_file(KEY_FILE, key.encode())
    line = "tailscale up --force-reauth --reset --auth-key=file:/var/lib/tailscale/authkey --hostname=x"
    assert (await on.talker.say("/container/shell", "=.id=*1", f"=cmd={line}")).ret == ""
    assert (await status(on))["state"] == "Starting"
    await on.lab.clock.advance(10)
    assert await status(on) == {"state": "Running", "id": "n0001LabCNTRL", "online": True}
    assert on.lab.tailnet.keys[key].uses == 1
    assert on.lab.tailnet.online == {"n0001LabCNTRL": 1}
    assert KEY_FILE in on.router.files()


async def test_up_with_a_used_key_loses_the_login(ground: MakeGround) -> None:
    on = await ground()
    key = on.lab.tailnet.issue_key()
    await on.run(key=key)
    line = f"tailscale up --force-reauth --auth-key={key}"
    heard = await on.talker.say("/container/shell", "=.id=*1", f"=cmd={line}")
    assert heard.ret == "backend error: invalid key: unable to validate API key"
    assert (await status(on))["state"] == "NeedsLogin"
    assert sum(on.lab.tailnet.online.values()) == 0


async def test_an_identity_in_memory_leaves_no_file(ground: MakeGround) -> None:
    on = await ground()
    arguments = ("=list=ts", "=key=TS_TAILSCALED_EXTRA_ARGS", "=value=--state=mem:")
    await on.talker.say("/container/envs/add", *arguments)
    await on.run(key=on.lab.tailnet.issue_key(reusable=True))
    assert (await status(on))["online"] is True
    assert STATE_FILE not in on.router.files()
