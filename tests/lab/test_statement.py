"""What docs/LAB.md says the lab does not model is what it does not model."""

import re
from pathlib import Path

from mtts.lab.fleet import Lab
from mtts.lab.schema import published

PAGE = Path(__file__).parents[2] / "docs" / "LAB.md"
APART = ("/", "/system/scheduler", "/system/script", "/system/script/job")
"""Scripts and what runs them are described elsewhere."""


def stated() -> dict[str, set[str]]:
    """Menu -> commands, of the list in the page."""
    chapter = PAGE.read_text().partition("### Refused as not modelled")[2].partition("\n## ")[0]
    return {
        menu: set(commands.split(", ")) for menu, commands in re.findall(r"^- `(\S+)`: (.+)$", chapter, re.MULTILINE)
    }


async def test_the_commands_that_are_refused_as_not_modelled_are_those_of_the_page(lab: Lab) -> None:
    refused: dict[str, set[str]] = {}
    for version in published():
        name = ".".join(str(part) for part in version)
        device = (await lab.add_router(name, version=name, tls=False)).device
        for menu, commands in device.schema.menus.items():
            missing = set(commands) - set(device.menu(menu).verbs)
            if missing and menu not in APART:
                refused.setdefault(menu, set()).update(missing)
    assert refused == stated()


def test_every_group_of_behaviours_says_where_it_comes_from() -> None:
    chapter = PAGE.read_text().partition("## How far it can be trusted")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in chapter.splitlines() if line.startswith("| ")][2:]
    assert rows
    for group, *sources in rows:
        assert len(sources) == 4, group
        assert any(source.strip() for source in sources), group
