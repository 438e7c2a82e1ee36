"""`wayclear explain`: measure one endpoint that is on a rule, and show the way to its verdict."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace

from exporters.terminal import tree
from probe.command import common
from probe.command.options import Delivery, Judging, Measuring, add_verbose
from probe.command.parser import Parser
from probe.config.settings import Config
from probe.errors import CommandError
from rules.audit.focus import NotCovered, focus, parse_endpoint
from rules.model.verdict import Report, Status
from rules.text.hostname import BadName

#: What an endpoint's heaviest verdict is as an exit code; see the table in `--help`.
CODES: Mapping[Status, int] = {Status.WARN: 1, Status.FAIL: 2, Status.INCONCLUSIVE: 3, Status.BROKEN: 3}


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What the command line says."""

    endpoint: str
    judging: Judging
    measuring: Measuring
    delivery: Delivery


def add_options(parser: Parser) -> None:
    parser.description = (
        "Asks for one endpoint that is on a rule and shows everything that leads to its verdict."
    )
    add_verbose(parser)
    parser.add_argument("endpoint", metavar="HOST[:PORT]")
    Judging.add_to(parser)
    Measuring.add_to(parser)
    Delivery.add_to(parser)


def parsed(arguments: argparse.Namespace) -> ExplainOptions:
    return ExplainOptions(
        arguments.endpoint,
        Judging.parsed(arguments),
        Measuring.parsed(arguments),
        Delivery.parsed(arguments),
    )


@common.convert_bad_file()
def run(options: ExplainOptions) -> int:
    """Audit one endpoint. The exit code is that of the endpoint. CommandError for what the user can correct."""
    delivery = options.delivery
    common.check_output(delivery, options.judging)
    config, rules = common.load_configuration(options.judging, options.measuring.settings)
    try:
        host, port = parse_endpoint(_with_tenant(options.endpoint, config))
    except BadName as error:
        raise CommandError(
            f"explain: {error}", "example: wayclear explain login.microsoftonline.com:443"
        ) from error
    try:
        narrowed = focus(rules, host, port)
    except NotCovered as error:
        raise CommandError(
            f"explain: {error}", "wayclear asks only for what a rule requires: see `wayclear rules list`"
        ) from error
    judged = common.run_measurement(replace(config, only=""), narrowed)
    report, text = judged.report, None
    if delivery.format == "text":
        text = tree.render(report, host, port, common.report_style(delivery))
    common.deliver(delivery, judged, text)
    return common.exit_code(delivery, report, heaviest(report, host, port))


def _with_tenant(endpoint: str, config: Config) -> str:
    """The endpoint with the tenant's id in the place of `{tenant}`, as reports print it."""
    if "{tenant}" not in endpoint:
        return endpoint
    if config.tenant is None or config.tenant_is_domain:
        given = f"{config.tenant} is a domain of it" if config.tenant is not None else "it is not given"
        raise CommandError(
            f"explain: {{tenant}} stands for your tenant's id, and {given}",
            f"wayclear explain '{endpoint}' --tenant 11111111-2222-3333-4444-555555555555",
        )
    return endpoint.replace("{tenant}", config.tenant)


def heaviest(report: Report, host: str, port: int | None) -> int:
    """The exit code of one endpoint: that of its heaviest verdict, 3 if it has none."""
    found = [
        v.status
        for v in report.verdicts
        if v.endpoint is not None and v.endpoint.host == host and port in (None, v.endpoint.port)
    ]
    return CODES.get(max(found, key=lambda status: status.rank), 0) if found else 3
