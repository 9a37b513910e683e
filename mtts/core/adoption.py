"""Containers that somebody set up by hand: which of them could be the node."""

from mtts.core.facts import ContainerRow, Facts


def lookalikes(facts: Facts) -> tuple[ContainerRow, ...]:
    """Containers without a tag of ours that run Tailscale, by image, name or mount."""
    mounts = {
        name
        for item in facts.table("/container/mounts")
        if item.get("dst") == "/var/lib/tailscale" and item.tag is None
        for name in (item.get("name"), item.get("list"))
        if name
    }

    def is_lookalike(row: ContainerRow) -> bool:
        refers = {*row.props.get("mounts", "").split(","), *row.props.get("mountlists", "").split(",")}
        return "tailscale" in f"{row.image} {row.name} {row.root_dir}".lower() or not mounts.isdisjoint(refers)

    return tuple(row for row in facts.containers if row.tag is None and is_lookalike(row))
