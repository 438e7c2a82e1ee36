"""The command line: words in, a command and an exit code out.

Only argparse is imported here; what a command needs comes with `probe.command.common` when one is run, so that `--version`
and `--help` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from probe.errors import EXIT_INTERRUPTED, Trouble
from probe.version import VERSION

EXIT_TROUBLE = 3  #: wrong usage or configuration, or a bug: nothing is known about the network
EXIT_PIPE = 141  #: 128 + SIGPIPE: the reader went away

EPILOG = """\
exit codes of audit, explain and replay:
  0  yes: a connector can live here    1  degraded, or yes with warnings
  2  no                                3  not proven; also wrong usage or configuration
"""


class _Parser(argparse.ArgumentParser):
    """Usage errors end with 3, like every case in which nothing was measured."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_TROUBLE, f"{self.prog}: {_safe(message)}\n  {self.prog} --help lists the options\n")


class _Version(argparse.Action):
    """`--version`; with `--verbose` also the Python and the OpenSSL that would do the work."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        namespace.version = True


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Never raises but for SystemExit of argparse (0 or 3)."""
    parser = build_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:
        # --help into a pipe that is gone or a disk that is full; where standard output is closed argparse has used the other
        code = _guarded(lambda _: _written(""), argparse.Namespace()) if sys.stdout is not None else 0
        if code == EXIT_TROUBLE:
            return code
        raise
    if arguments.version:
        return _guarded(_show_version, arguments)
    if arguments.command is None:
        parser.error("name a command: audit, serve, explain, history, replay, validate or rules")
    return _guarded(_run, arguments)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command != "serve" or arguments.check:
        return _command(arguments)
    from probe.host import signals

    with signals.early():  # before the imports, which take long enough to be hit by one
        return _command(arguments)


def _command(arguments: argparse.Namespace) -> int:
    from probe.command import (
        common as commands,  # late: brings the exporters, the rules and the configuration
    )

    return commands.run(arguments)


def _show_version(arguments: argparse.Namespace) -> int:
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"wayclear {VERSION} (Python {python})"]
    if arguments.verbose:
        from probe.command import common as commands

        lines += commands.libraries()
    return _written("\n".join(lines) + "\n")


def _written(text: str) -> int:
    """Write `text` and what waits to be written before it."""
    if sys.stdout is None:
        raise Trouble("standard output is closed", "open it")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise Trouble(
            f"standard output cannot be written: {error.strerror or error}", "make room there"
        ) from error
    return 0


def _guarded(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Every way a command can end, as one message and a code."""
    try:
        code = command(arguments)
    except KeyboardInterrupt:
        _complain("\nInterrupted: no report was written.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return EXIT_PIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets a sentence, not a traceback
        return _failed(error)
    return code


def _failed(error: Exception) -> int:
    if os.environ.get("WAYCLEAR_DEBUG"):
        import traceback

        traceback.print_exception(error)
    elif isinstance(error, Trouble):
        _complain(f"wayclear: {error}")
    else:
        _complain(
            f"wayclear: this is a bug: {type(error).__name__}: {_safe(str(error))[:300]}\n"
            "  Please report it with what this command prints when WAYCLEAR_DEBUG=1 is set in the environment."
        )
    return EXIT_TROUBLE


def _complain(text: str) -> None:
    from probe.host.terminal import say

    say(text)


def _safe(text: str) -> str:
    """What the user or a library wrote, on one line that a terminal can print."""
    return (
        text.encode("ascii", "backslashreplace")
        .decode()
        .translate({i: f"\\x{i:02x}" for i in (*range(32), 127)})
    )


def _drop_output() -> None:
    from probe.host.terminal import drop_output

    drop_output()


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="unfold everything: every endpoint, every step",
    )
    parser = _Parser(
        prog="wayclear",
        description="Tells whether a network lets a Microsoft Entra application-proxy connector live, with proof.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(version=False, verbose=False)
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="version; with --verbose also of the libraries"
    )
    parser.add_argument("--verbose", action="store_true", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _audit(commands, common)
    _explain(commands, common)
    _replay(commands, common)
    validate = commands.add_parser(
        "validate", help="check rule-set, CA-set and configuration files, and reports", allow_abbrev=False
    )
    validate.add_argument("files", nargs="+", metavar="FILE", type=_filled, help="- is standard input")
    _rules(commands)
    _serve(commands, common)
    _history(commands)
    return parser


def _audit(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    audit = commands.add_parser(
        "audit",
        parents=[common],
        help="can a connector live on this network?",
        description="Asks for every endpoint that the rules name, politely, and says what a connector would meet.",
        allow_abbrev=False,
    )
    _judged_by(audit)
    _measured_by(audit)
    audit.add_argument(
        "--only", metavar="GLOB", type=_filled, help="only names that match, such as '*.msappproxy.net'"
    )
    _delivered(audit)


def _explain(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    explain = commands.add_parser(
        "explain",
        parents=[common],
        help="one endpoint as a tree, down to every certificate",
        description="Asks for one endpoint that is on a rule and shows everything that leads to its verdict.",
        allow_abbrev=False,
    )
    explain.add_argument("endpoint", metavar="HOST[:PORT]")
    _judged_by(explain)
    _measured_by(explain)
    _delivered(explain)


def _replay(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    replay = commands.add_parser(
        "replay",
        parents=[common],
        help="judge a recorded report again, offline",
        description="Judges the observations of a report (.json or .json.gz) by today's rules. Sends no packet.",
        allow_abbrev=False,
    )
    replay.add_argument("report", metavar="REPORT", type=_filled, help="a file, or - for standard input")
    _judged_by(replay)
    _delivered(replay)


def _rules(commands: argparse._SubParsersAction[_Parser]) -> None:
    rules = commands.add_parser("rules", help="rule sets and CA sets, row by row", allow_abbrev=False)
    actions = rules.add_subparsers(dest="action", metavar="list|show", required=True, parser_class=_Parser)
    actions.add_parser(
        "list", help="names, versions and review dates of the shipped ones", allow_abbrev=False
    )
    show = actions.add_parser("show", help="every row of one set", allow_abbrev=False)
    show.add_argument("name", metavar="NAME|FILE", type=_filled, help="a shipped set, or a file of your own")


def _serve(commands: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    serve = commands.add_parser(
        "serve",
        parents=[common],
        help="the audit as a service, with metrics, a status page and a history",
        description="Measures again and again, gently, and tells Prometheus and people what it finds.",
        allow_abbrev=False,
    )
    _judged_by(serve)
    _measured_by(serve, budget=False)
    add = serve.add_argument
    add("--overlay", metavar="FILE", type=_filled, help="a second configuration whose keys win")
    add(
        "--listen",
        metavar="ADDRESS:PORT",
        action="append",
        type=_filled,
        help="default 127.0.0.1:19115; may be given again",
    )
    add(
        "--web.config.file",
        dest="web_config_file",
        metavar="FILE",
        type=_filled,
        help="TLS and users, in exporter-toolkit's format",
    )
    add(
        "--allow-insecure",
        action="store_true",
        help="listen elsewhere than on loopback without TLS and users",
    )
    add("--allow-root", action="store_true", help="run as root")
    add("--state", metavar="DIR", type=_filled, help="where the history is kept")
    add("--textfile", metavar="DIR", type=_filled, help="also write wayclear.prom for a textfile collector")
    add("--check", action="store_true", help="only check configuration, rules and directories")


def _history(commands: argparse._SubParsersAction[_Parser]) -> None:
    history = commands.add_parser(
        "history", help="what changed, and what was ever seen of an endpoint", allow_abbrev=False
    )
    add = history.add_argument
    add(
        "endpoint", nargs="?", metavar="ENDPOINT", type=_filled, help="HOST or HOST:PORT; default: everything"
    )
    add("--since", metavar="TIME", type=_filled, help="7d, 12h, 2026-11-20 or a full date and time")
    add("--config", metavar="FILE", type=_filled, help="configuration, for the place of the history")
    add("--state", metavar="DIR", type=_filled, help="where the history is kept")
    add("--format", choices=("text", "json"), default="text")


def _judged_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=_filled,
        help="configuration (default: the one of the system or the user)",
    )
    parser.add_argument(
        "--rules",
        metavar="NAME|FILE",
        action="append",
        type=_filled,
        help="rule set, shipped or your own; may be given again",
    )
    parser.add_argument(
        "--ca-set",
        metavar="NAME|FILE",
        action="append",
        type=_filled,
        help="expected CAs; may be given again",
    )


def _measured_by(parser: argparse.ArgumentParser, budget: bool = True) -> None:
    parser.add_argument(
        "--tenant",
        metavar="GUID|DOMAIN",
        type=_filled,
        help="whose own names are tested (on a connector: its own)",
    )
    parser.add_argument(
        "--resolver",
        metavar="IP",
        action="append",
        type=_filled,
        help="ask this resolver instead of the host's; may be given again",
    )
    parser.add_argument(
        "--pace", choices=("polite", "fast"), help="fast only in labs and agreed change windows"
    )
    if budget:
        parser.add_argument(
            "--budget", metavar="SECONDS", type=_seconds, help="end after this time, whatever is left"
        )


def _delivered(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json", "prometheus"), default="text")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=_filled,
        help="write there instead of to standard output (which is -)",
    )
    parser.add_argument("--no-color", action="store_true", help="no colour on a terminal (also: NO_COLOR=1)")
    parser.add_argument("--exit-zero", action="store_true", help="exit 0 whenever a report was written")


def _filled(text: str) -> str:
    """A word that says something. An empty one is a shell's variable that was not set: to pass over it would hide that."""
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "is empty: was a variable not set? Leave the option out, or give it a value"
        )
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{_safe(text)} is no number of seconds from 1 to 86400")
    return value
