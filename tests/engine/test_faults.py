"""What routers, images, keys and links do wrong during a deploy, how it is told, and how the next deploy mends it."""

from dataclasses import replace

import pytest

from mtts.core.dialect import IMAGE_ID_SINCE
from mtts.core.inventory import Timing
from mtts.core.outcome import Outcome, exit_code
from mtts.core.secret import FromEnv
from mtts.core.version import Version
from mtts.lab.journal import JournalEntry
from mtts.lab.quirks import Quirks
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import HOSTNAME, REPOSITORY, Deployment, lab_image, versions

PULL_ERROR = "fetch manifest failed: getting https://ghcr.io/v2/team/x/manifests/stable failed: auth error"


async def _assert_mended(here: Deployment) -> None:
    """The next deploy converges and the one after it has nothing to do."""
    result = await here.deploy()
    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert [node.hostname for node in here.online] == [HOSTNAME]
    assert list(here.router.files()) == [f"{here.state_dir}/tailscaled.state"]
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_a_failed_pull_is_told_in_the_router_s_own_words_and_mended(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    here.router.faults.fail_pull(PULL_ERROR)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "pull-failed")
    assert PULL_ERROR in result.problem.message
    assert result.next_step
    assert exit_code([result]) == 6

    await _assert_mended(here)


async def test_a_pull_without_progress_ends_at_the_stall_limit(deployment: MakeDeployment) -> None:
    here = await deployment(link_bytes_per_s=10.0, in_inventory={"timing": Timing(stall_s=30)})
    began = here.lab.clock.now

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "pull-stalled")
    assert here.lab.clock.now - began < Timing().stall_s

    await here.wait(100_000)
    await _assert_mended(here)


async def test_a_slow_pull_that_moves_is_waited_for(deployment: MakeDeployment) -> None:
    here = await deployment(link_bytes_per_s=2_000.0, in_inventory={"timing": Timing(stall_s=60)})

    assert (await here.deploy()).outcome is Outcome.DEPLOYED


async def test_a_pull_that_moves_for_ever_ends_at_the_limit_for_the_whole(deployment: MakeDeployment) -> None:
    here = await deployment(link_bytes_per_s=1_000.0, in_inventory={"timing": Timing(pull_s=120, stall_s=100)})

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "pull-stalled")


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
@pytest.mark.parametrize(
    ("behaviour", "codes", "words"),
    [
        ("crash", {"start-failed", "crash-loop"}, "panic: cannot start"),
        ("crash-later", {"crash-loop"}, "fatal error: stack overflow"),
        ("never-online", {"not-healthy"}, "Starting"),
    ],
)
async def test_an_image_that_does_not_serve_is_told_with_what_its_log_says(
    deployment: MakeDeployment, version: str, behaviour: str, codes: set[str], words: str
) -> None:
    here = await deployment(version=version, image=lab_image(behaviour=behaviour))

    result = await here.deploy()

    assert result.problem is not None
    assert result.outcome is Outcome.BROKEN
    assert result.problem.code in codes
    assert words in result.problem.message
    (row,) = here.rows("/container")
    assert row["start-on-boot"] == "false", "an unproven container must not start by itself"
    assert "platform=" not in row["comment"]


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("behaviour", ["crash", "never-online"])
async def test_an_image_that_never_served_is_replaced_once_its_tag_names_one_that_does(
    deployment: MakeDeployment, version: str, behaviour: str
) -> None:
    here = await deployment(version=version, image=lab_image("1.0.0", behaviour=behaviour))
    assert (await here.deploy()).outcome is Outcome.BROKEN
    if Version.parse(version) < IMAGE_ID_SINCE and behaviour == "never-online":
        here.router.device.engine.stop(here.container)  # where nothing tells the images apart, a person stops it
        await here.wait(60)
    here.lab.registry.publish(lab_image("2.0.0"), repository=REPOSITORY)

    result = await here.deploy()

    assert (result.outcome, result.problem, result.to_version) == (Outcome.DEPLOYED, None, "2.0.0")
    assert here.writes.count("/container/remove") == 1
    (row,) = here.rows("/container")
    assert "v=2.0.0 platform=sha256:" in row["comment"]
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_a_key_that_expired_is_told_and_a_corrected_one_logs_in(deployment: MakeDeployment, version: str) -> None:
    here = await deployment(version=version)
    here.new_key(expired=True)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "needs-login")
    assert result.problem.hint
    assert here.online == []

    here.new_key()
    await _assert_mended(here)


async def test_a_key_that_the_tailnet_does_not_know_is_told_and_never_wipes_an_identity(
    deployment: MakeDeployment,
) -> None:
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    here.new_key(expired=True)

    result = await here.deploy()

    assert result.outcome is Outcome.NO_OP
    assert here.online == [node]


async def test_a_node_whose_login_expired_is_no_no_op_but_logged_in_again(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    (node,) = here.online
    node.expired = True
    here.router.faults.reboot()
    await here.wait(40)
    here.new_key()

    await _assert_mended(here)


async def test_an_unreachable_tailnet_is_waited_for_and_then_told(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.lab.tailnet.reachable = False

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) in {
        (Outcome.BROKEN, "not-healthy"),
        (Outcome.BROKEN, "needs-login"),
    }

    here.lab.tailnet.reachable = True
    await _assert_mended(here)


async def test_a_key_that_cannot_be_read_is_found_out_before_anything_is_written(deployment: MakeDeployment) -> None:
    here = await deployment(node={"auth_key": FromEnv("MTTS_TEST_NO_SUCH_VARIABLE")})

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "secret-unavailable")
    assert here.writes == []


async def test_a_flash_that_is_smaller_than_it_said_ends_in_the_router_s_words(deployment: MakeDeployment) -> None:
    here = await deployment(flash_free=8 * 1024 * 1024)

    def fill(_number: int, entry: JournalEntry) -> None:
        if entry.path == "/container/add":
            here.router.write_file("big", bytes(8 * 1024 * 1024 - 200_000))

    here.router.faults.on_write(fill)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "pull-failed")
    assert "no space left" in result.problem.message
    here.router.faults.on_write(None)
    here.router.device.files.remove("big")
    await here.wait(60)

    await _assert_mended(here)


async def test_a_command_refused_in_the_middle_is_told_word_for_word_and_mended(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.router.faults.trap_next("/ip/route/add", "failure: routing is busy")

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "command-trapped")
    assert "routing is busy" in result.problem.message

    await _assert_mended(here)


async def test_the_very_first_write_refused_leaves_the_router_as_it_was(deployment: MakeDeployment) -> None:
    here = await deployment()
    before = here.snapshot()
    here.router.faults.trap_next("/interface/bridge/add", "failure: not allowed")

    result = await here.deploy()

    assert result.outcome is Outcome.REFUSED
    assert here.snapshot() == before


@pytest.mark.parametrize(
    "text", ["failure: root-dir overlap with /mtts/root/tailscale/a", "failure: could not add", "value of interface"]
)
async def test_an_add_that_fails_while_a_removal_ends_is_tried_again(deployment: MakeDeployment, text: str) -> None:
    here = await deployment()
    for _ in range(3):
        here.router.faults.trap_next("/container/add", text)

    assert (await here.deploy()).outcome is Outcome.DEPLOYED


async def test_a_garbled_reply_ends_the_session_as_unreachable_before_the_first_write(
    deployment: MakeDeployment,
) -> None:
    here = await deployment()
    here.router.faults.garble_reply()

    result = await here.deploy()

    assert result.outcome is Outcome.UNREACHABLE
    assert here.writes == []
    assert here.connections[0] == 1

    await _assert_mended(here)


async def test_a_garbled_reply_to_a_write_is_unknown(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.router.faults.on_write(lambda n, _: here.router.faults.garble_reply() if n == 5 else None)

    result = await here.deploy()

    assert result.outcome is Outcome.UNKNOWN
    here.router.faults.on_write(None)

    await _assert_mended(here)


async def test_a_router_that_goes_silent_is_given_up_at_the_command_s_deadline(deployment: MakeDeployment) -> None:
    here = await deployment(in_inventory={"timing": Timing(command_s=0.2, login_s=0.2)})
    here.router.faults.on_write(lambda n, _: here.router.faults.hang() if n == 3 else None)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.UNKNOWN, "session-lost")
    assert (await here.deploy()).outcome is Outcome.UNREACHABLE
    here.router.faults.on_write(None)
    here.router.faults.thaw()
    here.change(timing=Timing())

    await _assert_mended(here)


async def test_a_container_that_is_stuck_stopping_is_told_with_the_reboot_that_clears_it(
    deployment: MakeDeployment,
) -> None:
    here = await deployment(version="7.20.8")
    await here.deploy()
    here.change_node(exit_node=True)
    here.router.faults.stuck_stopping = True

    result = await here.deploy()

    assert result.problem is not None
    assert result.problem.code == "stop-stuck"
    assert "reboot" in result.problem.hint

    here.router.faults.stuck_stopping = False
    here.router.faults.reboot()
    await here.wait(40)
    assert (await here.deploy()).outcome in {Outcome.DEPLOYED, Outcome.NO_OP}
    assert "--advertise-exit-node" in here.world.environment["TS_EXTRA_ARGS"]


@pytest.mark.parametrize("in_order", [False, True])
async def test_a_container_that_is_stuck_stopping_is_killed_where_there_is_a_command_for_that(
    deployment: MakeDeployment, in_order: bool
) -> None:
    here = await deployment(quirks=Quirks(kill_in_good_order=in_order))
    await here.deploy()
    here.change_node(exit_node=True)
    here.router.faults.stuck_stopping = True

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.writes.count("/container/kill") == 1
    assert "--advertise-exit-node" in here.world.environment["TS_EXTRA_ARGS"]


async def test_a_reboot_in_the_middle_is_unknown_and_mended(deployment: MakeDeployment) -> None:
    here = await deployment()
    here.router.faults.on_write(
        lambda _n, entry: here.router.faults.reboot() if entry.path == "/container/start" else None
    )

    result = await here.deploy()

    assert result.outcome is Outcome.UNKNOWN
    here.router.faults.on_write(None)
    await here.wait(40)

    await _assert_mended(here)


async def test_a_node_that_went_down_after_its_deploy_is_started_again(deployment: MakeDeployment) -> None:
    here = await deployment()
    await here.deploy()
    here.router.device.engine.stop(here.container)
    await here.wait(5)
    assert here.online == []

    result = await here.deploy()

    assert result.outcome is Outcome.DEPLOYED
    assert here.writes == ["/container/start"]
    assert len(here.online) == 1


async def test_a_converged_node_comes_back_after_a_power_cut_by_itself(deployment: MakeDeployment) -> None:
    here = await deployment(flash_trap=True)
    await here.deploy()
    (node,) = here.online
    here.router.faults.power_cut()
    await here.wait(60)

    result = await here.deploy()

    assert (result.outcome, here.writes) == (Outcome.NO_OP, [])
    assert here.online == [node]


async def test_deadlines_come_from_the_inventory(deployment: MakeDeployment) -> None:
    here = await deployment(image=lab_image(behaviour="never-online"))
    here.change(timing=replace(Timing(), healthy_s=7))
    began = here.lab.clock.now

    result = await here.deploy()

    assert result.problem is not None
    assert "7 s" in result.problem.message
    assert here.lab.clock.now - began < 60


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_a_deploy_whose_image_lacks_its_program_pulls_it_once_more(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    here.router.faults.hollow_extraction()

    result = await here.deploy()

    assert (result.outcome, result.problem, result.to_version) == (Outcome.DEPLOYED, None, "1.2.3")
    assert [warning.code for warning in result.warnings] == ["extraction-damaged"]
    assert (here.writes.count("/container/add"), here.writes.count("/container/remove")) == (2, 1)
    assert [node.hostname for node in here.online] == [HOSTNAME]
    assert (await here.deploy()).outcome is Outcome.NO_OP


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_a_deploy_whose_image_always_lacks_its_program_ends_after_two_pulls(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    here.router.faults.hollow_extraction(n=9)

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.BROKEN, "crash-loop")
    assert "No such file" in result.problem.message
    assert [warning.code for warning in result.warnings] == ["extraction-damaged"]
    assert here.writes.count("/container/add") == 2
    (row,) = here.rows("/container")
    assert row["start-on-boot"] == "false"

    again = await here.deploy()

    assert again.outcome is Outcome.BROKEN
    assert here.writes.count("/container/add") <= 2
    here.router.faults.clear()
    await _assert_mended(here)
