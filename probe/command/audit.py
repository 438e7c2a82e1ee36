"""`wayclear audit`: measure, judge, deliver."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from probe.command.common import (
    bad_file_as_trouble,
    check_output,
    configured,
    deliver,
    exit_code,
    measured,
    rendered,
)
from probe.command.formats import Judged
from probe.command.options import (
    Delivery,
    Judging,
    Measuring,
    add_delivery,
    add_judging,
    add_measuring,
    add_verbose,
)
from probe.command.parser import Parser, filled
from probe.config.settings import check_only


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What the command line says."""

    judging: Judging
    measuring: Measuring
    delivery: Delivery
    only: str | None


def add_options(parser: Parser) -> None:
    parser.description = (
        "Asks for every endpoint that the rules name, politely, and says what a connector would meet."
    )
    add_verbose(parser)
    add_judging(parser)
    add_measuring(parser)
    parser.add_argument(
        "--only", metavar="GLOB", type=filled, help="only names that match, such as '*.msappproxy.net'"
    )
    add_delivery(parser)


def parsed(arguments: argparse.Namespace) -> AuditOptions:
    return AuditOptions(
        Judging.parsed(arguments),
        Measuring.parsed(arguments),
        Delivery.parsed(arguments),
        arguments.only,
    )


@bad_file_as_trouble()
def run(options: AuditOptions) -> int:
    """Audit this network. Trouble for everything that the user can change; the exit code is that of the answer."""
    check_output(options.delivery, options.judging)
    config, rules = configured(options.judging, {**options.measuring.settings, "only": options.only})
    check_only("only" if options.only is None else "--only", config, rules)
    report = measured(config, rules)
    deliver(options.delivery, report, rendered(options.delivery, Judged(report, rules, config)))
    return exit_code(options.delivery, report, report.exit_code)
