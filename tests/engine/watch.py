"""Looks at a lab router after every write of an update, and notes each moment at which an invariant did not hold.

A violation is noted, not raised: the router must not behave differently because it is watched.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mtts.lab.container import UP, Container, Phase
from mtts.lab.journal import JournalEntry
from tests.engine.fleet import Deployment

KEPT_BYTES = 16 * 1024
"""What an attempt that failed may cost: the file system's own bookkeeping."""


def is_proven(container: Container) -> bool:
    """Whether its comment records a release, or that it was taken over."""
    words = _comment(container).split()
    is_staged = any(word.startswith("next=") for word in words)
    return not is_staged and any(word.startswith(("v=", "platform=", "adopted")) for word in words)


@dataclass(slots=True)
class Watch:
    """What an update on one router must never do; made when the router has one node that serves."""

    here: Deployment
    violations: list[str] = field(default_factory=list)
    also: Callable[[JournalEntry], object] | None = None
    """What a test wants to happen at a write, after the look."""
    _untagged: dict[str, Any] = field(init=False)
    _identity: bytes = field(init=False)
    _recorded: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._untagged = self.here.untagged()
        self._identity = self.here.router.files()[self._state_file]
        self._recorded = {_comment(one) for one in self._ours() if is_proven(one)}
        self.here.router.faults.on_write(self._look)

    @property
    def _state_file(self) -> str:
        return f"{self.here.state_dir}/tailscaled.state"

    def _ours(self) -> list[Container]:
        containers = self.here.router.device.engine.containers.values()
        return [one for one in containers if _comment(one).startswith("mtts:")]

    def _look(self, _number: int, entry: JournalEntry) -> None:
        for claim, holds in self._claims(entry).items():
            if not holds:
                self.violations.append(f"{claim}, after {entry.path} {' '.join(entry.words)}")
        if self.also is not None:
            self.also(entry)

    def _claims(self, entry: JournalEntry) -> dict[str, bool]:
        ours = [one for one in self._ours() if one.phase is not Phase.DELETING]
        bootable = [one for one in ours if one.is_set("start-on-boot")]
        newly = [one for one in ours if is_proven(one) and _comment(one) not in self._recorded]
        self._recorded |= {_comment(one) for one in newly}
        return {
            "I1, I4: something serves, or comes back at a boot": any(
                is_proven(one) and one.image is not None and (one.phase in UP or one.is_set("start-on-boot"))
                for one in ours
            ),
            "I2: no command names the state directory": not (
                entry.path.startswith("/file/") and any(self.here.state_dir in word for word in entry.words)
            ),
            "I2: the state file is as it was": self.here.router.files().get(self._state_file) == self._identity,
            "I5: no two processes on one state directory": max(self._processes().values(), default=0) <= 1,
            "I6: two start at a boot only when both are proven": len(bootable) <= 1 or all(map(is_proven, bootable)),
            "nothing unproven starts by itself": all(map(is_proven, bootable)),
            "I7: what is recorded serves": all(one.phase is Phase.RUNNING for one in newly)
            and (not newly or bool(self.here.online)),
            "I9: what is not ours is as it was": self.here.untagged() == self._untagged,
        }

    def _processes(self) -> Counter[str]:
        """State directory → processes that have it mounted."""
        engine = self.here.router.device.engine
        return Counter(
            engine.mounts_of(one).get("/var/lib/tailscale", one.root)
            for one in engine.containers.values()
            if one.process is not None
        )

    def assert_kept(self) -> None:
        """At no write did anything happen that must not."""
        assert not self.violations, self.violations
        assert self.here.lab.tailnet.fights == 0
        assert self.here.router.files()[self._state_file] == self._identity


def _comment(container: Container) -> str:
    return container.item.values.get("comment", "")


def flash_used(here: Deployment) -> int:
    """What the simulator itself accounts."""
    return here.router.device.storage.flash.used_bytes
