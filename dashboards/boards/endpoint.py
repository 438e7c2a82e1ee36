"""One endpoint, from every selected connector: checks, addresses, stages, issuer."""

from __future__ import annotations

from typing import Any

from dashboards.panels import (
    GOOD_AT_ONE,
    PLACE,
    YES_NO,
    Query,
    Variable,
    board,
    lines,
    rows,
    states,
    to_appliance,
    to_connector,
)
from rules.rehearse.alerts import INTERCEPTED_SHARE

UID = "wayclear-endpoint"
TARGET = Variable("target", "Target", "Host name of the endpoint.", "wayclear_check_success", single=True)
SEEN = {"1": ("seen", "blue")}
_WHO = "{{connector}} {{port}}"


def dashboard() -> dict[str, Any]:
    """The dashboard as a JSON tree."""
    checks = [
        states("Checks over time", "Whether each check passes, where it was measured; gaps are inconclusive.",
               Query("max by (connector, port, check) "
                     "(wayclear_check_success{<S>} and wayclear_check_measured{<S>} == 1)", f"{_WHO} {{{{check}}}}")),
        rows("From where it passes", "The endpoint's checks now, connectors from which one fails first.",
             "min by (connector, site, port) (wayclear_check_success{<S>} and wayclear_check_measured{<S>} == 1)",
             "passes", thresholds=GOOD_AT_ONE, words=YES_NO, link=to_connector()),
        states("Cause over time", "The heaviest cause; docs/causes.md says what each means.",
               Query("max by (connector, port, cause) (wayclear_target_info{<S>})", f"{_WHO} {{{{cause}}}}"),
               words=SEEN, width=12),
    ]  # fmt: skip
    way = [
        lines("Addresses", "Addresses of the last 24 hours, by the result of the last try. Which they are is on the "
              "appliance's own page.",
              Query("sum by (connector, port, state) (wayclear_target_addresses{<S>})", f"{_WHO} {{{{state}}}}")),
        lines("Stages", "How long each stage took when it was last measured.",
              Query("max by (connector, port, stage) (wayclear_last_stage_duration_seconds{<S>})",
                    f"{_WHO} {{{{stage}}}}"), unit="s"),
        to_appliance(),
    ]  # fmt: skip
    tls = [
        states("Issuer's class over time", "Who issued the certificate, by class. The name is on the appliance's own page.",
               Query("max by (connector, port, issuer_class) (wayclear_target_info{<S>})",
                     f"{_WHO} {{{{issuer_class}}}}"), words=SEEN, width=12),
        states("TLS version over time", "The version that was agreed on.",
               Query("max by (connector, port, tls_version) (wayclear_target_info{<S>})",
                     f"{_WHO} {{{{tls_version}}}}"), words=SEEN, width=12),
        lines("Intercepted handshakes here", "Share of the last three handshakes that was intercepted.",
              Query("max by (connector, port) (wayclear_interception_ratio{<S>})", _WHO), unit="percentunit",
              thresholds=((None, "transparent"), (INTERCEPTED_SHARE, "red"))),
        lines("Time to expiry", "Of the served certificate that expires first.",
              Query("min by (connector, port) (wayclear_tls_earliest_cert_expiry_timestamp_seconds{<S>}) - time()",
                    _WHO), unit="s", thresholds=((None, "red"), (259_200, "transparent"))),
    ]  # fmt: skip
    return board(
        UID, "wayclear: endpoint", "One endpoint, from every selected connector.", (*PLACE, TARGET),
        [("Checks", checks), ("The way there", way), ("TLS", tls)], span="now-24h",
    )  # fmt: skip
