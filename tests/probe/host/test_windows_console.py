"""How the console of Windows is asked for escape sequences. tests/windows makes the calls themselves."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from probe.host.windows_console import PROCESSED, VIRTUAL_TERMINAL, obeys_escapes, shows_escapes
from tests.probe.host.test_terminal import terminal


@dataclass
class Console:
    """A console that is in a mode, and takes another one or not."""

    known: int | None
    takes: bool = True
    asked: list[int] = field(default_factory=list)

    def mode(self, descriptor: int) -> int | None:
        return self.known

    def set_mode(self, descriptor: int, mode: int) -> bool:
        self.asked.append(mode)
        return self.takes


BOTH = PROCESSED | VIRTUAL_TERMINAL


@pytest.mark.parametrize(
    ("console", "obeys", "asked"),
    [
        (Console(None), False, []),  # no console
        (Console(BOTH | 2), True, []),  # it already does
        (Console(PROCESSED | 2), True, [BOTH | 2]),  # Windows 10, after it was asked
        (Console(PROCESSED, takes=False), False, [BOTH]),  # Windows Server 2012
    ],
)
def test_the_console_is_asked_and_its_answer_counts(console: Console, obeys: bool, asked: list[int]) -> None:
    with terminal() as (_, stream):
        assert obeys_escapes(stream, console) is obeys
    assert console.asked == asked


def test_a_stream_without_a_descriptor_is_no_console() -> None:
    assert not obeys_escapes(io.StringIO(), Console(BOTH))


def test_other_terminals_need_no_question() -> None:
    with terminal() as (_, stream):
        assert shows_escapes(stream)
