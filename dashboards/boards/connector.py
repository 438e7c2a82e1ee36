"""One connector: its answer, what fails, how fast its network is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboards.blocks import ABLE
from dashboards.panels import (
    BAD_ABOVE_ZERO,
    GOOD_AT_ONE,
    PLACE,
    YES_NO,
    Query,
    board,
    lines,
    number,
    rows,
    states,
    to_act_on,
    to_appliance,
    to_endpoint,
)

UID = "wayclear-connector"
ANSWER = {
    "0": ("no", "red"),
    "1": ("yes", "green"),
    "2": ("degraded", "yellow"),
    "3": ("not proven", "blue"),
    "4": ("host at fault", "purple"),
}
_BY = "max by (connector)"
#: The heaviest of what is true, as one number: see ANSWER.
_ANSWER = f"""
(4 * ({_BY} (wayclear_connector_host_fault{{<S>}}) == 1))
or (3 * ({_BY} (wayclear_connector_not_proven{{<S>}}) == 1))
or (2 * ({_BY} (wayclear_connector_degraded{{<S>}}) == 1))
or {_BY} (wayclear_connector_can_live{{<S>}})
""".strip()


def dashboard() -> dict[str, Any]:
    """The dashboard as a JSON tree."""
    now = [
        number("Answer", "What the audit says, now. A fault of the host stands above all: then nothing else counts.",
               _ANSWER, words=ANSWER, legend="{{connector}}"),
        number("Answer since", "Since when the answer has been the same.",
               f"1000 * {_BY} (wayclear_connector_answer_since_timestamp_seconds{{<S>}})", unit="dateTimeFromNow"),
        number("Counts for its group", "1: the page counts it among those that work.",
               f"{ABLE} and on (connector) wayclear_connector_can_live{{<S>}}", thresholds=GOOD_AT_ONE, words=YES_NO),
        number("Maintenance", "1: a maintenance window is open, its alerts are silent.",
               f"{_BY} (wayclear_maintenance{{<S>}})", words={"0": ("no", "green"), "1": ("yes", "blue")}),
        number("Failing checks", "Checks that were measured and failed.",
               "sum(wayclear_check_measured{<S>} * (1 - wayclear_check_success{<S>}))", thresholds=BAD_ABOVE_ZERO),
        number("Resolvers down", "Resolvers of this host that do not answer.",
               'sum(wayclear_resolvers{<S>, state="down"})', thresholds=BAD_ABOVE_ZERO),
    ]  # fmt: skip
    fails = [
        rows("Why, and who acts", "The heaviest cause behind the answer, and who must act.",
             "max by (cause, owner) (wayclear_connector_cause_info{<S>})", "holds", words=YES_NO, width=24, height=4),
        states("Answer over time", "What the audit said.", Query(_ANSWER, "{{connector}}"), words=ANSWER, height=4),
        rows("Checks, failing first", "Every check, those that fail first. Inconclusive ones are in the next table.",
             "min by (target, port, rule_group, check) "
             "(wayclear_check_success{<S>} and wayclear_check_measured{<S>} == 1)",
             "passes", thresholds=GOOD_AT_ONE, words=YES_NO, link=to_endpoint(), height=10),
        rows("Causes", "Names that fail, warn or could not be tested, since when, with the heaviest cause of each and who "
             "must act. A name that is fine is not listed.",
             to_act_on("target, port, rule_group, check, cause, owner, issuer_class, tls_version"),
             "since", unit="dateTimeFromNow", link=to_endpoint(), height=10),
        rows("Inconclusive", "Checks that could not be measured, for whatever reason; they are no failures.",
             "min by (target, port, rule_group, check) (wayclear_check_measured{<S>}) == 0",
             "measured", words={"0": ("no", "yellow"), "1": ("yes", "green")}, link=to_endpoint()),
        to_appliance(),
    ]  # fmt: skip
    network = [
        lines("Addresses of the service", "Share of the service's addresses (24 hours) whose last try failed. A ticket is "
              "made above a quarter.",
              Query('sum(wayclear_addresses{<S>, rule_group="service", state="failed"}) '
                    '/ sum(wayclear_addresses{<S>, rule_group="service"})', "failed"),
              unit="percentunit", thresholds=((None, "transparent"), (0.25, "red"))),
        lines("Addresses by group", "Addresses of the last 24 hours, by the result of the last try.",
              Query("sum by (rule_group, family, state) (wayclear_addresses{<S>})",
                    "{{rule_group}} {{family}} {{state}}")),
        lines("Duration of a stage, 95th percentile", "Of stages that ended well.",
              Query("histogram_quantile(0.95, sum by (le, rule_group, stage) "
                    "(rate(wayclear_stage_duration_seconds_bucket{<S>}[$__rate_interval])))",
                    "{{rule_group}} {{stage}}"), unit="s"),
        lines("Mean duration of a stage", "Of stages that ended well.",
              Query("sum by (rule_group, stage) (rate(wayclear_stage_duration_seconds_sum{<S>}[$__rate_interval])) / "
                    "sum by (rule_group, stage) (rate(wayclear_stage_duration_seconds_count{<S>}[$__rate_interval]))",
                    "{{rule_group}} {{stage}}"), unit="s"),
        lines("Failures", "Probes that failed, by the stage that failed.",
              Query("sum by (rule_group, stage) (rate(wayclear_probe_failures_total{<S>}[$__rate_interval]))",
                    "{{rule_group}} {{stage}}"), unit="cps"),
        lines("Resolvers", "Resolvers of this host that answer (up) or do not (down).",
              Query("sum by (state) (wayclear_resolvers{<S>})", "{{state}}")),
        lines("Resolvers that differ", "Names for which the resolvers give different answers. No fault by itself: large "
              "services answer from many addresses.",
              Query("max by (rule_group) (wayclear_resolver_disagreements{<S>})", "{{rule_group}}")),
        lines("Longest chain", "Names behind the first in the longest CNAME chain. Resolvers give up at 11 to 16.",
              Query("max by (rule_group) (wayclear_dns_chain_length_max{<S>})", "{{rule_group}}"),
              thresholds=((None, "transparent"), (11, "orange"))),
        lines("Smallest time to live", "Among the answers for the group's names.",
              Query("min by (rule_group) (wayclear_dns_ttl_min_seconds{<S>})", "{{rule_group}}"), unit="s"),
    ]  # fmt: skip
    place = (*PLACE[:3], replace(PLACE[3], single=True))
    return board(
        UID, "wayclear: connector", "One connector: its answer, what fails, how fast its network is.", place,
        [("Now", now), ("What fails", fails), ("Its network", network)],
    )  # fmt: skip
