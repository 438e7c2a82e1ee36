"""What a person is told."""

from __future__ import annotations

from probe.errors import CommandError, one_line


def test_it_says_what_and_what_to_do() -> None:
    assert str(CommandError("no such file", "name another")) == "no such file\n  name another"
    assert str(CommandError("no such file")) == "no such file"


def test_as_one_line_the_first_heads_the_others() -> None:
    assert one_line("no such file") == "no such file"
    assert one_line("a.toml: 2 things are wrong\n  x: is empty\n\n  y: is 3\n") == (
        "a.toml: 2 things are wrong: x: is empty; y: is 3"
    )
    assert one_line("It failed.\n  try again") == "It failed. try again"
    assert one_line("\n") == ""
