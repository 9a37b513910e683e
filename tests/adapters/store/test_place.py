"""Where the store lies, by option, environment or default; and that passwords stay out of sight."""

from pathlib import Path

import pytest

from mtts.adapters.store.place import Place, find_place, refuse_password, without_secrets
from mtts.core.errors import StoreError, UsageError

URL = "postgresql+psycopg://mtts@db.example.net/mtts"


def test_the_option_comes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert find_place("here", {"MTTS_STATE": "there"}) == Place(Path("here"))
    assert find_place(None, {"MTTS_STATE": "there"}) == Place(Path("there"))
    assert find_place(None, {"MTTS_STATE": ""}) == Place(tmp_path / "mtts")
    assert find_place(URL, {}) == Place(tmp_path / "mtts", URL)


@pytest.mark.parametrize("text", ["mysql://user@host/db", "sqlite:///file", "http://host", "postgresql+asyncpg://h/db"])
def test_no_other_database_is_a_place(text: str) -> None:
    with pytest.raises(StoreError) as refused:
        find_place(None, {"MTTS_STATE": text})

    assert refused.value.problem.code == "store-unusable"
    assert "postgresql+psycopg://" in refused.value.problem.hint


PASSWORDS = [
    "postgresql://mtts:geheim@db/mtts",
    "postgresql://:geheim@db/mtts",
    "postgresql://mtts:geheim#/@db/mtts",
    "postgresql://mtts:ge@heim@db/mtts",
    "postgresql://mtts@db/mtts?password=geheim",
    "postgresql://mtts@db/mtts?sslmode=require&sslpassword=geheim&x=y",
]


@pytest.mark.parametrize("url", PASSWORDS)
def test_a_password_is_refused_on_the_command_line_and_taken_from_the_environment(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_place(url, {})

    assert refused.value.problem.code == "secret-exposed"
    assert "geheim" not in str(refused.value.problem)
    assert "$MTTS_STATE" in refused.value.problem.hint
    assert find_place(None, {"MTTS_STATE": url}).url == url


@pytest.mark.parametrize("url", PASSWORDS)
def test_a_place_never_shows_a_password(url: str) -> None:
    place = Place(Path("state"), url)

    assert "heim" not in f"{place} {place!r} {place.lock_file}"
    assert "***" in str(place)


@pytest.mark.parametrize(
    "text", [URL, "postgresql://db/mtts", "state:with@signs", "/var/lib/mtts", "postgresql:///mtts?host=/run"]
)
def test_what_holds_no_password_is_taken_as_it_is(text: str) -> None:
    refuse_password(text)

    assert without_secrets(text) == text


def test_each_store_has_a_lock_of_its_own_whatever_the_password() -> None:
    locks = [Place(Path("s"), url).lock_file for url in (None, URL, f"{URL}2", PASSWORDS[0])]

    assert len(set(locks)) == 4
    assert locks[0] == Path("s/run.lock")
    assert locks[3] == Place(Path("s"), PASSWORDS[0].replace("geheim", "another")).lock_file
