"""The control endpoint: another process publishes and breaks things, but only with the secret."""

import stat
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from mtts.lab.control import (
    Control,
    ControlError,
    Order,
    OrderRefusedError,
    give,
    read_control_file,
    write_control_file,
)
from mtts.lab.fleet import Lab
from mtts.lab.http import HttpClient
from mtts.lab.images import build_image
from mtts.lab.pull import PullError, pull
from mtts.lab.registry import LabRegistry


def test_the_way_to_the_lab_is_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lab.json"
    control = Control("127.0.0.1:4321", "canary-secret")
    write_control_file(path, Control("127.0.0.1:1", "older"))
    write_control_file(path, control)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_control_file(path) == control
    assert list(path.parent.iterdir()) == [path]


def test_the_secret_is_in_no_repr() -> None:
    assert "canary-secret" not in repr(Control("127.0.0.1:4321", "canary-secret"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": "127.0.0.1:1"}', "null"])
def test_a_file_that_is_something_else_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lab.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ControlError, match="does not say where the lab is"):
        read_control_file(path)


def test_without_a_file_no_lab_is_running(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no lab is running"):
        read_control_file(tmp_path / "lab.json")


async def test_what_is_published_from_outside_is_what_build_image_makes(lab: Lab) -> None:
    options = {"version": "2.0", "tags": ["stable", "edge"], "extracted-bytes": 9000}
    digest = await give(lab.registry.control, Order("registry", "publish", options))
    assert digest == build_image("2.0", extracted_bytes=9000).index_digest
    for tag in ("stable", "edge", "v2.0"):
        pulled = await pull(f"{lab.registry.address}/team/mikrotik-tailscale:{tag}", architecture="arm64")
        assert pulled.index_digest == digest


async def test_a_fault_set_from_outside_breaks_and_clearing_mends(lab: Lab) -> None:
    registry = lab.registry
    registry.publish(build_image("1.0", extracted_bytes=9000))
    reference = f"{registry.address}/team/mikrotik-tailscale:stable"
    await give(registry.control, Order("registry", "status", {"status": "503"}))
    with pytest.raises(PullError, match="Status 503"):
        await pull(reference, architecture="arm64")
    await give(registry.control, Order("registry", "clear"))
    assert (await pull(reference, architecture="arm64")).extracted_bytes == 9000


async def test_a_routers_fault_is_set_from_outside_and_what_it_says_comes_back(lab: Lab) -> None:
    router = await lab.add_router("r")
    order = Order("r", "foreign-command", {"command": "/system/identity/set", "values": ["name=theirs"]})
    assert await give(lab.registry.control, order) == ""
    assert router.setting("/system/identity", "name") == "theirs"


async def test_what_a_router_says_against_a_foreign_command_comes_back(lab: Lab) -> None:
    await lab.add_router("r1")
    order = Order("r1", "foreign-command", {"command": "/interface/bridge/add", "values": {"naem": "x"}})
    with pytest.raises(OrderRefusedError, match=r"^/interface/bridge/add: unknown parameter naem$") as refusal:
        await give(lab.registry.control, order)
    assert refusal.value.trapped
    await lab.add_router("r2")
    with pytest.raises(OrderRefusedError, match=r"^r1: .* naem; r2: .* naem$"):
        await give(lab.registry.control, replace(order, target="all"))


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (Order("r", "explode"), "unknown fault 'explode': one of reboot, power-cut"),
        (Order("nobody", "hang"), "no router 'nobody': r, all, registry"),
        (Order("r", "cut-link", {"how": "gently"}), "expected one of fin, rst, silence"),
        (Order("r", "cut-link", {"why": "x"}), "cut-link has no option why: how"),
        (Order("r", "cut-after"), "cut-after needs n"),
        (Order("r", "cut-after", {"n": "soon"}), "n: expected a whole number from 1 to 1000000, not 'soon'"),
        (Order("r", "fill-disk", {"disk": "usb9"}), "disk: expected one of none for the built-in flash, not 'usb9'"),
        (Order("r", "hang", at_command=0), "n: expected a whole number from 1"),
        (Order("r", "hang", at_command=1, of="/nowhere/add"), "path: expected a command of RouterOS"),
        (Order("r", "truncate"), "unknown fault 'truncate': it is one of the registry; did you mean truncate-reply?"),
        (Order("registry", "denied", at_command=1), "does not count"),
        (
            Order("registry", "status", {"status": 200}),
            "status: expected an HTTP status of a failure, 400 to 511, not 200",
        ),
    ],
    ids=str,
)
async def test_what_cannot_go_wrong_is_refused_with_the_reason(lab: Lab, order: Order, complaint: str) -> None:
    await lab.add_router("r")
    with pytest.raises(ControlError, match=complaint):
        await give(lab.registry.control, order)


@pytest.mark.parametrize("secret", ["-", "guess", "é"])
async def test_without_the_secret_nothing_happens_and_it_is_not_repeated(registry: LabRegistry, secret: str) -> None:
    with pytest.raises(ControlError, match="the secret of this lab is needed") as refusal:
        await give(Control(registry.address, secret), Order("registry", "status"))
    assert registry.control.secret not in str(refusal.value)
    assert registry.faults.active == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"target": [], "kind": {}}', b"[" * 100_000])
async def test_an_order_that_is_none_is_a_bad_request(lab: Lab, body: bytes) -> None:
    headers = (("Authorization", f"Bearer {lab.registry.control.secret}"),)
    async with HttpClient(user_agent="test") as client:
        answer = await client.request("POST", f"http://{lab.registry.address}/lab/inflict", headers=headers, body=body)
    assert answer.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "publish needs version"),
        ({"version": ""}, "version: expected 1 to 127 letters"),
        ({"version": "1.0+build"}, "version: expected 1 to 127 letters"),
        ({"version": "1.0", "extracted-bytes": 1}, "extracted-bytes: expected a whole number from 4096"),
        ({"version": "1.0", "repository": "UPPER"}, "repository: expected a repository's name"),
        ({"version": "1.0", "tags": ["a/b"]}, "tags: expected a tag, once or more"),
        ({"version": "1.0", "behaviour": "nope"}, "behaviour: expected one of ok, crash, crash-later"),
        ({"version": "1.0", "platforms": "linux/mips"}, "platforms: expected one of linux/amd64"),
    ],
    ids=str,
)
async def test_what_cannot_be_published_is_refused_with_the_reason(
    lab: Lab, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(OrderRefusedError, match=complaint):
        await give(lab.registry.control, Order("registry", "publish", options))


async def test_a_lab_that_is_gone_is_said(registry: LabRegistry) -> None:
    control = registry.control
    await registry.stop()
    with pytest.raises(ControlError, match=r"no lab answers at 127\.0\.0\.1"):
        await give(control, Order("registry", "clear"))


async def test_control_requests_are_not_in_the_journal(lab: Lab) -> None:
    await give(lab.registry.control, Order("registry", "no-auth"))
    assert lab.registry.requests == []
