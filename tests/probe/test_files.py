"""Reading files that a person wrote: whatever the name leads to, an answer comes at once."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import time
from pathlib import Path

import pytest

from probe.files import LARGEST, exists, parse_toml, read_file, read_input, read_toml
from rules.fields import BadFile


def why(path: str | Path) -> str:
    begin = time.monotonic()
    with pytest.raises(BadFile) as caught:
        read_toml(str(path))
    assert time.monotonic() - begin < 60, "nothing is waited for"
    return str(caught.value)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_with_its_hash(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", b"\xef\xbb\xbfa = 1\r\n")
    file = read_toml(str(path))
    assert (file.source, file.data) == (str(path), {"a": 1})
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "a.toml: cannot be read: no such file or directory" in why(tmp_path / "a.toml")
    assert "cannot be read: embedded null byte" in why("a\0.toml")
    assert exists(str(tmp_path))
    assert not exists(str(tmp_path / "a.toml"))
    assert not exists("a\0.toml")


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    if sys.platform != "win32":  # which has no such files
        os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name in ("fifo.toml", "zero.toml", "."):
        assert "is not a regular file" in why(tmp_path / name)


def test_a_file_that_tells_no_size_is_capped() -> None:
    content = read_file("/proc/self/cmdline", largest=100_000)  # a regular file of 0 bytes, by what it says
    assert content
    with pytest.raises(BadFile, match="has more than 1 bytes"):
        read_file("/proc/self/cmdline", largest=1)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    assert f"has {LARGEST + 1} bytes, at most {LARGEST} are read" in why(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a = 1\nb = \n", "a.toml:2:5: is not TOML: Invalid value"),
        ("a = 1\na = 2\n", "a.toml:2:6: is not TOML: Cannot overwrite a value"),
        ("a = 'x\x1b'\n", "is not TOML: Found invalid character '\\\\x1b'"),
        (b"a = '\xff'\n", "is not UTF-8 text (byte 5)"),
        ("a = " + "9" * 5000 + "\n", "is not TOML: Exceeds the limit"),
        ("a = " + "[" * 5000 + "]" * 5000, "is nested deeper than 32"),
        ("a = " + "[" * 33 + "]" * 33, "is nested deeper than 32"),
        (".".join("a" * 40) + " = 1", "is nested deeper than 32"),
        (".".join("a" * 500_000) + " = 1", "a.toml:1: more than 256 dots in one line"),
        ("a = " + "[" * 1_000_000, "is nested deeper than 32"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in why(write(tmp_path / "a.toml", content))


def test_thirty_levels_are_fine() -> None:
    assert parse_toml(("a = " + "[" * 30 + "]" * 30).encode(), "a.toml").data


def test_whether_something_is_there_where_nobody_may_look(tmp_path: Path) -> None:
    """Root may look everywhere: a loop of links is refused to everybody, by another reason."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(BadFile, match="cannot be looked at: too many levels of symbolic links"):
        exists(str(loop / "a.toml"))
    write(tmp_path / "file", "")
    assert not exists(str(tmp_path / "file" / "a.toml"))


def test_an_input_is_read_packed_or_not(tmp_path: Path) -> None:
    plain, packed = write(tmp_path / "a.json", b"{}"), write(tmp_path / "a.json.gz", gzip.compress(b"{}"))
    assert read_input(str(plain)) == read_input(str(packed)) == b"{}"


@pytest.mark.parametrize("packed", [False, True])
def test_an_input_may_be_standard_input(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    content = gzip.compress(b"{}") if packed else b"{}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_input("-") == b"{}"


def test_standard_input_is_capped_and_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"123")))
    with pytest.raises(BadFile, match="standard input: has more than 2 bytes"):
        read_input("-", 2)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadFile, match="standard input: cannot be read: it is closed"):
        read_input("-")


def test_a_bomb_stops_at_its_cap(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.gz", gzip.compress(b" " * (4 << 20)))
    with pytest.raises(BadFile, match="has more than 1048576 bytes when unpacked"):
        read_input(str(path), 1 << 20)


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b", b"\x1f\x8bgarbage", gzip.compress(b"x" * 999)[:-9]], ids=["short", "garbage", "cut"]
)
def test_broken_gzip_is_a_message(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadFile, match="cannot be unpacked"):
        read_input(str(write(tmp_path / "a.gz", data)))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    if sys.platform != "win32":  # which has no such files
        os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero"), tmp_path / "missing"):
        with pytest.raises(BadFile):
            read_input(str(path))
