"""Which image a router runs, by what it says of itself."""

import pytest

from mtts.core.errors import Problem
from mtts.core.image import Platform
from mtts.core.platforms import is_armv5, router_platform
from tests.core.examples import a_resource


@pytest.mark.parametrize(
    ("architecture", "board", "cpu", "platform"),
    [
        ("arm64", "RB5009UG+S+", "ARM64", "linux/arm64"),
        ("arm", "hAP ac^2", "ARM", "linux/arm/v7"),
        ("arm", "hAP ax lite LTE6", "ARM", "linux/arm/v7"),
        ("x86_64", "CHR", "AMD EPYC", "linux/amd64"),
        ("x86", "x86", "Intel", "linux/amd64"),
        ("arm", "hEX Refresh", "EN7562CT", "linux/arm/v5"),
        ("arm", "E50UG", "ARM", "linux/arm/v5"),
        ("arm", "hEX S 2025", "ARM", "linux/arm/v5"),
        ("arm64", "E50UG", "ARM64", "linux/arm64"),
    ],
)
def test_a_router_runs_the_platform_of_its_cpu(architecture: str, board: str, cpu: str, platform: str) -> None:
    resource = a_resource(architecture_name=architecture, board_name=board, cpu=cpu)
    assert router_platform(resource, None) == Platform.parse(platform)


@pytest.mark.parametrize("architecture", ["mipsbe", "mmips", "smips", "ppc", "tile", ""])
def test_an_architecture_without_containers_is_told(architecture: str) -> None:
    found = router_platform(a_resource(architecture_name=architecture, board_name=""), None)
    assert isinstance(found, Problem)
    assert found.code == "architecture-unsupported"
    assert architecture in found.message


def test_the_inventory_knows_better() -> None:
    override = Platform.parse("linux/arm/v6")
    assert router_platform(a_resource(architecture_name="mipsbe"), override) == override


@pytest.mark.parametrize(
    ("board", "cpu", "verdict"), [("hEX S", "MIPS", False), ("x", "EN7562CT", True), ("E60iUGS", "", True)]
)
def test_armv5_is_known_by_cpu_or_board(board: str, cpu: str, *, verdict: bool) -> None:
    assert is_armv5(a_resource(board_name=board, cpu=cpu)) is verdict
