"""What a person is told."""

from __future__ import annotations

from probe.trouble import Trouble


def test_it_says_what_and_what_to_do() -> None:
    assert str(Trouble("no such file", "name another")) == "no such file\n  name another"
    assert str(Trouble("no such file")) == "no such file"
