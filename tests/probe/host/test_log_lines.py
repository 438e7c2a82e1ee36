"""The service's log: an event is one harmless line, whatever a peer put into it."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from collections.abc import Iterator

import pytest

from probe.errors import CommandError
from probe.host import log_lines
from rules.files.fields import BadFile, Fault

assert sys.platform != "win32"  # `tzset` is of Unix; also tells the type checker


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service would write, with the loggers as they were afterwards."""
    names = ("wayclear", "apscheduler", "asyncio")
    before = [
        (logging.getLogger(n), logging.getLogger(n).handlers, logging.getLogger(n).propagate) for n in names
    ]
    stream = io.StringIO()
    log_lines.log_to(stream)
    yield stream
    for logger, handlers, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(logging.NOTSET)


def say(level: int, message: str, *values: object) -> None:
    """Log by the service's own handlers alone: pytest would keep a lone surrogate too, and cannot send it to its parent."""
    own = [handler for handler in log_lines.LOG.handlers if isinstance(handler.formatter, log_lines.LogLine)]
    for handler in own:
        handler.handle(logging.LogRecord("wayclear", level, __file__, 1, message, values, None))


HOSTILE = [
    "two\nlines", "carriage\rreturn", "\x1b[2J\x1b]0;owned\x07", "a \"quoted\" word and a \\", "\x9b31m", "\u202egnp.exe",
    "\ud800", "ts=2026-01-01T00:00:00 level=info msg=\"forged\"", "%s %d %(name)s {0}", "x" * 1_000_000, "\0", "\u2028",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text[:20]) for text in HOSTILE])
def test_an_event_is_one_harmless_line(log: io.StringIO, text: str) -> None:
    say(logging.ERROR, "%s", text)
    say(logging.ERROR, "%s: %s", text, 3)
    say(logging.WARNING, "%s", text)
    lines = log.getvalue().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(r'ts=\S+ level=(error|warning) msg="(?:[^"\\]|\\.)*"', line), line
        assert line.isprintable()
        assert len(line.encode()) <= log_lines.MOST_LOGGED + 1024


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("UTC", "2026-07-01T12:00:00+00:00"),
        ("Europe/Berlin", "2026-07-01T14:00:00+02:00"),
        ("America/St_Johns", "2026-07-01T09:30:00-02:30"),
    ],
)
def test_times_are_local_and_carry_their_offset(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch, zone: str, told: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        record = logging.LogRecord("wayclear", logging.INFO, __file__, 1, "begun", (), None)
        record.created = 1_782_907_200.9
        assert log_lines.LogLine().format(record) == f'ts={told} level=info msg="begun"'
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_exception_is_on_the_line_of_its_event(log: io.StringIO) -> None:
    try:
        raise ValueError("a\nb\x1b[2J")
    except ValueError:
        log_lines.LOG.exception("it failed")
    (line,) = log.getvalue().splitlines()
    assert line.isprintable()
    assert "it failed" in line
    assert "ValueError" in line


def test_a_message_of_several_lines_reads_well_on_one(log: io.StringIO) -> None:
    fault = BadFile("w.toml", [Fault("site", "is empty"), Fault("region", "is 3")])
    say(logging.ERROR, "reload refused: %s", fault)
    say(logging.ERROR, "%s", CommandError("the port is taken", "name another one"))
    try:
        raise fault
    except BadFile:
        log_lines.LOG.exception("it failed")
    refused, taken, traced = log.getvalue().splitlines()
    assert refused.endswith('msg="reload refused: w.toml: 2 things are wrong: site: is empty; region: is 3"')
    assert taken.endswith('msg="the port is taken: name another one"')
    assert "\\x0a" not in refused + taken + traced


def test_other_libraries_log_in_the_same_form(log: io.StringIO) -> None:
    logging.getLogger("apscheduler.scheduler").warning("chatter")
    logging.getLogger("apscheduler.executors.default").error("a job failed\n")
    logging.getLogger("asyncio").error("a task failed\n")
    assert len(log.getvalue().splitlines()) == 2
