"""What an update does about each node, in a fleet and alone: as little as it can, and it says what."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from mtts.core.image import Digest, ImageRef, Platform, Release
from mtts.core.outcome import NodeResult, Outcome, exit_code
from mtts.core.rollout import Rollout, Share
from mtts.core.secret import Literal, Secret
from mtts.lab.container import Phase
from mtts.lab.images import replace_platforms
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, Deployment, lab_image, update_fleet, versions
from tests.engine.test_adoption import _set_up_by_hand
from tests.engine.watch import Watch

ARCHITECTURES = ("arm64", "x86_64", "arm")
AT_ONCE = Rollout(canary=0)


async def _fleet(make: MakeDeployment, count: int, **options: Any) -> list[Deployment]:
    made = []
    for number in range(1, count + 1):
        here = await make(f"router{number}", node={"hostname": f"edge{number}"}, **options)
        assert (await here.deploy()).outcome is Outcome.DEPLOYED
        made.append(here)
    return made


def _have_starts_fail(here: Deployment) -> None:
    """As often as a guard tries to start the new container."""
    for _ in range(5):
        here.router.faults.trap_next("/container/start", "failure: out of luck")


def _outcomes(results: list[NodeResult]) -> list[Outcome]:
    return [result.outcome for result in results]


def _code(result: NodeResult) -> str:
    assert result.problem is not None, result
    assert result.problem.message
    return result.problem.code


# nothing to do


async def test_only_the_routers_whose_platform_was_rebuilt_are_swapped(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = [
        await deployment(f"router{number}", arch=arch, node={"hostname": f"edge{number}"})
        for number, arch in enumerate((*ARCHITECTURES, *ARCHITECTURES))
    ]
    for here in fleet:
        await here.deploy()
    rebuilt = replace_platforms(lab_image("1.2.3"), lab_image("1.2.4"), "linux/arm64")
    fleet[0].lab.registry.publish(rebuilt, repository=REPOSITORY)

    results = await update_fleet(fleet, store)

    assert _outcomes(results) == [Outcome.UPDATED, Outcome.NO_OP, Outcome.NO_OP] * 2
    for here in fleet[1:3] + fleet[4:]:
        assert here.writes == []
        assert here.connections == (1, 1)
        assert here.container.root.endswith("/a")
    assert exit_code(results) == 0

    again = await update_fleet(fleet, store)
    assert _outcomes(again) == [Outcome.NO_OP] * 6
    assert [here.writes for here in fleet] == [[]] * 6


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_where_nothing_changed_a_router_is_asked_one_question(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    asked = len(here.lab.registry.requests)

    result = await here.update(store)

    assert (result.outcome, result.problem, result.samples) == (Outcome.NO_OP, None, ())
    assert (here.connections, here.commands, here.writes) == ((1, 1), 1, [])
    manifests = [request for request in here.lab.registry.requests[asked:] if "/manifests/" in request.path]
    assert {request.method for request in manifests} == {"HEAD"}


async def test_a_check_writes_nothing_and_says_what_is_pending(deployment: MakeDeployment, store: Store) -> None:
    outdated, down, current = await _fleet(deployment, 3)
    outdated.publish("1.2.4")
    assert (await current.update(store)).outcome is Outcome.UPDATED
    down.router.device.engine.stop(down.container)
    await down.wait(5)
    before = [here.snapshot() for here in (outdated, down, current)]

    results = await update_fleet([outdated, down, current], store, check=True)

    assert [here.writes for here in (outdated, down, current)] == [[], [], []]
    assert [here.snapshot() for here in (outdated, down, current)] == before
    assert [result.changes_pending for result in results] == [True, True, False]
    assert (results[0].from_version, results[0].to_version) == ("1.2.3", "1.2.4")
    assert exit_code(results) == 3


# down


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_a_node_that_is_down_is_started_and_that_is_said(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    here.router.device.engine.stop(here.container)
    await here.wait(5)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert [warning.code for warning in result.warnings] == ["node-repaired"]
    assert here.writes == ["/container/start"]
    assert here.online == [node]
    assert exit_code([result]) == 0
    assert (await here.update(store)).outcome is Outcome.NO_OP


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (RegistryFault("status", on="any", status=429), "registry-rate-limited"),
        (RegistryFault("status", on="any", status=500), "registry-unavailable"),
        (RegistryFault("status", on="token", status=503), "registry-unavailable"),
        (RegistryFault("status", on="manifests", status=404), "image-not-found"),
    ],
    ids=["429", "500", "no tokens", "404"],
)
async def test_without_a_registry_nothing_is_written_but_what_is_down_is_started(
    deployment: MakeDeployment, store: Store, fault: RegistryFault, code: str
) -> None:
    up, down = await _fleet(deployment, 2)
    up.publish("1.2.4")
    down.router.device.engine.stop(down.container)
    await down.wait(5)
    up.lab.registry.faults.add(fault)

    refused, repaired = await update_fleet([up, down], store)

    assert (refused.outcome, _code(refused)) == (Outcome.REFUSED, code)
    assert up.writes == []
    assert (repaired.outcome, repaired.problem) == (Outcome.DEPLOYED, None)
    assert down.writes == ["/container/start"]
    assert exit_code([refused, repaired]) == 5

    up.lab.registry.faults.clear()
    assert _outcomes(await update_fleet([up, down], store)) == [Outcome.UPDATED, Outcome.UPDATED]


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_an_image_that_was_lost_is_pulled_again_beside_its_remains(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    (node,) = here.online
    await _lose_image(here)

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.container.root.endswith("/b")
    assert here.online == [node]
    assert (await here.update(store)).outcome is Outcome.NO_OP


async def _lose_image(here: Deployment) -> None:
    """As after a flash that lost the root directory: the entry stays, and starts no more."""
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.router.device.files.remove(here.container.root)


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_an_image_that_was_lost_for_good_is_pulled_again_once_and_not_every_night(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, image=lab_image("1.2.3"))
    await here.deploy()
    await _lose_image(here)
    # What a power cut can do to a board: this release does not run on it any more, wherever it is unpacked.
    here.router.device.build = replace(
        here.router.device.build, board=replace(here.router.device.build.board, cpu="EN7562CT")
    )

    first = await here.update(store)
    added = here.writes.count("/container/add")
    directories = here.router.directories()
    second = await here.update(store)

    assert (first.outcome, added) == (Outcome.BROKEN, 1)
    assert not any(path.endswith("/b") for path in directories), "the attempt is still on the flash"
    assert exit_code([first]) == 6
    assert (second.outcome, _code(second)) == (Outcome.BROKEN, "release-quarantined")
    assert "/container/add" not in here.writes
    (entry,) = await store.quarantined()
    assert entry.router == "router1"


async def test_a_pull_that_fails_for_a_passing_reason_holds_nothing_back(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    await _lose_image(here)
    here.router.faults.fail_pull("fetch manifest failed: auth error")

    result = await here.update(store)

    assert result.outcome is Outcome.BROKEN
    assert "auth error" in str(result.problem)
    assert await store.quarantined() == []
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_node_that_lost_its_image_is_not_said_to_serve_while_the_registry_is_away(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    here.container.phase = Phase.FAILED
    here.lab.registry.faults.add(RegistryFault("status", on="any", status=500))

    result = await here.update(store)

    assert (result.outcome, _code(result)) == (Outcome.BROKEN, "registry-unavailable")
    assert here.writes == []
    assert exit_code([result]) == 6


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_a_node_that_waits_for_a_login_is_told_and_costs_no_flash_every_night(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    here.online[0].expired = True
    here.router.faults.reboot()
    await here.wait(60)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, _code(result)) == (Outcome.BROKEN, "needs-login")
    assert "mtts login router1" in result.next_step
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2"))
async def test_an_ephemeral_node_logs_in_at_each_start_of_its_update(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, node={"ephemeral": True})
    here.new_key(reusable=True)
    await here.deploy()
    here.publish("1.2.4")
    assert (await here.update(store)).outcome is Outcome.UPDATED
    here.publish("1.2.5", behaviour="crash")

    result = await here.update(store)

    assert (result.outcome, result.to_version) == (Outcome.ROLLED_BACK, "1.2.4")
    assert [node.version for node in here.online] == ["1.2.4"]


async def test_a_tailnet_that_goes_away_in_mid_update_holds_no_release_back(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    watch = Watch(here)

    def at_stop(entry: JournalEntry) -> None:
        if entry.path == "/container/stop":
            here.lab.tailnet.reachable = False

    watch.also = at_stop

    result = await here.update(store)

    assert (result.outcome, _code(result)) == (Outcome.BROKEN, "not-healthy")
    assert here.container.root.endswith("/a"), "nothing of the attempt remains all the same"
    assert await store.quarantined() == []
    watch.assert_kept()
    watch.also = None
    here.lab.tailnet.reachable = True
    assert (await here.update(store)).outcome is Outcome.UPDATED


# quarantine and downgrades


async def test_a_bad_release_is_held_back_everywhere_until_it_is_corrected(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = await _fleet(deployment, 2)
    fleet[0].publish("1.2.4", behaviour="crash-later")
    assert (await fleet[0].update(store)).outcome is Outcome.ROLLED_BACK

    results = await update_fleet(fleet, store)

    assert [(result.outcome, _code(result)) for result in results] == [(Outcome.REFUSED, "release-quarantined")] * 2
    assert [here.writes for here in fleet] == [[], []]
    assert "router1" in str(results[1].problem)

    fleet[0].publish("1.2.5")
    assert _outcomes(await update_fleet(fleet, store)) == [Outcome.UPDATED] * 2


async def test_what_is_held_back_can_be_forced_and_is_free_again_once_it_served(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    image = here.publish("1.2.4")
    _have_starts_fail(here)
    assert (await here.update(store)).outcome is Outcome.ROLLED_BACK
    assert [str(entry.digest) for entry in await store.quarantined()] == [image.manifest_digest("linux/arm64")]
    assert (await here.update(store)).outcome is Outcome.REFUSED

    assert (await here.update(store, force=True)).outcome is Outcome.UPDATED
    assert await store.quarantined() == []


async def test_an_older_release_is_installed_only_when_it_is_meant(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment(image=lab_image("1.2.4"))
    await here.deploy()
    here.publish("1.2.3")

    refused = await here.update(store, force=True)
    assert (refused.outcome, _code(refused)) == (Outcome.REFUSED, "downgrade-unconfirmed")
    assert here.writes == []

    result = await here.update(store, allow_downgrade=True)
    assert (result.outcome, result.from_version, result.to_version) == (Outcome.UPDATED, "1.2.4", "1.2.3")


async def test_a_container_that_somebody_changed_by_hand_is_brought_back_to_the_release(
    deployment: MakeDeployment, store: Store
) -> None:
    """The index is still the recorded one; only `image-id` tells, of a release that an earlier run saw."""
    here = await deployment()
    await here.deploy()
    await store.remember(_release(here), seen_s=1.0)
    image = here.container.image
    assert image is not None
    here.container.image = replace(image, config_digest=f"sha256:{'f' * 64}")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert (await here.update(store)).outcome is Outcome.NO_OP


def _release(here: Deployment) -> Release:
    """The one that was deployed, as a store remembers it."""
    image = here.container.image
    assert image is not None
    return Release(
        image=here.node.image,
        platform=Platform.parse("linux/arm64"),
        index_digest=Digest.parse(image.index_digest or ""),
        manifest_digest=Digest.parse(image.manifest_digest),
        config_digest=Digest.parse(image.config_digest),
        version="1.2.3",
        compressed_bytes=image.compressed_bytes,
        extracted_bytes=image.extracted_bytes,
    )


# routers and nodes


async def test_an_unreachable_router_is_left_for_the_next_run(deployment: MakeDeployment, store: Store) -> None:
    fleet = await _fleet(deployment, 3)
    fleet[0].publish("1.2.4")
    fleet[1].router.faults.power_cut()

    results = await update_fleet(fleet, store)

    assert _outcomes(results) == [Outcome.UPDATED, Outcome.UNREACHABLE, Outcome.UPDATED]
    assert exit_code(results) == 4
    await fleet[1].wait(60)
    assert _outcomes(await update_fleet(fleet, store)) == [Outcome.NO_OP, Outcome.UPDATED, Outcome.NO_OP]


async def test_a_router_that_is_reached_through_its_node_is_updated_by_its_guard(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    here.router.faults.tailnet_path()

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.connections[0] > 3


@pytest.mark.parametrize("version", versions("7.21.5"))
async def test_an_adopted_node_is_updated_with_all_that_somebody_gave_it(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version)
    await _set_up_by_hand(here)
    (node,) = here.online
    given = {"user": "0:0", "stop-signal": "2-SIGINT", "domain-name": "lan"}
    given = {name: value for name, value in given.items() if name in here.rows("/container")[0]}
    here.container.item.values.update(given)
    await here.deploy(adopt=True)
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert here.online == [node]
    assert node.version == "1.2.4"
    (row,) = here.rows("/container")
    assert {name: row[name] for name in given} == given
    assert (row["interface"], row["start-on-boot"]) == ("veth1", "true")
    assert "adopted" in row["comment"]
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []
    assert (await here.deploy()).outcome is Outcome.NO_OP


async def test_each_of_two_nodes_on_a_router_is_updated_by_itself(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    web = replace(
        here.node,
        name="web",
        hostname="web1",
        image=ImageRef.parse(str(here.node.image).replace(":stable", ":web")),
        auth_key=Literal(Secret(here.lab.tailnet.issue_key())),
    )
    here.change(nodes=(here.node, web))
    here.lab.registry.publish(lab_image("1.2.3"), repository=REPOSITORY, tags=("web",))
    await here.deploy_all()
    before = here.online
    here.lab.registry.publish(lab_image("1.2.4"), repository=REPOSITORY, tags=("web",))

    results = await update_fleet([here], store)

    assert _outcomes(results) == [Outcome.NO_OP, Outcome.UPDATED]
    assert {(row["name"], row["root-dir"].rpartition("/")[2]) for row in here.rows("/container")} == {
        ("tailscale-a", "a"),
        ("web-b", "b"),
    }
    here.publish("1.2.5", behaviour="crash-later")
    here.lab.registry.publish(lab_image("1.2.6"), repository=REPOSITORY, tags=("web",))

    results = await update_fleet([here], store)

    assert _outcomes(results) == [Outcome.ROLLED_BACK, Outcome.UPDATED]
    assert {node.id for node in here.online} == {node.id for node in before}


# deadlines and rollouts


async def test_the_deadline_ends_a_staging_and_nothing_of_it_remains(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    before = here.snapshot()
    watch = Watch(here)

    def at_add(entry: JournalEntry) -> None:
        if entry.path == "/container/add":  # a registry that says no more to the router
            here.lab.registry.faults.add(RegistryFault("stall", on="blobs"))

    watch.also = at_add

    (result,) = await update_fleet([here], store, timeout_s=2.0)

    assert (result.outcome, _code(result)) == (Outcome.KEPT_OLD, "deadline-exceeded")
    assert exit_code([result]) == 5
    assert here.snapshot() == before
    watch.assert_kept()
    watch.also = None
    here.lab.registry.faults.clear()
    assert (await here.update(store)).outcome is Outcome.UPDATED


async def test_a_canary_stops_a_bad_release_and_the_rest_stay_untouched(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = await _fleet(deployment, 4)
    before = [here.snapshot() for here in fleet]
    fleet[0].publish("1.2.4", behaviour="never-online")

    results = await update_fleet(fleet, store)

    assert _outcomes(results) == [Outcome.ROLLED_BACK, *[Outcome.REFUSED] * 3]
    assert {_code(result) for result in results[1:]} == {"rollout-stopped"}
    assert exit_code(results) == 7
    assert [here.writes for here in fleet[1:]] == [[], [], []]
    assert [here.snapshot() for here in fleet] == before


async def test_a_failure_within_the_budget_does_not_stop_the_rest(deployment: MakeDeployment, store: Store) -> None:
    fleet = await _fleet(deployment, 3)
    fleet[0].publish("1.2.4")
    _have_starts_fail(fleet[1])

    results = await update_fleet(fleet, store, parallel=1, rollout=replace(AT_ONCE, max_fail=Share(1)))

    assert _outcomes(results) == [Outcome.UPDATED, Outcome.ROLLED_BACK, Outcome.REFUSED]
    assert _code(results[2]) == "release-quarantined"
    assert exit_code(results) == 5


async def test_a_new_release_waits_for_the_window_of_its_router(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    now = datetime.fromtimestamp(here.lab.clock.wall.timestamp()).astimezone()
    soon, later = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (2, 3))
    here.change(window=f"{soon}-{later}")

    waiting = await here.update(store)

    assert (waiting.outcome, waiting.changes_pending) == (Outcome.NO_OP, True)
    assert [warning.code for warning in waiting.warnings] == ["outside-window"]
    assert (waiting.from_version, waiting.to_version) == ("1.2.3", "1.2.3")
    assert here.writes == []

    here.change(window="00:00-12:00, 12:00-00:00")

    assert (await here.update(store)).outcome is Outcome.UPDATED
