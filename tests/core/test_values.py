"""RouterOS' ways of writing a value, and which of them mean the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.values import differing, is_true, normalise, normalise_path, parse_duration, parse_int, parse_size, same

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("93564928", 93564928),
        ("64M", 64 * MIB),
        ("64m", 64 * MIB),
        ("64MiB", 64 * MIB),
        ("64 MB", 64 * MIB),
        ("93.5MiB", int(93.5 * MIB)),
        ("1G", 1024 * MIB),
        ("1TiB", MIB * MIB),
        ("512KiB", 512 * 1024),
        ("12B", 12),
        (" 5 ", 5),
        ("", None),
        ("unlimited", None),
        ("-5", None),
        ("5X", None),
        ("5 M iB", None),
        ("1e6", None),
    ],
)
def test_sizes(text: str, size_bytes: int | None) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("29s", 29),
        ("1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5),
        ("90s", 90),
        ("5m", 300),
        ("250ms", 0.25),
        ("1s295ms", 1.295),
        ("01:22:53", 4973),
        ("00:05:00", 300),
        ("1d01:22:53", 86400 + 4973),
        ("2w1d00:00:01", 2 * 604800 + 86400 + 1),
        ("00:00:10.5", 10.5),
        ("", None),
        ("   ", None),
        ("never", None),
        ("10", None),
        ("5s4m", None),
        ("01:22", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (None, None),
        ("5", 5),
        ("0%", 0),
        ("-3", -3),
        (" 7 ", 7),
        ("unlimited", None),
        ("", None),
        ("1.5", None),
    ],
)
def test_numbers(text: str | None, number: int | None) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize(
    ("text", "truth"),
    [("true", True), ("yes", True), ("false", False), ("no", False), (None, False), ("", False)],
)
def test_booleans_and_an_absent_one_is_false(text: str | None, truth: bool) -> None:
    assert is_true(text) is truth


@pytest.mark.parametrize(
    ("prop", "one", "other"),
    [
        ("start-on-boot", "yes", "true"),
        ("start-on-boot", "no", None),
        ("start-on-boot", "no", ""),
        ("logging", "false", "no"),
        ("root-dir", "mtts/root", "/mtts/root"),
        ("src", "/mtts/state/", "mtts/state"),
        ("tmpdir", "mtts-tmp", "/mtts-tmp"),
        ("tmpfs-max-size", "64M", "67108864"),
        ("memory-high", "67108864", "64.0MiB"),
        ("restart-interval", "10s", "00:00:10"),
        ("auto-restart-interval", "90s", "1m30s"),
        ("address", "172.20.0.2/30,fd00::2/64", "fd00::2/64,172.20.0.2/30"),
        ("mounts", "a,b", "b,a"),
        ("mountlists", "a", "a,"),
        ("tmpfs", "/run/x:1048576:0755", "1M@/run/x"),
        ("tmpfs", "/run/x:1048576:0755", "1048576@run/x"),
        ("tmpfs", "/run/x:1MiB", "/run/x:1048576:1777"),
        ("value", "", None),
        ("comment", None, ""),
    ],
)
def test_two_spellings_of_one_value_are_the_same(prop: str, one: str | None, other: str | None) -> None:
    assert same(prop, one, other)
    assert same(prop, other, one)


@pytest.mark.parametrize(
    ("prop", "one", "other"),
    [
        ("start-on-boot", "yes", None),
        ("root-dir", "mtts/root", "flash/mtts/root"),
        ("tmpfs-max-size", "64M", "unlimited"),
        ("restart-interval", "10s", "unset"),
        ("address", "172.20.0.2/30", "172.20.0.2/30,fd00::2/64"),
        ("tmpfs", "/run/x:1048576", "/run/y:1048576"),
        ("tmpfs", "/run/x:1048576", "2M@/run/x"),
        ("value", "true", "yes"),
        ("value", "/a", "a"),
        ("comment", "mtts:a", "mtts:b"),
    ],
)
def test_values_that_differ_are_not_the_same(prop: str, one: str | None, other: str | None) -> None:
    assert not same(prop, one, other)


def test_only_what_is_wanted_and_not_held_differs() -> None:
    row = {"name": "x", "logging": "true", "comment": "theirs"}
    assert differing({"name": "x", "logging": "yes", "hostname": "h"}, row) == {"hostname": "h"}


@given(st.integers(0, 2**50))
def test_bytes_are_read_as_they_are_written(size_bytes: int) -> None:
    assert parse_size(str(size_bytes)) == size_bytes


@given(st.integers(1, 4000), st.sampled_from(["K", "M", "G"]), st.sampled_from(["", "B", "iB"]))
def test_a_unit_means_the_same_in_each_spelling(number: int, unit: str, rest: str) -> None:
    assert parse_size(f"{number}{unit}{rest}") == parse_size(f"{number}{unit.lower()}")


@given(st.integers(0, 10**8))
def test_a_duration_means_the_same_as_a_clock_and_in_units(seconds: int) -> None:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    assert parse_duration(f"{days}d{hours:02}:{minutes:02}:{left:02}") == seconds
    assert parse_duration(f"{days}d{hours}h{minutes}m{left}s") == seconds


@given(st.text())
def test_parsers_never_fail_on_what_a_router_sends(text: str) -> None:
    assert (parse_size(text) or 0) >= 0
    assert (parse_duration(text) or 0) >= 0
    parse_int(text)


@given(st.text(alphabet="abc/.-"))
def test_a_path_has_one_form(path: str) -> None:
    once = normalise_path(path)
    assert normalise_path(once) == once
    assert same("root-dir", path, f"/{path}/")


@given(
    st.sampled_from(["tmpfs", "root-dir", "memory-high", "restart-interval", "address", "logging", "value"]), st.text()
)
def test_the_one_form_of_a_value_is_its_own_one_form(prop: str, text: str) -> None:
    once = normalise(prop, text)
    assert same(prop, text, text)
    if prop != "restart-interval":  # its one form is a number of seconds
        assert normalise(prop, once) == once
