"""The inventory that `mtts init` writes: a commented start, checked by the loader before anybody sees it.

The text lies in data/inventory.yaml.template; here its gaps are filled, in YAML's own quoting.
"""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from mtts.adapters.inventory.loader import read_inventory
from mtts.adapters.inventory.source_text import SourceText
from mtts.adapters.inventory.yaml_text import parse_yaml

_TEMPLATE: Final = "inventory.yaml.template"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


def render_inventory(
    *,
    routers: Mapping[str, str],
    image: str,
    username: str = "mtts",
    login_server: str | None = None,
    tags: Sequence[str] = (),
) -> str:
    """An inventory of `routers` (name → host); UsageError where an answer is not of its form."""
    template = Template(files("mtts").joinpath("data", _TEMPLATE).read_text(encoding="utf-8"))
    text = template.substitute(
        username=_scalar(username),
        image=_scalar(image),
        login_server=_line(
            "login_server", _scalar(login_server) if login_server else "", "https://headscale.example.net"
        ),
        tags=_line("tags", f"[{', '.join(map(_scalar, tags))}]" if tags else "", "[tag:router]"),
        routers="".join(f"  {_scalar(name)}:\n    host: {_scalar(host)}\n" for name, host in routers.items()).rstrip(),
    )
    read_inventory(Path("inventory.yaml"), SourceText(text, mode=0o600, is_regular=True))
    return text


def _line(key: str, value: str, example: str) -> str:
    return f"{key}: {value}" if value else f"# {key}: {example}"


def _scalar(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and parse_yaml(text).value == text
    return text if is_plain else json.dumps(text)
