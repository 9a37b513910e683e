"""`mtts script`: what is printed does on a router what it says."""

import pytest

from mtts.lab.call import Call, Caller
from mtts.lab.command import Command
from mtts.lab.menus.users import POLICIES
from mtts.lab.reply import Reply
from tests.cli.conftest import Fleet

ROOT = Caller("admin", frozenset(POLICIES))


def test_a_printed_updater_can_be_pasted_and_is_known_to_mtts(fleet: Fleet) -> None:
    router = fleet.add()
    assert fleet.mtts("deploy", "router1").code == 0

    ran = fleet.mtts("script", "router1", "--kind", "updater")

    assert (ran.code, ran.err) == (0, "")
    assert fleet.node["auth_key"] not in ran.out

    def paste() -> Reply:
        answer = router.device.perform(Call(Command("/", "execute", {"script": ran.out, "as-string": ""}), ROOT))
        assert isinstance(answer, Reply)
        return answer

    assert fleet.thread.call(paste).ret == ""
    (row,) = fleet.thread.call(lambda: [dict(row) for row in router.rows("/system/script")])
    assert (row["name"], row["comment"], row["invalid"]) == ("mtts-updater-tailscale", "mtts:updater", "false")
    assert "the router updates the node by itself" in fleet.mtts("check", "router1").out


def test_a_bootstrap_needs_no_router(fleet: Fleet, closed_port: int) -> None:
    fleet.add()
    fleet.router()["port"] = closed_port

    ran = fleet.mtts("script", "router1", "--kind", "bootstrap")

    assert (ran.code, ran.err) == (0, "")
    assert "/user/group/add" in ran.out


@pytest.mark.parametrize("kind", ["provision", "updater"])
def test_what_is_made_from_a_router_needs_it(fleet: Fleet, closed_port: int, kind: str) -> None:
    fleet.add()
    fleet.router()["port"] = closed_port

    ran = fleet.mtts("script", "router1", "--kind", kind)

    assert ran.code == 4
    assert "/container" not in ran.out


def test_no_kind_prints_a_secret(fleet: Fleet) -> None:
    fleet.add()
    key, password = fleet.node["auth_key"], fleet.inventory["defaults"]["password"]
    for kind in ("bootstrap", "provision", "updater"):
        ran = fleet.mtts("script", "router1", "--kind", kind)
        assert ran.code == 0
        assert key not in ran.out
        assert f'"{password}"' not in ran.out


def test_an_ephemeral_node_is_no_case_for_an_updater(fleet: Fleet) -> None:
    fleet.add()
    fleet.node["ephemeral"] = True

    ran = fleet.mtts("script", "router1", "--kind", "updater")

    assert ran.code == 5
    assert "[updater-unsuited]" in ran.out
