"""Values: what a router makes of them, and what it refuses, by the words of its command tree."""

import pytest

from mtts.lab import hints, values
from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.reply import Trap
from tests.lab.conftest import Login
from tests.lab.talker import Talker

SECONDS = "1s..10s (time interval)"


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("90", 90, "1m30s"),
        ("1w2d3h4m5s", 788_645, "1w2d3h4m5s"),
        ("00:01:30", 90, "1m30s"),
        ("00:00:00.200", 0.2, "200ms"),
        ("1s500ms", 1.5, "1s500ms"),
        ("5m", 300, "5m"),
        ("0", 0, "0s"),
    ],
)
def test_times_are_read_in_every_form_and_shown_in_one(text: str, seconds: float, shown: str) -> None:
    assert values.duration_s("x", text) == pytest.approx(seconds)
    assert values.duration(values.duration_s("x", text)) == shown


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (SECONDS, "00:00:05", "5s"),
        ("time interval", "90", "1m30s"),
        ("..10s (time interval)", "0s", "0s"),
        ("1s.. (time interval)", "1w", "1w"),
        ("time interval", "none-dynamic", "none-dynamic"),
        ("AB[:|-|.]CD (MAC address)", "02-00-00-aa-bb-cc", "02:00:00:AA:BB:CC"),
        ("A.B.C.D/M (IP prefix)", "10.0.0.0/8,192.0.2.1", "10.0.0.0/8,192.0.2.1"),
        ("string value, max length 3", "abc", "abc"),
        ("string value, min length 1", "", ""),
        ("something else", "anything", "anything"),
    ],
)
def test_values_that_fit_their_hint_are_stored(hint: str, value: str, stored: str) -> None:
    assert hints.stored("x", value, hint) == stored


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (SECONDS, "11s", "value of x is out of range (1s .. 10s)"),
        (SECONDS, "999ms", "value of x is out of range (1s .. 10s)"),
        (SECONDS, "soon", "invalid value for argument x"),
        ("MAC (MAC address)", "02:00", "invalid value for argument x"),
        ("A.B.C.D/M (IP prefix)", "10.0.0.0/8,", "invalid value for argument x"),
        ("string value, max length 3", "abcd", "invalid value for argument x"),
    ],
)
def test_values_that_do_not_fit_their_hint_are_refused(hint: str, value: str, text: str) -> None:
    with pytest.raises(Trap) as trapped:
        hints.stored("x", value, hint)
    assert trapped.value.message == text


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("/interface/bridge/add", "=forward-delay=1s"), "value of forward-delay is out of range (4s .. 30s)"),
        (("/interface/bridge/add", "=admin-mac=nonsense"), "invalid value for argument admin-mac"),
        (("/ip/dns/set", "=cache-max-ttl=nonsense"), "invalid value for argument cache-max-ttl"),
        (("/ip/service/set", "=numbers=api", "=max-sessions=0"), "value of max-sessions is out of range (1 .. 1000)"),
        (("/ip/service/set", "=numbers=api", "=port=x"), "invalid value for argument port"),
        (("/ip/service/set", "=numbers=api", "=address=here"), "invalid value for argument address"),
        (("/user/set", "=numbers=mtts", "=address=10.0.0.0/33"), "invalid value for argument address"),
        (("/ip/firewall/filter/add", "=chain=input", "=action=masquerade"), "input does not match any value of action"),
        (("/ip/firewall/nat/add", "=chain=srcnat", "=action=drop"), "input does not match any value of action"),
        (("/file/add", "=name=x", "=type=pipe"), "input does not match any value of type"),
    ],
)
async def test_a_router_refuses_values_that_an_argument_cannot_hold(
    command: tuple[str, ...], text: str, lab: Lab, login: Login
) -> None:
    talker = await login(await lab.add_router("r"), "admin")
    assert (await talker.say(*command)).trap == text


@pytest.mark.parametrize(
    ("allowed", "may_enter"),
    [("", True), ("127.0.0.0/8", True), ("192.0.2.0/24,127.0.0.1", True), ("192.0.2.0/24,2001:db8::/32", False)],
)
@pytest.mark.parametrize("where", ["/user", "/ip/service"])
async def test_lists_of_addresses_decide_who_comes_in(
    where: str, allowed: str, may_enter: bool, lab: Lab, login: Login
) -> None:
    router = await lab.add_router("r")
    admin = await login(router, "admin")
    item = {"/user": "mtts", "/ip/service": "api"}[where]
    assert (await admin.say(f"{where}/set", f"=numbers={item}", f"=address={allowed}")).trap is None
    talker = await Talker.connect(router)
    try:
        heard = await talker.say("/login", "=name=mtts", f"=password={PASSWORD}")
    except EOFError:
        assert (where, may_enter) == ("/ip/service", False)
    else:
        assert heard.trap == (None if may_enter else "invalid user name or password (6)")
    await talker.close()
