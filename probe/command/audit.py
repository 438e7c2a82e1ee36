"""`wayclear audit`: measure, judge, deliver."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from probe.command import common
from probe.command.ask_tenant import ask_tenant
from probe.command.options import Delivery, Judging, Measuring, add_verbose
from probe.command.parser import Parser, non_blank
from probe.config.settings import check_only
from probe.host.standard_streams import print_message
from rules.files.fields import BadFile
from rules.text.display import display


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
    Judging.add_to(parser)
    Measuring.add_to(parser)
    parser.add_argument(
        "--only", metavar="GLOB", type=non_blank, help="only names that match, such as '*.msappproxy.net'"
    )
    Delivery.add_to(parser)


def parsed(arguments: argparse.Namespace) -> AuditOptions:
    return AuditOptions(
        Judging.parsed(arguments),
        Measuring.parsed(arguments),
        Delivery.parsed(arguments),
        arguments.only,
    )


@common.convert_bad_file()
def run(options: AuditOptions) -> int:
    """Audit this network. The exit code is that of the answer. CommandError for what the user can correct."""
    common.check_output(options.delivery, options.judging)
    config, rules = common.load_configuration(
        options.judging, {**options.measuring.settings, "only": options.only}
    )
    tenant = ask_tenant(config, rules)
    if tenant is not None:
        try:
            config, rules = common.load_configuration(
                options.judging, {**options.measuring.settings, "only": options.only, "tenant": tenant}
            )
        except BadFile:
            print_message(
                f"{display(tenant, 60)} is neither a tenant's id nor a domain: the audit goes on without it."
            )
    check_only("only" if options.only is None else "--only", config, rules)
    judged = common.run_measurement(config, rules)
    common.deliver(options.delivery, judged)
    return common.exit_code(options.delivery, judged.report, judged.report.exit_code)
