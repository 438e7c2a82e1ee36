"""The examples of `--help`: three for each command, and each one is a command line that the parser takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from probe.command.completion_scripts import commands_of
from probe.command.examples import EXAMPLES, FIRST
from probe.command.main import ENTRIES, parse, whole_parser

PATHS = [one.path for one in commands_of(whole_parser()) if one.path]


def lines() -> Iterator[str]:
    for examples in (*EXAMPLES.values(), FIRST):
        yield from (line for line, _ in examples)


@pytest.mark.parametrize("path", PATHS)
def test_the_help_of_each_command_ends_with_its_examples(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*path.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out.partition("\nexamples:\n")[2]
    assert re.findall(r"^  (wayclear .*)$", shown, re.MULTILINE) == [line for line, _ in EXAMPLES[path]]
    assert len(EXAMPLES[path]) == 3
    assert max(map(len, shown.splitlines())) <= 100


def test_there_are_examples_of_commands_only() -> None:
    assert set(EXAMPLES) == set(PATHS)
    assert {entry.name for entry in ENTRIES} <= set(EXAMPLES)


@pytest.mark.parametrize("line", sorted(set(lines())))
def test_each_example_is_taken_by_the_parser(line: str) -> None:
    """Without the part that is the shell's."""
    program, *words = shlex.split(re.split(r" [>|] ", line)[0])
    assert program == "wayclear"
    command, arguments = parse(words)
    assert command is not None
    command.parsed(arguments)
    assert arguments.command == words[0]


def test_the_examples_of_a_command_are_of_this_command() -> None:
    for path, examples in EXAMPLES.items():
        assert all(line.startswith(f"wayclear {path.split()[0]}") for line, _ in examples)
