"""From a broken network to the person on call: the daemons of a fleet, Debian's Prometheus and Alertmanager, our rules.

Each case breaks the running network, waits for exactly the alerts that should fire, looks at which of them Alertmanager
holds back, repairs the network and waits until nothing fires. "Nothing else" is asked of Prometheus' own memory: every
alert that fired at any moment between the break and the end counts.

In these rules a minute is a second (`tests/lab/monitoring.py` says what else is shortened). Conditions of days
(certificates, next updates of lists) have their cases in `tests/dashboards`.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pytest

from dashboards import annotation_queries, queries, variable_queries
from dashboards.alerts import BY_NAME
from exporters.metrics.catalogue import SERIES_BESIDES, SERIES_OF_A_TARGET
from tests.lab import configs, plan
from tests.lab.appliance import fetch, settles_at, until
from tests.lab.lab import ROOT, Lab
from tests.lab.monitoring import DUB1, DUB2, LONGEST, MONITORING, NEW_ADDRESS, SIN1, SYD1, Fleet, Message
from tests.lab.monitoring import plan as fleet_plan
from tests.lab.panel_values import EXPECTED, Holds, Shown
from tests.lab.scenarios.names import BOOTSTRAP, OTHER_RELAY, REGISTRATION, RELAY

pytestmark = pytest.mark.lab
_T = TypeVar("_T")

#: What stands for Grafana's `$__rate_interval`: scrapes come twice a second.
RATE = "5s"
#: Seconds until everything has resolved: a round, a judgement, the longest `keep_firing_for`.
RESOLVED = 45.0
#: They serve lists and nothing else; what also serves sign-in would fire its alert as well.
CRL_HOSTS = ("crl2.microsoft.com", "crl3.digicert.com", "crl4.digicert.com")
#: Queries that have nothing to say on a healthy network, and why.
EMPTY_WHEN_HEALTHY = {
    "Alerts": "an annotation for each alert that fires",
    "Transitions": "an annotation for each change",
    "Drift": "an annotation for each piece of news",
}
#: Panels that list only what somebody must look at.
LISTS_OF_TROUBLE = {"Causes", "Inconclusive", "Who must act"}


def filled(fleet: Fleet, expr: str) -> Callable[[], bool]:
    """Whether a query has samples."""
    return lambda: bool(fleet.query(expr))


def empty(fleet: Fleet, expr: str) -> Callable[[], bool]:
    """Whether a query has none."""
    return lambda: not fleet.query(expr)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Four healthy connectors, watched."""
    with Lab(fleet_plan()) as lab:
        made = Fleet(lab)
        made.start()
        yield made


# --- a healthy network ---------------------------------------------------------------------------------------------------


def test_a_healthy_fleet_alarms_nobody_and_every_panel_has_data(fleet: Fleet) -> None:
    begun = time.monotonic()
    asked = 0
    for board, panel, expr in queries(RATE):
        if panel in LISTS_OF_TROUBLE:
            until(f"{board}, {panel}: {expr}", empty(fleet, expr), 5)
        else:
            until(f"{board}, {panel}: {expr}", filled(fleet, expr), 5)
        asked += 1
    for board, variable, selector, label in variable_queries():
        values = fleet.api(f"label/{label}/values", **{"match[]": selector})
        assert values, f"{board}: {variable} offers nothing"
        asked += 1
    assert asked > 80, "the dashboards have as many queries"
    for _, name, expr in annotation_queries(RATE):
        fleet.query(expr)
        assert name in EMPTY_WHEN_HEALTHY
    assert fleet.alerts("pending", "firing") == set()
    assert fleet.fired(begun) == set()
    assert fleet.told() == {}


def test_the_live_pages_are_as_prometheus_wants_them(fleet: Fleet) -> None:
    for daemon in fleet.daemons.values():
        page = daemon.get("/metrics").text
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=page,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        found = daemon.samples()
        of_targets = Counter(
            (s.labels["target"], s.labels["port"]) for s in found if {"target", "port"} <= s.labels.keys()
        )
        assert len(of_targets) > 40
        assert max(of_targets.values()) <= SERIES_OF_A_TARGET
        assert len(found) - of_targets.total() <= SERIES_BESIDES
        assert {s.labels["connector"] for s in found} == {daemon.name}


# --- the values of the panels ------------------------------------------------------------------------------------------


def test_every_panel_has_its_values() -> None:
    assert {(board.removeprefix("wayclear-"), panel) for board, panel, _ in queries(RATE)} == set(EXPECTED)


def test_the_values_of_every_panel_are_those_of_the_broken_network(fleet: Fleet) -> None:
    relay_of_a_region_is_dropped(fleet)
    sign_in_is_dropped(fleet)
    lists_are_dropped(fleet)
    squid_comes_between(fleet)
    try:
        for board, panel, expr in queries(RATE):
            holds = EXPECTED[board.removeprefix("wayclear-"), panel]
            seen: list[Shown] = []

            def right(expr: str = expr, holds: Holds = holds, seen: list[Shown] = seen) -> bool:
                seen[:] = [Shown.read(fleet.query(expr))]
                return holds(seen[0])

            # a daemon takes minutes to confirm an answer
            until(f"{board}, {panel}: {expr}", lambda: _true(right), 90)
    finally:
        fleet.repair()
        until("all is well", lambda: not fleet.alerts("pending", "firing"), 90)
    nobody: dict[str, bool] = {}
    settles_at("Alertmanager tells", nobody, fleet.told, 15)


def _true(question: Callable[[], bool]) -> bool:
    """The answer; no, as long as what is asked for is not there."""
    try:
        return question()
    except (KeyError, ValueError, AssertionError, IndexError):
        return False


# --- what breaks ---------------------------------------------------------------------------------------------------------


def service(fleet: Fleet) -> list[str]:
    """Every address of the service."""
    hosts = fleet.lab.plan.world.matching(".msappproxy.net") + fleet.lab.plan.world.matching(
        ".servicebus.windows.net"
    )
    return [address for host in hosts for address in host.v4]


def addresses(fleet: Fleet, *names: str) -> list[str]:
    """All IPv4 addresses of these names."""
    return [address for name in names for address in fleet.lab.plan.world.hosts[name].v4]


def one_is_dropped(fleet: Fleet) -> None:
    fleet.block(DUB1, plan.drop(to=service(fleet), port=443))


def both_are_dropped(fleet: Fleet) -> None:
    for member in (DUB1, DUB2):
        fleet.block(member, plan.drop(to=service(fleet), port=443))


def relay_of_a_region_is_dropped(fleet: Fleet) -> None:
    """No other name fails, and the connector works: nothing but its own alert tells."""
    fleet.block(DUB1, plan.drop(to=addresses(fleet, OTHER_RELAY), port=443))


def tenant_is_forgotten(fleet: Fleet) -> None:
    file = fleet.daemons[SIN1.name].configuration
    file.write_text(re.sub(r"^(tenant = .*)$", r"#\1", file.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


def tenant_is_known_again(fleet: Fleet) -> None:
    file = fleet.daemons[SIN1.name].configuration
    file.write_text(re.sub(r"^#(tenant = .*)$", r"\1", file.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


def squid_comes_between(fleet: Fleet) -> None:
    fleet.intercept(SIN1, plan.match(to=service(fleet), port=443), configs.SQUID_PORT)


def office_hours(fleet: Fleet) -> None:
    """What waits until morning, at three connectors: some addresses, sign-in, CRLs; and a rule set that nobody reviewed."""
    some = [*addresses(fleet, BOOTSTRAP)[:2], *addresses(fleet, REGISTRATION)[:2]]
    fleet.block(DUB1, plan.drop(to=[*some, *addresses(fleet, OTHER_RELAY)], port=443))
    sign_in_is_dropped(fleet)
    lists_are_dropped(fleet)
    fleet.review(200)


def sign_in_is_dropped(fleet: Fleet) -> None:
    fleet.block(SYD1, "ip daddr 40.126.0.0/16 tcp dport 443 drop")
    fleet.block(SYD1, "ip6 daddr 2603:1026::/32 tcp dport 443 drop")


def lists_are_dropped(fleet: Fleet) -> None:
    for name in CRL_HOSTS:
        host = fleet.lab.plan.world.hosts[name]
        fleet.block(DUB2, plan.drop(to=host.v4, port=80))
        fleet.block(DUB2, plan.drop(to=host.v6, port=80))


def rule_set_is_reviewed(fleet: Fleet) -> None:
    fleet.repair()
    fleet.review(0)


def no_resolver(fleet: Fleet) -> None:
    for protocol in ("udp", "tcp"):
        fleet.block(SIN1, plan.drop(port=53, protocol=protocol), chain="own")


def three_sites(fleet: Fleet) -> None:
    for member in (DUB1, SIN1, SYD1):
        fleet.block(member, plan.drop(to=addresses(fleet, BOOTSTRAP), port=443))


def killed(fleet: Fleet) -> None:
    fleet.lab.stop(DUB1.name)


def started_again(fleet: Fleet) -> None:
    fleet.restart(DUB1)


def stopped(fleet: Fleet) -> None:
    assert sys.platform == "linux"
    fleet.lab.signal(SYD1.name, signal.SIGSTOP)


def continued(fleet: Fleet) -> None:
    assert sys.platform == "linux"
    fleet.lab.signal(SYD1.name, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Case:
    """`fires`: exactly these. `held_back`: those of them that Alertmanager tells nobody. `within`: seconds.
    `messages`: how many messages people are sent, one for each outage. Those to nobody are not counted."""

    name: str
    breaks: Callable[[Fleet], None]
    fires: frozenset[str]
    held_back: frozenset[str] = frozenset()
    mends: Callable[[Fleet], None] = Fleet.repair
    within: float = 45.0
    messages: int = 1
    may: frozenset[str] = frozenset()  # these may fire besides, and are told nobody

    def lasting(self, begun: float) -> frozenset[str]:
        """What may fire besides, once the fault has lasted for the half hour that this alert waits (`LONGEST` seconds
        here): a slow machine takes so long over a case. Before that nothing else may. `begun`: monotonic time."""
        if time.monotonic() - begun < LONGEST:
            return self.may
        down = (
            name
            for kind, _, name in (alert.partition(" ") for alert in self.fires)
            if kind in ("ConnectorDown", "ServiceIntercepted")
        )
        return self.may | frozenset(f"ServiceAddressesFailing {name}" for name in down) - self.fires

    @property
    def silent(self) -> frozenset[str]:
        """Those of them that only hold others back: they are sent to nobody."""
        kinds = {name.removeprefix("Wayclear") for name, alert in BY_NAME.items() if alert.severity == "none"}
        return frozenset(alert for alert in self.fires if alert.split()[0] in kinds)


CASES = (
    Case(
        "service-dropped-for-one",
        one_is_dropped,
        frozenset({"ConnectorDown conn-dub-1", "GroupRedundancyLost emea", "GroupTellsOfName"}),
        held_back=frozenset({"ConnectorDown conn-dub-1"}),
    ),
    Case(
        "relay-of-a-region-dropped",
        relay_of_a_region_is_dropped,
        frozenset({"ServiceNameDown conn-dub-1"}),
    ),
    Case(
        "tenant-forgotten",
        tenant_is_forgotten,
        frozenset({"AnswerNotProven conn-sin-1"}),
        mends=tenant_is_known_again,
    ),
    Case(
        "service-dropped-for-both",
        both_are_dropped,
        frozenset(
            {
                "ConnectorDown conn-dub-1",
                "ConnectorDown conn-dub-2",
                "GroupRedundancyLost emea",
                "GroupTellsOfName",
            }
        ),
        held_back=frozenset({"ConnectorDown conn-dub-1", "ConnectorDown conn-dub-2"}),
    ),
    Case(
        "intercepted",
        squid_comes_between,
        frozenset({"ServiceIntercepted conn-sin-1", "GroupRedundancyLost apac"}),
        held_back=frozenset({"ServiceIntercepted conn-sin-1"}),
        # Where Squid is slow, a name times out as well.
        may=frozenset({"ConnectorDown conn-sin-1", "GroupTellsOfName"}),
    ),
    Case(
        "office-hours",
        office_hours,
        frozenset(
            {
                "ServiceNameDown conn-dub-1",
                "ServiceAddressesFailing conn-dub-1",
                "SignInDown conn-syd-1",
                "CrlUnreachable conn-dub-2",
                "RuleSetOld entra-app-proxy",
            }
        ),
        held_back=frozenset({"ServiceAddressesFailing conn-dub-1"}),
        messages=4,
        mends=rule_set_is_reviewed,
        within=75.0,
    ),
    Case(
        "no-resolver",
        no_resolver,
        frozenset({"HostFault conn-sin-1", "ConnectorDown conn-sin-1", "GroupRedundancyLost apac"}),
        held_back=frozenset({"ConnectorDown conn-sin-1", "HostFault conn-sin-1"}),
        # The seconds in which the daemon finds that no resolver answers are a quarter of an hour of the rules.
        may=frozenset({"AnswerNotProven conn-sin-1"}),
        within=75.0,
    ),
    Case(
        "three-sites",
        three_sites,
        frozenset(
            {f"ConnectorDown {m.name}" for m in (DUB1, SIN1, SYD1)}
            | {f"ConnectorSharesFailure {m.name}" for m in (DUB1, SIN1, SYD1)}
            | {f"LikelyMicrosoft {BOOTSTRAP}", "GroupTellsOfName"}
            | {"GroupRedundancyLost emea", "GroupRedundancyLost apac"}
        ),
        held_back=frozenset(
            {*(f"ConnectorDown {m.name}" for m in (DUB1, SIN1, SYD1)), f"LikelyMicrosoft {BOOTSTRAP}"}
        ),
    ),
    Case(
        "killed",
        killed,
        frozenset({f"ConnectorSilent {DUB1.name}", "GroupRedundancyLost emea"}),
        held_back=frozenset({f"ConnectorSilent {DUB1.name}"}),
        mends=started_again,
    ),
    Case(
        "stopped",
        stopped,
        frozenset({f"ConnectorSilent {SYD1.name}", "GroupRedundancyLost apac"}),
        held_back=frozenset({f"ConnectorSilent {SYD1.name}"}),
        may=frozenset({f"HostFault {SYD1.name}", f"ProberStale {SYD1.name}"}),
        mends=continued,
    ),
)


def without(alerts: frozenset[str], told: Mapping[str, _T]) -> dict[str, _T]:
    return {alert: value for alert, value in told.items() if alert not in alerts}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_right_alerts_fire_and_nothing_else(fleet: Fleet, case: Case) -> None:
    assert fleet.alerts("pending", "firing") == set(), "the case before has left something"
    fleet.restart_alertmanager()
    begun = time.monotonic()
    before = len(fleet.messages())
    case.breaks(fleet)
    try:
        until(f"firing is {sorted(case.fires)}", lambda: fleet.alerts("firing") >= case.fires, case.within)
        told = {alert: alert in case.held_back for alert in case.fires}
        settles_at("Alertmanager tells", told, lambda: without(case.lasting(begun), fleet.told()), 15)
        if case is CASES[0]:
            _annotations_have_data(fleet, "Alerts", "Transitions")
            assert without(case.lasting(begun), fleet.receivers()) == {
                "ConnectorDown conn-dub-1": {"ticket"},
                "GroupTellsOfName": {"nobody"},
                "GroupRedundancyLost emea": {"page"},
            }
        until("all messages are sent", lambda: len(fleet.messages()) - before >= case.messages, 45)
    finally:
        seen = (fleet.alerts("pending"), fleet.alerts("firing"), fleet.told())
        case.mends(fleet)
        until(f"all is well after {seen}", lambda: not fleet.alerts("pending", "firing"), RESOLVED)
        besides = case.lasting(begun)
    nobody: dict[str, bool] = {}
    settles_at("Alertmanager tells", nobody, fleet.told, 15)
    assert fleet.fired(begun) - besides == case.fires
    sent = fleet.messages()[before:]
    assert len(sent) == case.messages, [(one.receiver, sorted(one.alerts)) for one in sent]
    assert frozenset().union(*(one.alerts for one in sent)) == case.fires - case.held_back - case.silent
    for message in sent:
        assert_that_it_stands_alone(fleet, message)


def assert_that_it_stands_alone(fleet: Fleet, message: Message) -> None:
    """It says who acts; the runbook of each alert is a page that opens, at its part."""
    for text in message.summaries:
        # A list that a certificate names and nothing depends on is a notice: nobody has to act on it.
        assert re.search("(?i)who acts: |no recent report|a CRL of ", text), message
    for link in set(message.links):
        page, _, anchor = link.partition("#")
        reply = fetch(fleet.lab, page, network=MONITORING)
        assert reply.status == 200, link
        assert f'id="{anchor}"' in reply.text


def test_drift_pages_nobody_and_is_remembered(fleet: Fleet) -> None:
    relay = fleet.lab.plan.world.hosts[RELAY]
    before = (relay.via, relay.v4)
    begun = time.monotonic()
    relay.via, relay.v4 = ["ns-prod-am3.privatelink.example.net"], [NEW_ADDRESS]
    try:
        fleet.lab.resolve_as_planned()
        daemon = fleet.daemons[SIN1.name]
        until(
            "the history tells of the new suffix",
            lambda: "privatelink.example.net" in daemon.history(RELAY).stdout,
            30,
        )
        assert NEW_ADDRESS in daemon.history(RELAY).stdout
        _annotations_have_data(fleet, "Drift")
    finally:
        relay.via, relay.v4 = before
        fleet.lab.resolve_as_planned()
    assert "new suffix" in daemon.history(RELAY).stdout
    assert fleet.alerts("pending", "firing") == set()
    assert fleet.fired(begun) == set()


def case_rows() -> list[str]:
    """The cases as rows of the table in docs/lab.md; an alert in brackets is held back."""
    rows = []
    for case in CASES:
        names = {
            f"({alert.split()[0]})" if alert in case.held_back else alert.split()[0] for alert in case.fires
        }
        rows.append(f"| `{case.name}` | {', '.join(sorted(names))} |")
    return rows


def test_the_cases_are_described() -> None:
    told = (ROOT / "docs" / "lab.md").read_text("utf-8")
    assert [line for line in told.splitlines() if line in case_rows()] == case_rows()


def _annotations_have_data(fleet: Fleet, *names: str) -> None:
    """The annotations that a healthy network leaves empty, where they have something to say."""
    asked = set()
    for board, name, expr in annotation_queries("1m"):  # as wide as what has just happened
        if name in names:
            until(f"{board}: {name}: {expr}", filled(fleet, expr), 10)
            asked.add(name)
    assert asked == set(names)
