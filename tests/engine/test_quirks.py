"""Behaviours that no documentation settles, tried both ways: a deploy converges, or says clearly why it cannot."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from mtts.core.image import ImageRef
from mtts.core.outcome import Outcome
from mtts.lab.boards import MIB
from mtts.lab.images import build_image
from mtts.lab.quirks import Quirks
from mtts.ports import Store
from tests.engine.attempt import begin
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import BOOT_S, REPOSITORY, VERSIONS, Deployment, lab_image, versions

OTHER_WAYS: Mapping[str, tuple[Any, ...]] = {
    "status_beside_flags": (True,),
    "false_flags": ("sent", "omitted"),
    "image_reference": ("tag", "repo"),
    "shell_answer": ("rows", "tty-trap", "unavailable"),
    "shell_takes_id": (False,),
    "start_while_extracting": ("trap", "queue"),
    "starts_after_pull": (True,),
    "stopped_while_extracting": (True,),
    "start_when_up_text": ("already started",),
    "stop_when_down_text": ("nothing to stop",),
    "start_failure": ("trap",),
    "busy_veth": ("shared",),
    "shared_mount_lists": (False,),
    "stop_counts_as_failure": (True,),
    "deleting_holds_veth": (True,),
    "root_dir_slash": ("always", "never"),
    "root_dir_exists": ("failed",),
    "old_root_dir": ("stale",),
    "tmpfs_syntax": ("colon", "at"),
    "flash_flush_s": (0.0, 120.0),
    "mounts_filled_from_image": (False,),
    "extraction_ram_bytes": (0, 64 * MIB),
    "file_add_makes_parents": (True,),
    "lists_must_exist": (False,),
}
UNTOUCHED_BY_A_DEPLOY = {
    "digest_references",  # used with an image that is pinned by digest, which has a test of its own
    "repull_same_empties_root",  # a deploy never repulls
    "dead_repull",  # nor does it here; the lab's own tests try both
    "image_health_check",  # of an image that brings one, which has a test of its own
    "running_beside_health",  # the same
    "health_check_interval_s",  # the same
    "comments_survive_reboot",  # no reboot either; a test of its own
    "kill_in_good_order",  # nothing is killed that stops; tests of their own
    "cut_through_node",  # a node that a router is reached through is not updated; the lab's own tests try both
    "reboot_loses_containers",  # a deploy refuses these versions
    "clock_after_power_cut",  # no power cut either; the same
    "default_policy_beyond_giver",  # a deploy leaves no script on the router
    "cut_ends_foreground_script",  # its only script prints what a container says and ends at once
    "no_space_text",
    "extracting_text",
    "root_dir_exists_text",
    "duplicate_name_text",
    "no_dns_text",
    "safe_mode_menu",  # nothing of mtts takes safe mode
    "safe_mode_taken_text",
}
CASES = [pytest.param({name: value}, id=f"{name}={value}") for name, values in OTHER_WAYS.items() for value in values]


def test_every_switch_of_the_lab_is_tried_or_set_aside_for_a_reason() -> None:
    assert {field.name for field in fields(Quirks)} == set(OTHER_WAYS) | UNTOUCHED_BY_A_DEPLOY


async def _assert_converges(here: Deployment) -> None:
    result = await here.deploy()
    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert len(here.online) == 1
    assert list(here.router.files()) == [f"{here.state_dir}/tailscaled.state"]
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2", "7.24"))
@pytest.mark.parametrize("quirk", CASES)
async def test_a_deploy_converges_whichever_way_a_router_behaves(
    deployment: MakeDeployment, quirk: dict[str, Any], version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(**quirk))

    await _assert_converges(here)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("quirk", CASES)
@pytest.mark.slow
async def test_a_changed_setting_converges_whichever_way_a_router_behaves(
    deployment: MakeDeployment, quirk: dict[str, Any], version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(**quirk))
    await here.deploy()
    here.change_node(exit_node=True)

    await _assert_converges(here)
    assert "--advertise-exit-node" in here.world.environment["TS_EXTRA_ARGS"]


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
@pytest.mark.parametrize("quirk", CASES)
@pytest.mark.slow
async def test_a_failed_pull_is_mended_whichever_way_a_router_behaves(
    deployment: MakeDeployment, quirk: dict[str, Any], version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(**quirk))
    here.router.faults.fail_pull("fetch manifest failed")
    assert (await here.deploy()).outcome is Outcome.BROKEN

    await _assert_converges(here)


@pytest.mark.parametrize("quirk", [{"root_dir_exists": "trap"}, {"root_dir_exists": "failed"}])
async def test_a_root_directory_that_a_gone_entry_left_is_replaced(
    deployment: MakeDeployment, quirk: dict[str, Any]
) -> None:
    here = await deployment(version="7.23.3", quirks=Quirks(**quirk))
    here.router.device.files.make_directory("mtts/root/tailscale/a")

    await _assert_converges(here)


@pytest.mark.parametrize("accepted", [True, False])
async def test_an_image_pinned_by_digest_is_deployed_or_refused_in_the_router_s_words(
    deployment: MakeDeployment, accepted: bool
) -> None:
    here = await deployment(quirks=Quirks(digest_references=accepted))
    here.change_node(image=ImageRef.parse(f"{here.lab.registry.address}/{REPOSITORY}@{lab_image().index_digest}"))

    result = await here.deploy()

    if accepted:
        assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
        assert (await here.deploy()).outcome is Outcome.NO_OP
    else:
        assert result.problem is not None
        assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "command-trapped")
        assert "remote-image" in result.problem.message


@pytest.mark.parametrize("version", ["7.21.5", "7.22.3", "7.24"])
@pytest.mark.parametrize(
    "quirk",
    [{}, {"running_beside_health": True}, {"image_health_check": False}, {"health_check_interval_s": 5.0}],
    ids=["check", "beside", "ignored", "often"],
)
async def test_an_image_with_a_health_check_is_deployed_as_any_other(
    deployment: MakeDeployment, quirk: dict[str, Any], version: str
) -> None:
    image = build_image("1.2.3", extracted_bytes=400_000, healthcheck=("tailscale", "status"))
    here = await deployment(version=version, image=image, quirks=Quirks(**quirk))

    await _assert_converges(here)
    await here.wait(60)
    shown = version != "7.21.5" and quirk != {"image_health_check": False}
    assert (here.rows("/container")[0].get("healthy") == "true") is shown
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("answer", ["last-known", "1970", "kept"])
async def test_after_a_power_cut_a_deploy_waits_for_nothing_but_a_clock_that_is_far_off(
    deployment: MakeDeployment, answer: Any
) -> None:
    here = await deployment(quirks=Quirks(clock_after_power_cut=answer))
    await here.deploy()
    here.router.faults.power_cut()
    await here.wait(BOOT_S)
    here.change_node(exit_node=True)

    early = await here.deploy()

    if answer == "1970":
        assert early.problem is not None
        assert early.problem.code == "clock-wrong"
        await here.wait(30)
        await _assert_converges(here)
    else:
        assert (early.outcome, early.problem) == (Outcome.DEPLOYED, None)
        assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", ["7.18.2", "7.24"])
@pytest.mark.parametrize("survive", [True, False])
async def test_a_container_whose_mark_a_reboot_took_is_not_touched(
    deployment: MakeDeployment, survive: bool, version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(comments_survive_reboot=survive))
    await here.deploy()
    here.router.faults.reboot()
    await here.wait(BOOT_S + 10)

    result = await here.deploy()

    if survive:
        assert (result.outcome, result.problem) == (Outcome.NO_OP, None)
    else:
        assert result.outcome is Outcome.REFUSED
        assert result.problem is not None
        assert result.problem.code == "foreign-container"
        assert here.writes == []
    assert len(here.online) == 1


@pytest.mark.parametrize("version", ["7.18.2", "7.21.5", "7.23.3"])
@pytest.mark.parametrize("quirk", [{"busy_veth": "shared"}, {"stop_counts_as_failure": True}])
async def test_an_update_swaps_whatever_a_busy_veth_and_a_stop_mean(
    deployment: MakeDeployment, store: Store, quirk: dict[str, Any], version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(**quirk))
    await here.deploy()
    (before,) = here.online
    here.publish("1.2.4")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    await here.wait(60)
    assert here.online == [before]
    assert here.lab.tailnet.fights == 0


@pytest.mark.parametrize("version", ["7.21.5", "7.23.3"])
@pytest.mark.parametrize(("behaviour", "outcome"), [("ok", Outcome.UPDATED), ("never-online", Outcome.ROLLED_BACK)])
async def test_an_old_release_that_its_restart_policy_brings_back_is_stopped_before_it_has_a_process(
    deployment: MakeDeployment, store: Store, version: str, behaviour: str, outcome: Outcome
) -> None:
    quirks = Quirks(stop_counts_as_failure=True, busy_veth="shared")
    attempt = await begin(deployment, store, version, quirks=quirks)
    attempt.here.publish("1.2.4", behaviour=behaviour)

    result = await attempt.here.update(store)

    assert result.outcome is outcome
    stops = [entry for entry in attempt.here.router.writes() if entry.path == "/container/stop"]
    assert len(stops) > 2
    attempt.assert_serves()
    attempt.watch.assert_settled()


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
async def test_where_a_mount_list_cannot_be_shared_an_update_leaves_the_old_release_alone(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    here = await deployment(version=version, quirks=Quirks(shared_mount_lists=False))
    await here.deploy()
    (before,) = here.online
    here.publish("1.2.4")

    result = await here.update(store)

    assert result.outcome is Outcome.KEPT_OLD
    assert result.problem is not None
    assert "input does not match any value of mount" in result.problem.message
    assert here.online == [before]
    assert len(here.rows("/container")) == 1
    assert (await here.deploy()).outcome is Outcome.NO_OP
