"""Clients that nobody here wrote, each in its own process, tell their stories of a lab router.

They are no dependencies of mtts: LAB_CLIENTS_PYTHON names an interpreter that has `routeros-api` and `ansible`
(this one by default), LAB_CLIENTS_NODE_MODULES a directory that has `node-routeros`. What is not there is skipped.
librouteros, which is one, has a module of its own.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mtts.lab.fleet import PASSWORD, Lab
from mtts.lab.router import LabRouter
from tests.lab.conftest import Login

LEAST = {
    "/interface/bridge": {},
    "/interface/bridge/port": {"bridge": "b", "interface": "ether2"},
    "/interface/list": {"name": "l"},
    "/interface/list/member": {"list": "LAN", "interface": "ether2"},
    "/ip/address": {"address": "192.0.2.1/24", "interface": "ether2"},
    "/ip/dns/static": {"name": "x.example", "address": "192.0.2.1"},
    "/ip/firewall/filter": {"chain": "input"},
    "/ip/firewall/nat": {"chain": "srcnat"},
    "/ip/route": {"gateway": "192.0.2.1"},
    "/system/scheduler": {"name": "s"},
    "/system/script": {"name": "s"},
    "/user": {"name": "u", "group": "read"},
    "/user/group": {"name": "g"},
}
"""The least that a new row needs, of the tables whose defaults others have written down."""
OURS = {("/system/identity", "name"), ("/ip/dns", "servers")}
"""What a lab router is set up with."""
HERE = Path(__file__).parent / "clients"
PYTHON = os.environ.get("LAB_CLIENTS_PYTHON", sys.executable)
NODE_MODULES = os.environ.get("LAB_CLIENTS_NODE_MODULES", "")
DEADLINE_S = 120


def environment(**more: str) -> dict[str, str]:
    """What a client's process gets to see."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {"PYTHONUTF8": "1", "NODE_PATH": NODE_MODULES, **kept, **more}


@cache
def runs(*command: str) -> bool:
    """Whether this ends well."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, check=False, capture_output=True, env=environment()).returncode == 0


def playbook() -> str:
    """The `ansible-playbook` beside the interpreter."""
    return str(Path(PYTHON).parent / "ansible-playbook")


async def told(router: LabRouter, command: Sequence[str], **more: str) -> str:
    """What a client's process printed; its end must be a good one."""
    connection = {
        "host": router.host,
        "port": router.port,
        "tls_port": router.tls_port,
        "user": "admin",
        "password": PASSWORD,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(LAB_ROUTER=json.dumps(connection), **more), stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            printed, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, (printed + complaints).decode()
    return printed.decode()


@pytest.mark.parametrize("version", ["7.17.2", "7.23.3"])
async def test_routeros_api_tells_its_story(version: str, lab: Lab) -> None:
    if not runs(PYTHON, "-c", "import routeros_api"):
        pytest.skip("routeros-api is not installed")
    router = await lab.add_router("r", version=version)
    heard = json.loads(await told(router, [PYTHON, str(HERE / "routeros_api_story.py")]))
    assert heard["plain"] == heard["tls"]
    assert heard["plain"] == {
        "identity": "r",
        "nothing": [],
        "added": ["veth-ts", "172.20.0.2/30", "größe=1"],
        "changed": ["changed"],
        "not found": [],
        "either": ["veth-ts"],
        "at once": [1, 8],
        "left": [],
        "error": "no such item",
        "bytes survive": True,
    }


@pytest.mark.parametrize("version", ["7.17.2", "7.23.3"])
async def test_node_routeros_tells_its_story(version: str, lab: Lab) -> None:
    if not runs("node", "-e", "require('node-routeros')"):
        pytest.skip("node-routeros is not installed")
    router = await lab.add_router("r", version=version)
    heard = json.loads(await told(router, ["node", str(HERE / "node_routeros_story.js")]))
    assert heard["plain"] == heard["tls"]
    assert heard["refused"] == "Username or password is invalid"
    assert heard["plain"] == {
        "identity": "r",
        "added": [[True, "bridge-ts", "a=b"]],
        "changed": ["changed"],
        "either": ["api", "api-ssl"],
        "atOnce": [1, 8],
        "followed": "hello",
        "left": [{"ret": "0"}],
        "error": "no such item",
    }


async def ansible(router: LabRouter, home: Path, story: str) -> Mapping[str, Any]:
    """What a playbook registered."""
    results = home / "results.json"
    command = [playbook(), "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={PYTHON}"]
    more = {"LAB_RESULTS": str(results), "ANSIBLE_HOME": str(home), "ANSIBLE_LOCALHOST_WARNING": "0", "LANG": "C.UTF-8"}
    await told(router, [*command, str(HERE / story)], **more)
    told_of: Mapping[str, Any] = json.loads(results.read_text())
    return told_of


@pytest.mark.parametrize("version", ["7.18.2", "7.20.8", "7.23.3"])
async def test_new_rows_and_settings_have_the_defaults_that_ansible_expects(
    version: str, lab: Lab, login: Login
) -> None:
    if not runs(PYTHON, "-c", "import ansible_collections.community.routeros"):
        pytest.skip("Ansible's community.routeros is not installed")
    router = await lab.add_router("r", version=version, tls=False)
    router.add_row("/interface/bridge", name="b")
    expected = json.loads(await told(router, [PYTHON, str(HERE / "ansible_defaults.py"), version]))
    talker = await login(router, "admin")
    compared = 0
    for path in sorted(set(expected) & set(router.device.schema.menus)):
        if path in LEAST:
            added = await talker.say(f"{path}/add", *(f"={name}={value}" for name, value in LEAST[path].items()))
            assert added.trap is None, (path, added.trap)
        of_it = (f"?.id={added.ret}",) if path in LEAST else ()
        row = next(iter((await talker.say(f"{path}/print", *of_it)).rows), {})
        for name, default in expected[path].items():
            if name in row and name not in LEAST.get(path, {}) and (path, name) not in OURS:
                assert row[name] == as_text(default), (path, name)
                compared += 1
    assert compared > 60


def as_text(value: object) -> str:
    """A value of Ansible's as the API says it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("version", ["7.18.2", "7.23.3"])
async def test_ansible_looks_changes_and_finds_nothing_left_to_do(version: str, lab: Lab, tmp_path: Path) -> None:
    if not (runs(playbook(), "--version") and runs(PYTHON, "-c", "import ansible_collections.community.routeros")):
        pytest.skip("Ansible's community.routeros is not installed")
    router = await lab.add_router("r", version=version)
    seen = await ansible(router, tmp_path, "ansible_story.yaml")
    assert seen["before"]["result"] == seen["left"]["result"] == []

    assert seen["looked_at"]["changed"]
    assert seen["looked_at"]["diff"]["after"]["data"][0]["comment"] == "made by ansible"
    assert seen["after_looking"]["result"] == []
    assert seen["added"]["changed"]
    assert seen["added"]["diff"]["before"]["data"] == []
    assert not seen["added_again"]["changed"]
    assert seen["changed"]["changed"]
    (bridge,) = seen["at_last"]["result"]
    assert (bridge["name"], bridge.get("comment")) == ("bridge-ts", None)
    shown = {name for name in bridge if not name.startswith("!")}  # Ansible marks so what a row does not have
    assert shown == {".id", "name"}, "the rest are defaults, which Ansible knows and leaves out"

    assert seen["renamed"]["changed"]
    assert router.setting("/system/identity", "name") == "by-ansible"
    assert router.setting("/ip/dns", "servers") == "192.0.2.1"
    assert router.setting("/ip/dns", "allow-remote-requests") == "true"
    assert [row["comment"] for row in seen["rules"]["new_data"]] == ["second", "first"]
    assert [row["comment"] for row in seen["reordered"]["new_data"]] == ["first", "second"]
    assert [row["comment"] for row in router.rows("/ip/firewall/filter")] == ["first", "second"]
    assert [row["name"] for row in seen["queried"]["msg"]] == ["api"]
    assert seen["removed"]["changed"]
