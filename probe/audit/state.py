"""Makes a `State` of a single report, for `--format prometheus`."""

from __future__ import annotations

from exporters.terminal.headline import headline
from probe.config.settings import Config
from rules.audit.machine import Audit
from rules.model.ruleset import Rules
from rules.model.verdict import Report
from rules.text.display import display
from rules.watch.state import Place, State
from rules.watch.state_of import host_faults, rows_of, source_states, target_states, with_latest
from rules.watch.targets import TargetRecords, key_of


def state_of(report: Report, rules: Rules, place: Place) -> State:
    """The state of one audit, judged again from its own observations."""
    audit = Audit(rules, report.plan, {seen.step: seen for seen in report.observations})
    if report.stopped:
        audit.stop(report.stopped)
    rows, tracks, now = rows_of(report), TargetRecords(), report.finished
    tracks.apply_verdicts(audit, rows, now)
    for seen in report.observations:
        key = key_of(seen.step)
        if key is not None and seen.step.attempt == 1:
            tracks.observe(key, seen, new=False)
    found = tuple(
        with_latest(t, tracks.record_of((t.host, t.port))) for t in target_states(audit, tracks, rows, now)
    )
    return State(
        place,
        report.version,
        now,
        report.started,
        report,
        report.answer,
        report.started,
        headline(report),
        report.answer_text,
        found,
        source_states(report, audit),
        host_faults=host_faults(report),
        resolvers=tuple((r, not audit.names.health[r].dead) for r in audit.names.resolvers),
        notes=report.notes,
    )


def place_of(config: Config, host: str) -> Place:
    """The constant labels; `host` is this host's name, used if the configuration has no name for the connector."""
    serve = config.serve
    name = serve.connector or display(host, 255) or "connector"  # the host may come from a file
    return Place(name, serve.connector_group, serve.site, serve.region)
