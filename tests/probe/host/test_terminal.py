"""Terminals are real ones (a pty), files are real files."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import stat
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from probe.errors import Trouble
from probe.host import terminal as screen

assert sys.platform != "win32"  # terminals are pseudo terminals here; also tells the type checker


@contextmanager
def terminal(columns: int = 60) -> Iterator[tuple[int, TextIO]]:
    """The reading end and a text stream of a new terminal."""
    controller, device = os.openpty()
    fcntl.ioctl(device, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with os.fdopen(device, "w", encoding="utf-8") as stream:
            yield controller, stream
    finally:
        os.close(controller)


def read(controller: int, until: str) -> str:
    """What the terminal has shown, up to `until`: a terminal gives it in pieces."""
    shown = ""
    while until not in shown:
        assert select.select([controller], [], [], 10)[0], f"only {shown!r} came"
        shown += os.read(controller, 65536).decode()
    return shown


def test_the_bar_is_drawn_over_and_erased() -> None:
    with terminal() as (controller, stream):
        bar = screen.Bar(stream)
        bar.tell("service", 1, 4, 12.0, "12 names, about 30 connections, about 20 s")
        first = read(controller, "left")
        assert first.startswith("12 names, about 30 connections, about 20 s\r\n")
        assert first.endswith("\r[######..................] 1/4 service, about 12 s left")
        bar.tell("rest", 4, 4, 0.0, None)
        second = read(controller, "rest" + " " * 20)
        assert "\n" not in second
        assert second.rstrip() == "\r[########################] 4/4 rest"
        bar.erase()
        assert read(controller, " \r").strip(" \r") == ""


def test_the_bar_is_silent_in_a_pipe() -> None:
    stream = io.StringIO()
    bar = screen.Bar(stream)
    bar.tell("service", 1, 4, 12.0, "a plan")
    bar.erase()
    assert stream.getvalue() == ""


def test_an_empty_plan_is_no_division() -> None:
    with terminal() as (controller, stream):
        screen.Bar(stream).tell("this host", 0, 0, 0.0, "no names")
        assert read(controller, " host") == "no names\r\n\r[........................] this host"


def test_the_plan_comes_before_the_bar() -> None:
    with terminal() as (controller, stream):
        bar = screen.Bar(stream)
        bar.tell("this host", 0, 0, 0.0, None)
        bar.tell("names", 0, 4, 2.0, "the plan")
        bar.tell("service", 1, 4, 2.0, None)
        assert read(controller, "service").startswith("the plan\r\n\r[")


def test_color_needs_a_terminal_and_nobody_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as (_, stream):
        assert screen.wants_color(stream, refused=False)
        assert not screen.wants_color(stream, refused=True)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not screen.wants_color(stream, refused=False)
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert not screen.wants_color(stream, refused=False)
    assert not screen.wants_color(io.StringIO(), refused=False)
    assert not screen.wants_color(stream, refused=False)  # closed by now


@pytest.mark.parametrize(("columns", "width"), [(60, 60), (999, screen.WIDEST), (0, screen.WIDTH)])
def test_width_is_the_terminals_where_people_still_read(columns: int, width: int) -> None:
    with terminal(columns) as (_, stream):
        assert screen.terminal_width(stream) == width


def test_width_is_that_of_a_page_without_a_terminal() -> None:
    assert screen.terminal_width(io.StringIO()) == screen.WIDTH


def test_say_survives_what_the_terminal_cannot_print(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii"))
    screen.say("a \u2192 b")
    assert raw.getvalue() == b"a \\u2192 b\n"
    with Path(os.devnull).open() as deaf:  # open for reading: cannot be written to
        monkeypatch.setattr(sys, "stderr", deaf)
        screen.say("nobody hears this")
        monkeypatch.undo()


def test_put_writes_bytes_of_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    screen.put("é\n", "utf-8")
    assert raw.getvalue() == "é\n".encode()
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    screen.put("é\n", "utf-8")
    assert text.getvalue() == "é\n"


def test_a_file_is_written_whole_and_not_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    screen.write_whole(path, "old")
    screen.write_whole(path, "néw")
    assert path.read_text("utf-8") == "néw"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Trouble, match="No space left on device"):
        screen.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    screen.write_whole(link, "x")
    assert link.is_symlink()
    assert real.read_text() == "x"


def test_a_device_is_written_as_it_is() -> None:
    screen.check_writable(Path(os.devnull))
    screen.write_whole(Path(os.devnull), "x")
    assert not Path(os.devnull).is_file()


def test_a_directory_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="is a directory"):
        screen.check_writable(tmp_path)
    with pytest.raises(Trouble, match="there is no directory"):
        screen.check_writable(tmp_path / "no" / "report.json")
    screen.check_writable(tmp_path / "report.json")


def test_an_output_that_may_not_be_looked_at_is_a_message(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Trouble, match="cannot be written: Too many levels of symbolic links"):
        screen.check_writable(loop)
    with pytest.raises(Trouble, match="cannot be written: File name too long"):
        screen.check_writable(tmp_path / ("x" * 300))


def test_what_is_read_is_not_written_over_by_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, soft, hard = (tmp_path / name for name in ("r.json", "soft", "hard"))
    recording.write_text("{}")
    soft.symlink_to(recording)
    hard.hardlink_to(recording)
    for output in (recording, soft, hard, tmp_path / "." / "r.json"):
        with pytest.raises(Trouble, match="which is read here and would be overwritten"):
            screen.check_spares(output, ["-", str(recording)])
    screen.check_spares(tmp_path / "other.json", [str(recording), str(tmp_path / "none")])
    screen.check_spares(Path(os.devnull), [os.devnull])
    with recording.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(Trouble, match="is standard input, which is read"):
            screen.check_spares(recording, ["-"])


def test_no_standard_output_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(Trouble, match="standard output is closed"):
        screen.put("x", "utf-8")
