"""`wayclear history`: what changed, and everything that was recorded about an endpoint."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass

from exporters.terminal.style import Style
from probe.command import common
from probe.command.parser import Parser, non_blank
from probe.config.settings import load_config
from probe.history.place import default_path
from probe.history.reader import history_command
from probe.host import standard_streams, terminal


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
    config = load_config(options.config)
    path = options.state and os.path.join(options.state, "history.sqlite")  # noqa: PTH118  # text
    path = path or config.serve.history_path or default_path(os.environ)
    as_json = options.format == "json"
    layout = Style(terminal.terminal_width(sys.stdout), encoding=common.output_encoding())
    text = history_command(path, options.endpoint, options.since, as_json, time.time(), layout)
    standard_streams.write_output(text, "utf-8" if as_json else common.output_encoding())
    return 0
