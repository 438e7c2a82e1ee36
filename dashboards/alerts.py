"""Every alert, once. Prometheus rules and Grafana's provisioning are made from this file; what holds what back is in
`dashboards/inhibitions.py`.

An alert is a query, a comparison and a number. Prometheus evaluates the three together; Grafana shows the number as the
threshold of the query. Where no data has to mean that nobody reports, the query has a value while all is well too.

Rules that the tests hold:

- Causes, issuers, drift, new addresses, chains and resolvers that differ fire nothing. They are joined in dashboards, and
  looked up for the text of an alert.
- `for` survives a lost scrape: what has to last is asked over a few minutes (`last_over_time`), or as "measured, and not
  one success" (`max_over_time`).
- An alert that inhibits another fires before it and ends after it, so that nothing slips out at either end.
"""

from __future__ import annotations

from dashboards.alert import Alert
from dashboards.blocks import (
    ABLE,
    CONNECTOR,
    INTERCEPTED,
    MISSING,
    MUTED,
    OVERDUE,
    SHARED,
    SILENT,
    TARGET,
    failing,
    indented,
    sites_where_failing,
)
from rules.rehearse.alerts import INTERCEPTED_SHARE

DAY = 86_400
_UNMUTED = f"unless on (connector) {MUTED}"
_GROUP = "{{ with $labels.connector_group }}{{ . }}{{ else }}(none configured){{ end }}"
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
        query=MISSING,
        comparison=">",
        threshold=0,
        pending="5m",
        keep="25m",
        summary=f"Connector group {_GROUP}: {{{{ $value }}}} working connectors too few.<down in group>",
        description="Fewer connectors of this group than its minimum (min_connectors) work or are in maintenance. The "
        "next fault takes the published applications of this group down; if none is left, they are down now.<shared>",
        panel=(_FLEET, "Groups: connectors that work"),
        about="connector_group",
    ),
    Alert(
        name="WayclearServiceIntercepted",
        severity="page",
        query=f"""
max by ({TARGET}) (last_over_time(wayclear_interception_ratio{{rule_group="service"}}[3m]))
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=INTERCEPTED_SHARE,  # two of three; a connector does not accept another's certificate
        pending="10m",
        keep="15m",
        summary=f"{_WHO}: TLS to {_WHAT} is intercepted<since of target>.<cause of target>",
        description="{{ $value | humanizePercentage }} of the last three handshakes were answered with a certificate that "
        "a network device between this host and Microsoft made. A connector accepts only Microsoft's own keys and does not "
        "work through it.",
        panel=(_TLS, "Intercepted handshakes"),
    ),
)

TICKETS: tuple[Alert, ...] = (
    Alert(
        name="WayclearConnectorDown",
        severity="ticket",
        # Where interception alone explains it, WayclearServiceIntercepted tells.
        query=f"last_over_time({ABLE}[3m])\nunless on (connector) {INTERCEPTED}\n{_UNMUTED}",
        comparison="<",
        threshold=1,
        pending="7m",
        keep="15m",
        summary=f"{_WHO}: the connector does not work<since>.<cause>",
        description="A required name of the service gets through at no address, or its host cannot measure. Where its "
        "group has enough other connectors, users notice nothing yet.",
        panel=(_ONE, "Answer over time"),
    ),
    Alert(
        # One name of a connector that works. Where it cannot, the alerts for the connector tell.
        name="WayclearServiceNameDown",
        severity="ticket",
        query=f"""
max by ({TARGET}) (
    max_over_time(wayclear_check_measured{{rule_group="service"}}[5m])
  * (1 - max_over_time(wayclear_check_success{{rule_group="service"}}[5m]))
)
unless on (connector, target, port) (last_over_time(wayclear_interception_ratio{{rule_group="service"}}[3m]) > {INTERCEPTED_SHARE})
unless on (connector) (last_over_time({ABLE}[3m]) == 0)
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0,
        pending="15m",
        keep="10m",
        summary=f"{_WHO}: {_WHAT} (service) is down<since of target>.<cause of target>",
        description="It gets through at no address, and the connector works without it. If it is the Relay of the "
        "connector group's own region, its published applications are down.",
        panel=(_ENDPOINT, "Checks over time"),
    ),
    Alert(
        # At once where the answer was known within a day. Else after a day: an answer that never came is no outage,
        # but a connector that is not watched is a ticket.
        name="WayclearAnswerNotProven",
        severity="ticket",
        query=f"""
max by ({CONNECTOR}) (last_over_time(wayclear_connector_answer{{answer="not-proven"}}[3m]))
and on (connector) (
  max by (connector) (max_over_time(wayclear_connector_answer{{answer!="not-proven"}}[25h:5m])) == 1
  or
  time() - max by (connector) (last_over_time(wayclear_connector_answer_since_timestamp_seconds[5m])) > @1d@
)
unless on (connector) (last_over_time(wayclear_connector_host_fault[3m]) == 1)
{_UNMUTED}
""".strip(),
        comparison=">",
        threshold=0,
        pending="15m",
        keep="10m",
        summary=f"{_WHO}: not proven<since>, so it is not known whether the connector works.<cause>",
        description="Nothing that was measured fails, and something that decides could not be tested. The connector still "
        "counts for its group.",
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
        keep="5m",
        summary=f"{_WHO}: {{{{ $value | humanizePercentage }}}} of the service's addresses fail"
        "<since of addresses>.<cause of addresses>",
        description="{{ if lt $value 1.0 }}Other addresses of the service answer. Fewer ways to the service are left: a "
        "range is missing in an allow list, or one of Microsoft's regions has trouble.{{ else }}No "
        "address of the service answers.{{ end }}",
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
        keep="10m",
        summary=f"{_WHO}: {_WHAT} (sign-in) fails<since of target>.<cause of target>",
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
        keep="10m",
        summary=f"{_WHO}: a CRL of {{{{ $labels.target }}}} cannot be downloaded<since of list>.<cause of list>",
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
        keep="10m",
        summary=f"{_WHO}: a CRL of {{{{ $labels.target }}}} must be renewed within a day.<cause of list>",
        description="{{ $value | humanizeDuration }} until its next update. Either it cannot be downloaded, or a cache "
        "between this host and its publisher serves an old one, or its publisher is late.",
        panel=(_TLS, "CRLs: time to the next update"),
    ),
    Alert(
        # By timestamp: a scrape that succeeds proves nothing about the rounds. A daemon that vanished is stale for an hour,
        # or WayclearConnectorSilent tells, if it is in the inventory. What is within three intervals, and who is in
        # maintenance, has the age 0 and not none, because in Grafana no data at all fires this alert.
        name="WayclearProberStale",
        severity="ticket",
        query=f"{OVERDUE}\nunless on (connector) {SILENT}\n{_UNMUTED}\nor 0 * {MUTED}",
        comparison=">",
        threshold=300,
        pending="6m",
        keep="5m",
        summary=f"{_WHO}: the prober's last round is overdue.<last round> Who acts: the administrator of this host.",
        description="None has ended for five minutes and three intervals. What it shows is old, or its first look does not "
        "end. Its daemon hangs or does not run, or the clocks of its host and of Prometheus differ.",
        panel=(_PROBER, "Age of the last round"),
        silence_is_trouble=True,
        waits=True,
    ),
    Alert(
        name="WayclearConnectorSilent",
        severity="ticket",
        query=f"{SILENT}\n{_UNMUTED}",
        comparison=">",
        threshold=0,
        pending="12m",
        keep="5m",
        summary=f"{_WHO} is in the inventory and reports nothing.<last heard> Who acts: the administrator of this host.",
        description="No series of this connector arrive. Its prober was never installed, does not run, or is not scraped.",
        panel=(_FLEET, "In the inventory and silent"),
    ),
    Alert(
        name="WayclearHostFault",
        severity="ticket",
        query=f"max by ({CONNECTOR}) (last_over_time(wayclear_connector_host_fault[3m]))\n{_UNMUTED}",
        comparison=">",
        threshold=0,
        pending="6m",
        keep="20m",
        summary=f"{_WHO}: this host itself is at fault<since of host>.<cause of host>",
        description="It has no route, no resolver, no descriptors or no time to measure. What else it reports says nothing "
        "about the network, so its other alerts are held back.",
        panel=(_ONE, "Answer"),
    ),
    Alert(
        # Connectors whose failure is shared with two more sites are left out here and not by an inhibition: an alert
        # that is inhibited still inhibits, and would swallow a neighbour that is down for a reason of its own. Those of
        # a group that is paged, and those that are intercepted, are told by a page.
        name="WayclearSiteDown",
        severity="ticket",
        query=f"""
count by (site) (
  (last_over_time({ABLE}[3m]) == 0)
  and on (connector) last_over_time(wayclear_connector_can_live{{site!=""}}[3m])
  unless on (connector) {SHARED}
  unless on (connector) {INTERCEPTED}
  unless on (connector_group) ({MISSING} > 0)
  {_UNMUTED}
)
""".strip(),
        comparison=">",
        threshold=1,
        pending="6m",
        keep="20m",
        summary="Site {{ $labels.site }}: {{ $value }} connectors do not work.<down at site>",
        description="Two or more connectors of one site are down: look at the site's way out before you look at a host. "
        "The tickets for each of them are held back.",
        panel=(_FLEET, "Sites: connectors that do not work"),
        about="site",
    ),
    Alert(
        name="WayclearLikelyMicrosoft",
        severity="ticket",
        query=sites_where_failing(""),
        comparison=">",
        threshold=2,
        pending="6m",
        keep="20m",
        summary=f"{_WHAT} fails from {{{{ $value }}}} sites<since anywhere>: likely Microsoft's side. Who acts: Microsoft, if "
        "its service health agrees.",
        description="Networks of three sites seldom break in the same way at the same time. Look at the service's health "
        "before you look for a fault of your own. Tickets that follow from it are held back; the page for a group is not.",
        panel=(_FLEET, "Failing from how many sites"),
        about="",
    ),
)

REMINDERS: tuple[Alert, ...] = (
    Alert(
        name="WayclearRuleSetOld",
        severity="reminder",
        query="time() - min by (ruleset, kind) (last_over_time(wayclear_ruleset_reviewed_timestamp_seconds[15m]))",
        comparison=">",
        threshold=180 * DAY,
        pending="1h",
        keep="15m",
        summary="{{ $labels.ruleset }} ({{ $labels.kind }}) was reviewed more than 180 days ago. Who acts: the operator of "
        "wayclear.",
        description="Microsoft changes names and keys without notice. What this set does not know is not tested, and what "
        "it no longer should ask may be told as a failure.",
        about="",
        panel=(_TLS, "Age of rule sets and CA sets"),
    ),
    Alert(
        # Only where the issuer is one of the expected: what an inspecting device serves lives as long as it likes.
        # One ticket for the fleet: it is the same certificate everywhere.
        name="WayclearLeafExpiring",
        severity="reminder",
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
        summary=f"{_WHAT}: Microsoft's certificate expires within three days. Who acts: Microsoft.",
        description="{{ $value | humanizeDuration }} are left. Microsoft renews late, and usually in time; when it does not, "
        "every connector loses this name at the same moment.",
        about="",
        panel=(_TLS, "Certificates: time to expiry"),
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
        pending="6m",
        keep="20m",
        summary=f"{_WHO} is down over {_WHAT}, as are connectors of two more sites",
        description="Sends no message. While it fires, the ticket that this connector is down is held back; "
        "WayclearLikelyMicrosoft tells for all.",
        panel=(_FLEET, "Failing from how many sites"),
    ),
    Alert(
        # A service name that fails at a connector of a group that is paged: the page says so.
        name="WayclearGroupTellsOfName",
        severity="none",
        query=f"""
group by (target, port, rule_group) (
  {indented(failing('rule_group="service"'), 2)}
  and on (connector) ({ABLE} == 0)
  and on (connector_group) ({MISSING} > 0)
)
""".strip(),
        comparison=">",
        threshold=0,
        pending="5m",
        keep="25m",
        summary=f"{_WHAT} fails at a connector of a group that is paged",
        description="Sends no message. While it fires, the ticket that this name fails from several sites is held back; "
        "WayclearGroupRedundancyLost tells.",
        panel=(_FLEET, "Failing from how many sites"),
        about="",
    ),
)

ALERTS: tuple[Alert, ...] = (*PAGES, *TICKETS, *REMINDERS, *SOURCES)
BY_NAME: dict[str, Alert] = {alert.name: alert for alert in ALERTS}
