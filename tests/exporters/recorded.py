"""Recordings of the lab as the appliance's picture: states with everything that a real network has to tell."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from exporters.terminal.headline import headline
from probe.config.rule_files import load_rules
from probe.config.settings import load_config
from rules.audit.machine import Audit
from rules.files.report_json import loads
from rules.judge.report import make_report
from rules.model.ruleset import Rules
from rules.watch.state import Place, State
from rules.watch.state_of import rows_of, source_states, target_states
from rules.watch.targets import TargetRecords
from tests import recordings
from tests.lab import audit_files
from tests.lab.plan import Plan

PLACE = Place("connector-vie-01", "production", "Vienna", "EU")
DAY = 86_400.0


@cache
def rules_of_the_lab() -> Rules:
    """The shipped rules with the lab's CA set."""
    with tempfile.TemporaryDirectory() as folder:
        audit_files.write(Path(folder), Plan())
        config = load_config(str(Path(folder) / "wayclear.toml"), {})
        return load_rules(config.rules, config.ca_sets)


def recorded(name: str) -> State:
    """A recording of the lab as the appliance's picture at its end."""
    report = loads(recordings.whole(name))
    audit = Audit(rules_of_the_lab(), report.plan, {seen.step: seen for seen in report.observations})
    made = make_report(audit, report.started, report.finished, report.version)
    tracks, rows = TargetRecords(), rows_of(made)
    tracks.apply_verdicts(audit, rows, report.finished)
    keys = {(target.host, target.port) for target in audit.targets if target.host is not None}
    for seen in made.observations:
        host = (
            getattr(seen.step, "server_name", "")
            or getattr(seen.step, "host", "")
            or getattr(seen.step, "name", "")
        )
        for key in (key for key in keys if key[0] == host):
            tracks.observe(key, seen, new=False)
    return State(
        PLACE,
        made.version,
        made.finished,
        made.started - 3 * DAY,
        made,
        made.answer,
        made.started,
        headline(made),
        made.answer_text,
        target_states(audit, tracks, rows, made.finished),
        source_states(made, audit),
        resolvers=tuple((address, True) for address in made.vantage.resolvers),
    )
