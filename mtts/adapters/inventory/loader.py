"""From the inventory file to the core's Inventory, or to one error that tells everything wrong with it.

YAML → plain values → each layer checked → layers merged → what only the whole can show → core values.
No router is contacted and no secret opened: the core is handed the places of secrets.
"""

import shlex
from pathlib import Path

from pydantic import ValidationError

from mtts.adapters.inventory import findings
from mtts.adapters.inventory.assembly import assemble_registry, assemble_router
from mtts.adapters.inventory.complaints import refuse
from mtts.adapters.inventory.consistency import find_clashes, find_gaps, find_impatience, find_literal_secrets
from mtts.adapters.inventory.form import kind_of
from mtts.adapters.inventory.layers import merge_file
from mtts.adapters.inventory.schema import InventoryFile
from mtts.adapters.inventory.source_text import SourceText, read_source
from mtts.adapters.inventory.yaml_text import Document, parse_yaml
from mtts.core.inventory import Inventory


def load_inventory(path: Path) -> Inventory:
    """Read the inventory at `path`; UsageError with file, line and key of everything that is wrong."""
    return read_inventory(path, read_source(path))


def read_inventory(path: Path, source: SourceText) -> Inventory:
    """Read an inventory's text; relative paths in it are relative to the directory of `path`."""
    document = parse_yaml(source.text)
    file = _validated(document)
    if file is None:
        raise refuse(path, document.complaints)
    inventory = _assembled(path, document, file)
    faults = len(document.complaints)
    if not source.is_private:
        for key in find_literal_secrets(file):
            document.complain(key, "a secret is written out here, and others can read this file")
    if faults:
        raise refuse(path, document.complaints)
    if document.complaints:
        raise refuse(path, document.complaints, code="secret-exposed", hint=f"chmod 600 {shlex.quote(str(path))}")
    return inventory


def _validated(document: Document) -> InventoryFile | None:
    """The file's layers, each correct by itself; None when there is nothing to go on with."""
    if not isinstance(document.value, dict):
        if not document.complaints:
            is_empty = document.value is None
            wanted = "a mapping with routers: in it"
            document.complain((), "is empty" if is_empty else f"expected {wanted}, not {kind_of(document.value)}")
        return None
    try:
        return InventoryFile.model_validate(document.value)
    except ValidationError as error:
        findings.complain(document, error)
        return None


def _assembled(path: Path, document: Document, file: InventoryFile) -> Inventory:
    """The core's values of all that is complete; the rest is among the document's complaints."""
    directory = path.parent.absolute()
    merged = merge_file(file)
    gaps = list(find_gaps(file, merged))
    incomplete = {key[1] for key, _ in gaps if key[0] == "routers"}
    routers = tuple(assemble_router(router, directory) for router in merged if router.name not in incomplete)
    for key, text in (*gaps, *find_clashes(routers), *find_impatience(file, routers)):
        document.complain(key, text)
    registries = {
        host: assemble_registry(host, section, directory) for host, section in (file.registries or {}).items()
    }
    return Inventory(path=str(path), routers=routers, registries=registries)
