"""Files are written whole or not at all."""

import os
from pathlib import Path

import pytest

from mtts.adapters.whole_file import check_writable, write_whole
from mtts.core.errors import UsageError


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_asks_for(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "new", "näh\r\n")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == "näh\r\n".encode()
    assert (tmp_path / "new").stat().st_mode & 0o777 == mode


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.write_text("old")
    inode = target.stat().st_ino
    write_whole(target, "new")
    assert target.read_text() == "new"
    assert target.stat().st_ino != inode
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "new \ud800")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UsageError, match="no regular file"):
            check_writable(path)


def test_a_missing_directory_is_said_beforehand(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        check_writable(tmp_path / "none" / "report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_takes_nothing_is_said_beforehand(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="is not writable"):
        check_writable(tmp_path / "report")


def test_a_name_that_is_too_long_is_an_error_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_whole(tmp_path / ("x" * 250), "new")
    assert list(tmp_path.iterdir()) == []
