"""Every metric that the appliance exports, as data: `docs/metrics.md` and each HELP line are made from it.

The order is that of the scrape: metrics of the network's state (`exporters/metrics/exposition.py`), metrics of the
prober (`exporters/metrics/meters.py`), metrics of the process. A label with listed values takes no other value: an
unlisted one becomes "other" before it is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.model.failure import Stage
from rules.model.ruleset import Group
from rules.model.verdict import Answer

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]

OTHER = "other"  #: in place of a value that is not in the list of its label


@dataclass(frozen=True, slots=True)
class Label:
    """A label and its values. None are listed where rules or the configuration give them."""

    name: str
    values: tuple[str, ...] = ()
    source: str = ""  # where unlisted values come from

    def closed(self, value: str) -> str:
        """Return `value` if it is in the list, else "other"."""
        return value if value in self.values else OTHER


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `help` states the unit and, for a yes-or-no metric, what 1 means."""

    name: str
    type: Kind
    help: str
    labels: tuple[Label, ...]
    group: str  # heading on the page

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query can use."""
        if self.type != "histogram":
            return (self.name,)
        return tuple(f"{self.name}_{suffix}" for suffix in ("bucket", "sum", "count"))


CONSTANT = (
    "connector",
    "connector_group",
    "site",
    "region",
)  #: on every series, left out where not configured

TARGET = Label("target", source="a host name of the active rules")
PORT = Label("port", source="a port of the active rules")
RULE_GROUP = Label("rule_group", tuple(group.value for group in Group))
ANY_GROUP = Label("rule_group", (*RULE_GROUP.values, OTHER))  #: a canary probe belongs to no rule
VIA = Label("via", ("direct",))
CHECK = Label("check", ("dns", "tls", "http", "crl"))
STAGE = Label("stage", ("dns", "tcp", "tls", "http"))
FAILED_STAGE = Label("stage", tuple(stage.value for stage in Stage))
REFUSED = Label("reason", ("password", "unreadable", "blocked", "certificate"))
CAUSE = Label("cause", source="`ok` or a cause of [causes.md](causes.md)")
ISSUER_CLASS = Label(
    "issuer_class",
    ("", "expected", "public", "intercepted", "untrusted", "self-signed", "incomplete", "mixed"),
)
TLS_VERSION = Label("tls_version", ("", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"))
ADDRESS_STATE = Label("state", ("ok", "failed"))
RESOLVER_STATE = Label("state", ("up", "down"))
FAMILY = Label("family", ("ipv4", "ipv6"))
SOURCE = Label("target", source="a host name of the active rules, else `off-list`")
SOURCE_KIND = Label("kind", ("crl", "ocsp"))
ANSWER = Label("answer", tuple(answer.value for answer in Answer))
#: Words for people, as in the report; empty where no action is needed.
OWNER = Label("owner", source="who must act, as in the report, or empty")
SCHEME = Label("scheme", ("http", "https"))
MEMBER = Label("member", source="a connector of the configured inventory")
RULESET = Label("ruleset", source="the name of an active rule or CA set")
RULESET_KIND = Label("kind", ("rules", "cas"))
CYCLE_KIND = Label("kind", ("service", "sign-in", "revocation", "extra"))
#: The kinds of work that run in rounds; the others have an interval each.
ROUND_KIND = Label("kind", ("service", "sign-in"))
ENDED_KIND = Label("kind", (*ROUND_KIND.values, "audit"))
#: "job" belongs to Prometheus, which would rename ours
TASK = Label("task", ("service", "sign-in", "revocation", "extra", "retention", "reload"))
VERSION = Label("version", source="wayclear's")
PYTHON = Label("python", source="Python's version")
OPENSSL = Label("openssl", source="the version of the OpenSSL that shakes hands")

TARGET_LABELS = (TARGET, PORT, RULE_GROUP, VIA)
SERIES_OF_A_TARGET = 13  #: at most
SERIES_BESIDES = 510  #: at most, for all samples without a target
SERIES = 25_000  #: at most, of one scrape

CONNECTOR = "The connector"
TARGETS = "Targets"
SUMS = "Addresses and names, summed"
REVOCATION = "Revocation"
RULES = "Rules"
ROUNDS = "Rounds and schedule"
PROBING = "Probing"
PROBER = "The prober itself"
PROCESS = "The process"

STATE: tuple[Metric, ...] = (
    Metric(
        "wayclear_connector_can_live", "gauge",
        f"1: the audit's answer is {Answer.YES} or {Answer.DEGRADED}, a connector works here. 0: the answer is "
        f"{Answer.NO}, or not proven (see wayclear_connector_not_proven).",
        (), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_degraded", "gauge",
        "1: a connector works here, and something that it or its users need fails.",
        (), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_not_proven", "gauge",
        "1: it could not be measured enough for an answer; no failure by itself.",
        (), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_answer", "gauge",
        "1: this is the audit's answer. 0: another one is. One series for each answer there is.",
        (ANSWER,), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_cause_info", "gauge",
        "1, always. The connector's heaviest cause and who must act, as labels to join.",
        (CAUSE, OWNER), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_host_fault", "gauge",
        "1: a fault of this host (a local.* cause) keeps it from measuring; it says nothing about the network.",
        (), CONNECTOR,
    ),
    Metric(
        "wayclear_connector_answer_since_timestamp_seconds", "gauge",
        "Since when the answer has been the same, in seconds since 1970 (Unix time).",
        (), CONNECTOR,
    ),
    Metric(
        "wayclear_group_min_connectors", "gauge",
        "Number of connectors of this connector's group that must work, as configured (min_connectors).",
        (), CONNECTOR,
    ),
    Metric("wayclear_maintenance", "gauge", "1: a maintenance window is open.", (), CONNECTOR),
    Metric(
        "wayclear_inventory_member", "gauge",
        "1 for each connector that the configured inventory says should report.",
        (MEMBER,), CONNECTOR,
    ),
    Metric(
        "wayclear_check_success", "gauge",
        "1: the check passes at one of the target's addresses at least and is intercepted at none. 0: it fails, or it "
        "was not measured (see wayclear_check_measured).",
        (*TARGET_LABELS, CHECK), TARGETS,
    ),
    Metric(
        "wayclear_check_measured", "gauge",
        "1: the check has a result. 0: it was inconclusive, and wayclear_check_success says nothing.",
        (*TARGET_LABELS, CHECK), TARGETS,
    ),
    Metric(
        "wayclear_target_info", "gauge",
        "1, always. The target's heaviest cause, who must act, the check that met it, who issued its certificate and "
        "the version of TLS, as labels to join.",
        (*TARGET_LABELS, CHECK, CAUSE, OWNER, ISSUER_CLASS, TLS_VERSION), TARGETS,
    ),
    Metric(
        "wayclear_target_since_timestamp_seconds", "gauge",
        "Since when the target fails, warns or cannot be tested, in seconds since 1970 (Unix time). Absent while it passes.",
        TARGET_LABELS, TARGETS,
    ),
    Metric(
        "wayclear_last_stage_duration_seconds", "gauge",
        "How long the stage took when it was last measured, in seconds.",
        (*TARGET_LABELS, STAGE), TARGETS,
    ),
    Metric(
        "wayclear_target_addresses", "gauge",
        "Number of the target's addresses of the last 24 hours whose last try went well or failed; untried ones are "
        "not counted.",
        (*TARGET_LABELS, ADDRESS_STATE), TARGETS,
    ),
    Metric(
        "wayclear_tls_earliest_cert_expiry_timestamp_seconds", "gauge",
        "When the first of the served certificates expires, in seconds since 1970 (Unix time).",
        TARGET_LABELS, TARGETS,
    ),
    Metric(
        "wayclear_interception_ratio", "gauge",
        "Share of the last three handshakes that was intercepted, 0 to 1. 1: all of them were. Away when no handshake has "
        "shown a certificate for ten minutes.",
        TARGET_LABELS, TARGETS,
    ),
    Metric(
        "wayclear_addresses", "gauge",
        "Number of addresses of the last 24 hours of all targets of the group, by the result of the last try.",
        (RULE_GROUP, FAMILY, ADDRESS_STATE), SUMS,
    ),
    Metric(
        "wayclear_dns_chain_length_max", "gauge",
        "Number of names behind the first in the longest CNAME chain of the group; 0: no name is an alias.",
        (RULE_GROUP,), SUMS,
    ),
    Metric(
        "wayclear_dns_ttl_min_seconds", "gauge",
        "Smallest time to live among the answers for the group's names, in seconds.",
        (RULE_GROUP,), SUMS,
    ),
    Metric(
        "wayclear_resolver_disagreements", "gauge",
        "Number of the group's names for which the resolvers give different answers.",
        (RULE_GROUP,), SUMS,
    ),
    Metric(
        "wayclear_resolvers", "gauge",
        "Number of resolvers of this host that answer (up) or do not (down).",
        (RESOLVER_STATE,), SUMS,
    ),
    Metric(
        "wayclear_revocation_source_reachable", "gauge",
        "1: every measured source of that host could be fetched. 0: one could not, or none was measured.",
        (SOURCE, SOURCE_KIND), REVOCATION,
    ),
    Metric(
        "wayclear_revocation_source_valid", "gauge",
        "1: every measured source of that host is signed by its issuer and up to date. 0: one is not, or none was "
        "measured.",
        (SOURCE, SOURCE_KIND), REVOCATION,
    ),
    Metric(
        "wayclear_revocation_source_measured", "gauge",
        "1: a source of that host has a result. 0: none has, and the other two say nothing.",
        (SOURCE, SOURCE_KIND), REVOCATION,
    ),
    Metric(
        "wayclear_crl_next_update_timestamp_seconds", "gauge",
        "When the first of that host's CRLs must be renewed (nextUpdate), in seconds since 1970 (Unix time).",
        (SOURCE,), REVOCATION,
    ),
    Metric(
        "wayclear_ruleset_reviewed_timestamp_seconds", "gauge",
        "When the rule set or CA set was last compared with its source, in seconds since 1970 (Unix time).",
        (RULESET, RULESET_KIND), RULES,
    ),
)  # fmt: skip

METERS: tuple[Metric, ...] = (
    Metric(
        "wayclear_last_cycle_timestamp_seconds", "gauge",
        "When the last round of that kind ended, in seconds since 1970 (Unix time); kind audit: a single audit, or "
        "a textfile of the service before its first round or without service names.",
        (ENDED_KIND,), ROUNDS,
    ),
    Metric(
        "wayclear_cycle_duration_seconds", "gauge",
        "How long the last round of that kind took, in seconds.",
        (ROUND_KIND,), ROUNDS,
    ),
    Metric(
        "wayclear_cycle_interval_seconds", "gauge",
        "How long a round of that kind is meant to take, in seconds: as configured, or longer where the list is long for "
        "the rate.",
        (ROUND_KIND,), ROUNDS,
    ),
    Metric(
        "wayclear_cycles_missed_total", "counter",
        "Number of times that something was due, late, and therefore skipped.",
        (CYCLE_KIND,), ROUNDS,
    ),
    Metric(
        "wayclear_jobs_missed_total", "counter",
        "Number of runs of a task that the scheduler missed.",
        (TASK,), ROUNDS,
    ),
    Metric(
        "wayclear_schedule_lag_seconds", "histogram",
        "How much later than due a probe began, in seconds.",
        (), ROUNDS,
    ),
    Metric(
        "wayclear_event_loop_lag_seconds", "histogram",
        "How much later than due the event loop woke up, in seconds.",
        (), ROUNDS,
    ),
    Metric(
        "wayclear_clock_steps_total", "counter",
        "Number of times the wall clock was set while the prober ran.",
        (), ROUNDS,
    ),
    Metric(
        "wayclear_stage_duration_seconds", "histogram",
        "How long a stage took that ended well, in seconds.",
        (ANY_GROUP, STAGE), PROBING,
    ),
    Metric(
        "wayclear_probe_failures_total", "counter",
        "Number of probes that failed, by the stage that failed; local: this host itself.",
        (ANY_GROUP, FAILED_STAGE), PROBING,
    ),
    Metric(
        "wayclear_connections_opened_total", "counter",
        "Number of TCP connections that the prober opened or tried to open.",
        (), PROBING,
    ),
    Metric("wayclear_probes_in_flight", "gauge", "Number of probes that are under way now.", (), PROBING),
    Metric(
        "wayclear_transitions_total", "counter",
        "Number of confirmed changes of a verdict.",
        (), PROBING,
    ),
    Metric(
        "wayclear_drift_events_total", "counter",
        "Number of new names, addresses, issuers and revocation sources seen (drift).",
        (), PROBING,
    ),
    Metric(
        "wayclear_config_last_reload_successful", "gauge",
        "1: the configuration in use is the one on disk as last read. 0: the last reload failed, the old one is kept.",
        (), PROBER,
    ),
    Metric(
        "wayclear_config_last_reload_success_timestamp_seconds", "gauge",
        "When the configuration was last read without a fault, in seconds since 1970 (Unix time).",
        (), PROBER,
    ),
    Metric(
        "wayclear_web_config_last_reload_successful", "gauge",
        "1: the web configuration in use is the one on disk as last read. 0: that one is faulty, the old one is kept.",
        (), PROBER,
    ),
    Metric(
        "wayclear_web_config_last_reload_success_timestamp_seconds", "gauge",
        "When the web configuration was last read without a fault, in seconds since 1970 (Unix time).",
        (), PROBER,
    ),
    Metric(
        "wayclear_web_sign_ins_refused_total", "counter",
        "Number of sign-ins to the web server that were refused: user or password wrong, credentials that cannot be read, an "
        "address that is blocked after wrong passwords, a client certificate without an allowed name.",
        (REFUSED,), PROBER,
    ),
    Metric(
        "wayclear_history_writable", "gauge",
        "1: the history takes rows. 0: it does not, and rows wait in memory.",
        (), PROBER,
    ),
    Metric(
        "wayclear_history_rows_dropped_total", "counter",
        "Number of history rows that were lost because they could not be written.",
        (), PROBER,
    ),
    Metric("wayclear_history_size_bytes", "gauge", "Size of the history on disk, in bytes.", (), PROBER),
    Metric(
        "wayclear_snapshot_timestamp_seconds", "gauge",
        "When the state that this page shows was made, in seconds since 1970 (Unix time).",
        (), PROBER,
    ),
    Metric(
        "wayclear_metrics_render_errors_total", "counter",
        "Number of failures to write a part of this page; the part as it was before is shown instead.",
        (), PROBER,
    ),
    Metric(
        "wayclear_series_dropped_total", "counter",
        "Number of series that were left out because of the limits, counted each time the page is written.",
        (), PROBER,
    ),
    Metric(
        "wayclear_build_info", "gauge",
        "1, always. Versions of wayclear, of Python and of OpenSSL, as labels.",
        (VERSION, PYTHON, OPENSSL), PROBER,
    ),
    Metric(
        "wayclear_page_info", "gauge",
        "1, always. How the service's own page is reached, as a label to join: its address is the label instance.",
        (SCHEME,), PROBER,
    ),
)  # fmt: skip

#: Names and texts of prometheus_client's collector; Linux only.
PROCESS_METRICS: tuple[Metric, ...] = (
    Metric("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", (), PROCESS),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", (), PROCESS),
    Metric(
        "process_start_time_seconds", "gauge",
        "Start time of the process since unix epoch in seconds.",
        (), PROCESS,
    ),
    Metric(
        "process_cpu_seconds_total", "counter",
        "Total user and system CPU time spent in seconds.",
        (), PROCESS,
    ),
    Metric("process_open_fds", "gauge", "Number of open file descriptors.", (), PROCESS),
    Metric("process_max_fds", "gauge", "Maximum number of open file descriptors.", (), PROCESS),
)  # fmt: skip

CATALOGUE: tuple[Metric, ...] = (*STATE, *METERS, *PROCESS_METRICS)
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}
