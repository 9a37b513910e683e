"""Builds the adapters and binds them to the ports: the only place that knows both."""

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mtts.adapters.clock import SystemClock
from mtts.adapters.inventory import find_inventory, load_inventory
from mtts.adapters.redaction import Redactor
from mtts.adapters.registry.client import HttpxRegistry
from mtts.adapters.routeros.routers import LibrouterosRouters
from mtts.adapters.secrets import SecretStore, open_secret
from mtts.cli.options import Settings
from mtts.core.events import Emit
from mtts.core.inventory import Inventory
from mtts.engine.services import Services

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


@asynccontextmanager
async def services_for(inventory: Inventory, *, verbosity: int, emit: Emit) -> AsyncIterator[Services]:
    """Everything a use case needs, closed at the end."""
    clock = SystemClock()
    secrets = SecretStore(set_up_logging(verbosity))
    async with HttpxRegistry(inventory.registries, open_secret=open_secret, clock=clock) as registry:
        yield Services(LibrouterosRouters(secrets), registry, secrets, clock, emit)
