"""Steps that several sub-commands share: read the files, measure, deliver a report."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from exporters.terminal.headline import headline
from exporters.terminal.style import Style
from probe.audit.runner import Progress, run_audit
from probe.command.formats import FORMATS, JudgedReport
from probe.command.options import Delivery, Judging
from probe.config.rule_files import is_file_name
from probe.config.settings import Config, load_config, load_rules_of
from probe.errors import EXIT_INTERRUPTED, CommandError
from probe.host import output_file, standard_streams, terminal
from probe.host.files import decode_text, read_input, shown_name
from rules.files.fields import BadFile
from rules.files.limits import LARGEST_REPORT
from rules.files.report_json import BadReport, loads
from rules.model.geography import geography
from rules.model.ruleset import Rules
from rules.model.verdict import Report

NAME_A_REPORT = "name the report that an audit wrote: wayclear audit --format json --output report.json"
OR_A_FILE = ", or name a file with --output"  #: advice of the commands that have this option


@contextlib.contextmanager
def convert_bad_file() -> Iterator[None]:
    """Decorates every `run`: a file that cannot be used (BadFile) becomes a CommandError."""
    try:
        yield
    except BadFile as error:
        raise CommandError(str(error)) from error


@contextlib.contextmanager
def convert_bad_report(path: str) -> Iterator[None]:
    """While a recorded report is read and judged: one that cannot be used (BadReport) becomes a CommandError."""
    try:
        yield
    except BadReport as error:
        raise CommandError(f"{shown_name(path)}: {error}", NAME_A_REPORT) from error


def load_report(path: str) -> Report:
    """A report that an audit wrote, `-` for standard input. BadReport, CommandError."""
    return loads(decode_text(read_input(path, LARGEST_REPORT), shown_name(path)))


def load_configuration(judging: Judging, settings: Mapping[str, object]) -> tuple[Config, Rules]:
    """Configuration and rules, first from the files, then from the command line.

    `settings` has the keys of the configuration. BadFile if a file or a setting cannot be used.
    """
    config = load_config(judging.config, {**judging.settings, **settings})
    return config, load_rules_of(config, (*(judging.rules or ()), *(judging.ca_sets or ())))


def as_configured(recorded: Report, config: Config) -> Report:
    """A recorded report for today's reader: who must act and the region are those of the configuration, where it has them.

    Only the plan changes; judge the report again.
    """
    owners = config.owners or recorded.plan.owners
    region = geography(config.region) or recorded.plan.region
    return replace(recorded, plan=replace(recorded.plan, owners=owners, region=region))


def run_measurement(config: Config, rules: Rules) -> JudgedReport:
    """Audit the network. Show a progress bar if standard error is a terminal."""
    bar = terminal.Bar(sys.stderr)

    def tell(progress: Progress) -> None:
        bar.show(progress.phase, progress.done, progress.planned, progress.eta_s, progress.line)

    made: list[Report] = []

    async def whole() -> None:
        # Not the result of the task: asyncio.run calls repr() of the task when it restores the signal handlers, and that
        # would format the whole report.
        made.append(await run_audit(config, rules, tell))

    try:
        asyncio.run(whole())
    finally:
        bar.erase()
    return JudgedReport(made[0], rules, config)


def output_encoding() -> str:
    """The encoding of text on standard output."""
    return getattr(sys.stdout, "encoding", None) or "ascii"


def output_style(verbose: bool, *, no_color: bool = False) -> Style:
    """The layout of text on standard output."""
    color = terminal.wants_color(sys.stdout, no_color)
    return Style(terminal.terminal_width(sys.stdout), color, verbose, output_encoding())


def report_style(delivery: Delivery) -> Style:
    """The layout of the report: a fixed width in a file, the terminal's width on a terminal."""
    if delivery.file is not None:
        return Style(terminal.WIDTH, verbose=True)  # nothing is folded in what is kept or handed on
    return output_style(delivery.verbose, no_color=delivery.no_color)


def check_output(delivery: Delivery, judging: Judging, *inputs: str) -> None:
    """CommandError if the report cannot be written, or would overwrite an input file. Call it before measuring."""
    if delivery.file is None:
        standard_streams.check_open(OR_A_FILE)
        return
    output = Path(delivery.file)
    output_file.check_writable(output)
    files = [*([judging.config] if judging.config is not None else ()), *inputs]
    files += [name for name in (*(judging.rules or ()), *(judging.ca_sets or ())) if is_file_name(name)]
    output_file.check_spares(output, files)


def deliver(
    delivery: Delivery, judged: JudgedReport, text: str | None = None, written: str | None = None
) -> None:
    """Write the report in the requested format, or `text` instead, to the file or to standard output.

    `written`: what is said when the file is there (default: the answer in a line, and which file it is).
    """
    chosen = FORMATS[delivery.format]
    pieces = chosen.render(judged, report_style(delivery)) if text is None else [text]
    if delivery.file is None:
        encoding = "utf-8" if chosen.utf8 else output_encoding()
        standard_streams.write_output(pieces, encoding, OR_A_FILE)
        return
    output_file.write_whole(Path(delivery.file), pieces, chosen.mode)
    standard_streams.print_message(written or f"{headline(judged.report)} The report is in {delivery.output}")


def exit_code(delivery: Delivery, report: Report, found: int) -> int:
    """130 after an interruption, 0 with `--exit-zero`, else `found`."""
    if report.stopped == "interrupted":
        standard_streams.print_message("Interrupted: the report holds what was seen until then.")
        return EXIT_INTERRUPTED
    return 0 if delivery.exit_zero else found
