"""The alerts that `wayclear rehearse` names are those that Prometheus fires, and at that time: Debian's promtool says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from dashboards import rehearsal_alerts
from dashboards.alerts import ALERTS
from exporters.metrics.exposition import from_state
from probe.audit.forged import Forger
from probe.audit.state import state_of
from probe.command.rehearse import alert_rules
from rules.model.verdict import Report
from rules.rehearse.alerts import ALERTS as KNOWN
from rules.rehearse.alerts import INTERCEPTED_SHARE, OTHERS, Fires, firing
from rules.rehearse.changes import Block, Change, ClosedPort, Inspection
from rules.rehearse.rehearsal import rehearse
from rules.watch.state import Place, State
from tests.dashboards import promtool
from tests.dashboards.fleet import Connector
from tests.rules import goldens

ROOT = Path(__file__).resolve().parents[2]
PLACE = Place("connector01", "vienna", "Vienna", "eu")
SERVICE = (Block("*.msappproxy.net"), Block("*.servicebus.windows.net"))
CASES: dict[str, tuple[Change, ...]] = {
    "healthy": (),
    "the service": SERVICE,
    "the service refused": (Block("*.msappproxy.net", 443, reset=True),),
    "one Relay": (Block("cwap-eur1-weur2.servicebus.windows.net"),),
    "sign-in": (Block("login.*"),),
    "port 80": (ClosedPort(80),),
    "everything inspected": (Inspection("*"),),
    "sign-in inspected": (Inspection("login.microsoftonline.com"),),
    "inspected, and the service blocked": (Inspection("*"), Block("*.servicebus.windows.net")),
}
#: Recordings of networks that no rehearsal makes.
RECORDED = ("no-tenant", "resolver-dead", "clock-wrong", "retired-rows-gone")
#: Those that depend on other connectors; the two others of this fleet are well.
_ACROSS = tuple(name for name, (_, condition) in KNOWN.items() if condition)
_WELL = (Connector("connector02", site="Graz"), Connector("connector03", site="Linz"))


def report_of(case: str) -> Report:
    if case in RECORDED:
        return goldens.golden(case)
    base = goldens.recorded("healthy")
    return rehearse(base, goldens.rules(), CASES[case], Forger(base.started).chain, 1.5)


def told(state: State) -> list[Fires]:
    """What the rehearsal says whatever other connectors do."""
    return [one for one in firing(state, alert_rules()) if one.rule.name not in _ACROSS]


def series(state: State, minutes: int) -> list[dict[str, str]]:
    """The state's metrics for so many minutes, on promtool's clock, which begins at 0."""
    found = []
    for family in text_string_to_metric_families(from_state(state)):
        for one in family.samples:
            labels = ", ".join(f'{name}="{value}"' for name, value in one.labels.items())
            moving = one.name == "wayclear_last_cycle_timestamp_seconds"
            value = one.value - (state.now if one.name.endswith("_timestamp_seconds") else 0)
            values = f"0+60x{minutes}" if moving else f"{value:f}+0x{minutes}"
            if one.name == "wayclear_connector_answer" and one.labels["answer"] == "yes":
                values = (
                    f"1 {value:f}+0x{minutes}"  # the network was proven before: what a rehearsal supposes
                )
            found.append({"series": f"{one.name}{{{labels}}}", "values": values})
    return found


def fires_at(
    directory: Path,
    state: State,
    expected: dict[int, dict[str, int]],
    others: Sequence[Connector] = _WELL,
) -> str:
    """promtool's complaint where other alerts fire at these minutes than expected: by name, how many."""
    rule_file = promtool.bare_rules(directory)
    wanted = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing", severity!="none"})',
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": f'{{alertname="{name}"}}', "value": count} for name, count in found.items()
            ],
        }
        for minute, found in expected.items()
    ]
    last = max(expected)
    found = [*series(state, last), *(row for other in others for row in other.input_series(last))]
    test = {"interval": "1m", "input_series": found, "promql_expr_test": wanted}
    content = {"rule_files": [str(rule_file)], "evaluation_interval": "1m", "tests": [test]}
    path = directory / "tests.yml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    done = promtool.run("test", "rules", path)
    return "" if done.returncode == 0 else done.stdout[-6000:] + done.stderr


#: After the alerts about names (15 min), sign-in (an hour) and lists (six hours).
LATER = (20, 65, 365)


@pytest.mark.parametrize("case", [*CASES, *RECORDED])
def test_prometheus_fires_what_is_told_and_when_it_is_told(case: str, tmp_path: Path) -> None:
    state = state_of(report_of(case), goldens.rules(), PLACE)
    found = told(state)
    expected: dict[int, dict[str, int]] = {}
    for pending in sorted({0.0, *(one.rule.pending for one in found)}):
        for minute in (round(pending / 60) - 1, round(pending / 60) + 2):
            firing_then = [one for one in found if one.rule.pending / 60 <= minute]
            expected[max(minute, 0)] = {one.rule.name: len(one.subjects) for one in firing_then}
    for minute in LATER:  # also where the rehearsal tells of nothing at that time
        firing_then = [one for one in found if one.rule.pending / 60 <= minute]
        expected[minute] = {one.rule.name: len(one.subjects) for one in firing_then}
    assert fires_at(tmp_path, state, expected) == ""


def test_a_condition_is_what_the_other_connectors_have_to_be(tmp_path: Path) -> None:
    """One connector of the group is left, which is one too few."""
    state = state_of(report_of("the service"), goldens.rules(), PLACE)
    (page,) = [one for one in firing(state, alert_rules()) if one.rule.severity == "page"]
    assert (page.rule.name, page.condition) == (
        "WayclearGroupRedundancyLost",
        "too few other connectors of its group work",
    )
    assert (
        fires_at(tmp_path, state, {4: {}, 7: {page.rule.name: 1, "WayclearConnectorDown": 1}}, _WELL[:1])
        == ""
    )


def test_a_healthy_network_fires_nothing_that_another_connector_does_not_cause() -> None:
    state = state_of(report_of("healthy"), goldens.rules(), PLACE)
    assert told(state) == []


def test_every_alert_is_known() -> None:
    """A new alert needs its condition in `rules/rehearse/alerts.py`, or its place among the others."""
    assert {alert.name for alert in ALERTS} <= set(KNOWN) | OTHERS
    assert not set(KNOWN) & OTHERS


def test_the_shipped_file_is_made_from_the_alerts() -> None:
    assert rehearsal_alerts.FILE.read_text("utf-8") == rehearsal_alerts.text(), (
        "run `python -m dashboards.rehearsal_alerts`"
    )
    assert [row["name"] for row in json.loads(rehearsal_alerts.text())] == [
        alert.name for alert in ALERTS if alert.severity != "none"
    ]


def test_the_share_of_intercepted_handshakes_is_written_once() -> None:
    """Rules, boards and rehearsals count a name as intercepted by the same number."""
    files = (ROOT / "dashboards").rglob("*.py")
    assert [file.name for file in files if str(INTERCEPTED_SHARE) in file.read_text("utf-8")] == []
    (alert,) = (one for one in ALERTS if one.name == "WayclearServiceIntercepted")
    assert alert.threshold == INTERCEPTED_SHARE
