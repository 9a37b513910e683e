"""Where the inventory lies when nobody says: the environment's word, the current directory, the XDG place.

Looks only; what the file holds, and whether a file that was named exists at all, is the loader's.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mtts.core.errors import UsageError

VARIABLE: Final = "MTTS_INVENTORY"
FILE_NAME: Final = "inventory.yaml"


def find_inventory(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """The inventory to read: `explicit`, `$MTTS_INVENTORY`, `./inventory.yaml`, then the XDG configuration directory.

    A place that was named is returned as it is; UsageError `inventory-not-found` when none was and none of
    the others has it.
    """
    named = explicit or environ.get(VARIABLE)
    if named:
        return Path(named)
    usual = (Path(FILE_NAME), _configuration(environ) / "mtts" / FILE_NAME)
    for place in usual:
        if os.path.exists(place):  # noqa: PTH110 - Path.exists raises where a directory is closed to us
            return place
    raise UsageError(
        f"no inventory: none was named with -i or ${VARIABLE}, and neither {' nor '.join(map(str, usual))} exists",
        code="inventory-not-found",
        hint="mtts init writes one to start from",
    )


def _configuration(environ: Mapping[str, str]) -> Path:
    # The XDG specification has relative paths ignored.
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    return configured if configured.is_absolute() else Path(environ.get("HOME") or "~") / ".config"
