"""The built image, end to end: two nodes as containers in namespaces, a control server, and packets between them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.echo_servers import TCP_PORT
from tests.image.world import KEY, REPOSITORY, Node, World, await_that, world

pytestmark = pytest.mark.image

ROUTE = "192.168.88.0/24"
LAN_HOST = "192.168.88.10"
LAN_GATE = "192.168.88.1"


@pytest.fixture(scope="session")
def rootfs() -> Path:
    path = REPOSITORY / "build/image/amd64/rootfs-default"
    assert path.is_dir(), "there is no image: `make image` builds it"
    return path


@pytest.fixture(scope="session")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The control server, built against the image's own release of Tailscale."""
    directory, module = tmp_path_factory.mktemp("control"), REPOSITORY / "image/go"
    for name in ("go.mod", "go.sum"):  # copies, since the server needs a few more modules than the image
        (directory / name).write_bytes((module / name).read_bytes())
    source = Path(__file__).parent / "control/main.go"
    overlay = {"Replace": {str(module / "cmd/control/main.go"): str(source)}}
    (directory / "overlay.json").write_text(json.dumps(overlay))
    program = REPOSITORY / "build/tools/control"
    options = (f"-modfile={directory}/go.mod", "-mod=mod", f"-overlay={directory}/overlay.json", "-buildvcs=false")
    command = ("go", "build", *options, "-o", program, "./cmd/control")
    subprocess.run(command, cwd=module, check=True)
    return program


@pytest.fixture
def land(tmp_path: Path, rootfs: Path, control: Path) -> Iterator[World]:
    with world(tmp_path, rootfs, control) as built:
        yield built


def log_in(node: Node, **environ: str) -> None:
    """As a deploy does it: the key in a file of the state directory."""
    node.key_file.write_text(f"{KEY}\n")
    node.start(TS_AUTHKEY="file:/var/lib/tailscale/authkey", **environ)
    node.await_running()
    await_that("the key file is gone", lambda: not node.key_file.exists(), node.log)


def test_a_node_logs_in_by_its_key_file_once_and_stops_cleanly(land: World) -> None:
    node = land.add_node("gate", 2)
    log_in(node, TS_HOSTNAME="gate")
    first = land.nodes_known()
    assert first is not None
    assert [known["Hostname"] for known in first] == ["gate"]
    assert "netfilter running in iptables mode" in node.log()
    assert "ts-forward" in node.inside("iptables", "-S").stdout
    assert node.inside("/healthcheck.sh").returncode == 0
    assert node.inside("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").stdout == "1\n1\n"
    assert KEY not in node.log()
    assert node.stop() == 0

    node.start(TS_AUTHKEY="file:/var/lib/tailscale/authkey", TS_HOSTNAME="gate")
    node.await_running()
    assert "logged in" not in node.log()
    assert land.nodes_known() == first

    assert node.stop() == 0
    node.start(TS_AUTHKEY="file:/var/lib/tailscale/authkey", TS_HOSTNAME="gate", TS_ROUTES=ROUTE)
    node.await_log("the settings have changed and are applied")
    node.await_running()

    def routes() -> list[str]:
        return [route for known in land.nodes_known() or [] for route in known["Routes"] or []]

    await_that("the route is advertised", lambda: routes() == [ROUTE], node.log)
    known = land.nodes_known()
    assert known is not None
    assert [entry["Key"] for entry in known] == [entry["Key"] for entry in first]
    assert node.stop() == 0


def test_the_older_names_of_variables_work(land: World) -> None:
    node = land.add_node("gate", 2)
    node.start(
        TS_LOGIN_SERVER="", TAILSCALE_SERVER_URL="http://10.99.0.1:8080", TAILSCALE_KEY=KEY, TAILSCALE_HOSTNAME="old"
    )
    node.await_running()
    known = land.nodes_known()
    assert known is not None
    assert [entry["Hostname"] for entry in known] == ["old"]
    assert KEY not in node.log()


def add_lan(land: World) -> None:
    """A host behind the gate that tells by which address it is reached."""
    land.add_namespace("lan")
    land.link("gate", "eth1", "lan", "eth0")
    land.in_namespace("gate", "ip", "address", "add", f"{LAN_GATE}/24", "dev", "eth1")
    land.in_namespace("lan", "ip", "address", "add", f"{LAN_HOST}/24", "dev", "eth0")
    land.in_namespace("lan", "ip", "route", "add", "100.64.0.0/10", "via", LAN_GATE)
    land.serve("lan", sys.executable, str(Path(__file__).with_name("echo_servers.py")), "tcp", LAN_HOST)


def seen_by_lan(guest: Node) -> str:
    return guest.inside("sh", "-c", f"timeout 3 nc {LAN_HOST} {TCP_PORT} </dev/null").stdout


@pytest.mark.parametrize("snat", [True, False], ids=["with SNAT", "without SNAT"])
def test_a_subnet_is_reached_through_its_node(land: World, *, snat: bool) -> None:
    gate, guest = land.add_node("gate", 2), land.add_node("guest", 3)
    add_lan(land)
    log_in(gate, TS_ROUTES=ROUTE, TS_EXTRA_ARGS=f"--snat-subnet-routes={str(snat).lower()}")
    log_in(guest, TS_EXTRA_ARGS="--accept-routes")
    expected = LAN_GATE if snat else guest.address()
    await_that(f"the host sees {expected}", lambda: seen_by_lan(guest) == expected, gate.log)


def answer(node: Node, name: str) -> str:
    """What 100.100.100.100 says."""
    return node.inside("nslookup", "-type=a", name, "100.100.100.100").stdout


def test_the_tailnets_name_server_answers_also_through_an_exit_node(land: World) -> None:
    gate, guest = land.add_node("gate", 2), land.add_node("guest", 3)
    log_in(gate, TS_HOSTNAME="gate", TS_EXTRA_ARGS="--advertise-exit-node")
    log_in(guest, TS_ACCEPT_DNS="true")
    await_that("a record of the tailnet", lambda: "192.0.2.77" in answer(guest, "record.tail.test"), guest.log)
    await_that("the name of a node", lambda: gate.address() in answer(guest, "gate.tail.test"), guest.log)
    await_that("a name outside, asked by the node", lambda: "10.99.0.3" in answer(guest, "name.example"), guest.log)

    assert guest.stop() == 0
    guest.start(TS_ACCEPT_DNS="true", TS_EXTRA_ARGS=f"--exit-node={gate.address()}")
    guest.await_running()
    await_that(
        "a name outside, asked by the exit node", lambda: "10.99.0.2" in answer(guest, "other.example"), guest.log
    )


def test_a_wrong_key_is_told_and_a_right_one_then_taken(land: World) -> None:
    node = land.add_node("gate", 2)
    node.key_file.write_text("tskey-auth-wrong\n")
    node.start(TS_AUTHKEY="file:/var/lib/tailscale/authkey")
    node.await_log("the login failed: ")
    node.await_log("next try in 5 s")
    assert "invalid authkey" in node.log()
    assert "tskey-auth-wrong" not in node.log()
    assert node.is_up()
    assert node.inside("/healthcheck.sh").returncode == 1
    node.key_file.write_text(f"{KEY}\n")
    node.await_running()
    await_that("the key file is gone", lambda: not node.key_file.exists(), node.log)


def test_an_unreachable_server_is_told_without_an_end(land: World) -> None:
    node = land.add_node("gate", 2)
    node.start(TS_LOGIN_SERVER="http://10.99.0.66:8080", TS_AUTHKEY=KEY)
    node.await_log("is http://10.99.0.66:8080 reachable from here")
    node.await_log("next try in 5 s")
    assert node.is_up()
    assert node.stop() == 0


def test_a_route_that_is_none_is_told(land: World) -> None:
    node = land.add_node("gate", 2)
    node.start(TS_ROUTES="192.168.88.0/33", TS_AUTHKEY=KEY)
    node.await_log('"192.168.88.0/33" is not a valid IP address or CIDR prefix')
    assert node.is_up()
