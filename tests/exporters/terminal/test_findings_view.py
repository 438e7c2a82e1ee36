"""The place of each finding: one view for the screen, the full text and the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.page.findings import findings
from exporters.terminal import audit, summary
from exporters.terminal.findings_view import findings_view
from exporters.terminal.style import Style
from rules.model.verdict import Plan, Status
from tests.exporters import samples
from tests.rules import goldens


def test_roots_stand_by_their_status_and_what_follows_below_its_root() -> None:
    follows = replace(samples.SILENT, id="1.1", because=("1",))
    remark = replace(samples.NOTICE, id="1.2", because=("1",))
    made = (samples.INTERCEPTED, follows, remark, samples.SILENT, samples.UNTESTED, samples.NOTICE)
    view = findings_view(samples.report(causes=made))
    assert view.wrong == (samples.INTERCEPTED, samples.SILENT)
    assert view.untested == (samples.UNTESTED,)
    assert view.notices == (samples.NOTICE,)
    assert view.followers(samples.INTERCEPTED) == [follows, remark]
    assert view.followers(samples.SILENT) == []


def test_a_finding_whose_root_is_absent_is_hidden_nowhere() -> None:
    report = samples.report(causes=(replace(samples.SILENT, id="7.1", because=("7",)),))
    shown = (
        summary.render(report, Style(200)),
        audit.render(report, Style(200)),
        findings(report, frozenset()),
    )
    for text in shown:
        assert samples.SILENT.summary in text


def test_who_acts_and_who_helps_is_the_same_in_each_output() -> None:
    untested = replace(samples.UNTESTED, owner="proxy")
    plan = Plan("q7x2", owners=(("firewall", "NETSEC queue"),))
    report = samples.report(plan=plan, causes=(samples.INTERCEPTED, samples.SILENT, untested))
    view = findings_view(report)
    assert view.acting() == {"NETSEC queue": [samples.INTERCEPTED, samples.SILENT]}
    assert view.acting(1) == {"NETSEC queue": [samples.INTERCEPTED]}
    assert view.helpers() == ["Proxy team"]
    assert "Who must act: NETSEC queue (findings 1, 2); Proxy team (to make it testable)." in summary.render(
        report, Style(200)
    )
    whole = audit.render(report, Style(200))
    assert "NETSEC queue: findings 1, 2\n" in whole
    assert "Proxy team: to make it testable, see below" in whole


def test_who_must_act_is_not_named_again_as_a_helper() -> None:
    made = (samples.SILENT, replace(samples.UNTESTED, owner="firewall"))
    assert findings_view(samples.report(causes=made)).helpers() == []
    without_remedy = replace(samples.UNTESTED, owner="proxy", remedy="", status=Status.INCONCLUSIVE)
    assert findings_view(samples.report(causes=(without_remedy,))).helpers() == []


@pytest.mark.parametrize("name", goldens.NAMES)
def test_nothing_follows_from_what_could_not_be_tested(name: str) -> None:
    view = findings_view(goldens.golden(name))
    assert all(view.followers(found) == [] for found in view.untested)
