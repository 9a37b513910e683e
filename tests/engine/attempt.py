"""One update of a watched router that something goes wrong with, and what must be true of router and result after it.

What a run says of the router must be what it holds (I11), with what to do next where something is left (I17); a run
ends in bounded time (I12); one that finds nothing to do writes nothing (I8); and what was merely interrupted is held
back from no router (I19).
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from mtts.core.outcome import NodeResult, Outcome
from mtts.lab.images import LabImage
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import LOCK_PATH, REPOSITORY, Deployment, Machine, lab_image
from tests.engine.watch import KEPT_BYTES, Watch, flash_used, is_proven

PLATFORM = "linux/arm64"
OLD, NEW = "1.2.3", "1.2.4"
RUN_S: Final = 3000.0
"""No run takes longer, however often it has to come back: a pull, two guards that nobody hears, a settled sample."""


@dataclass(slots=True)
class Attempt:
    """A router with a deployed node, about to be updated."""

    here: Deployment
    store: Store
    image: LabImage
    watch: Watch
    before: dict[str, Any]
    used_bytes: int

    def assert_is_old(self) -> None:
        """As if nothing had been tried."""
        assert _comparable(self.here.snapshot()) == _comparable(self.before)
        assert abs(flash_used(self.here) - self.used_bytes) <= KEPT_BYTES

    def assert_is_new(self) -> None:
        """As before, but for the release and the slot that it is in."""
        assert _comparable(self.here.snapshot()) == self._expected()
        assert abs(flash_used(self.here) - self.used_bytes) <= KEPT_BYTES

    def assert_serves(self) -> None:
        """The same node as ever is online, once."""
        self.watch.assert_kept()
        assert_online(self.here)

    async def assert_converges(self, store: Store | None = None, *, machine: Machine | None = None) -> None:
        """One more update brings the new release, or finds it there, and another one has nothing to do.

        Another machine has a store of its own, and looks for a lock only where it has something to write, or when it
        is told to.
        """
        assert await self.store.quarantined() == []

        result = await update(self.here, store or self.store, machine=machine)

        assert (result.problem, result.to_version) == (None, NEW)
        assert result.outcome in {Outcome.UPDATED, Outcome.NO_OP}
        self.assert_is_new()
        self.assert_serves()
        if machine is not None:
            await free_of_locks(self.here, store or self.store, machine)
        self.watch.assert_settled()
        await assert_has_nothing_to_do(self.here, store or self.store, machine=machine)

    def _expected(self) -> Any:
        text = json.dumps(_comparable(self.before))
        old = lab_image(OLD)
        pairs = {
            OLD: NEW,
            old.index_digest: self.image.index_digest,
            old.manifest_digest(PLATFORM): self.image.manifest_digest(PLATFORM),
            _config_digest(old): _config_digest(self.image),
        }
        for before, after in pairs.items():
            text = text.replace(before, after)
        return json.loads(text)


async def begin(make: MakeDeployment, store: Store, version: str, **options: Any) -> Attempt:
    """A watched router that serves, and a new release for it."""
    here = await make(version=version, **options)
    await here.deploy()
    await here.wait(60)
    before, used_bytes = here.snapshot(), flash_used(here)
    return Attempt(here, store, here.publish(NEW), Watch(here), before, used_bytes)


async def update(here: Deployment, store: Store, **order: Any) -> NodeResult:
    """A run of `mtts update` that ends in time and tells the truth."""
    began_s = here.lab.clock.now
    result = await here.update(store, **order)
    assert here.lab.clock.now - began_s <= RUN_S
    assert_told(here, result)
    return result


async def free_of_locks(here: Deployment, store: Store, machine: Machine) -> None:
    """`mtts resume` by a machine that knows nothing of who left a lock: nothing else is left for it to do."""
    result = await here.resume(store, machine=machine)
    assert (result.outcome, result.problem) == (Outcome.NO_OP, None)
    assert here.writes == []
    assert here.rows(LOCK_PATH) == []


async def assert_has_nothing_to_do(here: Deployment, store: Store, machine: Machine | None = None) -> None:
    """A run that writes nothing and costs no flash."""
    used_bytes = flash_used(here)
    result = await update(here, store, machine=machine)
    assert (result.outcome, result.problem) == (Outcome.NO_OP, None)
    assert here.writes == []
    assert flash_used(here) == used_bytes


def assert_online(here: Deployment) -> None:
    """The node of this router is online, once, and the tailnet has not got another one of its name."""
    (node,) = here.online
    assert here.lab.tailnet.online[node.id] == 1
    assert [one.id for one in here.lab.tailnet.nodes.values() if one.hostname == node.hostname] == [node.id]


def assert_told(here: Deployment, result: NodeResult) -> None:
    """What a run says is what the router holds, as far as the run could know."""
    versions = _serving(here)
    match result.outcome:
        case Outcome.UPDATED:
            assert result.problem is None
            assert result.evidence
            assert versions == [result.to_version]
            assert_online(here)
        case Outcome.NO_OP | Outcome.DEPLOYED:
            assert result.problem is None
            assert result.evidence
            assert versions == [result.to_version]
        case Outcome.REFUSED:
            assert result.problem is not None
            assert result.next_step
            assert _written(here) == []
        case Outcome.KEPT_OLD | Outcome.ROLLED_BACK:
            assert result.problem is not None
            assert result.next_step
            assert versions == [result.to_version]
        case Outcome.BROKEN | Outcome.PENDING | Outcome.UNKNOWN:
            assert result.problem is not None
            assert result.next_step
        case Outcome.UNREACHABLE:
            assert here.writes == []


def _written(here: Deployment) -> list[str]:
    """What the last run changed on the router, its lock aside."""
    return [
        entry.path
        for entry in here.journal
        if entry.is_write and entry.took_effect and entry.session and not entry.path.startswith(f"{LOCK_PATH}/")
    ]


def _serving(here: Deployment) -> list[str]:
    """The recorded versions of our containers that are up."""
    comments = [one.item.values["comment"] for one in here.router.device.engine.containers.values() if is_proven(one)
                and one.process is not None]  # fmt: skip
    return [match[1] for comment in comments if (match := re.search(r" v=(\S+)", comment))]


def _comparable(snapshot: dict[str, Any]) -> Any:
    """Without what rows copy from the image, its transaction and slot, the size of the scratch, and the lock."""
    copied = ("config-json", "layers")
    rows = [{name: row[name] for name in row if name not in copied} for row in snapshot["/container"]]
    for row in rows:
        row["comment"] = re.sub(r" tx=\w+", "", row["comment"])
    disks = [{name: row[name] for name in row if name != "tmpfs-max-size"} for row in snapshot["/disk"]]
    text = json.dumps({**snapshot, "/container": rows, "/disk": disks, LOCK_PATH: []})
    text = re.sub(r"(root/tailscale/|tailscale-)[ab]\b", r"\1*", text)
    return json.loads(re.sub(rf"({REPOSITORY})(:stable|@sha256:\w+)", r"\1", text))  # a bridge asks for what it had


def _config_digest(image: LabImage) -> str:
    return str(json.loads(image.manifests[image.manifest_digest(PLATFORM)])["config"]["digest"])
