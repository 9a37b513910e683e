"""Query words as MikroTik describes them."""

import pytest

from mtts.lab.query import compile_query
from mtts.lab.reply import Trap

ROWS = {
    "a": {"name": "a", "type": "ether", "mtu": "1500", "comment": ""},
    "b": {"name": "b", "type": "vlan", "mtu": "900", "comment": "mtts:b"},
    "c": {"name": "c", "type": "bridge"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([], "abc"),
        (["type=vlan"], "b"),
        (["=type=vlan"], "b"),
        (["mtu"], "ab"),
        (["-mtu"], "c"),
        (["<mtu=1000"], "b"),
        ([">mtu=1000"], "a"),
        ([">comment="], "b"),
        (["type=ether", "type=vlan", "#|"], "ab"),
        (["type=ether", "type=vlan", "#|!"], "c"),
        (["type=ether", "mtu=1500"], "a"),
        (["type=ether", "mtu=1500", "#&"], "a"),
        (["type=ether", "#!"], "bc"),
        (["type=ether", "type=vlan", "#1"], "a"),
        (["type=ether", "type=vlan", "#1.|"], "a"),
        (["type=ether", "type=vlan", "#!.&|"], "ac"),
    ],
)
def test_queries_select_rows(query: list[str], found: str) -> None:
    matches = compile_query(query)
    assert "".join(name for name, row in ROWS.items() if matches(row)) == found


@pytest.mark.parametrize("query", [["#|"], ["name=a", "#&"], ["name=a", "#7"], ["name=a", "#x"], [""]])
def test_a_query_that_cannot_be_worked_out_is_refused(query: list[str]) -> None:
    with pytest.raises(Trap, match="invalid query"):
        compile_query(query)
