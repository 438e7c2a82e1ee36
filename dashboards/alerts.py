"""Every alert, once. Prometheus rules, Grafana's provisioning and Alertmanager's inhibitions are made from this file.

An alert is a query, a comparison and a number. Prometheus evaluates the three together; Grafana shows the number as the
threshold of the query. Where no data has to mean that nobody reports, the query has a value while all is well too.

Rules that the tests hold:

- Causes, issuers, drift, new addresses, chains and resolvers that differ fire nothing. They are joined in dashboards.
- `for` survives a lost scrape: what has to last is asked over a few minutes (`last_over_time`), or as "measured, and not
  one success" (`max_over_time`).
- An alert that inhibits another fires before it and ends after it, so that nothing slips out at either end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dashboards.blocks import ABLE, CONNECTOR, MUTED, OVERDUE, SHARED, TARGET, sites_where_failing

Severity: TypeAlias = Literal["page", "ticket", "none"]
Comparison: TypeAlias = Literal["<", ">"]
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `query` as in `dashboards/promql.py`; durations as in Prometheus ("5m").

    `severity`: a page wakes somebody, a ticket waits for office hours, "none" exists only to inhibit others.
    `summary` and `description` are templates of Prometheus; the anchor in the runbook is made of the name.
    `panel`: uid of a dashboard and title of a panel that shows it.
    """

    name: str
    severity: Severity
    query: str
    comparison: Comparison
    threshold: float
    pending: str  # `for`
    keep: str  # `keep_firing_for`
    summary: str
    description: str
    panel: tuple[str, str]
    silence_is_trouble: bool = False  # in Grafana: no data at all fires it
    waits: bool = False  # the threshold is a time that is waited for, in seconds: it follows a test's scale

    @property
    def expr(self) -> str:
        """Query, comparison and threshold as one expression."""
        return (
            f"(\n  {self.query.replace(chr(10), chr(10) + '  ')}\n)\n{self.comparison} {self.threshold_text}"
        )

    @property
    def threshold_text(self) -> str:
        """The threshold as PromQL, written as in `dashboards/promql.py`."""
        return f"@{self.threshold:.15g}s@" if self.waits else f"{self.threshold:.15g}"

    @property
    def anchor(self) -> str:
        """Anchor of its heading in `docs/alerts.md`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While `source` fires, `targets` with the same value of each label in `equal` are not told. `why` is for people."""

    source: str
    targets: tuple[str, ...]
    equal: tuple[str, ...]
    why: str


_UNMUTED = f"unless on (connector) {MUTED}"
_FLEET, _ONE, _ENDPOINT = "wayclear-fleet", "wayclear-connector", "wayclear-endpoint"
_TLS, _PROBER = "wayclear-tls", "wayclear-prober"
_WHO = "{{ $labels.connector }}"
_WHAT = "{{ $labels.target }}:{{ $labels.port }}"

PAGES: tuple[Alert, ...] = (
    Alert(
        # A connector that reports nothing does not count. One in maintenance does: that it is missing is planned, but
        # the other one dying meanwhile still pages. Groups are remembered for a day, so that a group whose connectors
        # vanish together counts zero and is not forgotten.
        name="WayclearGroupRedundancyLost",
        severity="page",
        query=f"""
count by (connector_group) (({ABLE} == 1) or {MUTED})
or
0 * group by (connector_group) (last_over_time(wayclear_connector_can_live[1d]))
""".strip(),
        comparison="<",
        threshold=2,
        pending="5m",
        keep="10m",
        summary="Connector group {{ with $labels.connector_group }}{{ . }}{{ else }}(none configured){{ end }}: fewer than "
        "two connectors can live",
        description="{{ $value }} of its connectors can live or are in maintenance. The next fault takes the published "
        "applications of this group down, if none is left they are down now.",
        panel=(_FLEET, "Groups: connectors that can live"),
    ),
    Alert(
        name="WayclearServiceIntercepted",
        severity="page",
        query=f"""
max by ({TARGET}) (last_over_time(wayclear_interception_ratio{{rule_group="service"}}[3m]))
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0.66,  # two of three; a connector does not accept another's certificate
        pending="10m",
        keep="10m",
        summary=f"{_WHO}: TLS to {_WHAT} is intercepted",
        description="{{ $value | humanizePercentage }} of the last three handshakes were answered with a certificate that "
        "a device on the way made. A connector pins Microsoft's keys and does not work through it.",
        panel=(_TLS, "Intercepted handshakes"),
    ),
)

TICKETS: tuple[Alert, ...] = (
    Alert(
        name="WayclearConnectorDown",
        severity="ticket",
        query=f"last_over_time({ABLE}[3m])\n{_UNMUTED}",
        comparison="<",
        threshold=1,
        pending="5m",
        keep="10m",
        summary=f"{_WHO}: the connector cannot live",
        description="A required name of the service gets through at no address, or is intercepted; or its host cannot measure.",
        panel=(_ONE, "Answer over time"),
    ),
    Alert(
        name="WayclearServiceAddressesFailing",
        severity="ticket",
        query=f"""
sum by ({CONNECTOR}) (last_over_time(wayclear_addresses{{rule_group="service", state="failed"}}[5m]))
/ sum by ({CONNECTOR}) (last_over_time(wayclear_addresses{{rule_group="service"}}[5m]))
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0.25,
        pending="30m",
        keep="15m",
        summary=f"{_WHO}: {{{{ $value | humanizePercentage }}}} of the service's addresses fail",
        description="The connector still gets through at other addresses. A range is missing in an allow list, or one of "
        "Microsoft's regions has trouble.",
        panel=(_ONE, "Addresses of the service"),
    ),
    Alert(
        name="WayclearSignInDown",
        severity="ticket",
        query=f"""
max by ({TARGET}) (
    max_over_time(wayclear_check_measured{{rule_group="sign-in"}}[5m])
  * (1 - max_over_time(wayclear_check_success{{rule_group="sign-in"}}[5m]))
)
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0,
        pending="1h",
        keep="15m",
        summary=f"{_WHO}: {_WHAT} (sign-in) fails",
        description="A running connector goes on; it cannot be registered, renewed or updated until this works again.",
        panel=(_ENDPOINT, "Checks over time"),
    ),
    Alert(
        name="WayclearCrlUnreachable",
        severity="ticket",
        query=f"""
max by ({CONNECTOR}, target) (
    max_over_time(wayclear_revocation_source_measured{{kind="crl"}}[5m])
  * (1 - max_over_time(wayclear_revocation_source_reachable{{kind="crl"}}[5m]))
)
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0,
        pending="6h",
        keep="15m",
        summary=f"{_WHO}: a CRL of {{{{ $labels.target }}}} cannot be fetched",
        description="Windows keeps the list that it has until its next update; after that, new connections wait for it and "
        "may fail.",
        panel=(_TLS, "CRL and OCSP sources"),
    ),
    Alert(
        name="WayclearCrlExpiring",
        severity="ticket",
        query=f"""
min by ({CONNECTOR}, target) (last_over_time(wayclear_crl_next_update_timestamp_seconds[5m])) - time()
{_UNMUTED}
""".strip(),
        comparison="<",
        threshold=DAY,
        pending="30m",
        keep="15m",
        summary=f"{_WHO}: a CRL of {{{{ $labels.target }}}} must be renewed within a day",
        description="{{ $value | humanizeDuration }} until its next update. Either it cannot be fetched anew, or a cache on "
        "the way serves an old one, or its publisher is late.",
        panel=(_TLS, "CRLs: time to the next update"),
    ),
    Alert(
        # By timestamp: a scrape that succeeds proves nothing about the rounds. A daemon that vanished is stale for an hour;
        # from then on the inventory speaks (WayclearConnectorSilent). What is within three intervals, and who is in
        # maintenance, has the age 0 and not none, because in Grafana no data at all fires this alert.
        name="WayclearProberStale",
        severity="ticket",
        query=f"{OVERDUE}\n{_UNMUTED}\nor 0 * {MUTED}",
        comparison=">",
        threshold=300,
        pending="1m",
        keep="5m",
        summary=f"{_WHO}: the prober's last round is overdue",
        description="None has ended for five minutes and three intervals. What it shows is old, or its first look does not "
        "end. Its daemon hangs or does not run, or the clocks of its host and of Prometheus differ.",
        panel=(_PROBER, "Age of the last round"),
        silence_is_trouble=True,
        waits=True,
    ),
    Alert(
        name="WayclearConnectorSilent",
        severity="ticket",
        query=f"""
max by (connector) (label_join(last_over_time(wayclear_inventory_member[5m]), "connector", "", "member"))
unless on (connector) wayclear_connector_can_live
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0,
        pending="15m",
        keep="5m",
        summary=f"{_WHO} is in the inventory and reports nothing",
        description="No series of this connector arrive. Its prober was never installed, does not run, or is not scraped.",
        panel=(_FLEET, "In the inventory and silent"),
    ),
    Alert(
        name="WayclearRuleSetOld",
        severity="ticket",
        query="time() - min by (ruleset, kind) (last_over_time(wayclear_ruleset_reviewed_timestamp_seconds[15m]))",
        comparison=">",
        threshold=180 * DAY,
        pending="1h",
        keep="15m",
        summary="{{ $labels.ruleset }} ({{ $labels.kind }}) was reviewed more than 180 days ago",
        description="Microsoft changes names and keys without notice. What this set does not know is not tested, and what "
        "it no longer should ask may be told as a failure.",
        panel=(_TLS, "Age of rule sets and CA sets"),
    ),
    Alert(
        # Only where the issuer is one of the expected: what an inspecting device serves lives as long as it likes.
        # One ticket for the fleet: it is the same certificate everywhere.
        name="WayclearLeafExpiring",
        severity="ticket",
        query="""
min by (target, port, rule_group) (
  last_over_time(wayclear_tls_earliest_cert_expiry_timestamp_seconds[15m])
  and on (connector, target, port) last_over_time(wayclear_target_info{issuer_class="expected"}[15m])
) - time()
""".strip(),
        comparison="<",
        threshold=3 * DAY,
        pending="1h",
        keep="15m",
        summary=f"{_WHAT}: Microsoft's certificate expires within three days",
        description="{{ $value | humanizeDuration }} are left. Microsoft renews late, and usually in time; when it does not, "
        "every connector loses this name at the same moment.",
        panel=(_TLS, "Certificates: time to expiry"),
    ),
    Alert(
        name="WayclearHostFault",
        severity="ticket",
        query=f"max by ({CONNECTOR}) (last_over_time(wayclear_connector_host_fault[3m]))\n{_UNMUTED}",
        comparison=">",
        threshold=0,
        pending="4m",
        keep="20m",
        summary=f"{_WHO}: this host itself is at fault",
        description="It has no route, no resolver, no descriptors or no time to measure. What else it reports says nothing "
        "about the network, so its other alerts are held back.",
        panel=(_ONE, "Answer"),
    ),
    Alert(
        # Connectors whose failure is shared with two more sites are left out here and not by an inhibition: an alert
        # that is inhibited still inhibits, and would swallow a neighbour that is down for a reason of its own.
        name="WayclearSiteDown",
        severity="ticket",
        query=f"""
count by (site) (
  (last_over_time({ABLE}[3m]) == 0)
  and on (connector) last_over_time(wayclear_connector_can_live{{site!=""}}[3m])
  unless on (connector) {SHARED}
  {_UNMUTED}
)
""".strip(),
        comparison=">",
        threshold=1,
        pending="4m",
        keep="20m",
        summary="Site {{ $labels.site }}: {{ $value }} connectors cannot live",
        description="Two or more connectors of one site are down: look at the site's way out before you look at a host. "
        "The tickets for each of them are held back.",
        panel=(_FLEET, "Sites: connectors that cannot live"),
    ),
    Alert(
        name="WayclearLikelyMicrosoft",
        severity="ticket",
        query=sites_where_failing(""),
        comparison=">",
        threshold=2,
        pending="4m",
        keep="20m",
        summary=f"{_WHAT} fails from {{{{ $value }}}} sites: likely Microsoft's side",
        description="Networks of three sites seldom break in the same way at the same time. Look at the service's health "
        "before you look for a fault of your own. Tickets that follow from it are held back; the page for a group is not.",
        panel=(_FLEET, "Failing from how many sites"),
    ),
)

SOURCES: tuple[Alert, ...] = (
    Alert(
        # The connectors behind WayclearLikelyMicrosoft, one by one: an inhibition needs a label to compare.
        name="WayclearConnectorSharesFailure",
        severity="none",
        query=SHARED,
        comparison=">",
        threshold=0,
        pending="4m",
        keep="20m",
        summary=f"{_WHO} is down over {_WHAT}, as are connectors of two more sites",
        description="Tells nobody. While it fires, the ticket that this connector is down is held back; "
        "WayclearLikelyMicrosoft tells for all.",
        panel=(_FLEET, "Failing from how many sites"),
    ),
)

ALERTS: tuple[Alert, ...] = (*PAGES, *TICKETS, *SOURCES)
BY_NAME: dict[str, Alert] = {alert.name: alert for alert in ALERTS}

#: What a connector says about the network, which is worth nothing while its host is at fault.
_OF_A_HOST = (
    "WayclearServiceIntercepted",
    "WayclearConnectorDown",
    "WayclearServiceAddressesFailing",
    "WayclearSignInDown",
    "WayclearCrlUnreachable",
    "WayclearCrlExpiring",
)
# WayclearProberStale and WayclearConnectorSilent are in no list: they say that a host's word is old, its fault included.
# WayclearGroupRedundancyLost is in no list: a group that has lost its redundancy is paged, whoever caused it.
INHIBITIONS: tuple[Inhibition, ...] = (
    Inhibition(
        "WayclearHostFault", _OF_A_HOST, ("connector",),
        "A fault of the host itself over all of that host.",
    ),
    Inhibition(
        "WayclearSiteDown", ("WayclearConnectorDown",), ("site",),
        "Two connectors of a site over each of them.",
    ),
    Inhibition(
        "WayclearConnectorSharesFailure",
        ("WayclearConnectorDown", "WayclearServiceAddressesFailing"), ("connector",),
        "The same target fails from three sites: over the connectors that are down with it.",
    ),
    Inhibition(
        "WayclearLikelyMicrosoft", ("WayclearSignInDown", "WayclearCrlUnreachable"), ("target",),
        "The same target fails from three sites: over each connector's ticket about that target.",
    ),
)  # fmt: skip
