"""Many routers at once: what an update of a whole fleet costs, and whom it touches."""

from collections import Counter

from mtts.core.outcome import Outcome
from mtts.lab.clone import clone
from mtts.lab.images import replace_platforms
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import REPOSITORY, Deployment, lab_image, update_fleet

ARCHITECTURES = ("arm", "arm64", "x86_64")


async def many(deployment: MakeDeployment, count: int) -> list[Deployment]:
    """Deployed routers of all three architectures: one deploy each, and its clones."""
    fleet: list[Deployment] = []
    for number in range(count):
        here = await deployment(f"router{number}", arch=ARCHITECTURES[number % 3], node={"hostname": f"edge{number}"})
        if number < len(ARCHITECTURES):
            assert (await here.deploy()).outcome is Outcome.DEPLOYED
        else:
            clone(fleet[number % 3].router, here.router)
        fleet.append(here)
    return fleet


async def test_where_nothing_changed_a_fleet_costs_one_login_and_one_print_each(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = await many(deployment, 500)
    registry = fleet[0].lab.registry
    registry.requests.clear()

    results = await update_fleet(fleet, store)

    assert Counter(result.outcome for result in results) == {Outcome.NO_OP: 500}
    asked = Counter(entry.path for here in fleet for entry in here.journal)
    assert asked == {"/login": 500, "/container/print": 500}
    assert not any(here.writes for here in fleet)
    assert {here.connections for here in fleet} == {(1, 1)}
    manifests = [request for request in registry.requests if "/manifests/" in request.path and request.status == 200]
    assert [request.method for request in manifests] == ["HEAD"]


async def test_only_routers_of_the_platform_that_was_rebuilt_swap(deployment: MakeDeployment, store: Store) -> None:
    fleet = [await deployment(f"{arch}-1", arch=arch, node={"hostname": arch}) for arch in ARCHITECTURES]
    for here in fleet:
        await here.deploy()
    registry = fleet[0].lab.registry
    partly_rebuilt = replace_platforms(lab_image("1.2.3"), lab_image("1.2.4"), "linux/arm64")
    registry.publish(partly_rebuilt, repository=REPOSITORY)
    registry.requests.clear()

    results = await update_fleet(fleet, store)

    assert [(result.router, result.outcome) for result in results] == [
        ("arm-1", Outcome.NO_OP),
        ("arm64-1", Outcome.UPDATED),
        ("x86_64-1", Outcome.NO_OP),
    ]
    assert [bool(here.writes) for here in fleet] == [False, True, False]
    ours = [request for request in registry.requests if request.user_agent.startswith("mtts/")]
    indexes = [request for request in ours if request.path.endswith("/manifests/stable") and request.method == "GET"]
    assert len(indexes) == 1
