"""The command line: parse the arguments, run a command, return its exit code.

Each command has a module, which is a `Command`, and a row in `ENTRIES`. The module is imported when the command is called;
`--version` and `--help` import none, so they are fast.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from probe.command.examples import NEWCOMER, add_examples
from probe.command.parser import EXIT_ERROR, Parser, nearest, safe
from probe.errors import EXIT_INTERRUPTED, CommandError
from probe.host import signals
from probe.host.standard_streams import drop_output, print_message
from probe.version import VERSION

EXIT_PIPE = 141  #: 128 + SIGPIPE: the reader went away

_LISTED = "wayclear --help lists the commands, `wayclear COMMAND --help` the options of one"
EPILOG = """\
exit codes of audit, explain and replay:
  0  yes: a connector will work here   1  degraded, or yes with warnings
  2  no                                3  not proven; also wrong usage or configuration
"""


class Command(Protocol):
    """The interface of a sub-command's module. Each has its own frozen dataclass of options."""

    def add_options(self, parser: Parser) -> None:
        """Add the options to the parser of this command."""

    def parsed(self, arguments: argparse.Namespace) -> Any:  # noqa: ANN401 - the type that `run` of the same file takes
        """The options as a typed value; only this function reads the namespace."""

    def run(self, options: Any) -> int:  # noqa: ANN401 - what `parsed` of the same file gave
        """Run the command and return the exit code. CommandError for what the user can correct."""


class Entry(NamedTuple):
    """A sub-command: its name and line in `--help`, and its module."""

    name: str
    help: str
    module: str


ENTRIES = (
    Entry("audit", "will a connector work from this network?", "probe.command.audit"),
    Entry("explain", "one endpoint as a tree, down to every certificate", "probe.command.explain"),
    Entry("replay", "judge a recorded report again, offline", "probe.command.replay"),
    Entry("rehearse", "what would an audit say if a rule were so? offline", "probe.command.rehearse"),
    Entry("verify", "ask again what failed in a report, while a rule is changed", "probe.command.verify"),
    Entry(
        "validate",
        "check rule-set, CA-set and configuration files, and reports",
        "probe.command.validate",
    ),
    Entry("rules", "rule sets and CA sets, row by row", "probe.command.rules"),
    Entry(
        "serve", "the audit as a service, with metrics, a status page and a history", "probe.command.serve"
    ),
    Entry("history", "what changed, and what was ever seen of an endpoint", "probe.command.history"),
    Entry(
        "completion", "a script that completes commands and options in a shell", "probe.command.completion"
    ),
)


class _Version(argparse.Action):
    """`--version`; with `--verbose` also the versions of the libraries."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        namespace.version = True


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises nothing but SystemExit of argparse (0 or 3)."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        return _guarded(lambda: _run(words))
    except SystemExit:
        # --help may go to a broken pipe or a full disk. If standard output is closed, argparse has used standard error.
        code = _guarded(lambda: _written("")) if sys.stdout is not None else 0
        if code == EXIT_ERROR:
            return code
        raise


def _run(words: list[str]) -> int:
    entry = _named(words)
    begins_service = entry is not None and entry.name == "serve" and "--check" not in words
    # before the imports: they take so long that a signal may arrive during them
    with signals.handle_early_signals() if begins_service else contextlib.nullcontext():
        command, arguments = parse(words)
        if arguments.version or command is None:
            return _show_version(arguments.verbose)
        return command.run(command.parsed(arguments))


def parse(words: Sequence[str]) -> tuple[Command | None, argparse.Namespace]:
    """The module of the named command and its parsed arguments. The command is None only with `--version`.

    SystemExit for `--help` (0) and for wrong usage (3).
    """
    entry = _named(words)
    command = _loaded(entry) if entry is not None else None
    parser = _parser({entry.name: command} if entry is not None and command is not None else {})
    word = next((word for word in words if not word.startswith("-")), None)
    if entry is None and word is not None and not {"-h", "--help"}.intersection(words):
        near = nearest(word, (entry.name for entry in ENTRIES))
        parser.exit(EXIT_ERROR, f"wayclear: there is no command {word[:80]!a}{near}\n  {_LISTED}\n")
    arguments = parser.parse_args(words)
    if command is None and not arguments.version:
        parser.exit(EXIT_ERROR, f"wayclear: {NEWCOMER}  {_LISTED}\n")
    return command, arguments


def whole_parser() -> Parser:
    """The parser with the options of every command, for the scripts that complete a command line."""
    return _parser({entry.name: _loaded(entry) for entry in ENTRIES})


def _named(words: Sequence[str]) -> Entry | None:
    """The named command: the first word that is not an option, because no option before a command takes a value."""
    first = next((word for word in words if not word.startswith("-")), None)
    return next((entry for entry in ENTRIES if entry.name == first), None)


def _loaded(entry: Entry) -> Command:
    return cast("Command", importlib.import_module(entry.module))


def _parser(loaded: Mapping[str, Command]) -> Parser:
    """A parser of all commands, with the options and examples of those in `loaded`."""
    parser = Parser(
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
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for one in ENTRIES:
        added = commands.add_parser(one.name, help=one.help, allow_abbrev=False)
        if (command := loaded.get(one.name)) is not None:
            command.add_options(added)
            add_examples(added, one.name)
    return parser


def _show_version(verbose: bool) -> int:
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"wayclear {VERSION} (Python {python})"]
    if verbose:
        lines += importlib.import_module("probe.command.libraries").libraries()
    return _written("\n".join(lines) + "\n")


def _written(text: str) -> int:
    """Write `text` to standard output and flush it."""
    if sys.stdout is None:
        raise CommandError("standard output is closed", "open it")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise CommandError(
            f"standard output cannot be written: {error.strerror or error}", "make room there"
        ) from error
    return 0


def _guarded(command: Callable[[], int]) -> int:
    """Run `command`; turn every exception into one message and an exit code."""
    try:
        code = command()
    except KeyboardInterrupt:
        print_message("\nInterrupted: no report was written.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        drop_output()
        return EXIT_PIPE
    except Exception as error:  # noqa: BLE001 - the user gets a sentence, not a traceback
        return _failed(error)
    return code


def _failed(error: Exception) -> int:
    if os.environ.get("WAYCLEAR_DEBUG"):
        traceback.print_exception(error)
    elif isinstance(error, CommandError):
        print_message(f"wayclear: {error}")
    else:
        print_message(
            f"wayclear: this is a bug: {type(error).__name__}: {safe(str(error))[:300]}\n"
            "  Please report it with what this command prints when WAYCLEAR_DEBUG=1 is set in the environment."
        )
    return EXIT_ERROR
