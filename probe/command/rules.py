"""`wayclear rules`: list the shipped sets, or show one set (shipped or the user's) row by row."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from exporters.terminal import rule_sets
from exporters.terminal.style import Style
from probe.command import common
from probe.command.examples import add_examples
from probe.command.parser import Parser, non_blank
from probe.config.rule_files import is_file_name, load_set, shipped_sets
from probe.errors import CommandError
from probe.host import standard_streams
from rules.model.ruleset import CaSet, RuleSet


@dataclass(frozen=True, slots=True)
class RulesOptions:
    """What the command line says. `name` is None for `list`."""

    name: str | None
    verbose: bool


def add_options(parser: Parser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list|show", required=True, parser_class=Parser)
    listed = actions.add_parser(
        "list", help="names, versions and review dates of the shipped ones", allow_abbrev=False
    )
    add_examples(listed, "rules list")
    show = actions.add_parser("show", help="every row of one set", allow_abbrev=False)
    show.add_argument(
        "name", metavar="NAME|FILE", type=non_blank, help="a shipped set, or a file of your own"
    )
    add_examples(show, "rules show")


def parsed(arguments: argparse.Namespace) -> RulesOptions:
    return RulesOptions(arguments.name if arguments.action == "show" else None, arguments.verbose)


@common.convert_bad_file()
def run(options: RulesOptions) -> int:
    """Show the sets. CommandError if none has the name."""
    layout = common.output_style(options.verbose)
    standard_streams.write_output(_text(options.name, layout), layout.encoding)
    return 0


def _text(name: str | None, layout: Style) -> str:
    if name is not None and is_file_name(name):
        return _rows(load_set(name), layout)
    found = shipped_sets()
    if name is None:
        lists = [one for one in found if isinstance(one, RuleSet)]
        cas = [one for one in found if isinstance(one, CaSet)]
        return rule_sets.listing(lists, cas, layout)
    for one in found:
        if one.name == name:
            return _rows(one, layout)
    known = ", ".join(one.name for one in found)
    raise CommandError(
        f"rules show: no set is called {name[:80]!a}",
        f"there are {known}; a file of your own ends in .toml",
    )


def _rows(one: RuleSet | CaSet, layout: Style) -> str:
    if isinstance(one, RuleSet):
        return rule_sets.show_rules(one, layout)
    return rule_sets.show_cas(one, layout)
