"""Pinning changes one value and no other byte."""

from pathlib import Path

import pytest

from mtts.adapters.inventory.loader import load_inventory
from mtts.adapters.inventory.pin import pin_fingerprint
from mtts.core.errors import UsageError

PIN = f"sha256:{'ab' * 32}"
OLD = f"sha256:{'cd' * 32}"
HEAD = "# mine\ndefaults: {username: u, password: {env: P}, image: reg.example.net/a}  # kept\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routers:\n  r: {host: h}\n", f'routers:\n  r: {{host: h, fingerprint: "{PIN}"}}\n'),
        ("routers: {r: {host: h , port: 1,}}\n", f'routers: {{r: {{host: h, fingerprint: "{PIN}" , port: 1,}}}}\n'),
        ('routers: {r: {"host": "h"}}', f'routers: {{r: {{"host": "h", fingerprint: "{PIN}"}}}}'),
        (
            "routers:\n    r:\n        host: h   # here\n        port: 1\n",
            f'routers:\n    r:\n        host: h   # here\n        fingerprint: "{PIN}"\n        port: 1\n',
        ),
        ("routers:\n  r:\n    host: h", f'routers:\n  r:\n    host: h\n    fingerprint: "{PIN}"\n'),
        (
            "routers:\r\n  r:\r\n    host: h\r\n    port: 1\r\n",
            f'routers:\r\n  r:\r\n    host: h\r\n    fingerprint: "{PIN}"\r\n    port: 1\r\n',
        ),
        (
            f"routers:\n  r:\n    fingerprint: {OLD}  # old\n    host: h\n",
            f'routers:\n  r:\n    fingerprint: "{PIN}"  # old\n    host: h\n',
        ),
        (
            f"routers: {{r: {{fingerprint: '{OLD}', host: h}}}}\n",
            f'routers: {{r: {{fingerprint: "{PIN}", host: h}}}}\n',
        ),
        (
            "routers:\n  r:\n    fingerprint:\n    host: h\n",
            f'routers:\n  r:\n    fingerprint: "{PIN}"\n    host: h\n',
        ),
        (
            "routers:\n  r:\n    fingerprint:   # none yet\n    host: h\n",
            f'routers:\n  r:\n    fingerprint: "{PIN}"   # none yet\n    host: h\n',
        ),
        (
            "routers:\n  r:\n    host: h\n    nodes: {web: {}}\n  s: {host: i}\n",
            f'routers:\n  r:\n    host: h\n    fingerprint: "{PIN}"\n    nodes: {{web: {{}}}}\n  s: {{host: i}}\n',
        ),
        ("routers:\n  r:\n    host: h\n...\n", f'routers:\n  r:\n    host: h\n    fingerprint: "{PIN}"\n...\n'),
    ],
)
def test_one_value_changes(tmp_path: Path, before: str, after: str) -> None:
    path = written(tmp_path, HEAD + before)
    pin_fingerprint(path, "r", PIN)
    assert path.read_bytes().decode() == HEAD + after
    (router, *_) = load_inventory(path).routers
    assert router.fingerprint == PIN


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff" + HEAD + "routers: {r: {host: h}}\n")
    pin_fingerprint(path, "r", PIN)
    assert path.read_bytes().decode() == "\ufeff" + HEAD + f'routers: {{r: {{host: h, fingerprint: "{PIN}"}}}}\n'


def test_text_beyond_ascii_stays_in_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "# Köln 🏠 \U0001f600\nrouters:\n  r: {window: null, host: h}  # ü\n")
    pin_fingerprint(path, "r", PIN)
    expected = HEAD + f'# Köln 🏠 \U0001f600\nrouters:\n  r: {{window: null, host: h, fingerprint: "{PIN}"}}  # ü\n'
    assert path.read_bytes().decode() == expected


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_the_mode_stays(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, HEAD + "routers: {r: {host: h}}\n")
    path.chmod(mode)
    pin_fingerprint(path, "r", PIN)
    assert path.stat().st_mode & 0o777 == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "routers: {r: {host: h}}\n")
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    pin_fingerprint(link, "r", PIN)
    assert link.is_symlink()
    assert PIN in path.read_text()


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "routers: {r: {host: h}}\n")
    pin_fingerprint(path, "r", PIN)
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_pin_again_leaves_the_file_alone(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "routers: {r: {host: h}}\n")
    pin_fingerprint(path, "r", PIN)
    first = path.stat().st_ino
    pin_fingerprint(path, "r", PIN)
    assert path.stat().st_ino == first


@pytest.mark.parametrize(
    "host", ["host: |-\n      h\n", 'host: "h\\\n      i"\n'], ids=["block text", "quotes over two lines"]
)
def test_a_host_over_several_lines_is_no_obstacle(tmp_path: Path, host: str) -> None:
    text = HEAD + f"routers:\n  r:\n    {host}    port: 1\n"
    path = written(tmp_path, text)
    pin_fingerprint(path, "r", PIN)
    assert load_inventory(path).routers[0].fingerprint == PIN
    assert path.read_text().replace(f'    fingerprint: "{PIN}"\n', "") == text


def test_a_form_that_cannot_be_edited_safely_is_left_to_its_author(tmp_path: Path) -> None:
    text = HEAD + "routers:\n  r:\n    ? host\n    : h\n"
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        pin_fingerprint(path, "r", PIN)
    assert refused.value.problem.code == "inventory-invalid"
    assert f':4: routers.r: cannot be edited safely; add fingerprint: "{PIN}" by hand' in str(refused.value)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("router", "pin", "code"),
    [("gone", PIN, "no-such-target"), ("r", "sha256:zz", "inventory-invalid"), ("r", 'x"\n', "inventory-invalid")],
)
def test_what_cannot_be_pinned_changes_nothing(tmp_path: Path, router: str, pin: str, code: str) -> None:
    text = HEAD + "routers: {r: {host: h}}\n"
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        pin_fingerprint(path, router, pin)
    assert refused.value.problem.code == code
    assert path.read_text() == text


def test_an_invalid_inventory_is_not_edited(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "routers: {r: {host: h, prot: 1}}\n")
    with pytest.raises(UsageError, match="did you mean port"):
        pin_fingerprint(path, "r", PIN)


def test_a_write_that_fails_leaves_the_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    text = HEAD + "routers: {r: {host: h}}\n"
    path = written(tmp_path, text)
    monkeypatch.setattr("mtts.adapters.whole_file.os.fsync", full)
    with pytest.raises(UsageError, match="cannot be written: No space left") as refused:
        pin_fingerprint(path, "r", PIN)
    assert refused.value.problem.code == "inventory-unreadable"
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_cannot_be_pinned(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no regular file"):
        pin_fingerprint(Path("/dev/null"), "r", PIN)
