"""`wayclear rehearse`: what would an audit say if a rule were so? Sends no packet."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import msgspec

from exporters.terminal import rehearse as words
from probe.audit.forged import Forger
from probe.audit.state import place_of, state_of
from probe.command import common
from probe.command.formats import JudgedReport
from probe.command.options import Delivery, Judging, add_verbose
from probe.command.parser import Parser, non_blank
from probe.command.shipped_recording import SHIPPED_CAS, SHIPPED_REPORT, shipped
from probe.config.settings import Config
from probe.errors import CommandError
from probe.host.files import shown_name
from rules.audit.focus import parse_endpoint
from rules.judge.report import replay
from rules.model import causes
from rules.model.observation import kind_of
from rules.model.ruleset import Rules
from rules.model.verdict import Answer, Report
from rules.rehearse.alerts import AlertRule, Fires, firing
from rules.rehearse.changes import Block, Change, ClosedPort, Inspection, untouched
from rules.rehearse.marks import is_rehearsal
from rules.rehearse.rehearsal import rehearse
from rules.text.hostname import BadName

ADVICE = """\
A recording of your own should be of a healthy network. This makes one:
wayclear audit --format json --output report.json
The exit codes are those of audit.
"""
_ADVICE = "example: wayclear rehearse --block '*.servicebus.windows.net'"


@dataclass(frozen=True, slots=True)
class RehearseOptions:
    """What the command line says."""

    report: str | None  # None: the shipped recording
    changes: tuple[Change, ...]
    judging: Judging
    delivery: Delivery


def add_options(parser: Parser) -> None:
    parser.description = (
        "Says what an audit would say, and which alerts would fire, if the network were so. Takes a recorded report and "
        "replaces its answers; sends no packet."
    )
    parser.epilog = ADVICE
    add_verbose(parser)
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=non_blank,
        help="a recorded report in JSON, or - for standard input (default: a healthy network of the lab)",
    )
    parser.add_argument(
        "--block",
        metavar="PATTERN[:PORT]",
        action="append",
        type=non_blank,
        default=[],
        help="no connection to names like it, such as '*.servicebus.windows.net'; may be given again",
    )
    parser.add_argument(
        "--inspect",
        metavar="PATTERN",
        nargs="?",
        const="*",
        action="append",
        type=non_blank,
        default=[],
        help="a device re-signs TLS to names like it (default: to all)",
    )
    parser.add_argument("--no-port-80", action="store_true", help="no connection to TCP port 80")
    parser.add_argument(
        "--reset", action="store_true", help="what is blocked is refused with a RST, not silently dropped"
    )
    Judging.add_to(parser)
    Delivery.add_to(parser)


def parsed(arguments: argparse.Namespace) -> RehearseOptions:
    changes: list[Change] = [_block(text, arguments.reset) for text in arguments.block]
    if arguments.no_port_80:
        changes.append(ClosedPort(80, arguments.reset))
    changes += [Inspection(pattern.strip().lower()) for pattern in arguments.inspect]
    return RehearseOptions(
        arguments.report, tuple(changes), Judging.parsed(arguments), Delivery.parsed(arguments)
    )


def _block(text: str, reset: bool) -> Block:
    """`PATTERN[:PORT]`; the stars of a pattern are kept from the check of the name."""
    stars = text.strip().lower().replace("*", "star")
    try:
        _, port = parse_endpoint(stars)
    except BadName as error:
        raise CommandError(f"rehearse: --block: {str(error).replace('star', '*')}", _ADVICE) from error
    pattern = text.strip().lower()
    return Block(pattern.rpartition(":")[0] if port is not None else pattern, port or 0, reset)


@common.convert_bad_file()
def run(options: RehearseOptions) -> int:
    """Rehearse. The exit code is that of the answer. CommandError for what the user can correct."""
    delivery = options.delivery
    if not options.changes:
        raise CommandError("rehearse: nothing is assumed: give --block, --inspect or --no-port-80", _ADVICE)
    if delivery.format not in ("text", "json"):
        raise CommandError(
            f"rehearse: --format {delivery.format}: a rehearsal gives no metrics, which would look measured",
            "use --format json; the alerts that would fire are among its notes",
        )
    if options.report is None and options.judging.ca_sets is not None:
        raise CommandError(
            "rehearse: --ca-set belongs to a recording of your own: the shipped one has its own CAs",
            "give --report report.json as well, or leave --ca-set out",
        )
    common.check_output(delivery, options.judging, *([options.report] if options.report is not None else []))
    config, rules, recorded, before = _recorded(options)
    _check_touched(options, recorded)
    forger = Forger(recorded.started)
    report = rehearse(recorded, rules, options.changes, forger.chain, config.limits.tcp)
    alerts = _alerts(report, rules, config)
    source = shown_name(options.report) if options.report is not None else ""
    subject = words.Subject(options.changes, before.answer, source)
    _deliver(delivery, subject, JudgedReport(report, rules, config), alerts)
    return 0 if delivery.exit_zero else report.exit_code


def _recorded(options: RehearseOptions) -> tuple[Config, Rules, Report, Report]:
    """Configuration, rules, the recording, and what it says without a change."""
    judging = options.judging
    if options.report is None:
        judging = replace(judging, ca_sets=(str(shipped(SHIPPED_CAS)),))
    config, rules = common.load_configuration(judging, {})
    path = options.report if options.report is not None else str(shipped(SHIPPED_REPORT))
    with common.convert_bad_report(path):
        recorded = common.as_configured(common.load_report(path), config)
        if is_rehearsal(recorded):
            raise CommandError(
                f"rehearse: {shown_name(path)}: is a rehearsal itself, nothing of it was measured",
                "give the recording that it was made of, and all changes at once",
            )
        before = replay(recorded, rules)
    holes = any(v.cause in (causes.AUDIT_NOT_RECORDED, causes.AUDIT_NOT_REACHED) for v in before.verdicts)
    if options.report is None and (holes or before.answer is not Answer.YES):
        sets = ", ".join(used.name for used in rules.rulesets)
        raise CommandError(
            f"rehearse: the shipped recording does not hold what {sets} asks for",
            "record your own network: wayclear audit --format json --output report.json, then give --report report.json",
        )
    return config, rules, recorded, before


def _check_touched(options: RehearseOptions, recorded: Report) -> None:
    """CommandError for a change that touches nothing of the recording: it would look like a change without an effect."""
    for change in untouched(options.changes, recorded.observations):
        names = {
            kind_of(seen.step).name(seen.step)
            for seen in recorded.observations
            if kind_of(seen.step).connects
        }
        some = ", ".join(sorted(name for name in names if name)[:3])
        raise CommandError(
            f"rehearse: the recording has no connection of which this is true: {words.change_text(change)}",
            f"its names are {some}, ...: `wayclear rules show entra-app-proxy` lists the patterns",
        )


def alert_rules() -> dict[str, AlertRule]:
    """The alerts of this version, by name."""
    rows = msgspec.json.decode(shipped("alerts.json").read_bytes(), type=list[AlertRule])
    return {rule.name: rule for rule in rows}


def _alerts(report: Report, rules: Rules, config: Config) -> tuple[Fires, ...]:
    return firing(state_of(report, rules, place_of(config, report.vantage.host)), alert_rules())


def _deliver(
    delivery: Delivery, subject: words.Subject, judged: JudgedReport, alerts: tuple[Fires, ...]
) -> None:
    """As `common.deliver`, with the banner in each place where a reader may begin."""
    text = None
    if delivery.format == "text":
        text = words.render(subject, judged.report, alerts, common.report_style(delivery))
    noted = replace(judged.report, notes=(*judged.report.notes, *words.notes(subject, alerts)))
    written = f"{words.BANNER}. The rehearsal is in {delivery.output}"
    common.deliver(delivery, replace(judged, report=noted), text, written)
