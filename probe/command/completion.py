"""`wayclear completion`: print a script that completes commands, options and values in a shell."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from probe.command import completion_scripts, main
from probe.command.parser import Parser
from probe.host import standard_streams


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """What the command line says."""

    shell: str


def add_options(parser: Parser) -> None:
    parser.description = "Prints a script for the shell. It holds the commands and options of this version."
    parser.add_argument("shell", choices=tuple(completion_scripts.SHELLS), help="the shell that will read it")


def parsed(arguments: argparse.Namespace) -> CompletionOptions:
    return CompletionOptions(arguments.shell)


def run(options: CompletionOptions) -> int:
    """Print the script; 0."""
    commands = completion_scripts.commands_of(main.whole_parser())
    standard_streams.write_output(completion_scripts.SHELLS[options.shell](commands), "utf-8")
    return 0
