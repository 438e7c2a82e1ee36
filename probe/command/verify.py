"""`wayclear verify`: ask once more what failed in a recorded report, while a rule is changed."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, replace

from exporters.terminal import verify as words
from exporters.terminal.style import Style
from probe.audit.verify import run_rounds
from probe.command import common
from probe.command.formats import FORMATS, JudgedReport
from probe.command.options import Delivery, Judging, add_verbose
from probe.command.parser import Parser, non_blank, safe
from probe.config.settings import Config
from probe.errors import CommandError
from probe.host import standard_streams, terminal
from probe.host.files import decode_text, exists, read_input, shown_name
from probe.host.live_lines import LiveLines
from rules.files.limits import LARGEST_REPORT
from rules.files.report_json import BadReport, loads
from rules.model.ruleset import Rules
from rules.model.verdict import Answer, Report
from rules.rehearse.marks import is_rehearsal
from rules.verify.flows import Flow, NoSuchFinding, Standing
from rules.verify.rounds import Progress, Verification

STILL_FAILS = 2  #: exit code while a flow does not pass

EXIT_CODES = """\
exit codes:
  0  every flow passes    2  something still fails    3  no such report or finding
"""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the command line says. `finding` is "" for all findings that failed."""

    report: str
    finding: str
    watch: bool
    judging: Judging
    delivery: Delivery


def add_options(parser: Parser) -> None:
    parser.description = (
        "Asks once more for what failed in a report (.json or .json.gz), and for nothing else. Run it on the host that made "
        "the report, while the rule is changed."
    )
    parser.epilog = EXIT_CODES
    add_verbose(parser)
    parser.add_argument(
        "report",
        metavar="REPORT[#FINDING]",
        type=non_blank,
        help="a report in JSON (all findings: also - for standard input); #1 is finding 1 with what follows from it",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="ask every 15 s until all of it passes (Ctrl-C ends it with a report)",
    )
    Judging.add_to(parser)
    Delivery.add_to(parser)


def parsed(arguments: argparse.Namespace) -> VerifyOptions:
    report, finding = _split(arguments.report)
    return VerifyOptions(
        report, finding, arguments.watch, Judging.parsed(arguments), Delivery.parsed(arguments)
    )


def _split(text: str) -> tuple[str, str]:
    """File and finding. A file may have a # in its name."""
    file, mark, finding = text.rpartition("#")
    if not mark or exists(text):
        return text, ""
    if not file or not finding:
        raise CommandError(
            f"verify: argument REPORT: {safe(text)} has no {'number' if file else 'file'} at its #",
            "example: wayclear verify 'report.json#1'",
        )
    return file, finding


@common.convert_bad_file()
def run(options: VerifyOptions) -> int:
    """Ask again. The exit code is 0 when every flow passes, 2 otherwise. CommandError if there is nothing to go by."""
    delivery = options.delivery
    common.check_output(delivery, options.judging, options.report)
    config, rules = common.load_configuration(options.judging, {})
    recorded = _recorded(options)
    verification = _verification(options, recorded, rules)
    if not verification.flows:
        return _nothing_failed(options, recorded)
    subject = words.Subject(recorded, options.finding, options.watch)
    report, progress = _measured(verification, subject, config, delivery)
    notes = (*report.notes, *words.notes(subject, report, progress))
    report = replace(report, notes=notes, verified=progress.verified())
    judged = JudgedReport(report, rules, config)
    text = None
    if delivery.format == "text":
        style = common.report_style(delivery)
        text = words.render(subject, report, progress, style)
        if delivery.verbose:
            text += "\n" + "".join(FORMATS["text"].render(judged, style))
    common.deliver(delivery, judged, text)
    return 0 if progress.done or delivery.exit_zero else STILL_FAILS


def _recorded(options: VerifyOptions) -> Report:
    name = shown_name(options.report)
    try:
        recorded = loads(decode_text(read_input(options.report, LARGEST_REPORT), name))
    except BadReport as error:
        raise CommandError(
            f"verify: {name}: {error}",
            "name the report that an audit wrote: wayclear audit --format json --output report.json",
        ) from error
    if is_rehearsal(recorded):
        raise CommandError(
            f"verify: {name}: is a rehearsal, nothing of it was measured",
            "make a report first: wayclear audit --format json --output report.json",
        )
    return recorded


def _verification(options: VerifyOptions, recorded: Report, rules: Rules) -> Verification:
    name = shown_name(options.report)
    try:
        return Verification(rules, recorded, options.finding, time.time())
    except BadReport as error:
        raise CommandError(
            f"verify: {name}: {error}",
            "name the report that an audit wrote: wayclear audit --format json --output report.json",
        ) from error
    except NoSuchFinding as error:
        raise CommandError(
            f"verify: {name} has no finding #{options.finding}: {error}",
            f"`wayclear replay {name}` shows the findings with their numbers; without a number verify asks for all",
        ) from error


def _nothing_failed(options: VerifyOptions, recorded: Report) -> int:
    name = shown_name(options.report)
    text = f"Nothing failed in {name}, so there is nothing to ask again."
    if recorded.answer is Answer.NOT_PROVEN:
        text += " `wayclear audit` looks at the whole network."
    standard_streams.print_message(text)
    return 0


def _measured(
    verification: Verification, subject: words.Subject, config: Config, delivery: Delivery
) -> tuple[Report, Progress]:
    """Run the rounds, and show them on standard error."""
    lines = LiveLines(sys.stderr)
    color = terminal.wants_color(sys.stderr, delivery.no_color)
    style = Style(terminal.terminal_width(sys.stderr), color)
    tenant = subject.recorded.vantage.tenant
    lines.append(words.opening(subject, verification.flows, verification.units, style))
    before: dict[Flow, Standing] = {}

    def tell(progress: Progress) -> None:
        if lines.redraws:
            lines.draw(words.live(progress, tenant, style, lines.rows - 2))
        else:
            lines.append(list(words.changes(before, progress, tenant, time.time())))
        before.update(progress.standings)

    made: list[tuple[Report, Progress, bool]] = []

    async def whole() -> None:
        # Not the result of the task: see common.run_measurement.
        made.append(await run_rounds(verification, config, watch=subject.watch, tell=tell))

    asyncio.run(whole())
    report, progress, _ = made[0]
    return report, progress
