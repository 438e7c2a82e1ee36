"""`wayclear replay`: judge a recorded report again by the present rules. Sends no packet."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from probe.command import common
from probe.command.formats import JudgedReport
from probe.command.options import Delivery, Judging, add_verbose, known_region
from probe.command.parser import Parser, non_blank
from probe.command.shipped_recording import SHIPPED_CAS, is_of_shipped, shipped
from rules.judge.report import replay
from rules.rehearse.marks import LABEL, NOTHING, is_rehearsal


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the command line says."""

    report: str  # a file, or "-" for standard input
    judging: Judging
    delivery: Delivery
    region: str | None = None


def add_options(parser: Parser) -> None:
    parser.description = (
        "Judges the observations of a report (.json or .json.gz) by today's rules. Sends no packet."
    )
    add_verbose(parser)
    parser.add_argument("report", metavar="REPORT", type=non_blank, help="a file, or - for standard input")
    Judging.add_to(parser)
    parser.add_argument(
        "--region",
        metavar="REGION",
        type=known_region,
        help="judge as for a connector group of this region (default: that of the configuration or of the recording)",
    )
    Delivery.add_to(parser)


def parsed(arguments: argparse.Namespace) -> ReplayOptions:
    return ReplayOptions(
        arguments.report, Judging.parsed(arguments), Delivery.parsed(arguments), arguments.region
    )


@common.convert_bad_file()
def run(options: ReplayOptions) -> int:
    """Judge a recorded report again. The exit code is that of the answer. CommandError if it cannot be judged."""
    delivery = options.delivery
    common.check_output(delivery, options.judging, options.report)
    config, rules = common.load_configuration(options.judging, {"region": options.region})
    with common.convert_bad_report(options.report):
        recorded = common.load_report(options.report)
        if options.judging.ca_sets is None and is_of_shipped(recorded):
            judging = replace(options.judging, ca_sets=(str(shipped(SHIPPED_CAS)),))
            config, rules = common.load_configuration(judging, {"region": options.region})
        report = replay(common.as_configured(recorded, config), rules)
    if is_rehearsal(report):
        report = replace(report, answer_text=f"{LABEL}: {NOTHING}. {report.answer_text}")
    common.deliver(delivery, JudgedReport(report, rules, config))
    return 0 if delivery.exit_zero else report.exit_code
