"""Options that several sub-commands share; each group is a typed value."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from probe.command.formats import FORMATS
from probe.command.parser import Parser, non_blank, seconds
from rules.model.geography import GEOGRAPHIES, geography
from rules.text.display import display

_GEOGRAPHIES = ", ".join(f"{name} ({code})" for code, name in GEOGRAPHIES.items())
STANDARD_OUTPUT = "-"  #: as the value of --output


@dataclass(frozen=True, slots=True)
class Judging:
    """Options about configuration, rules and CA sets. None: the option was not given."""

    config: str | None = None
    rules: tuple[str, ...] | None = None
    ca_sets: tuple[str, ...] | None = None

    @staticmethod
    def add_to(parser: Parser) -> None:
        """Add the options of this group."""
        parser.add_argument(
            "--config",
            metavar="FILE",
            type=non_blank,
            help="configuration (default: the one of the system or the user)",
        )
        parser.add_argument(
            "--rules",
            metavar="NAME|FILE",
            action="append",
            type=non_blank,
            help="rule set, shipped or your own; may be given again",
        )
        parser.add_argument(
            "--ca-set",
            metavar="NAME|FILE",
            action="append",
            type=non_blank,
            help="expected CAs; may be given again",
        )

    @classmethod
    def parsed(cls, arguments: argparse.Namespace) -> Self:
        return cls(arguments.config, _several(arguments.rules), _several(arguments.ca_set))

    @property
    def settings(self) -> Mapping[str, object]:
        """By the keys of the configuration."""
        return {"rules": self.rules, "ca_sets": self.ca_sets}


@dataclass(frozen=True, slots=True)
class Measuring:
    """Options about measuring. None: the option was not given. `budget` is in seconds."""

    tenant: str | None = None
    region: str | None = None
    resolvers: tuple[str, ...] | None = None
    pace: str | None = None
    budget: float | None = None

    @staticmethod
    def add_to(parser: Parser, *, budget: bool = True) -> None:
        """Add the options of this group; `budget`: whether the command can end early."""
        parser.add_argument(
            "--tenant",
            metavar="GUID|DOMAIN",
            type=non_blank,
            help="whose own names are tested (on a connector: its own)",
        )
        parser.add_argument(
            "--region",
            metavar="REGION",
            type=known_region,
            help=f"of the connector's group, so that its names are required: {_GEOGRAPHIES}",
        )
        parser.add_argument(
            "--resolver",
            metavar="IP",
            action="append",
            type=non_blank,
            help="ask this resolver instead of the host's; may be given again",
        )
        parser.add_argument(
            "--pace", choices=("polite", "fast"), help="fast only in labs and agreed change windows"
        )
        if budget:
            parser.add_argument(
                "--budget", metavar="SECONDS", type=seconds, help="end after this time, whatever is left"
            )

    @classmethod
    def parsed(cls, arguments: argparse.Namespace) -> Self:
        """The values of this group; without a budget where the command has none."""
        budget = getattr(arguments, "budget", None)
        return cls(arguments.tenant, arguments.region, _several(arguments.resolver), arguments.pace, budget)

    @property
    def settings(self) -> Mapping[str, object]:
        """By the keys of the configuration."""
        return {
            "tenant": self.tenant,
            "region": self.region,
            "resolvers": self.resolvers,
            "pace": self.pace,
            "budget": self.budget,
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the report goes and in which format."""

    format: str
    output: str | None  # None or "-": standard output
    no_color: bool
    exit_zero: bool
    verbose: bool

    @staticmethod
    def add_to(parser: Parser) -> None:
        """Add the options of this group."""
        parser.add_argument("--format", choices=tuple(FORMATS), default="text")
        parser.add_argument(
            "--output",
            metavar="FILE",
            type=non_blank,
            help="write there instead of to standard output (which is -)",
        )
        parser.add_argument(
            "--no-color", action="store_true", help="no colour on a terminal (also: NO_COLOR=1)"
        )
        parser.add_argument("--exit-zero", action="store_true", help="exit 0 whenever a report was written")

    @classmethod
    def parsed(cls, arguments: argparse.Namespace) -> Self:
        return cls(
            arguments.format,
            arguments.output,
            arguments.no_color,
            arguments.exit_zero,
            arguments.verbose,
        )

    @property
    def file(self) -> str | None:
        """The file that is written; None for standard output."""
        return None if self.output == STANDARD_OUTPUT else self.output


def known_region(text: str) -> str:
    """A geography of connector groups, by its name or code; argparse tells of another word."""
    if geography(text):
        return text
    near = difflib.get_close_matches(text.title(), GEOGRAPHIES.values(), 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise argparse.ArgumentTypeError(
        f"{display(text, 60)} is no geography of connector groups ({_GEOGRAPHIES}){hint}"
    )


def add_verbose(parser: Parser) -> None:
    """Add `--verbose`, which may also stand before the command."""
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="unfold everything: every endpoint, every step",
    )


def _several(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)
