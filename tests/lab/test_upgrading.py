"""A router that restarts into a newer RouterOS holds what it held, in the words of the new version."""

import pytest

from mtts.lab.device import BOOT_S
from mtts.lab.fleet import Lab
from mtts.lab.values import path_key
from tests.lab.conftest import Login, MakeGround

PLACES = {
    "/container/envs": [("7.18.2", "7.19.6", "name", "name"), ("7.19.6", "7.20.8", "name", "list")],
    "/container/mounts": [("7.20.8", "7.22.3", "name", "list"), ("7.22.3", "7.24", "list", "list")],
}


@pytest.mark.parametrize(("path", "story"), [(path, story) for path, stories in PLACES.items() for story in stories])
async def test_rows_keep_their_ids_and_are_called_by_the_new_words(
    lab: Lab, path: str, story: tuple[str, str, str, str]
) -> None:
    before, after, old_word, new_word = story
    router = await lab.add_router("r", version=before)
    given = {"key": "K", "value": "v"} if path.endswith("envs") else {"src": "/s", "dst": "/d"}
    ref = router.add_row(path, **given, **{old_word: "mine"})

    router.upgrade(after)
    await lab.clock.advance(BOOT_S + 1)

    (row,) = router.rows(path)
    assert (row[".id"], row[new_word]) == (ref, "mine")


async def test_what_the_router_says_of_itself_is_the_new_version(lab: Lab, login: Login) -> None:
    router = await lab.add_router("r", version="7.20.8")
    router.change("/system/identity", name="kept")
    router.rows("/system/package")
    router.upgrade("7.24")
    await lab.clock.advance(BOOT_S + 1)

    talker = await login(router)
    (resource,) = (await talker.say("/system/resource/print")).rows
    assert resource["version"].startswith("7.24 ")
    assert {row["version"] for row in router.rows("/system/package")} == {"7.24"}
    assert router.setting("/system/identity", "name") == "kept"


@pytest.mark.parametrize("after", ["7.20.8", "7.22.3", "7.23.3", "7.24"])
async def test_a_container_goes_on_with_its_mounts_and_its_policy(ground: MakeGround, after: str) -> None:
    here = await ground(version="7.20.8")
    await here.lay()
    await here.add("mtts/a", "=start-on-boot=yes", "=auto-restart-interval=20s")
    await here.lab.clock.advance(30)
    router = here.router
    (before,) = router.device.engine.containers.values()

    def mounts() -> dict[str, str]:
        found = router.device.engine.mounts_of(before)
        return {inside: path_key(outside) for inside, outside in found.items()}

    assert mounts() == {"/var/lib/tailscale": "mtts/state"}

    router.upgrade(after)
    await here.lab.clock.advance(BOOT_S + 10)

    (container,) = router.device.engine.containers.values()
    assert container is before
    assert mounts() == {"/var/lib/tailscale": "mtts/state"}
    assert router.device.engine.environment_of(container)
    (row,) = router.rows("/container")
    policy = ("restart-policy", "on-failure") if after in {"7.23.3", "7.24"} else ("auto-restart-interval", "20s")
    assert policy in row.items()


async def test_there_is_no_way_back(lab: Lab) -> None:
    router = await lab.add_router("r", version="7.22.3")
    with pytest.raises(ValueError, match=r"r has 7\.22\.3 and does not go back to 7\.20\.8"):
        router.upgrade("7.20.8")
