"""What several sub-commands do alike: read the files, measure, deliver a report."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from exporters.terminal.headline import headline
from exporters.terminal.style import Style
from probe.audit.runner import Progress, run_audit
from probe.command.formats import FORMATS, Judged
from probe.command.options import Delivery, Judging
from probe.config.rule_files import is_file_name
from probe.config.settings import Config, load_config, load_rules
from probe.errors import EXIT_INTERRUPTED, Trouble
from probe.host import output_file, standard_streams, terminal
from rules.files.fields import BadFile
from rules.model.ruleset import Rules
from rules.model.verdict import Report


@contextlib.contextmanager
def bad_file_as_trouble() -> Iterator[None]:
    """For every `run`: a file that cannot be used is what the user can change."""
    try:
        yield
    except BadFile as error:
        raise Trouble(str(error)) from error


def configured(judging: Judging, settings: Mapping[str, object]) -> tuple[Config, Rules]:
    """Configuration and rules, from the files and then from the command line; `settings` by the configuration's keys.

    BadFile where a file or a setting cannot be used.
    """
    config = load_config(judging.config, {**judging.settings, **settings})
    return config, load_rules(config.rules, config.ca_sets)


def measured(config: Config, rules: Rules) -> Report:
    """Audit the network, with a progress bar where somebody watches."""
    bar = terminal.Bar(sys.stderr)

    def tell(progress: Progress) -> None:
        bar.tell(progress.phase, progress.done, progress.planned, progress.eta_s, progress.line)

    made: list[Report] = []

    async def whole() -> None:
        # Not the task's result: asyncio.run puts the signal handlers back by way of the task's repr(), which would
        # write out the whole report.
        made.append(await run_audit(config, rules, tell))

    try:
        asyncio.run(whole())
    finally:
        bar.erase()
    return made[0]


def encoding() -> str:
    """How text for a person is encoded on standard output."""
    return getattr(sys.stdout, "encoding", None) or "ascii"


def style(verbose: bool, *, no_color: bool = False) -> Style:
    """How text is laid out on standard output."""
    color = terminal.wants_color(sys.stdout, no_color)
    return Style(terminal.terminal_width(sys.stdout), color, verbose, encoding())


def style_of(delivery: Delivery) -> Style:
    """How the report is laid out: for a file as for a page, for a terminal as the terminal is."""
    if delivery.file is not None:
        return Style(terminal.WIDTH, verbose=delivery.verbose)
    return style(delivery.verbose, no_color=delivery.no_color)


def check_output(delivery: Delivery, judging: Judging, *inputs: str) -> None:
    """Trouble, before anything is asked, where the report could not be written or would cost a file that is read."""
    if delivery.file is None:
        standard_streams.check_open()
        return
    output = Path(delivery.file)
    output_file.check_writable(output)
    files = [*([judging.config] if judging.config is not None else ()), *inputs]
    files += [name for name in (*(judging.rules or ()), *(judging.ca_sets or ())) if is_file_name(name)]
    output_file.check_spares(output, files)


def rendered(delivery: Delivery, judged: Judged) -> Iterable[str]:
    """The report in the format that was asked for."""
    return FORMATS[delivery.format].render(judged, style_of(delivery))


def deliver(delivery: Delivery, report: Report, text: Iterable[str]) -> None:
    """Write the report where it was wanted."""
    chosen = FORMATS[delivery.format]
    if delivery.file is None:
        standard_streams.write_output(text, "utf-8" if chosen.utf8 else encoding())
        return
    output_file.write_whole(Path(delivery.file), text, chosen.mode)
    standard_streams.print_message(f"{headline(report)} The report is in {delivery.output}")


def exit_code(delivery: Delivery, report: Report, found: int) -> int:
    """That of what was found, unless it was not wanted or not waited for."""
    if report.stopped == "interrupted":
        standard_streams.print_message("Interrupted: the report holds what was seen until then.")
        return EXIT_INTERRUPTED
    return 0 if delivery.exit_zero else found
