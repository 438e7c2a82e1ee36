"""The service's log: one logfmt line for each event, on a stream. Times are RFC 3339, local with the offset from UTC."""

from __future__ import annotations

import logging
from typing import TextIO

from probe.errors import one_line
from rules.text.display import display
from rules.text.moments import utc

LOG = logging.getLogger("wayclear")
#: Characters of one event's text.
MOST_LOGGED = 8192


class LogLine(logging.Formatter):
    """One event as one line, in which the text of a peer is harmless: escaped and cut."""

    def format(self, record: logging.LogRecord) -> str:
        text = display(one_line(record.getMessage()), MOST_LOGGED)
        if record.exc_info:
            text += " | " + display(_calls(self.formatException(record.exc_info)), MOST_LOGGED)
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        # the time of this host with its offset from UTC: one line tells when it was, whoever reads it and wherever
        when = utc(record.created).astimezone().isoformat(timespec="seconds")
        return f'ts={when} level={record.levelname.lower()} msg="{quoted}"'


def _calls(trace: str) -> str:
    """A traceback as one line."""
    return " | ".join(line.strip() for line in trace.split("\n") if line.strip())


def log_to(stream: TextIO) -> None:
    """Send the log of this program and of its libraries to `stream` only."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LogLine())
    LOG.handlers = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    scheduler = logging.getLogger("apscheduler")
    scheduler.handlers, scheduler.propagate = [handler], False
    scheduler.setLevel(logging.ERROR)
    main = logging.getLogger("asyncio")
    main.handlers, main.propagate = [handler], False
