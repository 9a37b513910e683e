"""`remove`, `login`, `logs`, plans in files and adoption: what happens to the node."""

from pathlib import Path

import pytest

from mtts.lab.container import Container
from mtts.lab.images import build_image
from mtts.lab.router import LabRouter
from mtts.lab.tailscaled import STATE_FILE, Tailscaled
from tests.cli.conftest import Fleet

STATE = f"mtts/state/by-hostname/router1/{STATE_FILE}"


def _deployed(fleet: Fleet) -> LabRouter:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0
    return router


def test_remove_asks_somebody_or_needs_yes(fleet: Fleet) -> None:
    router = _deployed(fleet)
    writes = len(fleet.writes(router))

    ran = fleet.mtts("remove", "router1")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "mtts: mtts remove takes nodes off routers, and nobody is here to confirm it [confirmation-needed]\n"
        "hint: add --yes\n"
    )
    assert len(fleet.writes(router)) == writes


def test_remove_leaves_the_identity_and_a_deploy_finds_it_again(fleet: Fleet) -> None:
    router = _deployed(fleet)
    (node,) = fleet.node_ids()

    assert fleet.mtts("remove", "router1", "--yes").code == 0

    assert fleet.thread.call(router.rows, "/container") == []
    assert STATE in fleet.thread.call(router.files)
    del fleet.node["auth_key"]
    assert fleet.mtts("deploy", "router1").code == 0
    assert fleet.node_ids() == [node]


def test_remove_purges_the_identity_when_asked(fleet: Fleet) -> None:
    router = _deployed(fleet)

    assert fleet.mtts("remove", "router1", "--yes", "--purge-identity").code == 0

    assert fleet.thread.call(router.files) == {}
    assert fleet.mtts("deploy", "router1").code == 0
    assert len(fleet.node_ids()) == 2


def test_a_node_that_waits_for_a_login_is_shown_and_then_logged_in(fleet: Fleet) -> None:
    fleet.add()
    fleet.new_key(expired=True)
    fleet.inventory["defaults"]["timing"]["healthy"] = "500ms"
    assert fleet.mtts("deploy", "router1").code == 6
    status = fleet.mtts("status", "router1")
    assert status.code == 6
    assert "NeedsLogin" in status.out
    fleet.inventory["defaults"]["timing"]["healthy"] = "10s"
    fleet.new_key()

    ran = fleet.mtts("login", "router1", "--json")

    assert (ran.code, ran.json["summary"]) == (0, {"deployed": 1})
    assert "online" in fleet.mtts("status", "router1").out
    assert fleet.mtts("deploy", "router1").code == 0


def test_login_leaves_an_online_node_alone_unless_told_to_reauthenticate(fleet: Fleet) -> None:
    router = _deployed(fleet)
    nodes, writes = fleet.node_ids(), len(fleet.writes(router))

    assert fleet.mtts("login", "router1", "--json").json["summary"] == {"no-op": 1}
    assert len(fleet.writes(router)) == writes

    ran = fleet.mtts("login", "router1", "--reauth", "--json")

    assert (ran.code, ran.json["summary"]) == (0, {"deployed": 1})
    assert fleet.node_ids() == nodes
    assert not any("authkey" in path for path in fleet.thread.call(router.files))


def test_a_plan_in_a_file_is_applied_as_it_was_approved(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    file = tmp_path / "plan.json"

    assert fleet.mtts("plan", "router1", "--out", str(file)).code == 3
    assert fleet.writes(router) == []
    ran = fleet.mtts("deploy", "router1", "--plan", str(file), "--json")

    assert (ran.code, ran.json["summary"]) == (0, {"deployed": 1})


def test_a_plan_for_a_router_that_changed_since_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    router = fleet.add()
    file = tmp_path / "plan.json"
    fleet.mtts("plan", "router1", "--out", str(file))
    fleet.mtts("deploy", "router1")
    writes = len(fleet.writes(router))

    ran = fleet.mtts("deploy", "router1", "--plan", str(file), "--json")

    (result,) = ran.json["routers"]
    assert (ran.code, result["outcome"], result["error"]["code"]) == (5, "refused", "plan-stale")
    assert len(fleet.writes(router)) == writes


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00"])
def test_a_plan_file_that_is_none_is_a_usage_error(fleet: Fleet, tmp_path: Path, text: str) -> None:
    router = fleet.add()
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")

    ran = fleet.mtts("deploy", "router1", "--plan", str(file))

    assert (ran.code, ran.out) == (2, "")
    assert "[plan-file-invalid]" in ran.err
    assert router.connections == 0


def test_a_plan_file_that_is_not_there_is_a_usage_error(fleet: Fleet, tmp_path: Path) -> None:
    fleet.add()

    ran = fleet.mtts("deploy", "router1", "--plan", str(tmp_path / "plan.json"))

    assert ran.code == 2
    assert "[plan-file-invalid]" in ran.err


def test_a_hand_made_container_is_adopted_and_goes_on_running(fleet: Fleet) -> None:
    router = fleet.add()
    fleet.thread.call(_set_up_by_hand, fleet, router)
    fleet.thread.pass_time(20)
    fleet.thread.call(lambda: router.device.engine.start(_container(router)))
    fleet.thread.pass_time(20)
    process = _container(router).process
    assert isinstance(process, Tailscaled)

    refused = fleet.mtts("deploy", "router1", "--json")
    adopted = fleet.mtts("deploy", "router1", "--adopt", "--json")

    assert refused.code == 5
    assert refused.json["routers"][0]["error"]["code"] == "foreign-container"
    assert "--adopt" in refused.json["routers"][0]["error"]["hint"]
    assert adopted.code == 0, adopted.out
    assert _container(router).process is process
    assert fleet.mtts("deploy", "router1", "--json").json["summary"] == {"no-op": 1}


def _container(router: LabRouter) -> Container:
    (container,) = router.device.engine.containers.values()
    return container


def _set_up_by_hand(fleet: Fleet, router: LabRouter) -> None:
    device = router.device
    device.files.make_directory("tailscale")
    router.add_row("/interface/bridge", name="containers")
    router.add_row("/interface/veth", name="veth1", address="172.17.0.2/24", gateway="172.17.0.1")
    router.add_row("/interface/bridge/port", bridge="containers", interface="veth1")
    router.add_row("/ip/address", address="172.17.0.1/24", network="172.17.0.0", interface="containers")
    router.add_row("/container/envs", list="tailscale", key="TS_AUTHKEY", value=fleet.node["auth_key"])
    router.add_row("/container/mounts", list="tailscale", src="tailscale", dst="/var/lib/tailscale")
    item = device.table("/container").insert(
        {
            "name": "tailscale",
            "remote-image": fleet.inventory["defaults"]["image"],
            "interface": "veth1",
            "root-dir": "/tailscale-root",
            "entrypoint": "/entrypoint.sh",
            "logging": "true",
            "start-on-boot": "true",
            "envlists": "tailscale",
            "mountlists": "tailscale",
        }
    )
    device.engine.created(item)


def test_status_tells_a_new_release_from_the_running_one(fleet: Fleet) -> None:
    _deployed(fleet)
    assert "1.2.3 (current)" in fleet.mtts("status", "router1").out

    fleet.publish(build_image("1.2.4", extracted_bytes=400_000))

    ran = fleet.mtts("status", "router1", "--json")
    (status,) = ran.json["status"]
    assert (status["release"]["version"], status["latest"]["version"], status["is_current"]) == (
        "1.2.3",
        "1.2.4",
        False,
    )
    assert "1.2.4 (new)" in fleet.mtts("status", "router1").out
