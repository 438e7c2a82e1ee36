"""`wayclear completion`: print a script that completes commands, options and values in a shell."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from probe.command import completion_scripts, main
from probe.command.parser import Parser
from probe.config.rule_files import shipped_sets
from probe.host import standard_streams
from rules.model.geography import GEOGRAPHIES
from rules.model.ruleset import CaSet, RuleSet


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """What the command line says."""

    shell: str


def add_options(parser: Parser) -> None:
    parser.description = "Prints a script for the shell. It holds the commands and options of this version."
    parser.add_argument("shell", choices=tuple(completion_scripts.SHELLS), help="the shell that will read it")


def parsed(arguments: argparse.Namespace) -> CompletionOptions:
    return CompletionOptions(arguments.shell)


def values() -> completion_scripts.Values:
    """What is offered where the parser names no choices: the regions, and the shipped sets by their names."""
    shipped = shipped_sets()
    return {
        "--region": tuple(GEOGRAPHIES),
        "--rules": tuple(one.name for one in shipped if isinstance(one, RuleSet)),
        "--ca-set": tuple(one.name for one in shipped if isinstance(one, CaSet)),
        "NAME|FILE": tuple(one.name for one in shipped),
    }


def run(options: CompletionOptions) -> int:
    """Print the script; 0."""
    commands = completion_scripts.commands_of(main.whole_parser(), values())
    standard_streams.write_output(completion_scripts.SHELLS[options.shell](commands), "utf-8")
    return 0
