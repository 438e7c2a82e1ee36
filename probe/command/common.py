"""What each command does: configuration in, a report or a text out, an exit code back."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from exporters import FORMATS
from exporters.report import report_json
from exporters.terminal import rule_sets, tree
from exporters.terminal.headline import headline
from exporters.terminal.style import Style
from probe.audit.runner import Progress, run_audit
from probe.command import serve as serving
from probe.config.rule_files import is_file_name, load_set
from probe.config.settings import Config, load_config, load_rules, shipped_sets, validate_file
from probe.errors import EXIT_INTERRUPTED, Trouble
from probe.host import terminal
from probe.host.files import decoded, read_input, told
from rules.audit.focus import NotCovered, focus, parse_endpoint
from rules.audit.targets import targets
from rules.files.fields import BadFile
from rules.files.limits import LARGEST_REPORT
from rules.files.report_json import BadReport, loads
from rules.judge.replay import replay as judge_again
from rules.model.ruleset import CaSet, Rules, RuleSet
from rules.model.verdict import Report, Status
from rules.text.display import display
from rules.text.hostname import BadName

_IDS = re.compile(r"[0-9a-f*?-]+")  # a glob over GUIDs
_NAMED = 8  # names that are told where none matched
#: What an endpoint's heaviest verdict is as an exit code; see the table in `--help`.
CODES: Mapping[Status, int] = {Status.WARN: 1, Status.FAIL: 2, Status.INCONCLUSIVE: 3, Status.BROKEN: 3}


STANDARD_OUTPUT = "-"  #: as the name of a file that is written


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
    check_only("only" if arguments.only is None else "--only", config, rules)
    report = _measured(config, rules)
    _deliver(arguments, report, _rendered(arguments, report, config, rules))
    return _code(arguments, report, report.exit_code)


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
    text = (
        [tree.render(report, host, port, style)]
        if as_tree
        else _rendered(arguments, report, config, narrowed)
    )
    _deliver(arguments, report, text)
    return _code(arguments, report, _weight(report, host, port))


def _code(arguments: argparse.Namespace, report: Report, found: int) -> int:
    """The exit code: that of what was found, unless it was not wanted or not waited for."""
    if report.stopped == "interrupted":
        terminal.say("Interrupted: the report holds what was seen until then.")
        return EXIT_INTERRUPTED
    return 0 if arguments.exit_zero else found


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
    config, rules = _configured(arguments)
    try:
        content = read_input(arguments.report, LARGEST_REPORT)
        report = judge_again(loads(decoded(content, told(arguments.report))), rules)
    except BadReport as error:
        raise Trouble(
            f"{told(arguments.report)}: {error}", "name the report that an audit wrote with --format json"
        ) from error
    _deliver(arguments, report, _rendered(arguments, report, config, rules))
    return 0 if arguments.exit_zero else report.exit_code


def validate(arguments: argparse.Namespace) -> int:
    """Check files one by one; every fault of every file is told."""
    code = 0
    for name in arguments.files:
        found = validate_file(name)
        for message in found:
            terminal.say(message)
        if all(message.startswith("warning: ") for message in found):
            terminal.put(f"{display(told(name), 1024)}: ok\n", _encoding())
        else:
            code = 3
    return code


def show_rules(arguments: argparse.Namespace) -> int:
    """The shipped sets in a line each; or one set, shipped or of one's own, row by row."""
    style = _style(arguments)
    if arguments.action == "show" and is_file_name(arguments.name):
        terminal.put(_rows(load_set(arguments.name), style), style.encoding)
        return 0
    found = shipped_sets()
    lists = [one for one in found if isinstance(one, RuleSet)]
    cas = [one for one in found if isinstance(one, CaSet)]
    if arguments.action == "list":
        terminal.put(rule_sets.listing(lists, cas, style), style.encoding)
        return 0
    for one in found:
        if one.name == arguments.name:
            terminal.put(_rows(one, style), style.encoding)
            return 0
    known = ", ".join(one.name for one in found)
    raise Trouble(
        f"rules show: no set is called {arguments.name[:80]!a}",
        f"there are {known}; a file of your own ends in .toml",
    )


def _rows(one: RuleSet | CaSet, style: Style) -> str:
    return rule_sets.show_rules(one, style) if isinstance(one, RuleSet) else rule_sets.show_cas(one, style)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "audit": audit,
    "explain": explain,
    "replay": replay,
    "validate": validate,
    "rules": show_rules,
    "serve": serving.serve,
    "history": serving.history,
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


def check_only(said: str, config: Config, rules: Rules) -> None:
    """Trouble where `only` matches no name of the rules: there is a slip in it, and nothing would be asked."""
    known = None if config.tenant_is_domain else config.tenant
    everything = targets(rules, known)
    first = config.only.partition(".")[0]
    # A tenant that is not known yet (a domain, or a connector's own) may be the id that the glob begins with.
    tenants = (known, first if known is None and _IDS.fullmatch(first) else known)
    if not config.only or not everything or any(targets(rules, tenant, config.only) for tenant in tenants):
        return
    names = list(dict.fromkeys(target.shown for target in everything))
    sets = ", ".join(ruleset.name for ruleset in rules.rulesets)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    raise Trouble(
        f"{said} {config.only}: no name of {sets} matches",
        f"there are {', '.join(names[:_NAMED])}{more}; `wayclear rules show NAME` lists all",
    )


def _measured(config: Config, rules: Rules) -> Report:
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


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "ascii"


def _style(arguments: argparse.Namespace) -> Style:
    """How the text is laid out: for a file as for a page, for a terminal as the terminal is."""
    verbose = arguments.verbose
    if _to_file(arguments):
        return Style(terminal.WIDTH, verbose=verbose)
    color = terminal.wants_color(sys.stdout, getattr(arguments, "no_color", False))
    return Style(terminal.terminal_width(sys.stdout), color, verbose, _encoding())


def _to_file(arguments: argparse.Namespace) -> bool:
    return getattr(arguments, "output", None) not in (None, STANDARD_OUTPUT)


def _check_output(arguments: argparse.Namespace) -> None:
    """Trouble, before anything is asked, where the report could not be written or would cost a file that is read."""
    if not _to_file(arguments):
        terminal.check_open()
        return
    terminal.check_writable(Path(arguments.output))
    files = [arguments.config, getattr(arguments, "report", None)]
    files += [name for name in (*(arguments.rules or ()), *(arguments.ca_set or ())) if is_file_name(name)]
    terminal.check_spares(Path(arguments.output), [name for name in files if name is not None])


def _rendered(arguments: argparse.Namespace, report: Report, config: Config, rules: Rules) -> Iterable[str]:
    """The report in the format that was asked for: JSON, which may be large, piece by piece."""
    if arguments.format == "prometheus":
        from exporters.metrics.exposition import from_state  # late: most audits tell no metrics
        from probe.audit.state import place_of, state_of

        return [from_state(state_of(report, rules, place_of(config, report.vantage.host)))]
    if arguments.format == "json":
        return report_json.pieces(report)
    return [FORMATS[arguments.format](report, _style(arguments))]


def _deliver(arguments: argparse.Namespace, report: Report, text: Iterable[str]) -> None:
    """Write the report where it was wanted. JSON is UTF-8 wherever it goes (RFC 8259 section 8.1)."""
    if not _to_file(arguments):
        terminal.put(text, "utf-8" if arguments.format in ("json", "prometheus") else _encoding())
        return
    mode = terminal.READABLE if arguments.format == "prometheus" else terminal.PRIVATE
    terminal.write_whole(Path(arguments.output), text, mode)
    terminal.say(f"{headline(report)} The report is in {arguments.output}")
