"""From file to core values: fields and units, secrets and their file's mode, and files that are no inventories."""

import os
from ipaddress import IPv4Interface, IPv4Network, IPv6Network
from pathlib import Path

import pytest

from mtts.adapters.inventory.loader import load_inventory
from mtts.core.errors import UsageError
from mtts.core.image import Platform
from mtts.core.inventory import FlashPolicy, Timing, TlsMode
from mtts.core.secret import FromCommand, FromEnv, FromFile, FromKeyring, Literal
from tests.adapters.inventory.conftest import Load

DEFAULTS = "defaults: {username: mtts, password: {env: P}, image: reg.example.net/a/b}\n"
CANARY = "canary-7f3a"


def test_a_bare_router_has_one_node_and_the_built_in_settings(load: Load) -> None:
    inventory = load(DEFAULTS + "routers: {router1: {host: 192.168.88.1}}\n")
    (router,) = inventory.routers
    assert (router.name, router.host, router.username, router.api_port) == ("router1", "192.168.88.1", "mtts", 8729)
    assert (router.tls, router.storage, router.timing, router.flash) == (
        TlsMode.PINNED,
        "auto",
        Timing(),
        FlashPolicy(),
    )
    (node,) = router.nodes
    assert (node.name, node.hostname, str(node.image)) == ("tailscale", "router1", "reg.example.net/a/b")
    assert node.auth_key is None
    assert node.snat_subnet_routes
    assert node.start_on_boot


def test_every_router_key_reaches_its_field(load: Load) -> None:
    inventory = load(
        "groups: {a: {}, b: {}}\n"
        "routers:\n"
        "  r:\n"
        "    host: fd00::0001\n"
        "    port: 9000\n"
        "    username: u\n"
        "    password: {keyring: svc/with/u}\n"
        "    tls: ca\n"
        "    ca_file: ca.pem\n"
        f"    fingerprint: sha256:{'ab' * 32}\n"
        "    groups: [b, a]\n"
        "    image: reg.example.net/x/y:z\n"
        "    storage: usb1/mtts\n"
        "    via: tailnet\n"
        "    window: Sat 02:00-04:00\n"
        "    platform: linux/arm/v5\n"
        "    timing: {connect: 250ms, pull: 1h30m, observe: 0s}\n"
        "    flash: {reserve: 512KiB, budget: 3}\n"
    )
    (router,) = inventory.routers
    assert (router.host, router.port, router.username) == ("fd00::1", 9000, "u")
    assert router.password == FromKeyring("svc/with", "u")
    assert (router.tls, router.fingerprint, router.groups) == (TlsMode.CA, f"sha256:{'ab' * 32}", ("b", "a"))
    assert router.ca_file == str(Path(inventory.path).parent / "ca.pem")
    assert (router.storage, router.via, router.window) == ("usb1/mtts", "tailnet", "Sat 02:00-04:00")
    assert router.platform == Platform("linux", "arm", "v5")
    assert router.timing == Timing(connect_s=0.25, pull_s=5400, observe_s=0)
    assert router.flash == FlashPolicy(reserve_bytes=512 * 1024, budget_per_month=3)
    assert str(router.nodes[0].image) == "reg.example.net/x/y:z"


def test_every_node_key_reaches_its_field(load: Load) -> None:
    inventory = load(
        DEFAULTS + "routers:\n"
        "  r:\n"
        "    host: 10.0.0.1\n"
        "    nodes:\n"
        "      web:\n"
        "        image: reg.example.net/c/d\n"
        "        hostname: www\n"
        "        auth_key: {command: [op, read, x]}\n"
        "        login_server: https://hs.example.net:8443/x\n"
        '        advertise_routes: [192.168.88.0/24, "fd00:1::/64"]\n'
        "        exit_node: true\n"
        "        accept_routes: true\n"
        "        accept_dns: true\n"
        "        snat_subnet_routes: false\n"
        "        tags: [tag:a, tag:b-2]\n"
        "        extra_args: [--ssh, --operator=me]\n"
        '        serve: {443: "http://10.0.0.9:80/x"}\n'
        "        service: svc:web\n"
        "        direct: 41641\n"
        "        ephemeral: true\n"
        '        env: {A: "1", B: ""}\n'
        "        address: 172.20.0.2/30\n"
        "        bridge: br.1\n"
        "        veth: veth-1\n"
        "        routes: [10.9.0.0/16]\n"
        "        magicdns: true\n"
        "        interface_lists: [LAN]\n"
        "        tmpfs_size: 64M\n"
        "        memory_high: 1GiB\n"
        "        logging: false\n"
        "        start_on_boot: false\n"
        "        health: tailscale status\n"
        "        keep_key: true\n"
    )
    (node,) = inventory.routers[0].nodes
    assert (node.name, node.hostname, str(node.image)) == ("web", "www", "reg.example.net/c/d")
    assert node.auth_key == FromCommand(("op", "read", "x"))
    assert node.login_server == "https://hs.example.net:8443/x"
    assert node.advertise_routes == (IPv4Network("192.168.88.0/24"), IPv6Network("fd00:1::/64"))
    assert all((node.exit_node, node.accept_routes, node.accept_dns, node.ephemeral, node.magicdns, node.keep_key))
    assert not any((node.snat_subnet_routes, node.logging, node.start_on_boot))
    assert (node.tags, node.extra_args) == (("tag:a", "tag:b-2"), ("--ssh", "--operator=me"))
    assert (node.serve, node.service, node.direct) == ({443: "http://10.0.0.9:80/x"}, "svc:web", 41641)
    assert node.env == {"A": "1", "B": ""}
    assert node.address == IPv4Interface("172.20.0.2/30")
    assert (node.bridge, node.veth, node.routes) == ("br.1", "veth-1", (IPv4Network("10.9.0.0/16"),))
    assert node.interface_lists == ("LAN",)
    assert (node.tmpfs_size_bytes, node.memory_high_bytes) == (64 * 1024**2, 1024**3)
    assert node.health == "tailscale status"


def test_registries_are_read(load: Load) -> None:
    inventory = load(
        DEFAULTS + "registries:\n"
        "  reg.example.net: {username: bot, password: {env: R}, ca_file: /etc/ca.pem}\n"
        "  127.0.0.1:5000: {insecure: true, allow_hosts: ['auth.lan:444']}\n"
        "  plain.example:\n"
        "routers: {r: {host: 10.0.0.1}}\n"
    )
    access = inventory.registries["reg.example.net"]
    assert (access.host, access.username, access.password) == ("reg.example.net", "bot", FromEnv("R"))
    assert access.ca_file == "/etc/ca.pem"
    assert inventory.registries["127.0.0.1:5000"].insecure
    assert inventory.registries["127.0.0.1:5000"].allow_hosts == ("auth.lan:444",)
    assert inventory.registries["plain.example"].username is None


def test_files_are_relative_to_the_inventory_and_to_the_home(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    inventory = load(
        DEFAULTS + "routers:\n"
        "  a: {host: a.lan, password: {file: keys/a}}\n"
        "  b: {host: b.lan, password: {file: ~/keys/b}}\n"
        "  c: {host: c.lan, password: {file: /etc/keys/c}}\n"
    )
    directory = Path(inventory.path).parent
    assert [router.password for router in inventory.routers] == [
        FromFile(str(directory / "keys/a")),
        FromFile("/home/somebody/keys/b"),
        FromFile("/etc/keys/c"),
    ]


def test_the_directory_is_whole_when_the_inventory_is_named_relatively(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = load(DEFAULTS + "routers: {r: {host: 10.0.0.1, password: {file: key}}}\n")
    monkeypatch.chdir(Path(written.path).parent)
    inventory = load_inventory(Path("inventory.yaml"))
    assert inventory.path == "inventory.yaml"
    assert inventory.routers[0].password == FromFile(str(Path(written.path).parent / "key"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (DEFAULTS.replace("{env: P}", CANARY) + "routers: {r: {host: h}}", "defaults.password"),
        (DEFAULTS + f"groups: {{g: {{password: {CANARY}}}}}\nrouters: {{r: {{host: h}}}}", "groups.g.password"),
        (DEFAULTS + f"routers: {{r: {{host: h, password: {CANARY}}}}}", "routers.r.password"),
        (DEFAULTS + f"routers: {{r: {{host: h, node: {{auth_key: {CANARY}}}}}}}", "routers.r.node.auth_key"),
        (DEFAULTS + f"routers: {{r: {{host: h, nodes: {{w: {{auth_key: {CANARY}}}}}}}}}", "routers.r.nodes.w.auth_key"),
        (
            DEFAULTS + f"registries: {{reg: {{username: u, password: {CANARY}}}}}\nrouters: {{r: {{host: h}}}}",
            "registries.reg.password",
        ),
    ],
)
def test_a_secret_written_out_needs_a_file_that_only_its_owner_can_read(load: Load, text: str, key: str) -> None:
    assert load(text, mode=0o600).routers
    assert load(text, mode=0o400).routers
    for mode in (0o640, 0o604, 0o660, 0o620):
        with pytest.raises(UsageError) as refused:
            load(text, mode=mode)
        problem = refused.value.problem
        assert problem.code == "secret-exposed"
        assert f": {key}: a secret is written out here" in problem.message
        assert problem.hint.startswith("chmod 600 /")
        assert CANARY not in problem.message + problem.hint


def test_exposed_secrets_are_told_beside_other_mistakes(load: Load) -> None:
    with pytest.raises(UsageError) as refused:
        load(DEFAULTS + f"routers: {{r: {{host: h, password: {CANARY}, groups: [gone]}}}}", mode=0o644)
    assert refused.value.problem.code == "inventory-invalid"
    assert "no group" in str(refused.value)
    assert "a secret is written out here" in str(refused.value)


def test_a_secret_written_out_shows_nowhere(load: Load) -> None:
    inventory = load(DEFAULTS + f"routers: {{r: {{host: h, password: {CANARY}, node: {{auth_key: {CANARY}}}}}}}")
    assert CANARY not in repr(inventory)
    password = inventory.routers[0].password
    assert isinstance(password, Literal)
    assert password.value.reveal() == CANARY


@pytest.mark.parametrize(
    "written",
    [
        f"password: !{CANARY}",
        f"password: !{CANARY}!x",
        f"password: &{CANARY} x",
        f"password: *{CANARY}",
        f"password: {{{CANARY}: x}}",
        f"password: {{{CANARY}}}",
        f"password: {{{{{CANARY}}}}}",
        f"password: {{env: '{CANARY} x'}}",
        f"password: {{keyring: {CANARY}}}",
        f"password: {{command: {CANARY}}}",
        f"password: [{CANARY}]",
        f"password: '{CANARY}",
        f"password: {CANARY}: x",
        f"passwrd: {CANARY}",
        f"password: |{CANARY}",
        f"password: >{CANARY}",
        f"password: %{CANARY}",
        f"password: @{CANARY}",
        f"password: `{CANARY}",
        f'password: "{CANARY}\\q"',
        f'password: "{CANARY}\\x0"',
        f"node: {{env: {{TS_AUTHKEY: {CANARY}}}}}",
        f"node: {{env: {{A: [{CANARY}]}}}}",
        f"node: {{extra_args: [--auth-key={CANARY}]}}",
        f"node: {{extra_args: ['--x {CANARY}']}}",
        f"node: {{auth_key: {{env: {CANARY}-}}}}",
    ],
)
def test_no_mistake_about_a_secret_repeats_it(load: Load, written: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(DEFAULTS + f"routers:\n  r:\n    host: h\n    {written}\n")
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file") as refused:
        load_inventory(tmp_path / "gone.yaml")
    assert refused.value.problem.code == "inventory-unreadable"


def test_a_directory_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load_inventory(tmp_path)


def test_a_name_that_no_file_can_have_is_unreadable() -> None:
    with pytest.raises(UsageError, match="cannot be read: not a path"):
        load_inventory(Path("a\0b"))


def test_a_file_beyond_the_cap_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    with pytest.raises(UsageError, match="larger than 1024 KiB") as refused:
        load_inventory(path)
    assert refused.value.problem.code == "inventory-unreadable"


@pytest.mark.parametrize("content", [b"routers:\n  r: {host: \xff}\n", "routers: {}\n".encode("utf-16")])
def test_text_that_is_not_utf8_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"inventory\.yaml:\d: is not UTF-8") as refused:
        load_inventory(path)
    assert refused.value.problem.code == "inventory-unreadable"


def test_a_byte_order_mark_is_no_obstacle(load: Load) -> None:
    assert load("\ufeff" + DEFAULTS + "routers: {r: {host: h}}\n").routers


def test_an_inventory_can_come_through_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, (DEFAULTS + f"routers: {{r: {{host: h, password: {CANARY}}}}}\n").encode())
    os.close(writer)
    try:
        assert load_inventory(Path(f"/dev/fd/{reader}")).routers
    finally:
        os.close(reader)


def test_many_mistakes_are_told_up_to_a_bound(load: Load) -> None:
    with pytest.raises(UsageError) as refused:
        load(DEFAULTS + "routers:\n" + "".join(f"  r{i}: {{hots: h}}\n" for i in range(100)))
    lines = str(refused.value).splitlines()
    assert len(lines) == 51
    assert lines[-1].endswith("inventory.yaml: and 150 more")
