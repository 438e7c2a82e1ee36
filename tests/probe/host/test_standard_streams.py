"""Standard output and error: what cannot be written there is no traceback."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from probe.errors import CommandError
from probe.host import standard_streams


def test_say_survives_what_the_terminal_cannot_print(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii"))
    standard_streams.print_message("a \u2192 b")
    assert raw.getvalue() == b"a \\u2192 b\n"
    with Path(os.devnull).open() as deaf:  # open for reading: cannot be written to
        monkeypatch.setattr(sys, "stderr", deaf)
        standard_streams.print_message("nobody hears this")
        monkeypatch.undo()


def test_put_writes_bytes_of_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    standard_streams.write_output("é\n", "utf-8")
    assert raw.getvalue() == "é\n".encode()
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    standard_streams.write_output("é\n", "utf-8")
    assert text.getvalue() == "é\n"


def test_no_standard_output_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(CommandError, match="standard output is closed"):
        standard_streams.write_output("x", "utf-8")
