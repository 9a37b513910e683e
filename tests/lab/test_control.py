"""The control endpoint: another process publishes and breaks things, but only with the secret."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mtts.lab.control import (
    Control,
    ControlError,
    Order,
    Publication,
    give,
    publish,
    read_control_file,
    write_control_file,
)
from mtts.lab.fleet import Lab
from mtts.lab.images import build_image
from mtts.lab.pull import PullError, pull
from mtts.lab.registry import LabRegistry


@pytest.fixture
async def registry() -> AsyncIterator[LabRegistry]:
    registry = LabRegistry()
    await registry.start()
    yield registry
    await registry.stop()


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


async def test_what_is_published_from_outside_is_what_build_image_makes(registry: LabRegistry) -> None:
    digest = await publish(registry.control, Publication("2.0", tags=["stable", "2.0"], extracted_bytes=9000))
    assert digest == build_image("2.0", extracted_bytes=9000).index_digest
    for tag in ("stable", "2.0"):
        pulled = await pull(f"{registry.address}/team/mikrotik-tailscale:{tag}", architecture="arm64")
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
    assert await give(lab.registry.control, order) == "done"
    assert router.setting("/system/identity", "name") == "theirs"


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (Order("r", "explode"), "unknown fault 'explode': one of reboot, power-cut"),
        (Order("nobody", "hang"), "no router 'nobody': r, all, registry"),
        (Order("r", "cut-link", {"how": "gently"}), "expected one of fin, rst, silence"),
        (Order("r", "cut-link", {"why": "x"}), "cut-link has no option why: how"),
        (Order("r", "cut-after"), "cut-after needs n"),
        (Order("r", "cut-after", {"n": "soon"}), "n: expected INTEGER"),
        (Order("r", "fill-disk", {"disk": "usb9"}), "no disk usb9"),
        (Order("r", "hang", at_command=0), "commands are counted from 1"),
        (Order("registry", "denied", at_command=1), "does not count"),
        (Order("registry", "status", {"status": 200}), "not the status of a failure"),
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


@pytest.mark.parametrize(
    ("publication", "complaint"),
    [
        (Publication("1.0", extracted_bytes=1), "at least 4096 bytes"),
        (Publication("1.0", repository="UPPER"), "not a repository name"),
        (Publication("1.0", tags=["a/b"], extracted_bytes=9000), "not a tag"),
    ],
)
async def test_what_cannot_be_published_is_refused_with_the_reason(
    registry: LabRegistry, publication: Publication, complaint: str
) -> None:
    with pytest.raises(ControlError, match=complaint):
        await publish(registry.control, publication)


async def test_a_lab_that_is_gone_is_said(registry: LabRegistry) -> None:
    control = registry.control
    await registry.stop()
    with pytest.raises(ControlError, match=r"no lab answers at 127\.0\.0\.1"):
        await give(control, Order("registry", "clear"))


async def test_control_requests_are_not_in_the_journal(registry: LabRegistry) -> None:
    await publish(registry.control, Publication("1.0", extracted_bytes=9000))
    assert registry.requests == []
