"""Opening secrets from real files, processes and a stand-in keyring."""

import asyncio
import os
import stat
import sys
import traceback
import types
from pathlib import Path

import pytest

from mtts.adapters.redaction import Redactor
from mtts.adapters.secrets import MAX_SECRET_BYTES, SecretStore, open_secret
from mtts.core.errors import UsageError
from mtts.core.secret import FromCommand, FromEnv, FromFile, FromKeyring, Literal, Secret, SecretSource

CANARY = "canary-5e1f"


def secret_file(path: Path, content: bytes, mode: int = 0o600) -> FromFile:
    path.write_bytes(content)
    path.chmod(mode)
    return FromFile(str(path))


def shell(script: str) -> FromCommand:
    return FromCommand((sys.executable, "-c", script))


def refusal(source: SecretSource, **options: float) -> UsageError:
    with pytest.raises(UsageError) as caught:
        open_secret(source, environ={"EMPTY": ""}, **options)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_variable_is_read_as_it_stands() -> None:
    assert open_secret(FromEnv("A"), environ={"A": " x \n"}).reveal() == " x \n"


def test_a_literal_is_itself_even_when_empty() -> None:
    assert open_secret(Literal(Secret(""))).reveal() == ""


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"p\n", "p"),
        (b"p\r\n", "p"),
        (b"p", "p"),
        (b"p \n\n", "p \n"),
        ("pässwort".encode(), "pässwort"),
        (b"p\xff", "p\udcff"),
    ],
)
def test_a_file_loses_its_last_newline_and_nothing_else(tmp_path: Path, content: bytes, value: str) -> None:
    assert open_secret(secret_file(tmp_path / "key", content)).reveal() == value


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_open_to_others_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    error = refusal(secret_file(tmp_path / "key", CANARY.encode(), mode))
    assert error.problem.code == "secret-exposed"
    assert error.problem.hint == f"chmod 600 {tmp_path / 'key'}"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = secret_file(tmp_path / "key", CANARY.encode())
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "key").stat().st_uid + 1)
    error = refusal(source)
    assert error.problem.code == "secret-exposed"
    assert "belongs to another user" in str(error)


def test_what_is_no_readable_file_of_a_sensible_size_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", stat.S_IRUSR | stat.S_IWUSR)
    for source, words in [
        (FromFile(str(tmp_path / "absent")), "No such file"),
        (FromFile(str(tmp_path)), "not a regular file"),
        (FromFile(str(tmp_path / "fifo")), "not a regular file"),
        (secret_file(tmp_path / "empty", b"\n"), "is empty"),
        (secret_file(tmp_path / "large", b"x" * (MAX_SECRET_BYTES + 1)), "larger than"),
    ]:
        error = refusal(source)
        assert error.problem.code == "secret-unavailable"
        assert words in str(error)


def test_a_command_gives_its_first_line() -> None:
    assert open_secret(shell("print('one'); print('two')")).reveal() == "one"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (FromEnv("ABSENT"), "ABSENT does not exist"),
        (FromEnv("EMPTY"), "EMPTY is empty"),
        (
            shell(f"print('{CANARY}', flush=True); import sys; print('locked\\x1b', file=sys.stderr); sys.exit(3)"),
            "3: locked",
        ),
        (shell("raise SystemExit(4)"), "ended with 4: it said nothing"),
        (shell("pass"), "is empty"),
        (FromCommand(("/nonexistent/op", CANARY)), "/nonexistent/op cannot be run: No such file"),
    ],
)
def test_a_source_without_a_secret_says_why_and_shows_no_output(source: SecretSource, words: str) -> None:
    error = refusal(source)
    assert error.problem.code == "secret-unavailable"
    assert words in str(error)


def test_a_command_that_hangs_is_ended() -> None:
    script = f"import time; print('{CANARY}', flush=True); time.sleep(600)"
    error = refusal(shell(script), command_s=0.05)
    assert "gave no secret within 0.05 s" in str(error)
    assert error.__context__ is None


class FakeKeyringError(Exception):
    pass


def install_keyring(monkeypatch: pytest.MonkeyPatch, entries: dict[tuple[str, str], str], *, locked: bool) -> None:
    def get_password(service: str, username: str) -> str | None:
        if locked:
            raise FakeKeyringError(CANARY)
        return entries.get((service, username))

    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = FakeKeyringError  # type: ignore[attr-defined]  # a module made here
    keyring = types.ModuleType("keyring")
    keyring.get_password = get_password  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_the_keyring_is_asked_by_service_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install_keyring(monkeypatch, {("mtts", "router1"): "p"}, locked=False)
    assert open_secret(FromKeyring("mtts", "router1")).reveal() == "p"
    assert "mtts/router2 does not exist" in str(refusal(FromKeyring("mtts", "router2")))


def test_a_locked_keyring_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    install_keyring(monkeypatch, {}, locked=True)
    assert "the keyring does not answer: FakeKeyringError" in str(refusal(FromKeyring("mtts", "router1")))


def test_a_missing_keyring_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refusal(FromKeyring("mtts", "router1")).problem.hint == "pip install 'mtts[keyring]'"


def counting(tmp_path: Path, ending: str) -> tuple[FromCommand, Path]:
    tally = tmp_path / "tally"
    return shell(f"open({str(tally)!r}, 'a').write('x'); {ending}"), tally


async def test_a_source_is_opened_once_for_all_who_ask(tmp_path: Path) -> None:
    source, tally = counting(tmp_path, f"print('{CANARY}')")
    redactor = Redactor()
    store = SecretStore(redactor)
    secrets = await asyncio.gather(*(store.open(source) for _ in range(5)))
    assert {secret.reveal() for secret in secrets} == {CANARY}
    assert tally.read_text() == "x"
    assert redactor.redact(f"<{CANARY}>") == "<***>"


async def test_a_source_that_failed_is_not_asked_again(tmp_path: Path) -> None:
    source, tally = counting(tmp_path, "raise SystemExit(1)")
    store = SecretStore(Redactor())
    for _ in range(2):
        with pytest.raises(UsageError, match="ended with 1"):
            await store.open(source)
    assert tally.read_text() == "x"


async def test_a_literal_is_learnt_by_the_redactor_too() -> None:
    redactor = Redactor()
    assert (await SecretStore(redactor).open(Literal(Secret(CANARY)))).reveal() == CANARY
    assert CANARY not in redactor.redact(CANARY)
