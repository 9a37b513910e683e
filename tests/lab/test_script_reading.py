"""A script is read as a whole: what is understood, and where exactly the first mistake is."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtts.lab.script.control import CONTROLS
from mtts.lab.script.errors import Position, ScriptSyntaxError
from mtts.lab.script.lexer import quote
from mtts.lab.script.parser import SOURCE_LIMIT, parse
from mtts.lab.script.vocabulary import BUILTINS
from tests.lab.desk import ROOT, make_device, printed

DEVICE = make_device()
PIECES = (
    *(
        ":local ",
        ":global ",
        ":set ",
        ":if ",
        ":put ",
        ":foreach ",
        ":while ",
        ":do ",
        "do=",
        "else=",
        "in=",
        "x",
        "$x",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        '"',
        "\\",
        "\n",
        ";",
        " ",
        "=",
        "->",
        "+",
        "-",
        ".",
        ",",
        "!",
        "&&",
        "#",
        "1",
        "5m",
    ),
    *("/container ", "/system/identity ", "print ", "find ", "where ", "name=", "get ", "*1", "10.0.0.1/24", "true"),
)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("foo", "bad command name foo (line 1 column 1)"),
        (":foo", "bad command name foo (line 1 column 2)"),
        (":put 1\n  /ip/addresz/print", "bad command name addresz (line 2 column 7)"),
        ("/container foo", "bad command name foo (line 1 column 12)"),
        ("/container add image=x", "expected end of command (line 1 column 16)"),
        ("/container print nonsense", "expected end of command (line 1 column 18)"),
        ("/container print follow", "print follow is not modelled in the lab (line 1 column 18)"),
        (':resolve "x"', "resolve is not modelled in the lab (line 1 column 2)"),
        (":put 1 2", "expected end of command (line 1 column 8)"),
        (":put 1)", "syntax error (line 1 column 7)"),
        (":put (1 + )", "syntax error (line 1 column 11)"),
        (":put (1 + 2", "syntax error (line 1 column 12)"),
        (":put (1 << 2)", "syntax error (line 1 column 10)"),
        (":put (a = b)", "syntax error (line 1 column 7)"),
        (':put "open', "syntax error (line 1 column 11)"),
        (':put "bad \\q"', "syntax error (line 1 column 11)"),
        (':put "costs $ 5"', "syntax error (line 1 column 14)"),
        (":put $", "syntax error (line 1 column 7)"),
        (":put $x.$y", "syntax error (line 1 column 8)"),
        (":put [/container]", "expected command name (line 1 column 7)"),
        (":if (true) do={ :put 1", "syntax error (line 1 column 23)"),
        (":if (true) do=:put", "syntax error (line 1 column 15)"),
        (":if (true) do={ :nope }", "bad command name nope (line 1 column 18)"),
        (":while (true)", "missing value(s) of argument(s) do (line 1 column 14)"),
        (":set y 1", "syntax error (line 1 column 6)"),
        (":local f do={ :set y 1 }; :local y", "syntax error (line 1 column 20)"),
        (":local y; :local f do={ :set y 1 }", "syntax error (line 1 column 30)"),
        ("/container/start where name=x", "expected end of command (line 1 column 24)"),
        ("/container/set 1 name=a name=b", "expected end of command (line 1 column 25)"),
        ("{ :put 1 ]", "syntax error (line 1 column 10)"),
        ("}", "syntax error (line 1 column 1)"),
        (":put " + "(" * 50, "nested too deeply (line 1 column 47)"),
        ("#" * (SOURCE_LIMIT + 1), "script is too long (line 1 column 1)"),
    ],
)
def test_a_mistake_is_named_with_its_place(source: str, problem: str) -> None:
    assert printed(DEVICE, source) == problem


def test_nothing_runs_of_a_script_with_a_mistake_at_its_end() -> None:
    device = make_device()
    assert (
        printed(device, ":put 1\n/system/identity/set name=other\n:oops") == "bad command name oops (line 3 column 2)"
    )
    assert device.setting("/system/identity", "name") == "desk"
    assert device.journal == []


@pytest.mark.parametrize(
    ("version", "source", "problem"),
    [
        ("7.12.1", ":onerror e in={} do={}", "bad command name onerror (line 1 column 2)"),
        ("7.12.1", ":put [:deserialize from=json value=1]", "bad command name deserialize (line 1 column 8)"),
        ("7.12.1", ":do {} on-error={}", ""),
        ("7.13.5", ":onerror e in={} do={}", ""),
        ("7.21.5", ":exit", "bad command name exit (line 1 column 2)"),
        ("7.22.3", ":exit", ""),
        ("7.19.6", "/container/add envlists=x", "expected end of command (line 1 column 16)"),
        ("7.20.8", "/container/add envlists=x", "input does not match any value of envlists"),
        ("7.22.3", "/container/set *1 privileged=yes", "expected end of command (line 1 column 19)"),
    ],
)
def test_a_script_knows_the_words_of_its_version(version: str, source: str, problem: str) -> None:
    assert printed(make_device(version), source).startswith(problem)
    assert bool(printed(make_device(version), source)) == bool(problem)


def test_a_word_hidden_in_parse_fails_only_when_it_is_reached() -> None:
    source = ':do { [:parse "/container/set *1 privileged=yes"] } on-error={ :put old }'
    assert printed(make_device("7.22.3"), source) == "old"


def test_a_menu_without_its_package_is_unknown() -> None:
    device = make_device(container_package=False)
    assert printed(device, "/container/print") == "bad command name container (line 1 column 2)"


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("# nothing\n\n  # indented\n:put 1 ; # behind\n;;:put 2", "1\n2"),
        (':put \\\n  "joined"', "joined"),
        (':put "one \\\n   two"', "one two"),
        (":put 1\r\n:put 2\r\n", "1\n2"),
        (":put {\n  # remark\n  1;\n  2\n}", "1;2"),
        (":put (\n 1 +\n 2 )", "3"),
        (':put "\\48\\45\\_\\$\\?\\t\\\\\\""', 'HE $?\t\\"'),
        ("put plain", "plain"),
        (":if (1 = 1) do={ :put a } else={ :put b }", "a"),
        ("{ :put in; :put side }", "in\nside"),
        ("/system\nidentity\nprint", '0 name="desk"'),
        ("/system identity\n:put [get name]\n/\n:put [/system/identity get name]", "desk\ndesk"),
        ("{ /system/identity\n :put [get name] }\n:put back", "desk\nback"),
        (":put []", ""),
        ("", ""),
    ],
)
def test_what_lines_blanks_and_menus_mean(source: str, output: str) -> None:
    assert printed(DEVICE, source) == output


@given(st.text(alphabet=st.characters(codec="utf-8")))
@example('"\\$[;]{}\n\r\t')
def test_quoted_text_comes_back_unchanged(text: str) -> None:
    block = parse(f":put {quote(text)}", DEVICE.scripts.words)
    assert printed(make_device(), block.source) == text


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("(" * 5000)
@example(":put " + "!" * 5000 + "1")
@example(":put (1" + "+1" * 3000 + ")")
@example("[" * 500)
@example("{" * 500)
@example(":put {" * 100)
@example(":put ($x" + "->1" * 3000 + ")")
@example("/container/find where " + "!" * 3000 + "x")
@example("/container/find where " + "a=1||" * 3000 + "a=1")
@example('"' + "$[" * 300)
def test_any_text_is_a_script_or_a_mistake_with_a_place(text: str) -> None:
    try:
        parse(text, DEVICE.scripts.words)
    except ScriptSyntaxError as error:
        place = error.at
    else:
        place = Position(1, 1)
    lines = text.split("\n")
    assert 1 <= place.line <= len(lines)
    assert 1 <= place.column <= len(lines[place.line - 1]) + 1


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_runs_to_its_end_or_to_an_error(text: str) -> None:
    device = make_device()
    ended = []
    try:
        job = device.scripts.start(text, ROOT)
    except ScriptSyntaxError:
        return
    job.when_ended(lambda: ended.append(job))
    assert ended or device.scripts.jobs


def test_every_word_of_the_language_is_lower_case_and_runs_somewhere() -> None:
    assert set(BUILTINS) == set(CONTROLS)
    assert all(set(name) <= set(string.ascii_lowercase) for name in BUILTINS)
