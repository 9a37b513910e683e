"""The journal on disk: private, flushed before a method returns, readable after any crash."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.adapters import journal as module
from mtts.adapters.journal import FileJournal
from mtts.core.errors import StoreError
from mtts.core.transaction_record import Opening, TransactionKey

KEY = TransactionKey("router1", "tailscale", "5eed")


def opening(run: str = "8c4f", key: TransactionKey = KEY) -> Opening:
    return Opening(key, run, "sha256:aa", "sha256:bb", "flash/mtts/root/tailscale/b", 1000.0)


def journal_in(directory: Path) -> FileJournal:
    """As another process finds it."""
    return FileJournal(lambda: directory / "transactions")


def test_a_transaction_is_a_private_file_of_json_lines_until_it_ends(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.begin(opening())
    journal.note(KEY, "stage", is_done=False)
    journal.note(KEY, "stage", is_done=True)

    (path,) = (tmp_path / "transactions").iterdir()
    assert path.name == "router1.tailscale.5eed.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    begin, *steps = [json.loads(line) for line in path.read_text().splitlines()]
    assert begin == {
        "event": "begin", "router": "router1", "node": "tailscale", "transaction": "5eed", "run": "8c4f",
        "from": "sha256:aa", "to": "sha256:bb", "root": "flash/mtts/root/tailscale/b", "uptime_s": 1000.0,
    }  # fmt: skip
    assert steps == [{"event": "step", "step": "stage"}, {"event": "done", "step": "stage"}]

    journal.end(KEY)
    journal.end(KEY)
    assert list((tmp_path / "transactions").iterdir()) == []


def test_every_line_is_on_disk_when_the_method_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[bool, int]] = []

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.append((stat.S_ISDIR(found.st_mode), 0 if stat.S_ISDIR(found.st_mode) else found.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    journal = journal_in(tmp_path)
    journal.begin(opening())
    (path,) = (tmp_path / "transactions").iterdir()
    begun = path.stat().st_size
    journal.note(KEY, "stage", is_done=False)

    assert synced == [(False, begun), (True, 0), (False, path.stat().st_size)]


def test_another_process_finds_what_is_open_and_what_was_done(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.begin(opening())
    journal.note(KEY, "prove-image", is_done=False)
    assert not journal_in(tmp_path).open_of("router1", "tailscale")[0].is_proven
    journal.note(KEY, "prove-image", is_done=True)
    journal_in(tmp_path).begin(opening("9d50"))

    (found,) = journal_in(tmp_path).open_of("router1", "tailscale")

    assert (found.key, found.runs, found.is_proven) == (KEY, ("8c4f", "9d50"), True)
    assert journal_in(tmp_path).runs() == {"8c4f", "9d50"}
    assert journal_in(tmp_path).open_of("router2", "tailscale") == []


def test_a_line_that_a_crash_left_half_written_is_passed_over(tmp_path: Path) -> None:
    journal_in(tmp_path).begin(opening())
    (path,) = (tmp_path / "transactions").iterdir()
    with path.open("a", encoding="ascii") as file:
        file.write('{"event": "done", "step": "prove-im')

    (found,) = journal_in(tmp_path).open_of("router1", "tailscale")

    assert (found.runs, found.done) == (("8c4f",), frozenset())


def _left_behind(tmp_path: Path, contents: bytes) -> None:
    """What is in the file of an open transaction after its first line."""
    journal_in(tmp_path).begin(opening())
    (path,) = (tmp_path / "transactions").iterdir()
    path.write_bytes(path.read_bytes() + contents)


@pytest.mark.parametrize("half", [b'{"event": "done", "step": "prove-im', b"\xff\xfe", b" "])
def test_what_is_written_after_half_a_line_is_read(tmp_path: Path, half: bytes) -> None:
    _left_behind(tmp_path, half)

    journal = journal_in(tmp_path)
    journal.begin(opening("9d50"))
    journal.note(KEY, "prove-image", is_done=True)

    (found,) = journal_in(tmp_path).open_of("router1", "tailscale")
    assert (found.runs, found.is_proven) == (("8c4f", "9d50"), True)
    (path,) = (tmp_path / "transactions").iterdir()
    assert b"\n\n" not in path.read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "begin", "run": ["x"]}',
        b'{"event": "begin", "run": {"a": 1}}',
        b'{"event": "begin", "run": 7}',
        b'{"event": "done", "step": ["prove-image"]}',
        b'{"event": ["done"], "step": "prove-image"}',
        b'{"event": "done"}',
        b"[" * 100_000,
        b"9" * 10_000,
        b'null\n1\n"x"',
        b"",
    ],
)
def test_a_line_that_says_nothing_known_is_passed_over(tmp_path: Path, line: bytes) -> None:
    _left_behind(tmp_path, line + b"\n")

    (found,) = journal_in(tmp_path).open_of("router1", "tailscale")

    assert (found.runs, found.done) == (("8c4f",), frozenset())
    assert journal_in(tmp_path).runs() == {"8c4f"}


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_hostile_transaction_id_stays_within_the_directory_and_reads_back(node: str, id_: str) -> None:
    key = TransactionKey("router1", node, id_)

    name = module._name(key)

    assert "/" not in name
    assert module._key(name) == key


def test_a_journal_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "transactions").write_text("no directory")

    with pytest.raises(StoreError, match=r"the journal .*transactions cannot be used") as caught:
        journal_in(tmp_path).begin(opening())

    assert caught.value.problem.code == "store-unusable"


def test_a_full_disk_is_a_store_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(StoreError, match="No space left on device"):
        journal_in(tmp_path).begin(opening())
