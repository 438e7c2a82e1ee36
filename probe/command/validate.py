"""`wayclear validate`: check files one by one and print every fault."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from probe.command import common
from probe.command.parser import EXIT_ERROR, Parser, non_blank
from probe.config.validation import validate_file
from probe.host import standard_streams
from probe.host.files import shown_name
from rules.text.display import display


@dataclass(frozen=True, slots=True)
class ValidateOptions:
    """What the command line says."""

    files: tuple[str, ...]  # "-" is standard input


def add_options(parser: Parser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", type=non_blank, help="- is standard input")


def parsed(arguments: argparse.Namespace) -> ValidateOptions:
    return ValidateOptions(tuple(arguments.files))


def run(options: ValidateOptions) -> int:
    """Check each file; 0 if all can be used."""
    code = 0
    for name in options.files:
        found = validate_file(name)
        for message in found:
            standard_streams.print_message(message)
        if all(message.startswith("warning: ") for message in found):
            standard_streams.write_output(
                f"{display(shown_name(name), 1024)}: ok\n", common.output_encoding()
            )
        else:
            code = EXIT_ERROR
    return code
