"""`WWW-Authenticate` as registries write it, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters.registry.challenge import Challenge, choose_challenge, parse_challenges

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
HUB_PARAMS = {
    "realm": "https://auth.docker.io/token",
    "service": "registry.docker.io",
    "scope": "repository:a/b:pull,push",
}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([HUB], [Challenge("bearer", HUB_PARAMS)]),
        ([HUB.replace(",", " , ").replace(" , push", ",push")], [Challenge("bearer", HUB_PARAMS)]),
        (["bearer REALM=https://r.example/token,service=gcr.io"],
         [Challenge("bearer", {"realm": "https://r.example/token", "service": "gcr.io"})]),
        (['Bearer realm = "https://r.example/t" ,\tservice= "s"'],
         [Challenge("bearer", {"realm": "https://r.example/t", "service": "s"})]),
        (['Basic realm="a", Bearer realm="b"'],
         [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b"})]),
        (['Bearer realm="b"', 'Basic realm="a"'],
         [Challenge("bearer", {"realm": "b"}), Challenge("basic", {"realm": "a"})]),
        (["Negotiate", 'Basic realm="x"'], [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (['Negotiate YII==, Basic realm="x"'], [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (['Negotiate YIIabc/+-._~, Basic realm="x"'], [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (['Negotiate, NTLM, Basic realm="x"'],
         [Challenge("negotiate", {}), Challenge("ntlm", {}), Challenge("basic", {"realm": "x"})]),
        ([r'Basic realm="a \"quoted\" \\ name"'], [Challenge("basic", {"realm": r'a "quoted" \ name'})]),
        (['Bearer realm="b",scope=""'], [Challenge("bearer", {"realm": "b", "scope": ""})]),
        (['Bearer realm="first",realm="second"'], [Challenge("bearer", {"realm": "first"})]),
        (['Bearer ,, realm="b",,'], [Challenge("bearer", {"realm": "b"})]),
        (['Bearer realm="never ends, service=s'], [Challenge("bearer", {})]),
        (['realm="an orphan"'], []),
        (["", " , ,"], []),
        (['"noise" <>, Bearer realm="b"'], [Challenge("bearer", {"realm": "b"})]),
    ],
)  # fmt: skip
def test_challenges_are_read_by_the_whole_grammar(fields: list[str], expected: list[Challenge]) -> None:
    assert list(parse_challenges(fields)) == expected


tokens = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True)
params = st.dictionaries(tokens.map(str.lower), st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))


@given(st.lists(st.tuples(tokens, params)))
def test_what_is_written_by_the_grammar_is_read_back(offers: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    field = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in values.items()) if values else scheme
        for scheme, values in offers
    )
    assert parse_challenges([field]) == tuple(Challenge(scheme.lower(), values) for scheme, values in offers)


@given(st.lists(st.text() | st.text(alphabet='Ba=", \\\t')))
def test_no_text_makes_the_parser_fail(fields: list[str]) -> None:
    for challenge in parse_challenges(fields):
        assert challenge.scheme == challenge.scheme.lower()


def test_a_bearer_challenge_is_chosen_wherever_it_stands_if_it_names_a_realm() -> None:
    challenges = parse_challenges(['Basic realm="a", Bearer service="s", Bearer realm="b"'])
    bearer = choose_challenge(challenges, "bearer")
    assert bearer is not None
    assert bearer.params["realm"] == "b"
    assert choose_challenge(challenges, "basic") == challenges[0]
    assert choose_challenge(challenges, "negotiate") is None
