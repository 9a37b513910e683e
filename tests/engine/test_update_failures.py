"""An update that cannot be: the old release runs at the end, nothing of the attempt remains, and the next one is well.

Wherever the attempt ends, the router is compared with what it was before: rows, files, directories and flash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mtts.core.health import Evidence
from mtts.core.image import Digest
from mtts.core.inventory import Timing
from mtts.core.outcome import NodeResult, Outcome, exit_code
from mtts.lab.boards import MIB
from mtts.lab.faults import OTHERS_FILE
from mtts.lab.fleet import LINK_BYTES_PER_S
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import VERSIONS, Deployment, versions
from tests.engine.watch import KEPT_BYTES, Watch, flash_used

USUAL = ("7.18.2", "7.21.5", "7.23.3")
"""State as text; `image-id`; flags that are left out when false."""


def _nothing(_watch: Watch) -> None:
    """The image is bad, and nothing else."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is wrong, and how that is told."""

    outcome: Outcome
    codes: set[str]
    behaviour: str = "ok"
    spoil: Callable[[Watch], object] = _nothing
    """Done before the update."""
    timing: Timing = field(default_factory=Timing)
    is_held_back: bool = False
    """The release is in quarantine afterwards."""


def _at(path: str, do: Callable[[Deployment], object]) -> Callable[[Watch], None]:
    """Have it done when the first command of that path took effect."""

    def spoil(watch: Watch) -> None:
        def at(entry: JournalEntry) -> None:
            if entry.path == path:
                watch.also = None
                do(watch.here)

        watch.also = at

    return spoil


def _registry_spoils(fault: RegistryFault) -> Callable[[Watch], None]:
    """For the router alone: what mtts itself asks is answered by then."""
    return _at("/container/add", lambda here: here.lab.registry.faults.add(fault))


def _fill_flash(here: Deployment) -> None:
    free = here.router.device.storage.flash.free_bytes
    here.router.write_file(OTHERS_FILE, bytes(free - 200_000))


def _set_link(here: Deployment, bytes_per_s: float) -> None:
    device = here.router.device
    device.build = replace(device.build, link_bytes_per_s=bytes_per_s)


STORIES = {
    "the router is refused by the registry": Story(
        Outcome.KEPT_OLD,
        {"pull-failed"},
        spoil=lambda watch: watch.here.router.faults.fail_pull("fetch manifest failed: auth error"),
    ),
    "the registry fails after the manifest": Story(
        Outcome.KEPT_OLD, {"pull-failed"}, spoil=_registry_spoils(RegistryFault("status", on="blobs", status=500))
    ),
    "the registry hangs up in a layer": Story(
        Outcome.KEPT_OLD, {"pull-failed"}, spoil=_registry_spoils(RegistryFault("truncate", on="blobs", after=1))
    ),
    "a layer is damaged on its way": Story(
        Outcome.KEPT_OLD, {"pull-failed"}, spoil=_registry_spoils(RegistryFault("damage", on="blobs", after=1))
    ),
    "the link is too slow to ever end": Story(
        Outcome.KEPT_OLD,
        {"pull-stalled"},
        spoil=lambda watch: _set_link(watch.here, 10.0),
        timing=Timing(stall_s=30),
    ),
    "the flash holds less than it said": Story(
        Outcome.KEPT_OLD, {"pull-failed"}, spoil=_at("/container/add", _fill_flash)
    ),
    "it crashes when it is started": Story(
        Outcome.ROLLED_BACK, {"start-failed", "crash-loop"}, behaviour="crash", is_held_back=True
    ),
    "it crashes after a while": Story(Outcome.ROLLED_BACK, {"crash-loop"}, behaviour="crash-later", is_held_back=True),
    "it runs and never comes online": Story(
        Outcome.ROLLED_BACK, {"not-healthy"}, behaviour="never-online", is_held_back=True
    ),
}


def _told() -> list[Any]:
    """Each story on one usual version in turn, on all others in the slow run."""
    return [
        pytest.param(
            story, version, id=f"{name}-{version}", marks=() if version == USUAL[row % len(USUAL)] else pytest.mark.slow
        )
        for row, (name, story) in enumerate(STORIES.items())
        for version in VERSIONS
    ]


@pytest.mark.parametrize(("story", "version"), _told())
async def test_the_old_release_runs_on_and_nothing_of_the_attempt_remains(
    deployment: MakeDeployment, store: Store, version: str, story: Story
) -> None:
    here = await deployment(version=version, in_inventory={"timing": story.timing})
    await here.deploy()
    await here.wait(60)
    here.router.add_row("/container", name="pihole", root_dir="/pihole", remote_image="pihole/pihole:latest")
    (node,) = here.online
    before, used_bytes = here.snapshot(), flash_used(here)
    image = here.publish(behaviour=story.behaviour)
    watch = Watch(here)
    story.spoil(watch)

    result = await here.update(store)

    _assert_told(result, story)
    watch.assert_kept()
    assert here.online == [node]
    extra = len(here.router.files().get(OTHERS_FILE, b""))
    here.router.device.files.remove(OTHERS_FILE)
    await here.wait(60)
    assert here.snapshot() == before
    assert abs(flash_used(here) - used_bytes) <= KEPT_BYTES
    assert result.flash is not None
    assert result.flash.delta_bytes is not None
    assert abs(result.flash.delta_bytes + extra) <= KEPT_BYTES
    held_back = {entry.digest for entry in await store.quarantined()}
    assert held_back == ({Digest.parse(image.manifest_digest("linux/arm64"))} if story.is_held_back else set())

    await _assert_next_one_is_well(here, store, story)


def _assert_told(result: NodeResult, story: Story) -> None:
    assert result.problem is not None
    assert (result.outcome, result.problem.code) in {(story.outcome, code) for code in story.codes}, result
    assert exit_code([result]) == 5
    assert result.next_step
    assert (result.from_version, result.to_version) == ("1.2.3", "1.2.3")
    assert result.from_digest == result.to_digest
    assert (result.downtime_s is None) == (result.outcome is Outcome.KEPT_OLD)
    assert result.evidence
    assert (result.evidence == Evidence.RECORD) == (result.outcome is Outcome.KEPT_OLD)


async def _assert_next_one_is_well(here: Deployment, store: Store, story: Story) -> None:
    """A release that is held back is left alone until it is corrected; then the update goes through."""
    here.lab.registry.faults.clear()
    _set_link(here, LINK_BYTES_PER_S)
    here.router.faults.on_write(None)
    if story.is_held_back:
        again = await here.update(store)
        assert again.problem is not None
        assert (again.outcome, again.problem.code) == (Outcome.REFUSED, "release-quarantined")
        assert here.writes == []
        here.publish("1.2.5")
    (node,) = here.online
    result = await here.update(store)
    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_an_image_that_destroys_the_identity_is_held_back_everywhere_and_the_old_release_gets_its_own_back(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    before = here.snapshot()
    (node,), writes = here.online, len(here.router.writes())
    image = here.publish(behaviour="lose-identity")

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.ROLLED_BACK, "needs-login")
    assert exit_code([result]) == 5
    assert [warning.code for warning in result.warnings] == ["state-restored"]
    assert (here.online, here.snapshot()) == ([node], before)
    by_sessions = [entry for entry in here.router.writes()[writes:] if entry.session]
    assert not any(entry.path.startswith("/file/") for entry in by_sessions)
    (held_back,) = await store.quarantined()
    assert (str(held_back.digest), held_back.router) == (image.manifest_digest("linux/arm64"), None)


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_a_second_slot_that_does_not_fit_is_refused_before_any_write(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, flash_free=3 * MIB)
    await here.deploy()
    await here.wait(60)
    here.router.write_file("big", bytes(here.router.device.storage.flash.free_bytes - 1 * MIB))
    await here.wait(60)
    here.publish()
    before = here.snapshot()

    result = await here.update(store)

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "flash-too-small")
    assert (result.from_version, result.samples) == ("1.2.3", ())
    assert exit_code([result]) == 5
    assert here.writes == []
    assert here.snapshot() == before

    here.router.device.files.remove("big")
    await here.wait(60)
    assert (await here.update(store)).outcome is Outcome.UPDATED


@pytest.mark.parametrize("version", versions(*USUAL))
@pytest.mark.parametrize("path", ["/container/add", "/container/start"])
async def test_a_tag_that_moves_during_the_pull_is_never_recorded_as_what_was_asked_for(
    deployment: MakeDeployment, store: Store, version: str, path: str
) -> None:
    """Before the router asks for it, and after the pull was proven."""
    here = await deployment(version=version)
    await here.deploy()
    before = here.snapshot()
    first = here.publish("1.2.4")
    watch = Watch(here)
    _at(path, lambda here: here.publish("1.2.5"))(watch)

    result = await here.update(store)

    watch.assert_kept()
    if path == "/container/add":
        assert result.problem is not None
        assert (result.outcome, result.problem.code) == (Outcome.KEPT_OLD, "tag-moved")
        assert exit_code([result]) == 5
        assert here.snapshot() == before
    else:
        assert (result.outcome, result.to_version) == (Outcome.UPDATED, "1.2.4")
        assert f"platform={first.manifest_digest('linux/arm64')}" in here.rows("/container")[0]["comment"]
    assert await store.quarantined() == []
    again = await here.update(store)
    assert (again.outcome, again.to_version) == (Outcome.UPDATED, "1.2.5")
    assert here.online[0].version == "1.2.5"
