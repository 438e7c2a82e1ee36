from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from exporters.metrics.exposition import from_state
from probe.errors import CommandError
from probe.serve import textfile
from tests.exporters.states import broken

NAME = "wayclear.prom"


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_the_text_is_there_byte_for_byte_and_readable_by_the_collector(tmp_path: Path) -> None:
    text = from_state(broken())
    mask = os.umask(0o077)
    try:
        textfile.write_textfile(str(tmp_path), NAME, text)
    finally:
        os.umask(mask)
    content = (tmp_path / NAME).read_bytes()
    assert content == text.encode()
    assert content.endswith(b"\n")
    assert b"\r" not in content
    assert not content.startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644
    assert names(tmp_path) == [NAME]


def test_a_line_end_stays_as_it_is(tmp_path: Path) -> None:
    textfile.write_textfile(str(tmp_path), NAME, "a 1\r\nb 2\n")
    assert (tmp_path / NAME).read_bytes() == b"a 1\r\nb 2\n"


def test_a_reader_sees_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    texts = [f"a {n}\n" + f"b {n}\n" * 5_000 for n in range(2)]
    textfile.write_textfile(str(tmp_path), NAME, texts[0])
    done = threading.Event()

    def rewrite() -> None:
        try:
            for n in range(100):
                textfile.write_textfile(str(tmp_path), NAME, texts[n % 2])
        finally:
            done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    seen = set()
    while not done.is_set():
        for path in tmp_path.glob("*.prom"):
            seen.add(path.read_text("utf-8"))
    writer.join()
    assert seen
    assert seen <= set(texts)
    assert names(tmp_path) == [NAME]


def test_a_missing_directory_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as told:
        textfile.write_textfile(str(tmp_path / "missing"), NAME, "a 1\n")
    assert f"{tmp_path / 'missing' / NAME} cannot be written: no such file" in told.value.what
    assert told.value.advice == "make the directory, or name the one that the collector reads"


def test_a_directory_with_a_nul_in_its_name() -> None:
    with pytest.raises(CommandError, match="null"):
        textfile.write_textfile("a\0b", NAME, "a 1\n")


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CommandError, match="not a directory") as told:
        textfile.write_textfile(str(tmp_path / "file"), NAME, "a 1\n")
    assert told.value.advice == "name the directory that the collector reads"


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(CommandError, match="is a directory"):
        textfile.write_textfile(str(tmp_path), NAME, "a 1\n")
    assert names(tmp_path) == [NAME]


def test_a_disk_that_takes_no_more_keeps_the_old_file_whole(tmp_path: Path) -> None:
    textfile.write_textfile(str(tmp_path), NAME, "a 1\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(CommandError, match="too large"):
            textfile.write_textfile(str(tmp_path), NAME, "a 1\n" * 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / NAME).read_bytes() == b"a 1\n"
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize("name", ["../x.prom", "a/b.prom", "x.txt", "", "..", "x.prom.tmp"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match="is no name for a textfile"):
        textfile.write_textfile(str(tmp_path), name, "a 1\n")
    assert names(tmp_path) == []


KILLED = """
import os, signal
from probe.serve import textfile
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
textfile.write_textfile({directory!r}, {name!r}, "a 2\\n")
"""


def test_what_a_killed_writer_left_is_no_metrics_file_and_goes_with_time(tmp_path: Path) -> None:
    textfile.write_textfile(str(tmp_path), NAME, "a 1\n")
    code = KILLED.format(directory=str(tmp_path), name=NAME)
    run = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert run.returncode == -signal.SIGKILL
    (left,) = [path for path in tmp_path.iterdir() if path.name != NAME]
    assert list(tmp_path.glob("*.prom")) == [tmp_path / NAME]
    assert (tmp_path / NAME).read_bytes() == b"a 1\n"

    textfile.write_textfile(str(tmp_path), NAME, "a 3\n")
    assert left.exists(), "it may still be somebody's"
    old = left.stat().st_mtime - 2 * textfile.ABANDONED
    os.utime(left, (old, old))
    textfile.write_textfile(str(tmp_path), NAME, "a 4\n")
    assert names(tmp_path) == [NAME]
