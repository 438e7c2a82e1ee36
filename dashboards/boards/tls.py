"""TLS and revocation: who intercepts, what expires, which lists can be fetched, how old the rules are."""

from __future__ import annotations

from typing import Any

from dashboards.panels import (
    GOOD_AT_ONE,
    PLACE,
    YES_NO,
    Query,
    board,
    lines,
    rows,
    to_appliance,
    to_connector,
    to_endpoint,
)
from rules.rehearse.alerts import INTERCEPTED_SHARE

UID = "wayclear-tls"
_DAYS_3: tuple[tuple[float | None, str], ...] = ((None, "red"), (259_200, "yellow"), (1_209_600, "green"))
_DAYS_1: tuple[tuple[float | None, str], ...] = ((None, "red"), (86_400, "green"))


def dashboard() -> dict[str, Any]:
    """The dashboard as a JSON tree."""
    issuers = [
        rows("Intercepted handshakes", "Share of the last three handshakes that was intercepted, highest first.",
             "max by (connector, target, port, rule_group) (wayclear_interception_ratio{<S>})", "intercepted",
             sort_down=True, unit="percentunit", thresholds=((None, "green"), (0.01, "orange"), (INTERCEPTED_SHARE, "red")),
             link=to_endpoint()),
        lines("Issuers by class", "Endpoints, by the class of who issued their certificate.",
              Query("count by (issuer_class) (max by (connector, target, port, issuer_class) "
                    "(wayclear_target_info{<S>}))", "{{issuer_class}}")),
        rows("Certificates: time to expiry", "Of the served certificates, soonest first. Microsoft renews late.",
             "min by (target, port, rule_group) (wayclear_tls_earliest_cert_expiry_timestamp_seconds{<S>}) - time()",
             "left", unit="s", thresholds=_DAYS_3, link=to_endpoint()),
        lines("TLS versions", "Endpoints, by the version that was agreed on.",
              Query("count by (tls_version) (max by (connector, target, port, tls_version) "
                    "(wayclear_target_info{<S>}))", "{{tls_version}}")),
    ]  # fmt: skip
    revocation = [
        rows("CRL and OCSP sources", "Whether each source can be fetched, where it was measured; failing ones first. "
             "`off-list` stands for hosts that no rule names.",
             "min by (connector, target, kind) (wayclear_revocation_source_reachable{<S>} "
             "and wayclear_revocation_source_measured{<S>} == 1)",
             "reachable", thresholds=GOOD_AT_ONE, words=YES_NO, link=to_connector()),
        rows("CRL and OCSP answers", "Whether each answer is signed by its issuer and up to date; failing ones first.",
             "min by (connector, target, kind) (wayclear_revocation_source_valid{<S>} "
             "and wayclear_revocation_source_measured{<S>} == 1)",
             "valid", thresholds=GOOD_AT_ONE, words=YES_NO, link=to_connector()),
        rows("CRLs: time to the next update", "Of each host's list that must be renewed first, soonest first.",
             "min by (connector, target) (wayclear_crl_next_update_timestamp_seconds{<S>}) - time()",
             "left", unit="s", thresholds=_DAYS_1, link=to_connector()),
        to_appliance(),
    ]  # fmt: skip
    rules = [
        rows("Age of rule sets and CA sets", "Since they were last compared with their sources, oldest first. A ticket is "
             "made after 180 days.",
             "time() - min by (ruleset, kind) (wayclear_ruleset_reviewed_timestamp_seconds{<S>})",
             "age", sort_down=True, unit="s", thresholds=((None, "green"), (12_960_000, "yellow"), (15_552_000, "red")),
             width=24),
    ]  # fmt: skip
    return board(
        UID, "wayclear: TLS and revocation",
        "Who intercepts, what expires, which lists can be fetched, how old the rules are.", PLACE,
        [("Certificates", issuers), ("Revocation", revocation), ("Rules", rules)], span="now-24h",
    )  # fmt: skip
