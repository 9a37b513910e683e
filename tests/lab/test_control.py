"""The control endpoint: another process publishes and breaks things, but only with the secret."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mtts.lab.control import (
    Control,
    ControlError,
    Publication,
    clear_faults,
    publish,
    read_control_file,
    set_fault,
    write_control_file,
)
from mtts.lab.images import build_image
from mtts.lab.pull import PullError, pull
from mtts.lab.registry import LabRegistry
from mtts.lab.registry_faults import RegistryFault


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


async def test_a_fault_set_from_outside_breaks_and_clearing_mends(registry: LabRegistry) -> None:
    registry.publish(build_image("1.0", extracted_bytes=9000))
    reference = f"{registry.address}/team/mikrotik-tailscale:stable"
    await set_fault(registry.control, RegistryFault("status", status=503))
    with pytest.raises(PullError, match="Status 503"):
        await pull(reference, architecture="arm64")
    await clear_faults(registry.control)
    assert (await pull(reference, architecture="arm64")).extracted_bytes == 9000


@pytest.mark.parametrize("secret", ["-", "guess", "é"])
async def test_without_the_secret_nothing_happens_and_it_is_not_repeated(registry: LabRegistry, secret: str) -> None:
    with pytest.raises(ControlError, match="the secret of this lab is needed") as refusal:
        await set_fault(Control(registry.address, secret), RegistryFault("status"))
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
        await clear_faults(control)


async def test_control_requests_are_not_in_the_journal(registry: LabRegistry) -> None:
    await clear_faults(registry.control)
    assert registry.requests == []
