"""A rehearsal is marked, and stays marked when it is judged again."""

from __future__ import annotations

from dataclasses import replace

from rules.files.report_json import dumps, loads
from rules.judge.report import replay
from rules.rehearse.marks import is_rehearsal, marked
from tests.rules.script import PLAN, RULES, healthy, judged


def test_the_mark_goes_through_a_file_and_a_replay() -> None:
    assert not is_rehearsal(judged(healthy()))
    plan = replace(PLAN, labels=marked(replace(PLAN, labels=(("site", "Vienna"),))))
    report = judged(healthy(), plan=plan)
    assert dict(report.vantage.labels) == {"REHEARSAL": "nothing of this was measured", "site": "Vienna"}
    again = loads(dumps(report))
    assert is_rehearsal(again)
    assert is_rehearsal(replay(again, RULES))


def test_it_is_marked_once() -> None:
    plan = replace(PLAN, labels=marked(PLAN))
    assert marked(plan) == plan.labels
