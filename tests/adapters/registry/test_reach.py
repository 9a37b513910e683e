"""Where a registry may lead: names are judged by all their addresses, and by what the inventory says."""

import httpx
import pytest

from mtts.adapters.registry.reach import Reach, system_lookup
from mtts.core.errors import RegistryPolicyError
from tests.adapters.registry.harness import PUBLIC, Names


async def is_allowed(
    target: str, *, base: str = "https://r.example", allow_hosts: tuple[str, ...] = (), addresses: tuple[str, ...] = ()
) -> bool:
    names = Names({"elsewhere.example": addresses or (PUBLIC,)})
    reach = Reach(httpx.URL(base), registry="r.example", allow_hosts=allow_hosts, lookup=names)
    try:
        await reach.check(httpx.URL(target), kind="redirect")
    except RegistryPolicyError:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (PUBLIC, True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.20.0.1", False),
        ("192.168.88.1", False),
        ("127.0.0.53", False),
        ("169.254.169.254", False),
        ("100.100.100.100", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound to it here
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd7a:115c:a1e0::53", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        (f"::ffff:{PUBLIC}", True),
        ("64:ff9b::c0a8:5801", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
async def test_only_public_addresses_may_be_led_to(address: str, *, expected: bool) -> None:
    assert await is_allowed("https://elsewhere.example/x", addresses=(address,)) is expected
    assert await is_allowed("https://elsewhere.example/x", addresses=(PUBLIC, address)) is expected


@pytest.mark.parametrize(
    ("target", "allow_hosts", "expected"),
    [
        ("https://elsewhere.example/x", ("elsewhere.example",), True),
        ("https://elsewhere.example:8443/x", ("elsewhere.example",), True),
        ("https://elsewhere.example:8443/x", ("elsewhere.example:8443",), True),
        ("https://elsewhere.example:8443/x", ("elsewhere.example:9443",), False),
        ("https://ELSEWHERE.example/x", ("Elsewhere.Example",), True),
        ("https://sub.elsewhere.example/x", ("elsewhere.example",), True),
        ("http://elsewhere.example/x", ("elsewhere.example",), False),
        ("https://10.0.0.1/x", ("10.0.0.1",), True),
        ("https://10.0.0.2/x", ("10.0.0.1",), False),
    ],
)
async def test_the_inventory_may_name_further_hosts_but_no_unencrypted_ones(
    target: str, allow_hosts: tuple[str, ...], *, expected: bool
) -> None:
    assert await is_allowed(target, allow_hosts=allow_hosts, addresses=("10.0.0.9",)) is expected


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        ("https://10.0.0.1/token", "https://10.0.0.1:5000", True),
        ("http://10.0.0.1:5001/token", "http://10.0.0.1:5000", True),
        ("http://10.0.0.1:5001/token", "https://10.0.0.1:5000", False),
        ("https://10.0.0.2/token", "https://10.0.0.1:5000", False),
        ("http://10.0.0.2/token", "http://10.0.0.1:5000", False),
    ],
)
async def test_a_registry_that_is_itself_there_may_lead_to_its_own_host(
    target: str, base: str, *, expected: bool
) -> None:
    assert await is_allowed(target, base=base) is expected


async def test_a_name_without_an_address_is_left_for_the_connection_to_fail() -> None:
    names = Names({"elsewhere.example": []})
    reach = Reach(httpx.URL("https://r.example"), registry="r.example", allow_hosts=(), lookup=names)
    await reach.check(httpx.URL("https://elsewhere.example"), kind="redirect")
    assert names.asked == ["elsewhere.example"]


async def test_the_system_knows_this_machine_and_odd_spellings_of_it_and_no_impossible_names() -> None:
    assert set(await system_lookup("localhost")) <= {"127.0.0.1", "::1"}
    assert await system_lookup("127.1") == ["127.0.0.1"]
    assert await system_lookup("a..b") == ()
