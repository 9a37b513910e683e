"""The router's own settings of trust: a check tells them, and nothing but a check asks for them (F03)."""

import pytest

from mtts.core.errors import Problem
from mtts.core.outcome import Outcome
from mtts.core.preflight import NodeChecks
from mtts.engine.inspect import check_router
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, services_for, versions
from tests.engine.updates import code_of

MENU = "/certificate/settings"


async def _check(here: Deployment) -> dict[str, Problem | None]:
    """What each check of trust has against the router."""
    here.note_start([])
    async with services_for(here.lab, here.events) as services:
        ((_, checks),) = await check_router(services, here.spec)
    assert isinstance(checks, NodeChecks)
    return {check.name: check.problem for check in checks.checks}


@pytest.mark.parametrize("version", versions("7.18.2", "7.20.8", "7.23.3"))
async def test_a_check_tells_what_the_router_trusts_and_changes_nothing(
    deployment: MakeDeployment, version: str
) -> None:
    here = await deployment(version=version)
    await here.deploy()
    assert f"{MENU}/print" not in [entry.path for entry in here.journal], "a deploy does not ask"
    here.router.faults.foreign_command(f"{MENU}/set", values={"crl-use": "yes"})
    if here.router.device.version >= (7, 20):
        here.router.faults.foreign_command(
            "/container/set", where={"name": "tailscale-a"}, values={"check-certificate": "no"}
        )
    before = here.snapshot()

    told = await _check(here)

    revocation, verification = told["revocation"], told.get("verification")
    assert revocation is not None
    assert revocation.hint == f"{MENU}/set crl-use=no"
    assert (verification is not None) == (here.router.device.version >= (7, 20))
    assert here.writes == []
    assert here.snapshot() == before
    assert (await here.deploy()).outcome is Outcome.NO_OP, "what somebody set so stays"


async def test_a_pull_that_fails_over_trust_names_the_setting(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment()
    await here.deploy()
    here.publish("1.2.4")
    here.router.faults.fail_pull("fetch manifest failed: SSL: ssl: crl not found for: CN=Sectigo (6)")

    result = await here.update(store)

    assert (result.outcome, code_of(result)) == (Outcome.KEPT_OLD, "pull-failed")
    assert "crl-use=no" in result.next_step
    assert f"{MENU}/print" not in [entry.path for entry in here.journal]
