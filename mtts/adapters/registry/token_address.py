"""Where a client without credentials gets a token for an image: for scripts that cannot read a challenge themselves."""

from dataclasses import dataclass
from http import HTTPStatus

import httpx

from mtts.adapters.registry.challenge import choose_challenge, parse_challenges
from mtts.adapters.registry.reach import Reach, system_lookup
from mtts.adapters.registry.transport import KIB, Transport
from mtts.core.errors import ImageDeniedError
from mtts.core.image import ImageRef
from mtts.core.inventory import RegistryAccess
from mtts.ports import Clock


@dataclass(frozen=True, slots=True)
class AnonymousWay:
    """How an image is asked for without credentials."""

    registry: str
    """Scheme and host of the registry's API."""
    tokens: str | None
    """The whole address that a token comes from; None where the registry wants none."""


async def anonymous_way(access: RegistryAccess, image: ImageRef, *, clock: Clock) -> AnonymousWay:
    """Ask the registry once; RegistryError where it does not answer, or offers nothing that a script could do."""
    if access.username is not None:
        raise ImageDeniedError(
            f"{access.host} is asked with credentials, which a script on a router must not hold",
            hint="publish the image where anybody may pull it, or update with mtts",
        )
    transport = Transport(access, lookup=system_lookup, clock=clock)
    try:
        base = transport.base
        manifest = base.copy_with(path=f"/v2/{image.repository}/manifests/{image.tag}")
        reply = await transport.ask("HEAD", manifest, limit_bytes=KIB)
    finally:
        await transport.close()
    registry = str(base).rstrip("/")
    if reply.status != HTTPStatus.UNAUTHORIZED:
        return AnonymousWay(registry, None)
    bearer = choose_challenge(parse_challenges(reply.headers.get_list("WWW-Authenticate")), "bearer")
    if bearer is None:
        raise ImageDeniedError(f"{access.host} gives no tokens to those who have no password")
    realm = httpx.URL(bearer.params["realm"])
    await Reach(base, registry=access.host, allow_hosts=access.allow_hosts, lookup=system_lookup).check(
        realm, kind="token realm"
    )
    service = bearer.params.get("service")
    wanted = {"scope": f"repository:{image.repository}:pull"} | ({"service": service} if service else {})
    return AnonymousWay(registry, str(realm.copy_merge_params(wanted)))
