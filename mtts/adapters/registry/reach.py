"""Where a registry may lead us: the hosts of its token realm and of its redirects.

A registry on the internet that points at a private, loopback or link-local address would make this machine ask
its own network in the registry's name, so such targets are refused unless the inventory names them.
Names are judged by their addresses of this moment; one that resolves differently a moment later is not caught.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx

from mtts.core.errors import RegistryPolicyError

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Host name → its addresses, none when it has none."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def system_lookup(host: str) -> Sequence[str]:
    """The addresses of a name by the system's resolver."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for what cannot be a name
        return ()  # connecting to it fails just so, and says why
    return [str(address[0]) for *_, address in found]


class Reach:
    """The rules for one registry."""

    def __init__(self, base: httpx.URL, *, registry: str, allow_hosts: Sequence[str], lookup: Lookup) -> None:
        self._base = base
        self._registry = registry
        self._allow_hosts = {host.lower() for host in allow_hosts}
        self._lookup = lookup

    async def check(self, target: httpx.URL, *, kind: str) -> None:
        """Raise RegistryPolicyError unless the registry may lead to `target`; `kind` names what it is to people."""
        if target.scheme != "https" and not (target.scheme == "http" and self._base.scheme == "http"):
            raise self._refuse(target, kind, "over an unencrypted or unknown protocol", "")
        if target.userinfo or not target.host:
            raise self._refuse(target, kind, "in an address that is not a plain one", "")
        if target.host == self._base.host or {target.host, _with_port(target)} & self._allow_hosts:
            return
        for address in await self._addresses(target.host):
            if not _is_public(address):
                hint = (
                    "if it is meant to, name it in the inventory:"
                    f" registries: {{{self._registry}: {{allow_hosts: [{target.host}]}}}}"
                )
                raise self._refuse(target, kind, f"at the non-public address {address}", hint)

    async def _addresses(self, host: str) -> Sequence[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return await self._lookup(host)

    def _refuse(self, target: httpx.URL, kind: str, why: str, hint: str) -> RegistryPolicyError:
        place = f"{target.scheme}://{_with_port(target)}"
        return RegistryPolicyError(f"{self._registry} has its {kind} at {place}, {why}", hint=hint)


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(address.packed[-4:])
    return address.is_global and not address.is_multicast


def _with_port(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")
