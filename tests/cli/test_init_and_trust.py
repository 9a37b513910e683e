"""`mtts init` writes an inventory to start from, `mtts trust` pins what the router shows."""

import stat
from pathlib import Path

import pytest

from mtts.adapters.inventory.loader import load_inventory
from mtts.lab.router import LabRouter
from mtts.lab.tls import self_signed
from tests.cli.conftest import Fleet, Run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MTTS_INVENTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_an_inventory_that_loads(here: Path, mtts: Run) -> None:
    ran = mtts("init", "--router", "attic=192.0.2.1", "--router", "cellar=192.0.2.2", "--tag", "tag:router")

    assert (ran.code, ran.out, ran.err) == (0, "wrote inventory.yaml; next: mtts trust attic\n", "")
    inventory = load_inventory(here / "inventory.yaml")
    assert [(router.name, router.host) for router in inventory.routers] == [
        ("attic", "192.0.2.1"),
        ("cellar", "192.0.2.2"),
    ]
    assert "#" in (here / "inventory.yaml").read_text(encoding="utf-8")


def test_init_without_options_writes_one_to_edit(here: Path, mtts: Run) -> None:
    assert mtts("init").code == 0
    assert [router.name for router in load_inventory(here / "inventory.yaml").routers] == ["router1"]


def test_init_takes_an_image_a_login_server_and_another_place(here: Path, mtts: Run) -> None:
    ran = mtts(
        *("init", "-i", "lab.yaml", "--image", "registry.example.net/x:1"),
        *("--login-server", "https://headscale.example.net"),
    )

    assert ran.code == 0
    (router,) = load_inventory(here / "lab.yaml").routers
    assert str(router.nodes[0].image) == "registry.example.net/x:1"
    assert router.nodes[0].login_server == "https://headscale.example.net"


def test_init_never_overwrites(here: Path, mtts: Run) -> None:
    (here / "inventory.yaml").write_text("mine", encoding="utf-8")

    ran = mtts("init")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "mtts: inventory.yaml exists and is left as it is [inventory-exists]\nhint: name another with -i\n"
    )
    assert (here / "inventory.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("form", ["attic", "attic=", "=192.0.2.1"])
def test_init_wants_routers_as_name_and_host(here: Path, mtts: Run, form: str) -> None:
    ran = mtts("init", "--router", form)

    assert (ran.code, ran.out) == (2, "")
    assert "NAME=HOST" in ran.err
    assert list(here.iterdir()) == []


def _unpinned(fleet: Fleet) -> LabRouter:
    router = fleet.add(secured=True)
    del fleet.router()["fingerprint"]
    return router


def test_trust_pins_and_then_the_pinned_connection_works(fleet: Fleet, mtts: Run) -> None:
    router = _unpinned(fleet)
    before = fleet.mtts("status", "router1")
    assert before.code == 2 or "[fingerprint-missing]" in before.out

    ran = fleet.mtts("trust", "router1", "--yes")

    assert (ran.code, ran.out, ran.err) == (0, f"router1: {router.fingerprint}\n", "")
    assert router.logins == 0
    assert stat.S_IMODE(fleet.path.stat().st_mode) == 0o600
    assert str(router.fingerprint) in fleet.path.read_text(encoding="utf-8")
    assert mtts("deploy", "router1").code == 0
    assert mtts("trust", "router1").out == f"router1: {router.fingerprint} (pinned)\n"


def test_trust_asks_somebody_or_needs_yes(fleet: Fleet) -> None:
    router = _unpinned(fleet)

    ran = fleet.mtts("trust", "router1")

    assert ran.code == 2
    assert ran.out == f"router1: {router.fingerprint}\n"
    assert "[confirmation-needed]" in ran.err
    assert "hint: add --yes" in ran.err
    assert "fingerprint" not in fleet.path.read_text(encoding="utf-8")


def test_trust_tells_a_document(fleet: Fleet) -> None:
    router = _unpinned(fleet)

    ran = fleet.mtts("trust", "router1", "--yes", "--json")

    assert ran.json["fingerprints"] == {"router1": router.fingerprint}


def test_a_changed_certificate_is_fatal_before_the_login(fleet: Fleet, mtts: Run) -> None:
    router = fleet.add(secured=True)
    shown = router.fingerprint
    fleet.router()["fingerprint"] = self_signed("somebody else").fingerprint

    ran = fleet.mtts("deploy", "router1", "--json")

    (result,) = ran.json["routers"]
    assert (ran.code, result["outcome"], result["error"]["code"]) == (4, "unreachable", "fingerprint-mismatch")
    assert "mtts trust" in result["error"]["hint"]
    assert router.journal == []

    again = mtts("trust", "router1", "--yes")

    assert again.code == 0
    assert again.out.startswith(f"router1: {shown} (the inventory has ")
    assert mtts("status", "router1").code == 0
