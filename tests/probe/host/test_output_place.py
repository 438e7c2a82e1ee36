"""Whose links are followed to where a report is written. Other accounts are real ones: the tests give files away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.host import output_file
from probe.host.output_place import MOST_LINKS, ForeignLink, hold_place, may_write, write_place

STRANGER, OTHER = 64001, 64002


def put(path: Path, text: str = "new", mode: int = 0o640) -> None:
    with hold_place(str(path)) as place:
        write_place(place, [text.encode()], mode)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory such as /tmp: everybody may write there, and it is root's."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def link(path: Path, to: Path | str, owner: int | None = None) -> Path:
    path.symlink_to(to)
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)
    return path


def test_another_user_s_link_is_not_followed_where_everybody_may_write(shared: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("old")
    found = link(shared / "report.json", precious, STRANGER)
    with pytest.raises(ForeignLink, match=f"report.json is a link of another account \\(uid {STRANGER}\\)"):
        put(found)
    with pytest.raises(CommandError, match="and is not followed"):
        output_file.check_writable(found)
    with pytest.raises(CommandError, match="and is not followed"):
        output_file.write_whole(found, "new")
    assert precious.read_text() == "old"
    assert sorted(p.name for p in shared.iterdir()) == ["report.json"]


def test_nor_a_link_on_the_way_there(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    link(shared / "reports", tmp_path / "precious", STRANGER)
    with pytest.raises(ForeignLink):
        put(shared / "reports" / "report.json")
    own = link(tmp_path / "own", shared / "reports" / ".." / "x")
    with pytest.raises(ForeignLink):
        put(own)
    assert not list((tmp_path / "precious").iterdir())


def test_links_of_ours_and_of_the_directory_s_owner_are_followed(shared: Path, tmp_path: Path) -> None:
    put(link(shared / "ours", tmp_path / "a"))
    os.chown(shared, STRANGER, STRANGER)
    put(link(shared / "its owner's", tmp_path / "b", STRANGER))
    assert [(tmp_path / name).read_text() for name in "ab"] == ["new", "new"]
    assert (shared / "ours").is_symlink()
    os.chown(shared, OTHER, OTHER)
    with pytest.raises(ForeignLink):
        put(shared / "its owner's")


def test_another_user_s_pipe_gets_no_report(shared: Path) -> None:
    os.mkfifo(shared / "report.json")
    os.chown(shared / "report.json", STRANGER, STRANGER)
    with pytest.raises(ForeignLink, match="pipe"):
        put(shared / "report.json")


def test_a_pipe_of_ours_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    put(tmp_path / "pipe", "through")
    reader.join()
    assert got == ["through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_relative_names_dots_and_chains_of_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    link(tmp_path / "a" / "up", "../a/./b/../b")
    link(tmp_path / "first", "second")
    link(tmp_path / "second", tmp_path / "a" / "up" / "end")
    monkeypatch.chdir(tmp_path / "a")
    put(Path("../first"))
    assert (tmp_path / "a" / "b" / "end").read_text() == "new"
    put(Path("here"))
    assert (tmp_path / "a" / "here").read_text() == "new"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("loop", "Too many"),
        ("no/x", "No such"),
        ("file/x", "Not a dir"),
        ("x" * 300, "too long"),
        (".", "directory"),
        ("..", "directory"),
    ],
)
def test_what_is_no_place(tmp_path: Path, name: str, word: str) -> None:
    link(tmp_path / "loop", "loop")
    (tmp_path / "file").touch()
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match=word):
        put(tmp_path / name)
    assert set(Path("/proc/self/fd").iterdir()) == before, "no handle is left behind"


def test_a_chain_of_links_ends_where_the_kernel_s_does(tmp_path: Path) -> None:
    for n in range(MOST_LINKS + 1):
        link(tmp_path / f"l{n}", f"l{n + 1}")
    put(tmp_path / "l1")
    with pytest.raises(OSError, match="Too many"):
        put(tmp_path / "l0")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
@pytest.mark.parametrize("mode", [0o640, 0o644])
def test_the_mode_is_as_asked_whatever_the_umask_and_the_file_of_before(
    tmp_path: Path, mask: int, mode: int
) -> None:
    (tmp_path / "x").touch(0o600)
    before = os.umask(mask)
    try:
        put(tmp_path / "x", mode=mode)
        put(tmp_path / "y", mode=mode)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "xy"] == [mode, mode]


def test_where_this_account_may_not_write(tmp_path: Path) -> None:
    with hold_place(str(tmp_path / "x")) as place:
        assert may_write(place)


@pytest.mark.parametrize("where", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_file_s_name(where: str) -> None:
    code = f"""
from pathlib import Path
from probe.host import output_file
output_file.check_writable(Path({where!r}))
output_file.write_whole(Path({where!r}), 'whole')"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole", "")


def test_a_link_that_is_exchanged_in_between_leads_nobody_astray(shared: Path, tmp_path: Path) -> None:
    """Another thread swaps the name between a file and a link as fast as they can; nothing ever lands behind the link."""
    precious = tmp_path / "precious"
    precious.write_text("old")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            link(shared / "next", precious, STRANGER)
            (shared / "next").replace(shared / "report.json")
            (shared / "next").write_text("a file")
            (shared / "next").replace(shared / "report.json")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(300):
            try:
                put(shared / "report.json")
            except ForeignLink:
                continue
    finally:
        done.set()
        swapping.join()
    assert precious.read_text() == "old"
