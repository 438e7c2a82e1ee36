"""Terminals are real ones (a pty), files are real files."""

from __future__ import annotations

import fcntl
import io
import os
import select
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

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
        bar.show("service", 1, 4, 12.0, "12 names, about 30 connections, about 20 s")
        first = read(controller, "left")
        assert first.startswith("12 names, about 30 connections, about 20 s\r\n")
        assert first.endswith("\r[######..................] 1/4 service, about 12 s left")
        bar.show("rest", 4, 4, None, None)
        second = read(controller, "known")
        assert "\n" not in second
        assert second.rstrip() == "\r[########################] 4/4 rest, time left not known"
        bar.erase()
        assert read(controller, " \r").strip(" \r") == ""


def test_the_bar_is_silent_in_a_pipe() -> None:
    stream = io.StringIO()
    bar = screen.Bar(stream)
    bar.show("service", 1, 4, 12.0, "a plan")
    bar.erase()
    assert stream.getvalue() == ""


def test_an_empty_plan_is_no_division() -> None:
    with terminal() as (controller, stream):
        screen.Bar(stream).show("this host", 0, 0, None, "no names")
        shown = read(controller, "known")
        assert shown == "no names\r\n\r[........................] this host, time left not known"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "time left not known"), (0.0, "about 1 s left"), (12.4, "about 12 s left"), (89.0, "about 89 s left"),
     (90.0, "about 2 min left"), (3600.0, "about 60 min left")],
)  # fmt: skip
def test_the_time_left_is_told_or_said_to_be_unknown(seconds: float | None, told: str) -> None:
    assert screen.time_left(seconds) == told


def test_the_plan_comes_before_the_bar() -> None:
    with terminal() as (controller, stream):
        bar = screen.Bar(stream)
        bar.show("this host", 0, 0, 0.0, None)
        bar.show("names", 0, 4, 2.0, "the plan")
        bar.show("service", 1, 4, 2.0, None)
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
