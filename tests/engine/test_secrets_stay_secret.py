"""Canary secrets through whole deploys: in no log record, event, plan, result or row, and in no file afterwards."""

import logging
from collections.abc import Iterator

import pytest

from mtts.adapters.redaction import Redactor
from mtts.core import plan_file
from mtts.core.events import Event
from mtts.core.outcome import NodeResult, Outcome
from mtts.core.secret import Literal, Secret
from mtts.engine.deploy import deploy_router
from mtts.engine.fleet import Drain
from mtts.engine.inspect import plan_router
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import TABLES, Deployment, lab_image, run_fleet, services_for, versions

PASSWORD = "pässword-kanarie-7391"


@pytest.fixture
def redactor() -> Iterator[Redactor]:
    """Installed as the command line does it, and taken out again."""
    before = logging.getLogRecordFactory()
    made = Redactor()
    made.install()
    yield made
    logging.setLogRecordFactory(before)


async def _run(here: Deployment, redactor: Redactor) -> tuple[list[NodeResult], str]:
    """A plan and a deploy; the results and everything that could be printed on the way."""
    events: list[Event] = []
    async with services_for(here.lab, events, redactor=redactor) as services:
        plans = [plan for _, plan in await plan_router(services, here.spec, adopt=False) if plan]
        results = await run_fleet(
            [here.spec],
            lambda router: deploy_router(services, router),
            emit=services.emit,
            parallel=1,
            drain=Drain(),
        )
    told = [*map(str, events), *map(repr, events), repr(results), repr(plans), repr(here.spec), plan_file.dumps(plans)]
    return results, "\n".join(told)


def _router_holds(here: Deployment) -> str:
    device = here.router.device
    menus = [here.rows(path) for path in (*TABLES, "/system/script", "/system/scheduler")]
    logs = [str(line) for container in device.engine.containers.values() for line in container.log]
    return f"{menus} {here.router.files()} {list(device.log_rows)} {logs}"


def _assert_secret(texts: str, *canaries: str) -> None:
    for canary in canaries:
        for spelling in (canary, repr(canary)[1:-1], canary.encode().decode("latin-1"), repr(canary.encode())[2:-1]):
            assert spelling not in texts


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_secrets_appear_nowhere_in_a_deploy(
    deployment: MakeDeployment, redactor: Redactor, caplog: pytest.LogCaptureFixture, version: str, secured: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    here = await deployment(version=version, secured=secured, users={"mtts": (PASSWORD, "mtts")})
    here.change(password=Literal(Secret(PASSWORD)))
    key = here.new_key()

    results, told = await _run(here, redactor)

    assert [result.outcome for result in results] == [Outcome.DEPLOYED]
    assert [record for record in caplog.records if record.name.startswith("librouteros")], "nothing was logged at all"
    logged = "\n".join(f"{record.getMessage()} {record.args} {record.msg}" for record in caplog.records)
    _assert_secret(logged + told, key, PASSWORD)
    _assert_secret(_router_holds(here), key, PASSWORD)


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
async def test_secrets_appear_nowhere_when_things_go_wrong(
    deployment: MakeDeployment, redactor: Redactor, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    caplog.set_level(logging.DEBUG)
    here = await deployment(version=version, users={"mtts": (PASSWORD, "mtts")}, image=lab_image(behaviour="keeps-key"))
    here.change(password=Literal(Secret(PASSWORD)))
    key = here.new_key()
    here.router.faults.trap_next("/file/add", "failure: not now")
    told = ""
    for k in (80, 120, 150, 10_000):
        here.router.faults.cut_after(k)
        _, more = await _run(here, redactor)
        told += more
    here.change(password=Literal(Secret(PASSWORD + "-wrong")))
    results, more = await _run_refused(here, redactor)
    told += more

    assert results == Outcome.UNREACHABLE
    logged = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    _assert_secret(logged + told, key, PASSWORD)
    _assert_secret(_router_holds(here), key, PASSWORD)


async def test_a_router_that_quotes_the_key_while_refusing_it_does_not_give_it_away(
    deployment: MakeDeployment, redactor: Redactor
) -> None:
    here = await deployment()
    key = here.new_key()
    here.router.device.files.make_directory(here.state_dir)
    here.router.faults.trap_next("/file/add", f"failure: cannot write {key}")

    (result,), told = await _run(here, redactor)

    assert result.problem is not None
    assert (result.problem.code, bool(result.next_step)) == ("command-trapped", True)
    assert "cannot write ***" in result.problem.message
    _assert_secret(told, key)


async def _run_refused(here: Deployment, redactor: Redactor) -> tuple[Outcome, str]:
    events: list[Event] = []
    async with services_for(here.lab, events, redactor=redactor) as services:
        (result,) = await run_fleet(
            [here.spec],
            lambda router: deploy_router(services, router),
            emit=services.emit,
            parallel=1,
            drain=Drain(),
        )
    return result.outcome, f"{events} {result}"


async def test_the_journal_of_the_lab_would_show_a_key_that_is_sent_anywhere_but_into_its_file(
    deployment: MakeDeployment,
) -> None:
    here = await deployment()
    key = here.new_key()

    await here.deploy()

    carriers = [entry.path for entry in here.journal if any(key in word for word in entry.words)]
    assert carriers == ["/file/add"]
