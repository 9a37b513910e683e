"""Reads the RouterOS scripts that come with mtts, as they are in `routeros/`."""

from importlib.resources import files


def read_script(name: str) -> str:
    """The text of `routeros/<name>.rsc`."""
    return (files("mtts") / "data" / "scripts" / f"{name}.rsc").read_text(encoding="utf-8")
