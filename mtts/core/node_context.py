"""What every plan for a node starts from: inventory, facts, its place on the router, its identity, its key."""

from dataclasses import dataclass
from typing import Final

from mtts.core.changes import (
    PlaceKey,
    RetireKey,
)
from mtts.core.desired import (
    KEY_FILE,
    extras,
    state_dir,
)
from mtts.core.dialect import Dialect
from mtts.core.errors import Problem
from mtts.core.facts import Facts
from mtts.core.image import Release
from mtts.core.inventory import NodeSpec, Router
from mtts.core.storage import Place
from mtts.core.tag import Tag

FIRST_SLOT: Final = "a"


@dataclass(frozen=True, slots=True)
class NodeContext:
    router: Router
    node: NodeSpec
    facts: Facts
    release: Release | None

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.facts.version)

    @property
    def tag(self) -> Tag:
        return Tag(self.node.name, extras=extras(self.node))


def fits_setting(setting: str, place: Place) -> bool:
    return setting == "auto" or place.prefix == setting.strip("/")


def has_identity(context: NodeContext) -> bool:
    known = context.facts.preconditions
    return bool(known and known.state_bytes) and not context.node.ephemeral


def place_key(context: NodeContext, place: Place) -> PlaceKey:
    use = "at every start" if keeps_key(context.node) else "and deletes it"
    return PlaceKey(key_file(context, place), "auth key file", f"the image's entrypoint logs in with it {use}")


def retire_key(context: NodeContext, place: Place) -> RetireKey:
    return RetireKey(key_file(context, place), "auth key file", "a key is used once and leaves nothing behind")


def keeps_key(node: NodeSpec) -> bool:
    """Whether the key's file stays on the router, since the node logs in by it at every start."""
    return node.keep_key or node.ephemeral


def key_file(context: NodeContext, place: Place) -> str:
    return f"{state_dir(place, context.node)}/{KEY_FILE}"


def no_key(context: NodeContext) -> Problem:
    return Problem(
        "auth-key-missing",
        f"node {context.node.name} has no identity on {context.router.name} yet and the inventory has no auth key",
        "set `auth_key:` of the node, for example {env: TS_AUTHKEY}",
    )
