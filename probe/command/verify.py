"""`wayclear verify`: ask once more what failed in a recorded report, while a rule is changed."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import time
from dataclasses import dataclass, replace

from exporters.terminal import verify as words
from exporters.terminal.moments import Moments
from exporters.terminal.style import Style, say
from probe.audit.verify import run_rounds
from probe.command import common
from probe.command.formats import FORMATS, JudgedReport
from probe.command.options import Delivery, Judging, add_verbose
from probe.command.parser import Parser, non_blank, safe
from probe.config.settings import Config
from probe.errors import CommandError
from probe.host import standard_streams, terminal
from probe.host.files import exists, shown_name
from probe.host.live_lines import LiveLines
from probe.measure.kinds import local_host
from rules.model.ruleset import Rules
from rules.model.verdict import Answer, FlowState, Report
from rules.rehearse.marks import is_rehearsal
from rules.text.display import display
from rules.verify.flows import Flow, NoSuchFinding, Standing, causes_of, failed, untested
from rules.verify.rounds import Progress, Verification

STILL_FAILS = 2  #: exit code while a flow fails
NOT_PROVEN = 3  #: exit code where none fails and some are not known to pass

EXIT_CODES = """\
exit codes:
  0  every flow passes    2  something still fails    3  not proven, or no such report or finding
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
    """Ask again. The exit code is 0 when every flow passes, 2 when one fails, else 3. CommandError if there is nothing to go
    by."""
    delivery = options.delivery
    common.check_output(delivery, options.judging, options.report)
    config, rules = common.load_configuration(options.judging, {})
    recorded = common.as_configured(_recorded(options), config)
    verification = _verification(options, recorded, rules)
    if not verification.askable:
        return _nothing_to_ask(options, verification)
    untested = not any(map(failed, verification.findings))
    moments = Moments(time.time(), local_host.utc_offset())
    subject = words.Subject(
        recorded,
        options.finding,
        options.watch,
        moments,
        untested,
        causes_of(verification.findings),
        socket.gethostname(),
    )
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
    return 0 if delivery.exit_zero else exit_code(progress)


def exit_code(progress: Progress) -> int:
    """By the heaviest of the flows."""
    states = {one.state for one in progress.standings.values()}
    if FlowState.FAILS in states:
        return STILL_FAILS
    return NOT_PROVEN if FlowState.WAITS in states else 0


def _recorded(options: VerifyOptions) -> Report:
    name = shown_name(options.report)
    with common.convert_bad_report(options.report):
        recorded = common.load_report(options.report)
    if is_rehearsal(recorded):
        raise CommandError(
            f"verify: {name}: is a rehearsal, nothing of it was measured",
            "make a report first: wayclear audit --format json --output report.json",
        )
    return recorded


def _verification(options: VerifyOptions, recorded: Report, rules: Rules) -> Verification:
    name = shown_name(options.report)
    try:
        with common.convert_bad_report(options.report):
            return Verification(rules, recorded, options.finding, time.time())
    except NoSuchFinding as error:
        raise CommandError(
            f"verify: {name} has no finding #{options.finding}: {error}",
            f"`wayclear replay {name}` shows the findings with their numbers; without a number verify asks for all",
        ) from error


def _nothing_to_ask(options: VerifyOptions, verification: Verification) -> int:
    """Say why, and what helps. The exit code is 0 where nothing was wrong, 3 where something could not be tested."""
    name, number = shown_name(options.report), safe(options.finding)
    code = NOT_PROVEN
    if verification.findings:
        one = verification.findings[0]
        text = (
            f"Finding {number} of {name} could not be tested, and verify has no question that it could ask again: "
            f"{say(one.summary)} [{one.cause.word}]. `{display(one.command or 'wayclear audit')}` tests it."
        )
    elif not number and verification.before.answer is Answer.NOT_PROVEN:
        which = ", ".join(
            f"#{one.id} {one.cause.word}" for one in verification.before.causes if untested(one)
        )
        text = (
            f"Nothing failed in {name}, so there is nothing to ask again. The answer was NOT PROVEN, because something could "
            f"not be tested{f' ({which})' if which else ''}. `wayclear audit` tests it again."
        )
    else:
        what = f"Finding {number} of {name} is a remark" if number else f"Nothing failed in {name}"
        text, code = f"{what}, so there is nothing to ask again.", 0
    standard_streams.print_message(text)
    return 0 if options.delivery.exit_zero else code


def _measured(
    verification: Verification, subject: words.Subject, config: Config, delivery: Delivery
) -> tuple[Report, Progress]:
    """Run the rounds, and show them on standard error."""
    lines = LiveLines(sys.stderr)
    color = terminal.wants_color(sys.stderr, delivery.no_color)
    style = Style(terminal.terminal_width(sys.stderr), color)
    counted = verification.addresses, verification.names
    lines.append(words.opening(subject, verification.flows, *counted, style))
    before: dict[Flow, Standing] = {}

    def tell(progress: Progress) -> None:
        if lines.redraws:
            lines.draw(words.live(subject, progress, style, max(lines.rows - 2, 3)))
        else:
            lines.append(list(words.changes(subject, before, progress, time.time())))
        before.update(progress.standings)

    made: list[tuple[Report, Progress]] = []

    async def whole() -> None:
        # Not the result of the task: see common.run_measurement.
        made.append(await run_rounds(verification, config, watch=subject.watch, tell=tell))

    asyncio.run(whole())
    return made[0]
