"""Most specific wins: built-in < defaults < groups in order < router < node.

Sections (`node`, `timing`, `flash`) merge key by key; every other value, a list or a map too, is replaced whole.
A key that is null is as if no layer had set it; a section that is null sets nothing. Within one layer,
`image` is short for `node.image`, which comes first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mtts.adapters.inventory.schema import InventoryFile, NodeSection, RouterSection, Section, Settings
from mtts.core.inventory import DEFAULT_NODE

_SECTIONS: Final = frozenset({"node", "timing", "flash"})


@dataclass(frozen=True, slots=True)
class MergedRouter:
    """What the layers together say of one router; a key that none of them set is absent."""

    name: str
    settings: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]


def merge_file(file: InventoryFile) -> tuple[MergedRouter, ...]:
    """Every router of the file with all its layers merged; groups that do not exist are passed over."""
    return tuple(_merge_router(file, name, router) for name, router in file.routers.items())


def merge(layers: Iterable[Section | None]) -> dict[str, Any]:
    """The keys that the layers set, each with the last layer's value."""
    merged: dict[str, Any] = {}
    sections: dict[str, list[Section | None]] = {}
    for layer in layers:
        for key in layer.model_fields_set if layer is not None else ():
            value = getattr(layer, key)
            if key in _SECTIONS:
                sections.setdefault(key, []).append(value)
            elif value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
    return merged | {key: merge(parts) for key, parts in sections.items()}


def _merge_router(file: InventoryFile, name: str, router: RouterSection) -> MergedRouter:
    groups = file.groups or {}
    layers = [file.defaults, *(groups.get(group) for group in router.groups or ()), router]
    shared = [section for layer in layers if layer is not None for section in (_short_image(layer), layer.node)]
    nodes = {}
    for node, own in (router.nodes or {DEFAULT_NODE: None}).items():
        hostname = name if node == DEFAULT_NODE else node
        nodes[node] = {"hostname": hostname, **merge((*shared, own))}
    return MergedRouter(name, merge(layers), nodes)


def _short_image(layer: Settings) -> NodeSection | None:
    return NodeSection.model_construct({"image"}, image=layer.image) if "image" in layer.model_fields_set else None
