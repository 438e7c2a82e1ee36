"""The text of a rehearsal."""

from __future__ import annotations

import pytest

from exporters.terminal import rehearse as words
from exporters.terminal.style import Style
from rules.model.verdict import Answer
from rules.rehearse.alerts import AlertRule, Fires
from rules.rehearse.changes import Block, Change, ClosedPort, Inspection
from tests.exporters import samples
from tests.exporters.hostile import PAYLOADS

DOWN = Fires(AlertRule("WayclearConnectorDown", "ticket", 300.0), ("this connector",))
GROUP = Fires(
    AlertRule("WayclearGroupRedundancyLost", "page", 300.0), ("this connector",), "too few others work"
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            Block("*.servicebus.windows.net"),
            "every connection to *.servicebus.windows.net is silently dropped",
        ),
        (Block("a.example", 443, True), "every connection to a.example on port 443 is refused (RST)"),
        (ClosedPort(80), "every connection to TCP port 80 is silently dropped"),
        (Inspection("*"), "a device inspects TLS to all names, with a CA that this host trusts"),
        (Inspection("login.*"), "a device inspects TLS to login.*, with a CA that this host trusts"),
    ],
)
def test_a_change_is_a_clause(change: Change, text: str) -> None:
    assert words.change_text(change) == text


@pytest.mark.parametrize(
    ("value", "text"), [(60, "1 min"), (300, "5 min"), (5400, "90 min"), (3600, "1 h"), (21_600, "6 h")]
)
def test_a_time_is_in_minutes_or_whole_hours(value: float, text: str) -> None:
    assert words.span_text(value) == text


def text(*alerts: Fires, source: str = "report.json", verbose: bool = False) -> str:
    subject = words.Subject((ClosedPort(80),), Answer.YES, source)
    return words.render(subject, samples.report(), alerts, Style(verbose=verbose))


def test_it_begins_and_ends_with_the_mark_and_holds_the_report() -> None:
    lines = text(DOWN).splitlines()
    assert lines[0].startswith(
        "REHEARSAL: nothing of this was measured. The recording is the report report.json;"
    )
    assert lines[-1] == "REHEARSAL: nothing of this was measured."
    assert any(line.startswith("1. FAIL: ") for line in lines), "as short as an audit on a screen"
    assert "WHAT IS WRONG" in text(DOWN, verbose=True).splitlines()
    assert "The recording is a healthy network of the lab" in " ".join(text(source="").split())


def test_the_alerts_stand_with_their_severity_time_and_condition() -> None:
    flat = " ".join(text(DOWN, GROUP).split())
    assert "- ticket WayclearConnectorDown after 5 min: this connector" in flat
    assert (
        "- page WayclearGroupRedundancyLost after 5 min, only if too few others work: this connector" in flat
    )
    assert "None. `wayclear serve` would show it" in " ".join(text().split())


def test_long_lists_of_names_are_folded_and_the_tenant_is_a_word() -> None:
    names = tuple(f"n{n}.tenant-id.example:443" for n in range(9))
    many = Fires(AlertRule("WayclearSignInDown", "ticket", 3600.0), names)
    assert words.alert_text(many, "tenant-id", verbose=False).endswith("n3.{tenant}.example:443, +5 more")
    assert words.alert_text(many).count("tenant-id") == 9


@pytest.mark.parametrize("hostile", PAYLOADS)
def test_a_peers_text_is_harmless(hostile: str) -> None:
    made = text(Fires(DOWN.rule, (hostile,)), source=hostile)
    assert all(char.isprintable() or char == "\n" for char in made)
