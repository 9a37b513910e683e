"""`mtts update` and `mtts rollback` as people and cron run them."""

import json

import pytest

from tests.cli.conftest import Fleet
from tests.cli.snapshots import saved
from tests.engine.fleet import lab_image


@pytest.fixture
def deployed(fleet: Fleet) -> Fleet:
    """Three routers with a node each, all on 1.2.3."""
    fleet.publish(lab_image("1.2.3"))
    for name in ("attic", "cellar", "shed"):
        fleet.add(name)
    assert fleet.mtts("deploy", "--all", "-q").code == 0
    return fleet


def test_cron_hears_nothing_where_nothing_changed(deployed: Fleet) -> None:
    ran = deployed.mtts("update", "--all", "-q")

    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_check_tells_what_is_new_and_writes_nothing(deployed: Fleet) -> None:
    deployed.publish(lab_image("1.2.4"))
    routers = deployed.thread.lab.routers.values()
    before = [deployed.writes(router) for router in routers]

    ran = deployed.mtts("update", "--all", "--check")

    assert ran.code == 3
    assert ran.out.count("a change is due") == 3
    assert ran.out.count("1.2.3 → 1.2.4") == 3
    assert ran.snapshot == saved("update-check")
    assert [deployed.writes(router) for router in routers] == before
    assert "update" not in deployed.mtts("history").out
    told = deployed.mtts("update", "--all", "--check", "--json").json
    assert {result["strategy"] for result in told["routers"]} == {"a/b"}
    assert [swap["router"] for swap in told["swaps"]] == ["attic", "cellar", "shed"]
    for swap in told["swaps"]:
        assert (swap["strategy"], swap["gap"]) == ("a/b", "seconds")
        assert swap["flash_bytes"] > 0
        assert swap["memory_bytes"] > 0
        assert swap["from_digest"] != swap["to_digest"]


def test_a_check_tells_what_the_update_would_refuse(deployed: Fleet) -> None:
    deployed.publish(lab_image("1.2.4"))
    shed = deployed.thread.lab.routers["shed"]
    deployed.thread.call(shed.faults.foreign_command, "/container/mounts/remove", where={"dst": "/var/lib/tailscale"})

    ran = deployed.mtts("update", "--all", "--check")

    assert ran.code == 5
    assert ran.snapshot == saved("update-check-refused")
    refused = deployed.mtts("update", "shed", "--json")
    assert refused.code == 5
    assert refused.json["routers"][0]["error"]["message"] in ran.out


def test_a_new_release_goes_to_all_and_the_document_says_how(deployed: Fleet) -> None:
    deployed.publish(lab_image("1.2.4"))

    ran = deployed.mtts("update", "--all", "--json")

    assert ran.code == 0
    assert ran.json["summary"] == {"updated": 3}
    for result in ran.json["routers"]:
        assert (result["from"], result["to"], result["strategy"]) == ("1.2.3", "1.2.4", "a/b")
        assert result["downtime_s"] >= 0
        assert result["flash"]["before"] is not None
        assert result["error"] is None
    assert ran.json["run_id"] in json.dumps(deployed.mtts("history", "--json").json)


def test_a_bad_release_stops_at_the_canary_and_is_held_back_until_a_good_one_comes(deployed: Fleet) -> None:
    deployed.publish(lab_image("1.2.4", behaviour="crash"))

    stopped = deployed.mtts("update", "--all", "--json")

    assert stopped.code == 7
    assert [result["outcome"] for result in stopped.json["routers"]] == ["rolled-back", "refused", "refused"]
    assert {result["error"]["code"] for result in stopped.json["routers"][1:]} == {"rollout-stopped"}

    again = deployed.mtts("update", "--all", "--json")

    assert again.code == 5
    assert {result["error"]["code"] for result in again.json["routers"]} == {"release-quarantined"}
    assert len(deployed.node_ids()) == 3

    deployed.publish(lab_image("1.2.5"))

    assert deployed.mtts("update", "--all", "--json").json["summary"] == {"updated": 3}


def test_a_rollback_goes_back_and_the_next_update_stays_there(deployed: Fleet) -> None:
    deployed.publish(lab_image("1.2.3"), tags=("1.2.3",))
    deployed.publish(lab_image("1.2.4"), tags=("stable", "1.2.4"))
    assert deployed.mtts("update", "--all", "-q").code == 0

    back = deployed.mtts("rollback", "cellar", "--json")

    assert back.code == 0
    (result,) = back.json["routers"]
    assert (result["outcome"], result["from"], result["to"]) == ("updated", "1.2.4", "1.2.3")

    after = deployed.mtts("update", "--all", "--json")

    assert [result["outcome"] for result in after.json["routers"]] == ["no-op", "refused", "no-op"]
    assert after.json["routers"][1]["error"]["code"] == "release-quarantined"
    assert deployed.mtts("update", "--all", "--force", "--json").json["summary"] == {"no-op": 2, "updated": 1}


def test_a_rollback_takes_a_version_or_a_digest_and_refuses_what_it_cannot_find(deployed: Fleet) -> None:
    old = lab_image("1.2.3")
    deployed.publish(lab_image("1.2.4"), tags=("stable", "1.2.4"))
    assert deployed.mtts("update", "attic", "-q").code == 0

    missing = deployed.mtts("rollback", "attic", "--to", "9.9.9", "--json")

    assert missing.code == 5
    assert missing.json["routers"][0]["error"]["code"] == "image-not-found"

    entries = json.loads(old.index)["manifests"]
    (digest,) = [entry["digest"] for entry in entries if entry["platform"]["architecture"] == "arm64"]
    by_digest = deployed.mtts("rollback", "attic", "--to", digest, "--json")

    assert [(result["outcome"], result["to"]) for result in by_digest.json["routers"]] == [("updated", "1.2.3")]


def test_a_node_without_a_past_has_nothing_to_go_back_to(deployed: Fleet) -> None:
    ran = deployed.mtts("rollback", "attic", "--json")

    assert ran.code == 5
    assert ran.json["routers"][0]["error"]["code"] == "previous-release-unknown"


@pytest.mark.parametrize("arguments", [("--serial", "0"), ("--max-fail", "half"), ("--canary", "-1")], ids=" ".join)
def test_a_rollout_that_makes_no_sense_is_refused_before_anything_is_contacted(
    deployed: Fleet, arguments: tuple[str, ...]
) -> None:
    connections = [router.connections for router in deployed.thread.lab.routers.values()]

    ran = deployed.mtts("update", "--all", *arguments)

    assert ran.code == 2
    assert arguments[0] in ran.err
    assert [router.connections for router in deployed.thread.lab.routers.values()] == connections
