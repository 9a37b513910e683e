"""Which routers a command line means."""

from typing import Any

import pytest

from mtts.core.errors import UsageError
from mtts.core.inventory import Inventory, TlsMode, select_routers
from tests.core.examples import a_router

ROUTERS = (
    a_router(name="home", groups=("family",)),
    a_router(name="branch-1", groups=("branches", "north")),
    a_router(name="branch-2", groups=("branches",)),
    a_router(name="lab"),
)


def select(*patterns: str, **options: Any) -> list[str]:
    found = select_routers(Inventory("inventory.yaml", ROUTERS), patterns=patterns, **options)
    return [router.name for router in found]


@pytest.mark.parametrize(
    ("patterns", "options", "names"),
    [
        (["home"], {}, ["home"]),
        (["lab", "home"], {}, ["home", "lab"]),
        (["branch-*"], {}, ["branch-1", "branch-2"]),
        (["branch-[2-9]", "h?me"], {}, ["home", "branch-2"]),
        (["home", "h*"], {}, ["home"]),
        ([], {"everything": True}, ["home", "branch-1", "branch-2", "lab"]),
        ([], {"groups": ["branches"]}, ["branch-1", "branch-2"]),
        (["home"], {"groups": ["north"]}, ["home", "branch-1"]),
        ([], {"everything": True, "exclude": ["branch-*", "lab"]}, ["home"]),
        ([], {"groups": ["branches"], "exclude": ["nothing"]}, ["branch-1", "branch-2"]),
    ],
)
def test_routers_are_chosen_in_the_inventory_s_order(
    patterns: list[str], options: dict[str, Any], names: list[str]
) -> None:
    assert select(*patterns, **options) == names


@pytest.mark.parametrize(
    ("patterns", "options", "fragment"),
    [
        ([], {}, "no router was named"),
        (["hom"], {}, "known: home, branch-1, branch-2, lab"),
        (["home", "HOME"], {}, "'HOME'"),
        ([], {"groups": ["south"]}, "known: branches, family, north"),
        ([], {"exclude": ["lab"]}, "no router was named"),
        (["*"], {"exclude": ["*"]}, "no router is left"),
        (["home"], {"everything": True}, "--all and names"),
        ([], {"everything": True, "groups": ["north"]}, "--all and names"),
    ],
)
def test_a_name_that_fits_none_is_told_with_those_that_would(
    patterns: list[str], options: dict[str, Any], fragment: str
) -> None:
    with pytest.raises(UsageError) as refused:
        select(*patterns, **options)
    problem = refused.value.problem
    assert problem.code == "no-such-target"
    assert fragment in f"{problem.message} {problem.hint}"


def test_a_long_list_of_names_is_cut() -> None:
    many = Inventory("i", tuple(a_router(name=f"r{number}") for number in range(10)))
    with pytest.raises(UsageError) as refused:
        select_routers(many, patterns=["x"])
    assert refused.value.problem.hint == "known: r0, r1, r2, r3, r4, r5, r6, r7 and 2 more"


def test_an_empty_inventory_says_so() -> None:
    with pytest.raises(UsageError) as refused:
        select_routers(Inventory("i", ()), patterns=["x"])
    assert refused.value.problem.hint == "the inventory has none"
    with pytest.raises(UsageError, match="no router is left"):
        select_routers(Inventory("i", ()), everything=True)


@pytest.mark.parametrize(
    ("settings", "port"),
    [({}, 8729), ({"tls": TlsMode.OFF}, 8728), ({"tls": TlsMode.OFF, "port": 9999}, 9999), ({"tls": TlsMode.CA}, 8729)],
)
def test_the_api_port_follows_tls_unless_it_is_said(settings: dict[str, Any], port: int) -> None:
    assert a_router(**settings).api_port == port
