"""The lock that keeps a second writer away."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from probe.history import lock as history_lock
from probe.history.lock import LockHeld, WriterLock
from tests.probe.isolated import ROOT

HOLD = """
import sys
from pathlib import Path
from probe.history.lock import WriterLock
WriterLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holds_it_and_the_other_is_told_who(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path / "lock"), WriterLock(tmp_path / "lock")
    first.acquire()
    first.acquire()
    with pytest.raises(LockHeld, match=f"held by process {os.getpid()}") as caught:
        second.acquire()
    assert caught.value.holder == str(os.getpid())
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_it_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockHeld, match=f"held by process {other.pid}"):
            lock.acquire()
        other.kill()
        other.wait()
    lock.acquire()
    lock.release()


def test_a_file_that_was_removed_or_replaced_is_no_longer_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = WriterLock(path)
    assert not lock.in_place()
    lock.acquire()
    assert lock.in_place()
    path.unlink()
    assert not lock.in_place()
    path.write_text("")
    assert not lock.in_place()
    lock.release()


@pytest.mark.parametrize("content", [b"", b"\xff\x1b[2J", b"12345\n", b" process 12345"])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lock"
    first = WriterLock(path)
    first.acquire()
    path.write_bytes(content)
    with pytest.raises(LockHeld, match=r"^held by another process$"):
        WriterLock(path).acquire()
    first.release()


def test_what_a_writer_before_left_in_the_file_does_not_change_the_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b" process 4294967295\n")
    first = WriterLock(path)
    first.acquire()
    with pytest.raises(LockHeld) as caught:
        WriterLock(path).acquire()
    assert caught.value.holder == str(os.getpid())
    first.release()


def test_a_file_system_without_locks_keeps_nobody_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_descriptor: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOLCK, f"no locks, {blocking=}")

    monkeypatch.setattr(history_lock, "lock_descriptor", unsupported)
    one = WriterLock(tmp_path / "lock")
    one.acquire()
    assert one.in_place()
    one.release()


def test_the_file_is_not_for_everybody_and_a_link_is_not_followed(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "lock")
    before = os.umask(0)
    try:
        lock.acquire()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o640
    lock.release()
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="link"):
        WriterLock(tmp_path / "link").acquire()
    assert not (tmp_path / "precious").exists()
