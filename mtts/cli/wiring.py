"""Builds the adapters and binds them to the ports: the only place that knows both."""

import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass

from mtts.adapters.clock import SystemClock
from mtts.adapters.inventory.loader import load_inventory
from mtts.adapters.inventory.places import find_inventory
from mtts.adapters.journal import FileJournal
from mtts.adapters.processes import SystemProcesses
from mtts.adapters.redaction import Redactor
from mtts.adapters.registry.client import HttpxRegistry
from mtts.adapters.registry.token_address import anonymous_way
from mtts.adapters.routeros.routers import LibrouterosRouters, fetch_fingerprint
from mtts.adapters.routeros.tls import normal_fingerprint
from mtts.adapters.run_lock import run_lock
from mtts.adapters.scripts import read_script
from mtts.adapters.secrets import SecretStore, open_secret
from mtts.adapters.store.place import find_place
from mtts.cli.options import Settings
from mtts.core.events import Emit
from mtts.core.image import ImageRef
from mtts.core.inventory import Inventory, RegistryAccess, Router
from mtts.core.outcome import NodeResult
from mtts.engine.remembering import RememberingRegistry
from mtts.engine.services import Scripts, Services
from mtts.ports import Store

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def inventory_for(settings: Settings) -> Inventory:
    """The inventory that the options, the environment or the usual places name."""
    return load_inventory(find_inventory(settings.inventory, os.environ))


def set_up_logging(verbosity: int) -> Redactor:
    """Logs go to stderr, through the one place that takes secrets out."""
    redactor = Redactor()
    redactor.install()
    logging.basicConfig(
        stream=sys.stderr,
        level=_LEVELS[min(verbosity, len(_LEVELS) - 1)],
        format="%(levelname)s %(name)s %(message)s",
    )
    return redactor


@contextmanager
def store_for(settings: Settings) -> Iterator[Store]:
    """The store that the options, the environment or the XDG place name; StoreError where it cannot be opened."""
    from mtts.adapters.store.store import SqlStore  # noqa: PLC0415 - slow to load, and not every command needs it

    with closing(SqlStore(find_place(settings.state, os.environ))) as store:
        yield store


@contextmanager
def sole_writer(settings: Settings, command: str) -> Iterator[Store]:
    """The store for a command that writes to routers, while no other such command runs; LockHeldError if one does."""
    with run_lock(find_place(settings.state, os.environ).lock_file, command), store_for(settings) as store:
        yield store


@asynccontextmanager
async def services_for(
    inventory: Inventory, settings: Settings, *, run_id: str, redactor: Redactor, emit: Emit, store: Store | None = None
) -> AsyncIterator[Services]:
    """Everything a use case needs, closed at the end; with a store, releases are remembered and need measuring once."""
    clock = SystemClock()
    scripts = Scripts(guard=read_script("guard"), bridge=read_script("bridge"))
    secrets = SecretStore(redactor)
    known = await store.known_releases() if store else ()
    async with HttpxRegistry(
        inventory.registries,
        open_secret=open_secret,
        clock=clock,
        known_sizes={release.manifest_digest: release.extracted_bytes for release in known},
    ) as registry:
        remembering = RememberingRegistry(registry, store, clock) if store else registry
        yield Services(
            LibrouterosRouters(secrets),
            remembering,
            secrets,
            clock,
            emit,
            scripts,
            FileJournal(lambda: find_place(settings.state, os.environ).journal_directory),
            SystemProcesses(run_id),
            settings.timeout,
        )


@dataclass(frozen=True, slots=True)
class ShownFingerprint:
    """A certificate as a router shows it, beside what the inventory holds."""

    router: str
    fingerprint: str
    is_pinned: bool
    remark: str


async def show_fingerprint(services: Services, router: Router) -> list[tuple[NodeResult, ShownFingerprint]]:
    """The use case of `mtts trust`: a handshake, no login."""
    del services  # nothing is sent but the handshake
    fingerprint = await fetch_fingerprint(router)
    is_pinned = router.fingerprint is not None and normal_fingerprint(router.fingerprint) == fingerprint
    remark = " (pinned)" if is_pinned else f" (the inventory has {router.fingerprint})" if router.fingerprint else ""
    shown = ShownFingerprint(router.name, fingerprint, is_pinned, remark)
    return [(NodeResult.of(router.name, ""), shown)]


def anonymous_way_for(settings: Settings) -> Callable[[ImageRef], Awaitable[tuple[str, str | None]]]:
    """Asks the registry of an image where it is, and where those without credentials get a token."""

    async def ask(image: ImageRef) -> tuple[str, str | None]:
        access = inventory_for(settings).registries.get(image.registry) or RegistryAccess(host=image.registry)
        found = await anonymous_way(access, image, clock=SystemClock())
        return found.registry, found.tokens

    return ask
