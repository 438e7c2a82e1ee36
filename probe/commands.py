"""What each command does: configuration in, a report or a text out, an exit code back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from exporters import FORMATS, report_json, rulesets, tree
from exporters.style import Style
from exporters.text import ANSWERS
from probe import screen
from probe.config import Config, load_config, load_rules, shipped_sets, validate_file
from probe.run import Progress, run_audit
from probe.trouble import Trouble
from rules.display import display
from rules.explain import NotCovered, focus, parse_endpoint
from rules.fields import BadFile
from rules.hostname import BadName
from rules.replay import replay as judge_again
from rules.ruleset import CaSet, Rules, RuleSet
from rules.verdict import Report, Status
from rules.wire import BadReport, loads

#: What an endpoint's heaviest verdict is as an exit code; see the table in `--help`.
CODES: Mapping[Status, int] = {Status.WARN: 1, Status.FAIL: 2, Status.INCONCLUSIVE: 3, Status.BROKEN: 3}


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was asked for. Raises Trouble for everything that the user can change."""
    try:
        return COMMANDS[arguments.command](arguments)
    except BadFile as error:
        raise Trouble(str(error)) from error


def audit(arguments: argparse.Namespace) -> int:
    """Measure, judge, tell."""
    _check_output(arguments)
    config, rules = _configured(arguments)
    report = _measured(config, rules)
    _deliver(arguments, report, _rendered(arguments, report))
    return 0 if arguments.exit_zero else report.exit_code


def explain(arguments: argparse.Namespace) -> int:
    """Measure one endpoint that is on a rule, and show the way to its verdict."""
    _check_output(arguments)
    try:
        host, port = parse_endpoint(arguments.endpoint)
    except BadName as error:
        raise Trouble(
            f"explain: {error}", "example: wayclear explain login.microsoftonline.com:443"
        ) from error
    config, rules = _configured(arguments)
    try:
        narrowed = focus(rules, host, port)
    except NotCovered as error:
        raise Trouble(
            f"explain: {error}", "wayclear asks only for what a rule requires: see `wayclear rules list`"
        ) from error
    report = _measured(replace(config, only=""), narrowed)
    style = _style(arguments)
    as_tree = arguments.format == "text"
    text = [tree.render(report, host, port, style)] if as_tree else _rendered(arguments, report)
    _deliver(arguments, report, text)
    return 0 if arguments.exit_zero else _weight(report, host, port)


def _weight(report: Report, host: str, port: int | None) -> int:
    """The exit code of one endpoint: that of its heaviest verdict, 3 where it has none."""
    found = [
        v.status
        for v in report.verdicts
        if v.endpoint is not None and v.endpoint.host == host and port in (None, v.endpoint.port)
    ]
    return CODES.get(max(found, key=lambda status: status.weight), 0) if found else 3


def replay(arguments: argparse.Namespace) -> int:
    """Judge a recording again, by today's rules."""
    _check_output(arguments)
    _, rules = _configured(arguments)
    try:
        report = judge_again(loads(screen.read_report(arguments.report)), rules)
    except BadReport as error:
        raise Trouble(
            f"{arguments.report}: {error}", "name the report that an audit wrote with --format json"
        ) from error
    _deliver(arguments, report, _rendered(arguments, report))
    return 0 if arguments.exit_zero else report.exit_code


def validate(arguments: argparse.Namespace) -> int:
    """Check files one by one; every fault of every file is told."""
    code = 0
    for name in arguments.files:
        found = validate_file(name)
        for message in found:
            screen.say(message)
        if all(message.startswith("warning: ") for message in found):
            screen.put(f"{display(name, 1024)}: ok\n", _encoding())
        else:
            code = 3
    return code


def show_rules(arguments: argparse.Namespace) -> int:
    """The shipped sets: all of them in a line each, or one row by row."""
    style = _style(arguments)
    found = shipped_sets()
    lists = [one for one in found if isinstance(one, RuleSet)]
    cas = [one for one in found if isinstance(one, CaSet)]
    if arguments.action == "list":
        screen.put(rulesets.listing(lists, cas, style), style.encoding)
        return 0
    for one in found:
        if one.name == arguments.name:
            show = (
                rulesets.show_rules(one, style) if isinstance(one, RuleSet) else rulesets.show_cas(one, style)
            )
            screen.put(show, style.encoding)
            return 0
    known = ", ".join(one.name for one in found)
    raise Trouble(f"rules show: no set is called {arguments.name[:80]!a}", f"there are {known}")


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "audit": audit,
    "explain": explain,
    "replay": replay,
    "validate": validate,
    "rules": show_rules,
}


def libraries() -> list[str]:
    """The libraries that do the work, for `--version --verbose`; hostile certificates are OpenSSL's to survive."""
    names = ("cryptography", "pyOpenSSL", "dnspython", "h11")
    return [backend.openssl_version_text(), *(f"{name} {metadata.version(name)}" for name in names)]


def _configured(arguments: argparse.Namespace) -> tuple[Config, Rules]:
    """Configuration and rules, from files and then from the command line."""
    said = {
        "tenant": getattr(arguments, "tenant", None),
        "rules": arguments.rules,
        "ca_sets": arguments.ca_set,
        "resolvers": getattr(arguments, "resolver", None),
        "only": getattr(arguments, "only", None),
        "pace": getattr(arguments, "pace", None),
        "budget": getattr(arguments, "budget", None),
    }
    config = load_config(arguments.config, said)
    return config, load_rules(config.rules, config.ca_sets)


def _measured(config: Config, rules: Rules) -> Report:
    bar = screen.Bar(sys.stderr)

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


def _encoding() -> str:
    return sys.stdout.encoding or "ascii"


def _style(arguments: argparse.Namespace) -> Style:
    """How the text is laid out: for a file as for a page, for a terminal as the terminal is."""
    verbose = arguments.verbose
    if getattr(arguments, "output", None):
        return Style(screen.WIDTH, verbose=verbose)
    color = screen.wants_color(sys.stdout, getattr(arguments, "no_color", False))
    return Style(screen.terminal_width(sys.stdout), color, verbose, _encoding())


def _check_output(arguments: argparse.Namespace) -> None:
    if arguments.output:
        screen.check_writable(Path(arguments.output))


def _rendered(arguments: argparse.Namespace, report: Report) -> Iterable[str]:
    """The report in the format that was asked for: JSON, which may be large, piece by piece."""
    if arguments.format == "json":
        return report_json.pieces(report)
    return [FORMATS[arguments.format](report, _style(arguments))]


def _deliver(arguments: argparse.Namespace, report: Report, text: Iterable[str]) -> None:
    """Write the report where it was wanted. JSON is UTF-8 wherever it goes (RFC 8259 section 8.1)."""
    if not arguments.output:
        screen.put(text, "utf-8" if arguments.format == "json" else _encoding())
        return
    screen.write_whole(Path(arguments.output), text)
    word, _, sentence = ANSWERS[report.answer]
    screen.say(f"{word}: {sentence} The report is in {arguments.output}")
