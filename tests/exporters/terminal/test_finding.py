"""The texts of a finding that several outputs share."""

from __future__ import annotations

from dataclasses import replace

from exporters.terminal.finding import finding_lines
from tests.rules import goldens


def test_a_log_has_a_line_for_each_root_with_its_cause_and_who_must_act() -> None:
    report = goldens.golden("port-80-dropped")
    named = replace(report, plan=replace(report.plan, owners=(("firewall", "NETSEC queue"),)))
    (line,) = finding_lines(named)
    assert line.startswith("finding 1: TCP connections to 6 endpoints get no answer")
    assert line.endswith("[tcp.timeout]; who must act: NETSEC queue")


def test_a_log_has_no_finding_of_a_healthy_network() -> None:
    assert list(finding_lines(goldens.golden("healthy"))) == list(finding_lines(None)) == []
