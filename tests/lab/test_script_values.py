"""What expressions and the language's own commands are worth."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.lab.script.values import Time, read_time, read_word, show
from tests.lab.desk import make_device, printed

DEVICE = make_device()
NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("(1 + 2 * 3)", "7"),
        ("((1 + 2) * 3)", "9"),
        ("(-7 / 2)", "-3"),
        ("(-7 % 2)", "-1"),
        ("(7 - 2 - 1)", "4"),
        ("(0x10 + 1)", "17"),
        ("(9223372036854775807 + 1)", "-9223372036854775808"),
        ('("a" . 1 . true)', "a1true"),
        ('("a" . 1 + 1)', "a2"),
        ('("b" > "a")', "true"),
        ("(1 < 2 && 2 < 3 || false)", "true"),
        ("(1 = 1 and !(1 = 2) or false)", "true"),
        ('(1 = "1")', "false"),
        ('("abc" ~ "^a.c\\$")', "true"),
        ("(10.0.0.5 in 10.0.0.0/24)", "true"),
        ("(2 in {1;2;3})", "true"),
        ("(10.0.0.250 + 10)", "10.0.1.4"),
        ("(1m + 30s)", "00:01:30"),
        ("(1d2h = 26h)", "true"),
        ("(90s > 1m)", "true"),
        ("(1m * 3)", "00:03:00"),
        ("(1w2d3h4m5s)", "1w2d03:04:05"),
        ("500ms", "00:00:00.5"),
        ("(1,2,3)", "1;2;3"),
        ('{1;2;"b"="y";a=x}', "1;2;a=x;b=y"),
        ('({"k"={"d"=7}}->"k"->"d")', "7"),
        ("({1;2;3}->1)", "2"),
        ("({1;2;3}->9)", ""),
        ("[:typeof ({1}->9)]", "nothing"),
        ("[:typeof $undeclared]", "nothing"),
        ('($undeclared = "")', "true"),
        ("[:typeof 5]", "num"),
        ("[:typeof five]", "str"),
        ("[:typeof 5s]", "time"),
        ("[:typeof yes]", "bool"),
        ("[:typeof *1A]", "id"),
        ("[:typeof 10.0.0.1]", "ip"),
        ("[:typeof 10.0.0.1/24]", "ip-prefix"),
        ("[:typeof fe80::1]", "ip6"),
        ("[:typeof {}]", "array"),
        ('[:typeof [:parse ":put 1"]]', "code"),
        ("[:typeof [:nothing]]", "nothing"),
        ("[:len héllo]", "5"),
        ("[:len {1;2;a=3}]", "3"),
        ("[:len []]", "0"),
        ("[:pick hello 1 3]", "el"),
        ("[:pick hello 1]", "e"),
        ("[:pick hello 3 99]", "lo"),
        ("[:pick {1;2;3} 1]", "2"),
        ("[:pick {1;2;3} 1 3]", "2;3"),
        ("[:find hello l]", "2"),
        ("[:find hello l 2]", "3"),
        ("[:find {a;b} b]", "1"),
        ("[:typeof [:find hello z]]", "nil"),
        ("[:tonum 12]", "12"),
        ("[:typeof [:tonum twelve]]", "nil"),
        ("[:tobool yes]", "true"),
        ("[:toarray a,b,3]", "a;b;3"),
        ('[:len [:toarray ""]]', "0"),
        ("[:totime 90]", "00:01:30"),
        ("[:typeof [:totime soon]]", "nil"),
        ("[:toip 10.0.0.1]", "10.0.0.1"),
        ("[:typeof [:toip nowhere]]", "nil"),
        ("[:toid *a]", "*A"),
        ("[:tostr {1;a=b}]", "1;a=b"),
        ('[:convert from=base64 to=raw "aGk="]', "hi"),
        ("[:convert to=hex hi]", "6869"),
        ("[:convert transform=lc ABC]", "abc"),
        ('[:serialize to=json value={"a"=1;"b"={true;"x"}}]', '{"a":1,"b":[true,"x"]}'),
        ('[:serialize to=json value="5" options=json.no-string-conversion]', '"5"'),
        ('([:deserialize from=json value="{\\"a\\":{\\"b\\":[1,\\"7\\",null]}}"]->"a"->"b")', "1;7;"),
        ("[:typeof [:timestamp]]", "time"),
        ("([:rndnum from=3 to=5] < 6)", "true"),
    ],
)
def test_an_expression_shows_as_this(expression: str, shown: str) -> None:
    assert printed(DEVICE, f":put {expression}") == shown


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (':put ("a" + 1)', "cannot add string to integer number"),
        (':put (1 - "a")', "cannot subtract string from integer number"),
        (":put (1 * true)", "cannot multiply integer number by boolean"),
        (":put (1m / 1m)", "cannot divide time interval by time interval"),
        (":put (1 / 0)", "division by zero"),
        (":put (1 % 0)", "division by zero"),
        (':put (1 > "0")', "cannot compare if integer number is more than string"),
        (":put (true < false)", "cannot compare if boolean is less than boolean"),
        (":put (-yes)", "cannot negate boolean"),
        (':put ("x" ~ "(")', "bad regexp: a bracket is not closed"),
        (':put ("x"->1)', "cannot take an element of string"),
        (":if (1) do={}", "conditional not boolean"),
        (":put [:pick abc x]", "invalid value for argument begin"),
        (":delay soon", "invalid value for argument delay-time"),
        (":delay (-5s)", "invalid value for argument delay-time"),
        (':put [:deserialize from=json value="{"]', "failed to parse json"),
        (":put [:deserialize from=csv value=a]", "from=csv is not modelled in the lab"),
        (":put [:convert transform=rot13 a]", "transform=rot13 is not modelled in the lab"),
        (":put [:convert from=hex xyz]", "invalid hex value"),
        (":for i from=1 to=2 step=0 do={}", "invalid value for argument step"),
        (":error broken", "broken"),
        (":local x 1; $x", "not a function"),
        (":local x 1; :set ($x->1) 2", "cannot set an element of what is no array"),
        (":local s x; :for i from=1 to=40 do={ :set s ($s . $s) }", "out of memory: the text is too long"),
        (":global f do={ :global f; $f }; $f", "nested too deeply"),
    ],
)
def test_what_does_not_go_together_is_an_error(source: str, problem: str) -> None:
    assert printed(make_device(), source) == problem


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (":local a 1; { :local a 2; :put $a }; :put $a", "2\n1"),
        (":local a 1; { :set a 2 }; :put $a", "2"),
        ("{ :local a 1 }; :put [:typeof $a]", "nothing"),
        (":local a 1; :local f do={ :put [:typeof $a] }; $f", "nothing"),
        (":local f do={ :return ($1 . $2 . $x) }; :put [$f a b x=c]", "abc"),
        (":local f do={ :return 1; :put never }; :put [$f]", "1"),
        (':local p [:parse ":put \\$1"]; $p hi', "hi"),
        ('[[:parse ":put now"]]', "now"),
        (":global g 1; { :global g; :set g 2 }; :put $g", "2"),
        (":global g 1; :local f do={ :put [:typeof $g]; :global g; :put $g }; $f", "nothing\n1"),
        (':local "odd-name" 5; :put $"odd-name"', "5"),
        (':local a {x={y=1}}; :set ($a->"x"->"y") 2; :put ($a->"x"->"y")', "2"),
        (":local a {}; :set ($a->0) p; :set ($a->1) q; :put $a", "p;q"),
        (":local a {1}; :local b $a; :set ($b->0) 2; :put $a", "1"),
        (":for i from=3 to=1 do={ :put $i }", "3\n2\n1"),
        (":for i from=0 to=10 step=5 do={ :put $i }", "0\n5\n10"),
        (':foreach k,v in={a;b;"z"=c} do={ :put "$k:$v" }', "0:a\n1:b\nz:c"),
        (":foreach x in=[] do={ :put $x }", ""),
        (":foreach x in=one do={ :put $x }", "one"),
        (":local i 0; :while ($i < 3) do={ :set i ($i + 1) }; :put $i", "3"),
        (":local i 0; :do { :set i ($i + 1) } while=($i < 3); :put $i", "3"),
        (":do { :error a; :put no } on-error={ :put caught }; :put on", "caught\non"),
        (':onerror e in={ :error why } do={ :put "e=$e" }; :put [:typeof $e]', "e=why\nnothing"),
        (":onerror e in={ :onerror e in={ :error a } do={ :error b } } do={ :put $e }", "b"),
        (":local n 0; :retry command={ :set n ($n + 1); :if ($n < 3) do={ :error x } } delay=0 max=5; :put $n", "3"),
        (":retry command={ :error x } delay=0 max=2 on-error={ :put gave-up }", "gave-up"),
        (":put first; :return 5; :put never", "first"),
        (":put first; { :exit }; :put never", "first"),
        (':put "$(1 + 1)-$[:len abc]-$undeclared-\\$x"', "2-3--$x"),
    ],
)
def test_variables_branches_and_loops_do_as_they_say(source: str, output: str) -> None:
    assert printed(make_device(), source) == output


def test_a_global_is_seen_by_other_scripts_that_declare_it() -> None:
    device = make_device()
    assert printed(device, ":global shared {1;2}") == ""
    assert printed(device, ":put [:typeof $shared]") == "nothing"
    assert printed(device, ":global shared; :put $shared") == "1;2"


@given(NUMBERS, NUMBERS)
def test_arithmetic_is_that_of_64_bits(left: int, right: int) -> None:
    for operator, exact in (("+", left + right), ("-", left - right), ("*", left * right)):
        shown = int(printed(DEVICE, f":put (({left}) {operator} ({right}))"))
        assert (shown - exact) % (1 << 64) == 0
        assert -(1 << 63) <= shown < 1 << 63


@given(st.integers(0, 10**15))
def test_a_time_is_read_back_as_it_is_shown(micros: int) -> None:
    assert read_time(show(Time(micros))) == Time(micros)


@given(st.text(max_size=30))
def test_every_word_has_a_value_that_can_be_shown(text: str) -> None:
    assert isinstance(show(read_word(text)), str)


@given(st.recursive(st.booleans() | st.integers(-999, 999), lambda part: st.lists(part, min_size=1, max_size=4)))
def test_json_survives_the_way_there_and_back(document: object) -> None:
    text = json.dumps(document, separators=(",", ":"))
    quoted = text.replace('"', '\\"')
    assert printed(DEVICE, f':put [:serialize to=json value=[:deserialize from=json value="{quoted}"]]') == text
