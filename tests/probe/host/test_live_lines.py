"""Lines on a real terminal and in a stream."""

from __future__ import annotations

import io

import pytest

from probe.host.live_lines import ROWS, LiveLines
from tests.probe.host.test_terminal import read, terminal


def test_a_terminal_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as (controller, stream):
        lines = LiveLines(stream)
        assert lines.redraws
        assert lines.rows == 24
        lines.draw(["one", "two"])
        assert read(controller, "\x1b[J") == "one\x1b[K\r\ntwo\x1b[K\r\n\x1b[J"
        lines.draw(["three"])
        assert read(controller, "\x1b[J") == "\x1b[2Fthree\x1b[K\r\n\x1b[J", "two lines up"
        lines.append(["stays"])
        lines.draw(["four"])
        assert read(controller, "\x1b[J") == "stays\r\nfour\x1b[K\r\n\x1b[J"


def test_a_terminal_without_a_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as (_, stream):
        assert not LiveLines(stream).redraws


def test_a_stream_keeps_what_was_written() -> None:
    stream = io.StringIO()
    lines = LiveLines(stream)
    assert not lines.redraws
    assert lines.rows == ROWS
    lines.append(["one"])
    lines.append([])
    lines.append(["two"])
    assert stream.getvalue() == "one\ntwo\n"


def test_a_closed_stream_is_no_reason_to_fail() -> None:
    stream = io.StringIO()
    lines = LiveLines(stream)
    stream.close()
    lines.append(["one"])
