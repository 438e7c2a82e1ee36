"""`wayclear history`: what changed, and everything that was recorded about an endpoint."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from exporters.terminal import history
from exporters.terminal.style import Style
from probe.command import common
from probe.command.parser import Parser, non_blank
from probe.config.settings import load_config
from probe.errors import CommandError
from probe.history.place import places_to_read
from probe.history.reader import NO_HISTORY, known_names, read_history
from probe.host import standard_streams, terminal
from rules.audit.focus import parse_endpoint
from rules.text.display import display
from rules.text.hostname import BadName
from rules.watch.ledger import REVOCATION

CONNECTOR = "connector"  #: the subject of the transitions of the answer
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_CLOSED = (
    "run it as an administrator (`sudo wayclear history`), or as a member of the group of the service (wayclear). Another one "
    "may lie elsewhere: `--state DIR` names its directory"
)
_EXAMPLES = (
    "for example: --since 7d, --since 12h, --since 2026-11-20, --since 2026-11-20T08:00:00Z. A span of time is one number "
    "with one unit: s, m (minutes), h, d or w"
)


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What the command line says. None: the option was not given."""

    endpoint: str | None
    since: str | None
    config: str | None
    state: str | None
    format: str


def add_options(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        type=non_blank,
        help="HOST or HOST:PORT; default: everything",
    )
    add("--since", metavar="TIME", type=non_blank, help="7d, 12h, 2026-11-20 or a full date and time")
    add("--config", metavar="FILE", type=non_blank, help="configuration, for the place of the history")
    add("--state", metavar="DIR", type=non_blank, help="where the history is kept")
    add("--format", choices=("text", "json"), default="text")


def parsed(arguments: argparse.Namespace) -> HistoryOptions:
    return HistoryOptions(
        arguments.endpoint, arguments.since, arguments.config, arguments.state, arguments.format
    )


@common.convert_bad_file()
def run(options: HistoryOptions) -> int:
    """Show the history. CommandError if there is none, or if an argument cannot be parsed."""
    if options.since is not None:
        parse_since(
            options.since, time.time()
        )  # the user reads about a wrong time first, then about a missing file
    config = load_config(options.config)
    path = options.state and os.path.join(options.state, "history.sqlite")  # noqa: PTH118  # text
    path = path or config.serve.history_path or found_at(places_to_read(os.environ))
    as_json = options.format == "json"
    layout = Style(terminal.terminal_width(sys.stdout), encoding=common.output_encoding())
    text = output(path, options.endpoint, options.since, as_json, time.time(), layout)
    standard_streams.print_message(f"Read from {display(path, 1024)}")
    standard_streams.write_output(text, "utf-8" if as_json else common.output_encoding())
    return 0


def found_at(places: Iterable[str]) -> str:
    """The first place with a history that this account can read; CommandError if there is none.

    An empty file is taken only where no other one is found.
    """
    sizes = {place: _size(place) for place in places}
    readable = [place for place, size in sizes.items() if size is not None and size >= 0]
    if readable:
        return next((place for place in readable if sizes[place]), readable[0])
    if closed := [place for place, size in sizes.items() if size is not None]:
        what = f"history: this account may not read {' or '.join(display(place, 1024) for place in closed)}"
        raise CommandError(what, _CLOSED)
    what = f"there is no history at {' or '.join(display(place, 1024) for place in sizes)}"
    raise CommandError(what, NO_HISTORY)


def _size(place: str) -> int | None:
    """The bytes of a file; -1 for one that this account may not read or look for, None for none."""
    try:
        size = Path(place).stat().st_size
    except PermissionError:
        return -1
    except (OSError, ValueError):
        return None
    return size if os.access(place, os.R_OK) else -1


def output(
    path: str, endpoint: str | None, since: str | None, as_json: bool, now: float, style: Style | None = None
) -> str:
    """The output of `wayclear history [ENDPOINT] [--since SINCE]`; CommandError for a fault. `now` is Unix time."""
    begin = None if since is None else parse_since(since, now)
    asked = None if endpoint is None else _endpoint(endpoint)
    found = read_history(path, asked, begin)
    if asked is not None and asked not in (CONNECTOR, REVOCATION) and not found.events() and not found.ledger:
        _must_know(path, asked)
    return history.to_json(found) if as_json else history.render(found, style or Style())


def _must_know(path: str, endpoint: str) -> None:
    """CommandError if the history does not know `endpoint`: "no change" would mean that the service watches it."""
    names = known_names(path)
    host, colon, _ = endpoint.partition(":")
    if names & {endpoint, host} or (not colon and any(name.startswith(f"{host}:") for name in names)):
        return
    hosts = {name.partition(":")[0] for name in names} - {CONNECTOR, REVOCATION}
    alike = [other for other in get_close_matches(host, sorted(hosts), 1) if other != host]
    advice = (
        f"did you mean {display(alike[0])}?"
        if alike
        else "`wayclear history` shows every name that changed, /targets of the service what is watched"
    )
    raise CommandError(f"history: {display(endpoint)} is not known: it was never seen", advice)


def parse_since(text: str, now: float) -> float:
    """Unix time of `7d` (s, m, h, d, w: that long before `now`), of a day (its start in UTC) or of an RFC 3339 time."""
    given = text.strip()
    span = _SPAN.fullmatch(given)
    if span:
        return max(0.0, now - int(span[1]) * _UNITS[span[2]])
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
            moment = datetime.datetime.fromisoformat(given).replace(tzinfo=datetime.UTC)
        elif re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", given):
            moment = datetime.datetime.fromisoformat(given)
        else:
            raise _bad_since(text, "is neither a span of time nor a date")
        if moment.tzinfo is None:
            raise _bad_since(text, "names no time zone: put a Z behind it for UTC")
        begin = moment.timestamp()
    except (ValueError, OverflowError):
        raise _bad_since(text, "is no date that exists") from None
    if begin > now:
        raise _bad_since(text, "is in the future")
    return max(0.0, begin)


def _bad_since(text: str, what: str) -> CommandError:
    return CommandError(f"history: --since {display(text, 60)} {what}", _EXAMPLES)


def _endpoint(text: str) -> str:
    """`HOST`, `HOST:PORT`, `connector` or the subject of revocation, as the history spells it."""
    if text.strip() in (CONNECTOR, REVOCATION):
        return text.strip()
    try:
        host, port = parse_endpoint(text)
    except BadName as error:
        example = "example: wayclear history login.microsoftonline.com:443"
        raise CommandError(
            f"history: {error}", f"{example}; `{CONNECTOR}` is the answer as a whole"
        ) from None
    return host if port is None else f"{host}:{port}"
