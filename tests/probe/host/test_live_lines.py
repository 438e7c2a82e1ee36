"""Lines on a real terminal and in a stream."""

from __future__ import annotations

import io

import pytest

from probe.host.live_lines import ROWS, LiveLines, cut
from probe.host.terminal import wants_color
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


def test_a_long_line_takes_one_row_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that wraps would leave rows behind at every drawing: the cursor goes up a row for each line."""
    monkeypatch.setenv("TERM", "xterm")
    with terminal(columns=20) as (controller, stream):
        lines = LiveLines(stream)
        lines.draw(["\x1b[1;31mFAILS\x1b[0m " + "x" * 80, "short"])
        shown = read(controller, "\x1b[J")
        assert shown == f"\x1b[1;31mFAILS\x1b[0m {'x' * 13}\x1b[K\r\nshort\x1b[K\r\n\x1b[J"
        lines.draw([f"line {n}" for n in range(99)])
        assert read(controller, "\x1b[J").count("\x1b[K") == 23, "as many as the terminal has rows"


@pytest.mark.parametrize(
    ("line", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("\x1b[1mabcd\x1b[0m", 2, "\x1b[1mab\x1b[0m"),  # what is bold ends
        ("中文字", 5, "中文"),  # two columns each
        ("e\u0301e\u0301e", 2, "e\u0301e\u0301"),  # an accent has no column of its own
        ("", 3, ""),
    ],
)
def test_columns_are_counted_as_a_terminal_does(line: str, columns: int, shown: str) -> None:
    assert cut(line, columns) == shown


def test_a_console_that_obeys_no_escapes_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("probe.host.terminal.shows_escapes", lambda stream: False)
    with terminal() as (_, stream):
        assert not LiveLines(stream).redraws
        assert not wants_color(stream, refused=False)
