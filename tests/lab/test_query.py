"""Query words as MikroTik describes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.lab.query import compile_query
from mtts.lab.reply import Trap
from tests.lab.desk import ask, make_device

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
        (["type=ether", "type=vlan", "#0"], "b"),
        (["type=ether", "type=vlan", "#1!&|"], "ab"),
        (["type=ether", "#.!|"], "abc"),
        (["type=ether", "#0.!|"], "abc"),
        (["type=ether", "#0!|"], "abc"),
        (["type=ether", "type=vlan", "type=bridge", "#||"], "abc"),
        (["type=ether", "type=vlan", "type=bridge", "#2"], "a"),
        (["type=ether", "#"], "a"),
        (["<name=b"], "a"),
        ([">name=b"], "c"),
        (["=comment="], "a"),
        (["name=a=b"], ""),
    ],
)
def test_a_query_selects_the_rows_that_it_describes(query: list[str], found: str) -> None:
    matches = compile_query(query)
    assert "".join(name for name, row in ROWS.items() if matches(row)) == found


@dataclass(frozen=True)
class Expression:
    """A condition in the words of a query, and what it says of a row."""

    words: tuple[str, ...]
    holds: Callable[[Mapping[str, str]], bool]


def both(left: Expression, right: Expression) -> Expression:
    return Expression((*left.words, *right.words, "#&"), lambda row: left.holds(row) and right.holds(row))


def either(left: Expression, right: Expression) -> Expression:
    return Expression((*left.words, *right.words, "#|"), lambda row: left.holds(row) or right.holds(row))


def no(inner: Expression) -> Expression:
    return Expression((*inner.words, "#!"), lambda row: not inner.holds(row))


def joined(words: Sequence[str]) -> list[str]:
    """The same operations in as few words as can be."""
    shortest: list[str] = []
    for word in words:
        if word.startswith("#") and shortest and shortest[-1].startswith("#"):
            shortest[-1] += word[1:]
        else:
            shortest.append(word)
    return shortest


LEAVES = [
    Expression(("type=vlan",), lambda row: row.get("type") == "vlan"),
    Expression(("=name=a",), lambda row: row.get("name") == "a"),
    Expression(("-mtu",), lambda row: "mtu" not in row),
    Expression(("comment",), lambda row: "comment" in row),
    Expression((">mtu=1000",), lambda row: int(row.get("mtu", 0)) > 1000),
]
expressions = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.builds(no, inner) | st.builds(both, inner, inner) | st.builds(either, inner, inner),
    max_leaves=8,
)


@given(st.lists(expressions, min_size=1, max_size=3))
def test_any_expression_selects_what_it_says_and_several_must_all_hold(wanted: list[Expression]) -> None:
    words = [word for expression in wanted for word in expression.words]
    expected = [name for name, row in ROWS.items() if all(expression.holds(row) for expression in wanted)]
    for query in (words, joined(words)):
        matches = compile_query(query)
        assert [name for name, row in ROWS.items() if matches(row)] == expected


@pytest.mark.parametrize("query", [["#|"], ["name=a", "#&"], ["name=a", "#7"], ["name=a", "#x"], [""]])
def test_a_query_that_cannot_be_worked_out_is_refused(query: list[str]) -> None:
    with pytest.raises(Trap, match="invalid query"):
        compile_query(query)


@pytest.mark.parametrize("path", ["/container/print", "/container/find", "/interface/veth/print", "/file/print"])
@pytest.mark.parametrize("condition", ["", "name=a"])
def test_a_client_s_where_is_refused_rather_than_passed_over(path: str, condition: str) -> None:
    with pytest.raises(Trap, match="a client asks by query"):
        ask(make_device(), path, where=condition)
