"""What each panel has to show of the broken fleet of `test_end_to_end.py`, by its values.

The fleet: `conn-dub-1` cannot reach the Relay of a region, `conn-sin-1` is intercepted, `conn-syd-1` cannot reach sign-in,
`conn-dub-2` cannot download three CRLs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.lab.monitoring import MEMBERS
from tests.lab.scenarios.names import BOOTSTRAP, OTHER_RELAY

NAMES = tuple(member.name for member in MEMBERS)
FIREWALL = "Firewall team"


@dataclass(frozen=True, slots=True)
class Shown:
    """The samples of one query."""

    samples: tuple[tuple[Mapping[str, str], float], ...]

    @staticmethod
    def read(found: list[dict[str, Any]]) -> Shown:
        """As Prometheus' API gives them."""
        return Shown(tuple((one["metric"], float(one["value"][1])) for one in found))

    def of(self, **labels: str) -> list[float]:
        """The values of the samples with these labels, in order."""
        return sorted(value for own, value in self.samples if labels.items() <= own.items())

    def one(self, **labels: str) -> float:
        """The only one of them."""
        (value,) = self.of(**labels)
        return value

    def all(self, name: str, **labels: str) -> set[str]:
        """The values of a label."""
        return {own.get(name, "") for own, _ in self.samples if labels.items() <= own.items()}

    def by(self, name: str) -> dict[str, float]:
        """The values by one label that tells them apart."""
        assert len(self.all(name)) == len(self.samples), f"{name} does not"
        return {own.get(name, ""): value for own, value in self.samples}


Holds: TypeAlias = Callable[[Shown], bool]


def every(low: float, high: float, *labels: str) -> Holds:
    """Each connector has a value, and each value lies between the two; `labels` are there."""

    def holds(shown: Shown) -> bool:
        inside = all(low <= value <= high for _, value in shown.samples)
        named = all(label in own for own, _ in shown.samples for label in labels)
        return inside and named and shown.all("connector") == set(NAMES)

    return holds


def exactly(value: float) -> Holds:
    """One number."""
    return lambda shown: [found for _, found in shown.samples] == [value]


def recent(milliseconds: bool = False) -> Holds:
    """Moments within the last hour."""
    unit = 1000 if milliseconds else 1
    return lambda shown: (
        bool(shown.samples)
        and all(time.time() - 3600 < value / unit <= time.time() + 5 for _, value in shown.samples)
    )


def both(*checks: Holds) -> Holds:
    """All of them."""
    return lambda shown: all(check(shown) for check in checks)


def at_most(low: float, high: float) -> Holds:
    """Every value lies between the two, and there are some."""
    return lambda shown: bool(shown.samples) and all(low <= value <= high for _, value in shown.samples)


DUB1, DUB2, SIN1, SYD1 = NAMES
RELAY_CELL = {"connector": DUB1, "endpoint": f"{OTHER_RELAY}:443"}
CAUSES = {"tcp.timeout", "tls.intercepted"}
PAGES: Holds = both(every(1, 1, "instance", "scheme"), lambda s: s.all("scheme") == {"http"})
DAY = 86_400.0

#: What each panel must show, by the dashboard's short name and the panel's title.
EXPECTED: Mapping[tuple[str, str], Holds] = {
    # --- connector: Grafana asks for one, here all are asked for ---
    ("connector", "Answer"): lambda s: s.by("connector") == {DUB1: 2, DUB2: 2, SIN1: 0, SYD1: 2},
    ("connector", "Answer over time"): lambda s: s.by("connector") == {DUB1: 2, DUB2: 2, SIN1: 0, SYD1: 2},
    ("connector", "Answer since"): both(every(0, 1e15), recent(milliseconds=True)),
    ("connector", "Counts for its group"): lambda s: (
        s.by("connector") == {DUB1: 1, DUB2: 1, SIN1: 0, SYD1: 1}
    ),
    ("connector", "Maintenance"): every(0, 0),
    ("connector", "Failing checks"): at_most(15, 60),
    ("connector", "Resolvers down"): exactly(0),
    ("connector", "Why, and who acts"): lambda s: s.all("cause") == CAUSES and s.all("owner") == {FIREWALL},
    ("connector", "Checks, failing first"): lambda s: (
        s.one(target=OTHER_RELAY, check="tls") == 0 and s.one(target=OTHER_RELAY, check="dns") == 1
    ),
    ("connector", "Causes"): both(
        recent(milliseconds=True),
        lambda s: "ok" not in s.all("cause") and s.all("cause") >= CAUSES and s.all("owner") == {FIREWALL},
    ),
    # What it lists is in tests/dashboards/test_tables.py: here it may list nothing.
    ("connector", "Inconclusive"): lambda s: all(value == 0 for _, value in s.samples),
    ("connector", "The appliances' own pages"): PAGES,
    ("connector", "Addresses of the service"): at_most(0.2, 0.6),
    ("connector", "Addresses by group"): lambda s: (
        sum(s.of(rule_group="service", state="failed")) >= 15
        and s.one(rule_group="cert-validation", family="ipv4", state="failed") >= 1
    ),
    ("connector", "Duration of a stage, 95th percentile"): lambda s: (
        0 < s.one(rule_group="service", stage="tcp") < 10
    ),
    ("connector", "Mean duration of a stage"): lambda s: 0 < s.one(rule_group="service", stage="tcp") < 10,
    ("connector", "Failures"): lambda s: (
        s.one(rule_group="sign-in", stage="tcp") > 0 and s.one(rule_group="service", stage="dns") == 0
    ),
    ("connector", "Resolvers"): lambda s: s.by("state") == {"up": 4, "down": 0},
    ("connector", "Resolvers that differ"): at_most(0, 1),
    ("connector", "Longest chain"): at_most(1, 5),
    ("connector", "Smallest time to live"): at_most(0, 3600),
    # --- endpoint: all names are asked for, so the worst of each connector is shown ---
    ("endpoint", "Checks over time"): lambda s: s.one(connector=DUB1, port="443", check="dns") == 1,
    ("endpoint", "From where it passes"): lambda s: (
        s.one(connector=DUB1, port="443") == 0
        and s.one(connector=DUB2, port="443") == 1
        and s.one(connector=DUB2, port="80") == 0
    ),
    ("endpoint", "Cause over time"): lambda s: (
        "tls.intercepted" in s.all("cause", connector=SIN1)
        and "tls.intercepted" not in s.all("cause", connector=DUB1)
    ),
    ("endpoint", "Addresses"): lambda s: s.one(connector=DUB1, port="443", state="failed") >= 1,
    ("endpoint", "Stages"): at_most(0, 10),
    ("endpoint", "The appliances' own pages"): PAGES,
    ("endpoint", "Issuer's class over time"): lambda s: (
        "intercepted" in s.all("issuer_class", connector=SIN1)
        and "intercepted" not in s.all("issuer_class", connector=DUB1)
    ),
    ("endpoint", "TLS version over time"): lambda s: "TLSv1.2" in s.all("tls_version", connector=DUB1),
    ("endpoint", "Intercepted handshakes here"): lambda s: (
        s.one(connector=SIN1, port="443") == 1 and s.one(connector=DUB1, port="443") == 0
    ),
    ("endpoint", "Time to expiry"): at_most(DAY, 400 * DAY),
    # --- fleet ---
    ("fleet", "Connectors by service names"): lambda s: (
        s.all("state", **RELAY_CELL) == {"fails: tcp.timeout"}
        and s.all("state", connector=DUB2) == {"ok"}
        and s.all("state", connector=SYD1) == {"ok"}
        and "fails: tls.intercepted" in s.all("state", connector=SIN1)
        and "ok" not in s.all("state", connector=SIN1)
    ),
    ("fleet", "Who must act"): both(
        recent(milliseconds=True),
        lambda s: (
            s.all("connector") == set(NAMES)
            and s.all("target", connector=DUB1) == {OTHER_RELAY}
            and s.all("rule_group", connector=SYD1) == {"sign-in"}
            and s.all("rule_group", connector=DUB2) == {"cert-validation"}
            and s.all("owner") == {FIREWALL}
        ),
    ),
    ("fleet", "Working"): exactly(3),
    ("fleet", "Cannot live"): exactly(1),
    ("fleet", "Degraded"): exactly(3),
    ("fleet", "Not proven"): exactly(0),
    ("fleet", "In maintenance"): exactly(0),
    ("fleet", "In the inventory and silent"): exactly(0),
    ("fleet", "Groups: connectors that work"): lambda s: s.by("connector_group") == {"emea": 2, "apac": 1},
    ("fleet", "Sites: connectors that do not work"): lambda s: (
        s.by("site") == {"Dublin": 0, "Singapore": 1, "Sydney": 0}
    ),
    ("fleet", "Failing from how many sites"): lambda s: (
        s.one(target=OTHER_RELAY) == 1 and BOOTSTRAP not in s.all("target")
    ),
    ("fleet", "Connectors, worst first"): lambda s: s.by("connector") == {DUB1: 1, DUB2: 1, SIN1: 0, SYD1: 1},
    ("fleet", "Failing checks of each connector"): lambda s: (
        s.one(connector=DUB1) == 1
        and s.one(connector=DUB2) in (1, 2, 3)
        and s.one(connector=SIN1) >= 10
        and s.one(connector=SYD1) >= 3
    ),
    ("fleet", "Who could live"): lambda s: s.by("connector") == {DUB1: 1, DUB2: 1, SIN1: 0, SYD1: 1},
    ("fleet", "Answers"): lambda s: s.by("answer") == {"yes": 0, "degraded": 3, "no": 1, "not-proven": 0},
    ("fleet", "Connectors that work, by group"): lambda s: (
        s.by("connector_group") in ({"emea": 2, "apac": 1}, {"emea": 2, "apac": 2})
    ),
    ("fleet", "The appliances' own pages"): PAGES,
    # --- prober ---
    ("prober", "Configuration"): exactly(1),
    ("prober", "Oldest configuration"): recent(milliseconds=True),
    ("prober", "Web configuration"): exactly(1),
    ("prober", "Oldest web configuration"): recent(milliseconds=True),
    ("prober", "History"): exactly(1),
    ("prober", "Lost rows"): exactly(0),
    ("prober", "Render errors"): exactly(0),
    ("prober", "Refused sign-ins"): exactly(0),
    ("prober", "Series left out"): exactly(0),
    ("prober", "Age of the last round"): every(-5, 300, "kind"),
    ("prober", "Duration of a round"): every(0, 300, "kind"),
    ("prober", "Skipped rounds"): every(0, 1e6, "kind"),
    ("prober", "Missed jobs"): both(every(0, 1e4, "task"), lambda s: "service" in s.all("task")),
    ("prober", "Lag of the schedule, 99th percentile"): every(0, 60),
    ("prober", "Lag of the event loop, 99.9th percentile"): every(0, 60),
    ("prober", "Age of the snapshot"): every(-5, 120),
    ("prober", "Steps of the clock"): every(0, 0),
    ("prober", "New connections"): every(0.1, 1000),
    ("prober", "Probes in flight"): every(0, 1000),
    ("prober", "CPU"): every(0, 2),
    ("prober", "Memory"): every(2e7, 4e9),
    ("prober", "Descriptors"): every(5, 1e6),
    ("prober", "Size of the history"): every(1e4, 1e9),
    ("prober", "Transitions"): both(every(0.5, 200), lambda s: s.one(connector=SIN1) > s.one(connector=DUB1)),
    ("prober", "Drift"): both(every(0, 200), lambda s: s.one(connector=SIN1) > 0),
    ("prober", "Versions"): every(1, 1, "version", "python", "openssl"),
    ("prober", "Started"): both(every(0, 1e15), recent(milliseconds=True)),
    ("prober", "The appliances' own pages"): PAGES,
    # --- tls ---
    ("tls", "Intercepted handshakes"): lambda s: (
        s.one(connector=SIN1, target=BOOTSTRAP) == 1 and s.one(connector=DUB1, target=BOOTSTRAP) == 0
    ),
    ("tls", "Issuers by class"): lambda s: (
        s.by("issuer_class")["intercepted"] >= 10 and s.by("issuer_class")["expected"] >= 50
    ),
    ("tls", "Certificates: time to expiry"): at_most(DAY, 400 * DAY),
    ("tls", "TLS versions"): lambda s: s.by("tls_version")["TLSv1.2"] >= 50,
    ("tls", "CRL and OCSP sources"): lambda s: 0 in s.of(connector=DUB2) and s.of(connector=DUB1)[0] == 1,
    ("tls", "CRL and OCSP answers"): lambda s: 0 in s.of(connector=DUB2) and s.of(connector=DUB1)[0] == 1,
    ("tls", "CRLs: time to the next update"): at_most(DAY, 30 * DAY),
    ("tls", "The appliances' own pages"): PAGES,
    ("tls", "Age of rule sets and CA sets"): at_most(0, 2 * DAY),
}
