"""What somebody changed or removed by hand: the next deploy restores that and nothing else, theirs never touched."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtts.core.outcome import Outcome
from mtts.lab.fleet import Lab
from mtts.lab.table import Singleton
from tests.engine.conftest import MakeDeployment, deployments_in
from tests.engine.fleet import VERSIONS, Deployment, versions

RESTART = {"/container/stop", "/container/start"}
OWN_TABLES = (
    "/interface/bridge",
    "/interface/veth",
    "/interface/bridge/port",
    "/interface/list/member",
    "/ip/address",
    "/ip/route",
    "/ip/firewall/nat",
    "/ip/dns/static",
    "/disk",
    "/container/mounts",
    "/container/envs",
)
REFERRED = {
    "/interface/bridge": {"/interface/bridge/port", "/ip/address", "/interface/list/member"},
    "/interface/veth": {"/interface/bridge/port", "/container"},
}
"""Whose rows point at a removed one from then on, by a number that will never be anything again."""

EVERY_OPTION = {"magicdns": True, "direct": 41641, "interface_lists": ("LAN",)}


def _set(here: Deployment, path: str, props: dict[str, str]) -> None:
    row = next(row for row in here.rows(path) if row.get("comment", "").startswith("mtts:"))
    here.router.set_row(path, row[".id"], **{name.replace("-", "_"): value for name, value in props.items()})


@dataclass(frozen=True, slots=True)
class Drift:
    """Something done by hand, and the menus that a deploy may write to because of it."""

    name: str
    act: Callable[[Deployment], None]
    writes: frozenset[str]


def _changed(path: str, *, restarts: bool = False, **props: str) -> Drift:
    spelt = {name.replace("_", "-"): value for name, value in props.items()}
    writes = {f"{path}/set", *(RESTART if restarts else ())}
    return Drift(
        f"{path} {' '.join(f'{key}={value}' for key, value in spelt.items())}",
        lambda here: _set(here, path, spelt),
        frozenset(writes),
    )


def _moved(path: str, **props: str) -> Drift:
    """A change of what the object is found by: to mtts it is another one, of ours and no longer wanted."""
    drift = _changed(path, restarts=False, **props)
    return Drift(drift.name, drift.act, frozenset({f"{path}/add", f"{path}/set", f"{path}/remove"}))


def _empty_tmpdir(here: Deployment) -> None:
    here.router.device.menu_of(Singleton, "/container/config").values["tmpdir"] = ""


def _add_stray_env(here: Deployment) -> None:
    column = "list" if here.router.device.has("env-lists") else "name"
    row = {column: "mtts-tailscale", "key": "TS_STRAY", "value": "1", "comment": "mtts:tailscale"}
    here.router.add_row("/container/envs", **row)


def _add_stray_route(here: Deployment) -> None:
    here.router.add_row("/ip/route", dst_address="10.99.0.0/16", gateway="172.20.0.2", comment="mtts:tailscale")


def _stop(here: Deployment) -> None:
    here.router.device.engine.stop(here.container)


DRIFTS = (
    _changed("/interface/veth", restarts=True, address="10.99.99.2/30"),
    _changed("/interface/veth", restarts=True, gateway="10.99.99.1"),
    _changed("/interface/bridge/port", bridge="lan"),
    _moved("/ip/address", address="10.99.98.1/30"),
    _moved("/ip/address", interface="lan"),
    _changed("/ip/route", gateway="192.0.2.77"),
    _moved("/ip/route", dst_address="100.0.0.0/10"),
    _changed("/disk", tmpfs_max_size="1048576"),
    _changed("/container/envs", restarts=True, value="something else"),
    _changed("/container", logging="false", restarts=True),
    _changed("/container", hostname="other", restarts=True),
    _changed("/container", start_on_boot="false"),
    Drift("tmpdir emptied", _empty_tmpdir, frozenset({"/container/config/set"})),
    Drift("an env of ours that nothing wants", _add_stray_env, frozenset({"/container/envs/remove", *RESTART})),
    Drift("a route of ours that nothing wants", _add_stray_route, frozenset({"/ip/route/remove"})),
    Drift("the container stopped", _stop, frozenset({"/container/start"})),
)


def _someone_else_s(here: Deployment) -> None:
    """Objects of the same kinds, without a tag, or with a comment that only resembles one."""
    add = here.router.add_row
    add("/interface/bridge", name="lan", comment="mttsish")
    add("/interface/veth", name="veth1", address="172.17.0.2/24", gateway="172.17.0.1", comment="notmtts:tailscale")
    add("/interface/bridge/port", interface="ether2", bridge="lan")
    add("/interface/list/member", list="LAN", interface="lan", comment="defconf")
    add("/ip/address", address="192.168.88.1/24", network="192.168.88.0", interface="lan", comment="defconf")
    add("/ip/route", dst_address="10.0.0.0/8", gateway="192.168.88.2", comment="mtts : no")
    add("/ip/firewall/nat", chain="srcnat", action="masquerade", comment="defconf: masquerade")
    add("/ip/firewall/nat", chain="dstnat", protocol="tcp", dst_port="443", to_addresses="192.168.88.9")
    add("/ip/dns/static", name="printer.lan", address="192.168.88.20", type="A")
    add("/container/mounts", **{_column(here, (7, 21, 0)): "pihole", "src": "/pihole", "dst": "/etc/pihole"})
    add("/container/envs", **{_column(here, (7, 20, 0)): "pihole", "key": "TZ", "value": "UTC"})
    add("/container", name="pihole", root_dir="/pihole-root", remote_image="pihole/pihole:latest", interface="veth1")
    here.router.write_file("backup.txt", b"mine")


def _column(here: Deployment, since: tuple[int, int, int]) -> str:
    return "list" if here.router.device.version >= since else "name"


async def _deployed(make: MakeDeployment, version: str) -> Deployment:
    here = await make(version=version, node=EVERY_OPTION)
    _someone_else_s(here)
    assert (await here.deploy()).outcome is Outcome.DEPLOYED
    await here.wait(60)
    return here


async def _assert_restored(here: Deployment, acts: list[Callable[[Deployment], None]], writes: set[str]) -> None:
    before, theirs, files = here.snapshot(), here.untagged(), here.router.files()
    for act in acts:
        act(here)
    await here.wait(3)

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.snapshot() == before
    assert here.untagged() == theirs
    assert here.router.files() == files
    assert set(here.writes) <= writes
    assert len(here.online) == 1
    assert (await here.deploy()).outcome is Outcome.NO_OP
    assert here.writes == []


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
async def test_what_was_changed_by_hand_is_restored_and_nothing_else_written(
    deployment: MakeDeployment, drift: Drift, version: str
) -> None:
    here = await _deployed(deployment, version)

    await _assert_restored(here, [drift.act], set(drift.writes))


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
@pytest.mark.parametrize("path", OWN_TABLES)
async def test_what_was_removed_by_hand_is_made_again_and_nothing_else_written(
    deployment: MakeDeployment, path: str, version: str
) -> None:
    here = await _deployed(deployment, version)
    rows = [row for row in here.rows(path) if row.get("comment", "").startswith("mtts:")]
    assert rows
    allowed = {f"{path}/add", *RESTART}
    allowed |= {f"{other}/{verb}" for other in REFERRED.get(path, ()) for verb in ("add", "set", "remove")}

    def take_away(here: Deployment) -> None:
        table = here.router.device.table(path)
        item = table.find_item(rows[0][".id"])
        table.delete(item)
        table.after_remove(item)

    await _assert_restored(here, [take_away], allowed)


@pytest.mark.parametrize("version", versions("7.18.2", "7.23.3"))
async def test_a_container_removed_by_hand_comes_back_as_the_same_node(
    deployment: MakeDeployment, version: str
) -> None:
    here = await _deployed(deployment, version)
    (node,) = here.online
    theirs = here.untagged()
    engine = here.router.device.engine
    engine.stop(here.container)
    await here.wait(5)
    engine.remove(here.container)
    await here.wait(10)
    here.change_node(auth_key=None)

    result = await here.deploy()

    assert (result.outcome, result.problem) == (Outcome.DEPLOYED, None)
    assert here.online == [node]
    assert here.untagged() == theirs
    assert {path for path in here.writes if not path.startswith("/container/")} == set()


async def test_an_object_that_lost_its_tag_is_somebody_else_s_from_then_on(deployment: MakeDeployment) -> None:
    here = await _deployed(deployment, "7.23.3")
    (veth,) = [row for row in here.rows("/interface/veth") if row["name"] == "veth-tailscale"]
    here.router.set_row("/interface/veth", veth[".id"], comment="do not touch")
    here.router.set_row("/interface/veth", veth[".id"], gateway="10.0.0.1")

    result = await here.deploy()

    assert result.problem is not None
    assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "veth-not-ours")
    assert here.writes == []


BOTH_ENDS = {"/interface/veth address=10.99.99.2/30", "/ip/address address=10.99.98.1/30"}
"""With both ends of the link elsewhere, nothing tells where it was."""


def _tells_where_it_was(chosen: set[int]) -> bool:
    return not {DRIFTS[number].name for number in chosen} >= BOTH_ENDS


@given(
    chosen=st.sets(st.sampled_from(range(len(DRIFTS))), min_size=2).filter(_tells_where_it_was),
    version=st.sampled_from(VERSIONS),
)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_number_of_changes_by_hand_is_restored_by_one_deploy(chosen: set[int], version: str) -> None:
    async def story() -> None:
        async with Lab() as lab:
            here = await _deployed(deployments_in(lab), version)
            picked = [DRIFTS[number] for number in sorted(chosen)]
            allowed = set[str]().union(*(drift.writes for drift in picked))
            before, theirs = here.snapshot(), here.untagged()
            for drift in picked:
                drift.act(here)
            await here.wait(3)
            assert (await here.deploy()).outcome is Outcome.DEPLOYED
            assert here.snapshot() == before
            assert here.untagged() == theirs
            assert set(here.writes) <= allowed | RESTART
            assert (await here.deploy()).outcome is Outcome.NO_OP

    asyncio.run(story())
