"""What an update installs only when somebody means it: a release that failed before, or an older one."""

from dataclasses import replace

from mtts.core.image import Digest, Platform, Release
from mtts.core.outcome import Outcome
from mtts.ports import Store
from tests.engine.conftest import MakeDeployment
from tests.engine.fleet import Deployment, lab_image, update_fleet
from tests.engine.updates import code_of, fleet_of, have_starts_fail, outcomes


async def test_a_bad_release_is_held_back_everywhere_until_it_is_corrected(
    deployment: MakeDeployment, store: Store
) -> None:
    fleet = await fleet_of(deployment, 2)
    fleet[0].publish("1.2.4", behaviour="crash-later")
    assert (await fleet[0].update(store)).outcome is Outcome.ROLLED_BACK

    results = await update_fleet(fleet, store)

    assert [(result.outcome, code_of(result)) for result in results] == [(Outcome.REFUSED, "release-quarantined")] * 2
    assert [here.writes for here in fleet] == [[], []]
    assert "router1" in str(results[1].problem)

    fleet[0].publish("1.2.5")
    assert outcomes(await update_fleet(fleet, store)) == [Outcome.UPDATED] * 2


async def test_what_is_held_back_can_be_forced_and_is_free_again_once_it_served(
    deployment: MakeDeployment, store: Store
) -> None:
    here = await deployment()
    await here.deploy()
    image = here.publish("1.2.4")
    have_starts_fail(here)
    assert (await here.update(store)).outcome is Outcome.ROLLED_BACK
    assert [str(entry.digest) for entry in await store.quarantined()] == [image.manifest_digest("linux/arm64")]
    assert (await here.update(store)).outcome is Outcome.REFUSED

    assert (await here.update(store, force=True)).outcome is Outcome.UPDATED
    assert await store.quarantined() == []


async def test_an_older_release_is_installed_only_when_it_is_meant(deployment: MakeDeployment, store: Store) -> None:
    here = await deployment(image=lab_image("1.2.4"))
    await here.deploy()
    here.publish("1.2.3")

    refused = await here.update(store, force=True)
    assert (refused.outcome, code_of(refused)) == (Outcome.REFUSED, "downgrade-unconfirmed")
    assert here.writes == []

    result = await here.update(store, allow_downgrade=True)
    assert (result.outcome, result.from_version, result.to_version) == (Outcome.UPDATED, "1.2.4", "1.2.3")


async def test_a_container_that_somebody_changed_by_hand_is_brought_back_to_the_release(
    deployment: MakeDeployment, store: Store
) -> None:
    """The index is still the recorded one; only `image-id` tells, of a release that an earlier run saw."""
    here = await deployment()
    await here.deploy()
    await store.remember(_release(here), seen_s=1.0)
    image = here.container.image
    assert image is not None
    here.container.image = replace(image, config_digest=f"sha256:{'f' * 64}")

    result = await here.update(store)

    assert (result.outcome, result.problem) == (Outcome.UPDATED, None)
    assert (await here.update(store)).outcome is Outcome.NO_OP


def _release(here: Deployment) -> Release:
    """The one that was deployed, as a store remembers it."""
    image = here.container.image
    assert image is not None
    return Release(
        image=here.node.image,
        platform=Platform.parse("linux/arm64"),
        index_digest=Digest.parse(image.index_digest or ""),
        manifest_digest=Digest.parse(image.manifest_digest),
        config_digest=Digest.parse(image.config_digest),
        version="1.2.3",
        compressed_bytes=image.compressed_bytes,
        extracted_bytes=image.extracted_bytes,
    )
