"""A router that updates itself: `routeros/update-tailscale.rsc` on simulated routers, without mtts.

Whatever happens to it, a node serves or comes back at a boot, and the next run of the script or of mtts has it
current.
"""

from itertools import count

import pytest

from mtts.core.outcome import Outcome
from mtts.core.tag import Tag
from mtts.lab.journal import JournalEntry
from mtts.lab.registry_faults import FaultKind, RegistryFault
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, lab_image
from tests.engine.updaters import (
    EVERY,
    PLATFORM,
    VERSIONS,
    WRITES,
    A,
    B,
    assert_new_serves,
    assert_old_serves,
    changes,
    with_updater,
)
from tests.engine.watch import KEPT_BYTES, Watch, flash_used


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_moved_tag_is_installed_and_recorded_and_mtts_takes_over(
    deployment: MakeDeployment, store: Store, version: str
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    before, used, watch = here.snapshot(), flash_used(here), Watch(here)
    (node,) = here.online
    here.publish("1.2.4")
    start = len(here.router.journal)

    await updater.run()

    assert_new_serves(here)
    assert here.online == [node]
    assert updater.up == [B]
    assert len(changes(updater, start)) == WRITES[version]
    assert "tx=up-" in here.container.item.values["comment"]
    assert abs(flash_used(here) - used) <= KEPT_BYTES
    watch.assert_kept()
    row, old = here.rows("/container")[0], before["/container"][0]
    kept = {"interface", "hostname", "logging", "envlist", "envlists", "mounts", "mountlists", "tmpfs"}
    kept |= {"restart-policy", "restart-interval", "auto-restart-interval", "ignore-remote-image-change"}
    if here.router.device.version >= (7, 22):  # before, the image's own is taken
        kept.add("entrypoint")
    assert {name: row.get(name) for name in kept} == {name: old.get(name) for name in kept}

    assert here.rows("/system/script", name="mtts-lock") == []
    assert (await here.update(store)).outcome is Outcome.NO_OP
    assert here.writes == []
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


@pytest.mark.parametrize("version", EVERY)
async def test_a_second_update_goes_back_to_the_first_slot(deployment: MakeDeployment, version: str) -> None:
    updater = await with_updater(deployment, version)
    updater.here.publish("1.2.4")
    await updater.run()
    updater.here.publish("1.2.5")

    await updater.run()

    assert_new_serves(updater.here, "1.2.5")
    assert updater.up == [A]


@pytest.mark.parametrize("version", EVERY)
async def test_a_moved_index_with_the_same_platform_digest_writes_nothing(
    deployment: MakeDeployment, version: str
) -> None:
    updater = await with_updater(deployment, version)
    first = lab_image("1.2.3")
    moved = updater.here.publish("1.2.3", platforms=("linux/arm64",))
    assert moved.index_digest != first.index_digest
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert updater.said == []
    assert_old_serves(updater)


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("behaviour", ["never-online", "crash"])
async def test_a_release_that_does_not_serve_gives_way_to_the_old_one_and_is_not_tried_again(
    deployment: MakeDeployment, version: str, behaviour: str
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    used, watch = flash_used(here), Watch(here)
    bad = here.publish("1.2.4", behaviour=behaviour)

    await updater.run()
    await here.wait(30)

    assert_old_serves(updater)
    watch.assert_kept()
    assert updater.memory == f"mtts:updater failed={bad.manifest_digest(str(PLATFORM))}"
    assert abs(flash_used(here) - used) <= KEPT_BYTES
    assert "is not kept: unhealthy" in updater.said[-1]

    start = len(here.router.journal)
    await updater.run()
    assert changes(updater, start) == []

    here.publish("1.2.5")
    await updater.run()
    assert_new_serves(here, "1.2.5")


@pytest.mark.parametrize("version", EVERY)
async def test_a_pull_that_fails_leaves_the_old_one_alone(deployment: MakeDeployment, version: str) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    before = here.snapshot() | {"/system/script": []}  # which counts how often it ran
    here.publish("1.2.4")
    here.router.faults.fail_pull()

    await updater.run()

    assert_old_serves(updater)
    assert here.snapshot() | {"/system/script": []} == before
    assert updater.memory == "mtts:updater"
    assert updater.said[-1].endswith("is not installed: it cannot be pulled")

    await updater.run()
    assert_new_serves(here)


async def test_a_registry_that_does_not_answer_is_told_in_the_log(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    updater.here.publish("1.2.4")
    updater.here.lab.registry.faults.add(RegistryFault("status", status=503))
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert updater.said == ["mtts-updater-tailscale: failure: Status 503, Service Unavailable"]


async def test_an_index_without_the_routers_platform_is_no_release(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    updater.here.publish("1.2.4", platforms=("linux/amd64",))
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert updater.said == [
        "mtts-updater-tailscale: the registry shows no index with this router's platform",
    ]


async def test_a_release_that_has_no_room_is_not_pulled(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    updater.here.publish("1.2.4")
    updater.here.router.faults.fill_disk(leave_bytes=1_000_000)
    await updater.here.wait(60)  # RouterOS tells late what is free
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert "there is too little room for sha256:" in updater.said[-1]


async def test_a_node_that_is_down_is_started(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    updater.ask("/container/stop", numbers="*1")
    await updater.here.wait(15)
    assert updater.up == []

    await updater.run()

    assert_old_serves(updater)


@pytest.mark.parametrize(
    ("words", "is_held"),
    [
        ("mtts:lock by=host/7 on=b run=r1 uptime={now} longest=3600", True),
        ("mtts:lock by=host/7 on=b run=r1 uptime={before} longest=3600", False),
        ("mtts:lock by=host/7 on=b run=r1 uptime={later} longest=3600", False),
        ("mtts:lock by=host/7 on=b run=r1 uptime={before}", True),
        ("mtts:lock by=updater/0 on=router run=mtts-updater-tailscale uptime={now} longest=3600", False),
        ("somebody's own", True),
    ],
)
async def test_the_lock_of_mtts_is_respected_while_somebody_may_hold_it(
    deployment: MakeDeployment, words: str, *, is_held: bool
) -> None:
    updater = await with_updater(deployment)
    here = updater.here
    await here.wait(26 * 3600 + 61)
    now_s = int(here.router.device.uptime_s)
    comment = words.format(now=now_s, before=now_s - 7200, later=now_s + 3600)
    updater.ask("/system/script/add", name="mtts-lock", comment=comment, policy="read")
    here.publish("1.2.4")

    await updater.run()

    assert (updater.up == [A]) is is_held
    assert [row["comment"] for row in here.rows("/system/script", name="mtts-lock")] == [comment] * is_held


@pytest.mark.parametrize(("words", "why"), [("adopted", "taken over by hand"), ("ram", "lives in memory")])
async def test_what_only_mtts_can_handle_is_left_to_it(deployment: MakeDeployment, words: str, why: str) -> None:
    updater = await with_updater(deployment)
    comment = updater.here.container.item.values["comment"]
    updater.ask("/container/set", numbers="*1", comment=f"{comment} {words}")
    updater.here.publish("1.2.4")
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert why in updater.said[-1]


async def test_a_container_of_somebody_else_is_not_touched(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    comment = updater.here.container.item.values["comment"]
    updater.ask("/container/set", numbers="*1", comment=comment.replace("mtts:tailscale", "mtts:tailscale2"))
    updater.here.publish("1.2.4")
    start = len(updater.here.router.journal)

    await updater.run()

    assert changes(updater, start) == []
    assert updater.said == ["mtts-updater-tailscale: there is no container that mtts deployed"]


@pytest.mark.parametrize(
    "version", ['1.2.4"; /system/reboot; "', "1.2.4 tx=00 platform=sha256:" + "0" * 64, "$[/system/reboot]", "x" * 61]
)
async def test_a_hostile_version_of_a_release_is_passed_over(deployment: MakeDeployment, version: str) -> None:
    updater = await with_updater(deployment)
    image = updater.here.publish(version)

    await updater.run()

    tag = Tag.parse(updater.here.container.item.values["comment"])
    assert tag is not None
    assert (tag.version, str(tag.platform)) == (None, image.manifest_digest(str(PLATFORM)))
    assert updater.here.online
    assert updater.said[-1].endswith("serves")


async def test_a_hostile_hostname_is_copied_as_it_is(deployment: MakeDeployment) -> None:
    name = 'e"; /system/reboot; $[/system/reboot] #'
    updater = await with_updater(deployment)
    updater.ask("/container/set", numbers="*1", hostname=name)
    updater.here.publish("1.2.4")

    await updater.run()

    assert updater.here.rows("/container")[0]["hostname"] == name
    assert_new_serves(updater.here)


async def test_a_tag_that_moves_during_the_pull_is_not_installed(deployment: MakeDeployment) -> None:
    for version in ("7.18.2", "7.23.3"):
        updater = await with_updater(deployment, version, name=f"router-{version}")
        here = updater.here
        here.publish("1.2.4")

        def move(entry: JournalEntry, here: Deployment = here) -> None:
            if entry.path == "/container/add":
                here.publish("1.2.5")

        here.router.faults.on_write(lambda _, entry: move(entry))

        await updater.run()

        assert updater.up == [A]
        assert updater.said[-1].endswith("is not installed: the tag moved")


@pytest.mark.parametrize("version", EVERY)
async def test_a_lock_that_mtts_takes_while_the_registry_is_asked_is_respected(
    deployment: MakeDeployment, version: str
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    here.publish("1.2.4")
    comment = f"mtts:lock by=host/7 on=b run=r1 uptime={int(here.router.device.uptime_s)} longest=3600"
    start = len(here.router.journal)

    await updater.run_while(lambda: updater.ask("/system/script/add", name="mtts-lock", comment=comment, policy="read"))

    assert updater.up == [A]
    assert changes(updater, start) == []
    assert [row["comment"] for row in here.rows("/system/script", name="mtts-lock")] == [comment]
    assert updater.said[-1].endswith("mtts holds the router")


async def test_a_lock_that_mtts_takes_at_the_same_moment_is_respected(deployment: MakeDeployment) -> None:
    updater = await with_updater(deployment)
    here = updater.here
    here.publish("1.2.4")
    stale = f"mtts:lock by=host/7 on=b run=r1 uptime={int(here.router.device.uptime_s) + 7200} longest=3600"
    fresh = stale.replace("run=r1", "run=r2").replace("longest=3600", "longest=36000")
    updater.ask("/system/script/add", name="mtts-lock", comment=stale, policy="read")

    def take(_number: int, entry: JournalEntry) -> None:
        if entry.path == "/system/script/remove" and entry.script:
            updater.ask("/system/script/add", name="mtts-lock", comment=fresh, policy="read")

    here.router.faults.on_write(take)

    await updater.run()

    assert updater.up == [A]
    assert [row["comment"] for row in here.rows("/system/script", name="mtts-lock")] == [fresh]


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("what", ["record", "staged", "gone"])
async def test_a_node_that_mtts_changed_while_the_registry_was_asked_is_left_to_the_next_run(
    deployment: MakeDeployment, what: str, version: str
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    here.publish("1.2.4")
    comment = here.container.item.values["comment"]

    def change() -> None:
        if what == "record":
            updater.ask("/container/set", numbers="*1", comment=f"{comment} tx=1234")
        elif what == "staged":
            updater.ask(
                "/container/add",
                remote_image=str(here.node.image),
                root_dir=B,
                interface=here.rows("/container")[0]["interface"],
                comment="mtts:tailscale next=1234",
            )
        else:
            updater.ask("/container/set", numbers="*1", comment="somebody's own")

    start = len(here.router.journal)
    await updater.run_while(change)

    assert updater.up == [A]
    assert {entry.path for entry in changes(updater, start)} == {"/system/script/add", "/system/script/remove"}
    assert updater.said[-1].endswith("the node changed meanwhile")
    assert here.rows("/system/script", name="mtts-lock") == []
    if what != "gone":
        await updater.run()
        assert_new_serves(here)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        pytest.param(version, kind, marks=() if (version, kind) == ("7.18.2", "status") else pytest.mark.slow)
        for version in ("7.18.2", "7.24")
        for kind in ("status", "truncate", "damage")
    ],
)
async def test_a_registry_that_fails_at_any_question_leaves_one_release_whole(
    deployment: MakeDeployment, version: str, kind: FaultKind
) -> None:
    updater = await with_updater(deployment, version)
    here = updater.here
    faults = here.lab.registry.faults
    for number in count():
        image = here.publish(f"1.2.{number + 4}")
        watch = Watch(here)
        faults.add(RegistryFault(kind, on="any", method="GET", after=number, times=1))
        await updater.run()
        watch.assert_kept()
        assert updater.up == [here.container.root]
        assert len(here.online) == len(here.lab.tailnet.nodes) == 1
        assert here.rows("/system/script", name="mtts-lock") == []
        assert updater.memory == "mtts:updater", "that the registry fails says nothing of a release"
        if len(faults.active) > 0:
            break
        await updater.run()
        tag = Tag.parse(here.container.item.values["comment"])
        assert tag is not None
        assert str(tag.platform) == image.manifest_digest(str(PLATFORM))
    assert number > 4
