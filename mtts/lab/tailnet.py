"""A tailnet in memory: auth keys, the nodes that logged in with them, and who is connected.

It stands for the coordination server only. A node's identity is the id that its state file carries; the
tailnet merely remembers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from mtts.lab.clock import SimClock

FIRST_IPV4 = IPv4Address("100.64.0.1")
FIRST_IPV6 = IPv6Address("fd7a:115c:a1e0::1")


@dataclass(slots=True)
class AuthKey:
    """A key that lets a node in: once, or as often as wanted, until it expires."""

    text: str = field(repr=False)
    reusable: bool
    expired: bool
    tags: tuple[str, ...]
    uses: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether the next login with it succeeds."""
        return not self.expired and (self.reusable or self.uses == 0)


@dataclass(slots=True)
class TailnetNode:
    """One machine of the tailnet."""

    id: str
    hostname: str
    addresses: tuple[str, str]
    tags: tuple[str, ...]
    version: str = ""
    expired: bool = False


class Tailnet:
    """Keys and nodes; `online` counts connected daemons per node, more than one being a fight over one identity."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._keys: dict[str, AuthKey] = {}
        self._away_s: dict[str, float] = {}
        self._away_since: dict[str, float] = {}
        self.nodes: dict[str, TailnetNode] = {}
        self.online: Counter[str] = Counter()
        self.fights = 0
        self.reachable = True
        self.watchers: list[Callable[[], None]] = []
        """Called when a daemon came online or went away."""

    @property
    def keys(self) -> Mapping[str, AuthKey]:
        """Every key ever issued, by its text."""
        return MappingProxyType(self._keys)

    def issue_key(self, *, reusable: bool = False, expired: bool = False, tags: tuple[str, ...] = ()) -> str:
        """A new auth key's text."""
        number = len(self._keys) + 1
        text = f"tskey-auth-k{number:06d}CNTRL-{'lab' * 8}{number:04d}"
        self._keys[text] = AuthKey(text, reusable, expired, tags)
        return text

    def register(self, key_text: str, hostname: str, *, known_as: TailnetNode | None = None) -> TailnetNode | None:
        """A new node, or the known one logged in anew; None when the key is not (or no longer) good."""
        key = self._keys.get(key_text)
        if key is None or not key.is_valid:
            return None
        key.uses += 1
        if known_as is not None:
            known_as.expired = False
            return known_as
        number = len(self.nodes)
        node = TailnetNode(
            id=f"n{number + 1:04d}LabCNTRL",
            hostname=hostname,
            addresses=(str(FIRST_IPV4 + number), str(FIRST_IPV6 + number)),
            tags=key.tags,
        )
        self.nodes[node.id] = node
        return node

    def connect(self, node_id: str) -> None:
        """A daemon with this identity came online."""
        self._away_s[node_id] = self.away_s(node_id)
        self._away_since.pop(node_id, None)
        self.online[node_id] += 1
        if self.online[node_id] > 1:
            self.fights += 1
        self._tell()

    def disconnect(self, node_id: str) -> None:
        """A daemon with this identity went away."""
        self.online[node_id] -= 1
        if not self.online[node_id]:
            self._away_since[node_id] = self._clock.now
        self._tell()

    def _tell(self) -> None:
        for watcher in self.watchers:
            watcher()

    def away_s(self, node_id: str) -> float:
        """Simulated seconds in which no daemon with this identity was online, counted from its first connection."""
        now = self._clock.now
        return self._away_s.get(node_id, 0.0) + now - self._away_since.get(node_id, now)
