"""Looks at a lab router whenever anything happened there, and notes each moment at which an invariant did not hold.

That is after every write, of a session or of a script on the router itself, after every `/execute`, and after every
event of the lab's clock, so that no state of a container is passed over. A violation is noted, not raised: the router
must not behave differently because it is watched.

At every instant: I1, I4, I16 (what is proven is there with its image, and runs, or boots, or a script is at work on
it), I2, I5, I6, I10 (floors of flash and RAM). At every write: I2 and I9 (what it names, and what changed), I7, I13,
I14, I15. `assert_kept`: I2, I5, I13, I15. `assert_settled`: I10 and I18, nothing of an attempt remains.
By those who run updates (attempt.py): I8, I11, I12, I17, I19; I3 by having another controller, without the journal of
the first one, go on. I20 takes several routers (tests/matrix/test_any_order.py). Of the two locks of I14 the one on
the router is looked for at every write of a session; a machine's own is in tests/adapters/test_run_lock.py.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from mtts.lab.container import UP, Container, Phase
from mtts.lab.faults import OTHERS_FILE
from mtts.lab.fleet import PASSWORD
from mtts.lab.journal import JournalEntry
from tests.engine.fleet import LOCK_PATH, Deployment

KEPT_BYTES = 16 * 1024
"""What an attempt that failed may cost: the file system's own bookkeeping."""
LAUNCH: Final = "/execute"
"""Changes nothing by itself, and starts what does."""
_WEAKENING: Final = ("=check-certificate=no", "=check-certificate=false", "=crl-use=no", "=builtin-trust")


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
    forms: frozenset[bytes] = frozenset()
    """Into which a release that was started may bring the state."""
    at_launch: Callable[[JournalEntry], object] | None = None
    """The same for `/execute`."""
    _untagged: dict[str, Any] = field(init=False)
    _identity: bytes = field(init=False)
    _last_state: bytes = field(init=False)
    """As it was at the last look."""
    _recorded: set[str] = field(init=False)
    _used_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self._identity = self._last_state = self.here.router.files()[self._state_file]
        self._used_bytes = flash_used(self.here)
        self.rebase()
        self.here.lab.clock.watchers.append(self._look_around)
        self.here.router.faults.on_write(lambda _number, entry: self._look(entry))
        self.wait_for_launches()

    def rebase(self) -> None:
        """Take what is there now, which somebody else may have edited, for what must stay."""
        self._untagged = self.here.untagged()
        self._recorded = {_comment(one) for one in self._ours() if is_proven(one)}

    def wait_for_launches(self) -> None:
        """Again, where the router's faults were cleared."""
        self.here.router.faults.at_command(1, self._launched, path=LAUNCH)

    @property
    def _state_file(self) -> str:
        return f"{self.here.state_dir}/tailscaled.state"

    @property
    def _copy(self) -> str:
        return f"{self._state_file}.mtts"

    def _ours(self) -> list[Container]:
        containers = self.here.router.device.engine.containers.values()
        return [one for one in containers if _comment(one).startswith("mtts:")]

    # looking

    def _launched(self) -> None:
        self.wait_for_launches()
        entry = next(one for one in reversed(self.here.router.journal) if one.path == LAUNCH)
        self._note(self._said_claims(entry), entry)
        if self.at_launch is not None:
            self.at_launch(entry)

    def _look(self, entry: JournalEntry) -> None:
        self._note(self._instant_claims() | self._said_claims(entry) | self._write_claims(entry), entry)
        if self.also is not None:
            self.also(entry)

    def _look_around(self) -> None:
        self._note(self._instant_claims(), None)

    def _note(self, claims: dict[str, bool], entry: JournalEntry | None) -> None:
        self._last_state = self.here.router.files().get(self._state_file, b"")
        for claim, holds in claims.items():
            if not holds and not any(one.startswith(claim) for one in self.violations):
                when = f"after {entry.path} {' '.join(entry.words)}" if entry else "by itself"
                self.violations.append(f"{claim}, {when}, at {self.here.lab.clock.now:.2f} s: {self._shown()}")

    def _shown(self) -> str:
        return "; ".join(
            f"{one.root} {one.phase.value}{' boots' if one.is_set('start-on-boot') else ''} [{_comment(one)}]"
            for one in self.here.router.device.engine.containers.values()
        )

    # the claims

    def _instant_claims(self) -> dict[str, bool]:
        device, ours = self.here.router.device, [one for one in self._ours() if one.phase is not Phase.DELETING]
        bootable = [one for one in ours if one.is_set("start-on-boot")]
        serving = [one for one in ours if is_proven(one) and one.image is not None]
        state = device.files.entries.get(self._state_file)
        return {
            "I1, I16: what is proven is there with its image": bool(serving),
            "I4: something serves, or comes back at a boot, or a script is at work on it": any(
                one.phase in UP or one.is_set("start-on-boot") for one in serving
            )
            or bool(device.scripts.jobs)
            or any(row["start-time"] == "startup" for row in self.here.rows("/system/scheduler")),
            "I2: the state file is as it was, or as a release left it": state is not None
            and state.contents in {self._identity, *self.forms},
            "I2: what lies beside the state is a whole copy of it": self._is_copied_whole(),
            "I5: no two processes on one state directory": max(self._processes().values(), default=0) <= 1,
            "I6: two start at a boot only when both are proven": len(bootable) <= 1 or all(map(is_proven, bootable)),
            "I6: nothing unproven starts by itself": all(map(is_proven, bootable)),
            "I10: the flash's reserve is kept": self._is_above_floor(),
            "I10: there is memory left": device.storage.free_memory_bytes >= 0,
        }

    def _is_above_floor(self) -> bool:
        """Where others filled the flash, it is not for mtts to keep the reserve."""
        flash = self.here.router.device.storage.flash
        return flash.free_bytes >= self.here.spec.flash.reserve_bytes or _others_bytes(self.here) > 0

    def _said_claims(self, entry: JournalEntry) -> dict[str, bool]:
        said = " ".join(entry.words)
        return {
            "I13: no check of certificates is weakened": not any(word in said for word in _WEAKENING),
            "I15: no secret is said": not any(secret in said for secret in self._secrets()),
        }

    def _write_claims(self, entry: JournalEntry) -> dict[str, bool]:
        newly = [one for one in self._ours() if is_proven(one) and _comment(one) not in self._recorded]
        self._recorded |= {_comment(one) for one in newly}
        menu = entry.path.rpartition("/")[0]
        return {
            "I2: no command names the state directory but for the copy of the state": self._keeps_state(menu, entry),
            "I7: what is recorded serves": all(one.phase is Phase.RUNNING for one in newly)
            and (not newly or bool(self.here.online)),
            "I9: what is not ours is as it was": self.here.untagged() == self._untagged,
            "I14: no session writes without the lock": not entry.session
            or menu == LOCK_PATH
            or bool(self.here.rows(LOCK_PATH)),
        }

    def _is_copied_whole(self) -> bool:
        """Under the one name that a copy has; the images of the lab leave nothing else behind there."""
        entries = self.here.router.device.files.entries
        beside = {path: entry for path, entry in entries.items() if path.startswith(f"{self.here.state_dir}/")}
        copy = beside.pop(self._copy, None)
        return set(beside) <= {self._state_file} and (copy is None or copy.contents in {self._identity, *self.forms})

    def _keeps_state(self, menu: str, entry: JournalEntry) -> bool:
        """A script on the router may write a copy, anybody may remove it; back it goes where the state is another."""
        if menu not in {"/file", "/container/mounts", "/disk"}:
            return True
        named = [word.partition("=")[2] for word in entry.words if self.here.state_dir in word]
        words = dict(word.lstrip("=").partition("=")[::2] for word in entry.words)
        contents = words.get("contents", "").encode()
        if entry.path == "/file/remove":
            return all(word.partition("=")[2] == self._copy for word in named)
        if entry.path == "/file/add" and entry.script:
            return words.get("name") == self._copy and contents == self._last_state
        if entry.path == "/file/set" and entry.script:
            copy = self.here.router.files().get(self._copy)
            is_restored = self._last_state in self.forms and contents == copy == self._identity
            return is_restored and not any(one.process for one in self._ours())
        return not named

    def _processes(self) -> Counter[str]:
        """State directory → processes that have it mounted."""
        engine = self.here.router.device.engine
        return Counter(
            engine.mounts_of(one).get("/var/lib/tailscale", one.root)
            for one in engine.containers.values()
            if one.process is not None
        )

    def _secrets(self) -> tuple[str, ...]:
        return (PASSWORD, *self.here.lab.tailnet.keys)

    # what tests assert

    def assert_kept(self) -> None:
        """At no instant did anything happen that must not."""
        assert not self.violations, "\n".join(self.violations)
        assert self.here.lab.tailnet.fights == 0
        assert self.here.router.files()[self._state_file] == self._identity
        logins = [entry for entry in self.here.router.journal if entry.path == "/login"]
        assert not [entry.reply for entry in logins if entry.reply.startswith("trap")]  # I13: they were right
        texts = [str(row) for row in self.here.router.device.log_rows]
        texts += [str(event) for event in self.here.events]
        texts += [_comment(one) for one in self._ours()]
        assert not [text for text in texts if any(secret in text for secret in self._secrets())]

    def assert_settled(self) -> None:
        """One container of ours, the flash as full as ever, nothing at work and nothing left behind."""
        (_one,) = self._ours()
        assert not self.here.router.device.scripts.jobs
        assert [rows for rows in self._left_beside().values() if rows] == []
        assert abs(flash_used(self.here) - _others_bytes(self.here) - self._used_bytes) <= KEPT_BYTES

    def _left_beside(self) -> dict[str, list[dict[str, str]]]:
        """What an attempt might leave besides containers and files."""
        return {path: self.here.rows(path) for path in (LOCK_PATH, "/system/scheduler")}


def _comment(container: Container) -> str:
    return container.item.values.get("comment", "")


def _others_bytes(here: Deployment) -> int:
    """What others filled the built-in flash with."""
    slot = here.router.device.storage.flash.name
    entry = here.router.device.files.entries.get(f"{slot}/{OTHERS_FILE}".lstrip("/"))
    return 0 if entry is None else entry.room_bytes


def flash_used(here: Deployment) -> int:
    """What the simulator itself accounts."""
    return here.router.device.storage.flash.used_bytes
