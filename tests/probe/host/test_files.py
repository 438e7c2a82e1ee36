"""Reading files that a person wrote, and replacing files: whatever the name leads to, an answer comes at once."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import secrets
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.host.files import (
    LARGEST,
    decode_text,
    exists,
    parse_toml,
    read_file,
    read_input,
    read_toml,
    replace_file,
)
from rules.files.fields import BadFile
from tests import recordings


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_encodings_with_and_without_a_mark(tmp_path: Path, encoding: str, mark: str) -> None:
    """UTF-16 with a mark is what PowerShell 5 writes by `>`."""
    text = 'site = "Zürich €"\r\n'
    own = mark if encoding in ("utf-8", "utf-16-le", "utf-16-be") else ""  # the others write one
    content = (own + text).encode(encoding)
    path = write(tmp_path / "a.toml", content)
    assert read_toml(str(path)).data == {"site": "Zürich €"}
    assert read_toml(str(write(path, gzip.compress(content)))).data == {"site": "Zürich €"}
    assert decode_text(content, "x") == text


ROOT = Path(__file__).resolve().parents[3]


def wayclear(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, as a user calls it."""
    run = [sys.executable, "-m", "probe", *words]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_validate_reads_what_replay_reads(tmp_path: Path, encoding: str) -> None:
    content = recordings.whole("no-network").encode(encoding)
    path = write(tmp_path / "report.json", content)
    for command, more in (("validate", ()), ("replay", ("--exit-zero",))):
        done = wayclear(command, str(path), *more)
        assert (done.returncode, done.stderr) == (0, ""), command
    write(path, content[:-1] + b"\xff\xff")
    for command in ("validate", "replay"):
        done = wayclear(command, str(path))
        assert done.returncode == 3
        assert f"{path}: is not UTF-" in done.stderr


@pytest.mark.parametrize(("form", "mode"), [("prometheus", 0o644), ("json", 0o640), ("text", 0o640)])
def test_metrics_are_readable_by_a_collector_and_reports_by_the_group_only(
    tmp_path: Path, form: str, mode: int
) -> None:
    path = tmp_path / "wayclear.prom"
    path.touch(0o600)  # by whatever program that was there before
    report = write(tmp_path / "report.json.gz", gzip.compress(recordings.whole("no-network").encode()))
    done = wayclear("replay", str(report), "--exit-zero", "--format", form, "--output", str(path))
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_is_cut_or_no_text_is_refused_for_its_encoding() -> None:
    with pytest.raises(BadFile, match=r"^x: is not UTF-16 text \(byte \d+\): save it as UTF-8$"):
        decode_text("a = 1".encode("utf-16")[:-1], "x")
    with pytest.raises(BadFile, match=r"^x: is not UTF-8 text \(byte 3\)"):
        decode_text(b'a="\xff"', "x")


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


# --- replacing ------------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "old")
    replace_file(str(path), [b"new\r\n", b"and more"], 0o640)
    assert path.read_bytes() == b"new\r\nand more"
    assert list(tmp_path.iterdir()) == [path]


def test_without_rights_one_name_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every further name would be refused as well. Under Wine: tests/windows/test_commands.py."""
    tried = []

    def refused(path: str, *_: object, **__: object) -> int:
        tried.append(path)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PermissionError):
        replace_file(str(tmp_path / "a.txt"), [b"new"], 0o640)
    assert len(tried) == 1


def test_names_that_are_taken_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["taken", "taken", "free", *["taken"] * 99])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))
    taken = write(tmp_path / ".a.txt.taken.tmp", "another writer's")
    replace_file(str(tmp_path / "a.txt"), [b"new"], 0o640)
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        replace_file(str(tmp_path / "a.txt"), [b"newer"], 0o640)
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert taken.read_text() == "another writer's"
