"""Connectors as series for `promtool test rules`: healthy ones, to be spoiled by a case.

There `time()` is 0 at the first sample, and samples are a minute apart: sample n is taken at n minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from exporters.metrics.catalogue import BY_NAME, CONSTANT

SERVICE, SIGN_IN, CRL = "a.servicebus.windows.net", "login.microsoftonline.com", "crl3.digicert.com"
GROUPS = {SERVICE: "service", SIGN_IN: "sign-in", CRL: "cert-validation"}
DAY = 86_400


def hold(value: float | str) -> Callable[[int], str]:
    """The same at every minute."""
    return lambda _: str(value)


def change(at: int, before: float | str, after: float | str) -> Callable[[int], str]:
    """One value before minute `at`, another from then on."""
    return lambda minute: str(before if minute < at else after)


def flap(first: float | str, second: float | str) -> Callable[[int], str]:
    """One value in even minutes, another in odd ones."""
    return lambda minute: str(second if minute % 2 else first)


def clock(offset: float = 0.0) -> Callable[[int], str]:
    """A timestamp that is `offset` seconds away from now."""
    return lambda minute: str(minute * 60 + offset)


def frozen(at: int) -> Callable[[int], str]:
    """A timestamp that is up to date until minute `at` and then stands still."""
    return lambda minute: str(min(minute, at) * 60)


def holes(values: Callable[[int], str], every: int) -> Callable[[int], str]:
    """The same, with every n-th scrape lost: the series goes stale for a minute."""
    return lambda minute: "stale" if minute % every == every - 1 else values(minute)


def rising(every: int = 1) -> Callable[[int], str]:
    """A counter that goes up by one every so many minutes."""
    return lambda minute: str(minute // every)


Values: TypeAlias = Callable[[int], str]
ALWAYS, NEVER = hold(1), hold(0)


@dataclass(slots=True)
class Connector:
    """One connector's series, by metric and labels. It is born healthy."""

    name: str
    group: str = "vienna"
    site: str = "Vienna"
    region: str = "eu"
    series: dict[tuple[str, tuple[tuple[str, str], ...]], Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for metric, value in (("can_live", 1), ("degraded", 0), ("not_proven", 0), ("host_fault", 0)):
            self.put(f"wayclear_connector_{metric}", hold(value))
        self.answers("yes", hold(1))
        self.because("ok", "")
        self.put("wayclear_group_min_connectors", hold(2))
        self.put("wayclear_maintenance", hold(0))
        self.put("wayclear_build_info", hold(1), version="0.1.0", python="3.11", openssl="3.5")
        self.put("wayclear_last_cycle_timestamp_seconds", clock(-20), kind="service")
        for kind in ("rules", "cas"):
            self.put("wayclear_ruleset_reviewed_timestamp_seconds", hold(0), ruleset="entra", kind=kind)
        for state, count in (("ok", 8), ("failed", 0)):
            self.put("wayclear_addresses", hold(count), rule_group="service", family="ipv4", state=state)
        for target in (SERVICE, SIGN_IN):
            self.check(target, "dns", hold(1))
            self.check(target, "tls", hold(1))
            self.on(target, "wayclear_interception_ratio", hold(0))
            self.on(target, "wayclear_tls_earliest_cert_expiry_timestamp_seconds", hold(90 * DAY))
            self.info(target, "ok", hold(1))
        self.check(CRL, "crl", hold(1))
        for name in ("reachable", "valid", "measured"):
            self.put(f"wayclear_revocation_source_{name}", hold(1), target=CRL, kind="crl")
        self.put("wayclear_crl_next_update_timestamp_seconds", hold(7 * DAY), target=CRL)

    def put(self, metric: str, values: Values, **labels: str) -> None:
        """A series of this connector; another one of the same labels is replaced."""
        assert set(labels) <= {label.name for label in BY_NAME[metric].labels}, f"{metric} has no such labels"
        place = zip(CONSTANT, (self.name, self.group, self.site, self.region), strict=True)
        told = {name: value for name, value in place if value} | labels
        self.series[metric, tuple(told.items())] = values

    def answers(self, answer: str, is_it: Values, else_: str = "") -> None:
        """The state set of the answer: `answer` where `is_it` gives 1, otherwise `else_`."""

        def the_other(minute: int) -> str:
            return {"1": "0", "0": "1"}.get(is_it(minute), is_it(minute))

        for word in ("yes", "degraded", "no", "not-proven"):
            values = is_it if word == answer else the_other if word == else_ else hold(0)
            self.put("wayclear_connector_answer", values, answer=word)
        self.put("wayclear_connector_not_proven", is_it if answer == "not-proven" else hold(0))

    def because(self, cause: str, owner: str) -> None:
        """The connector's heaviest cause, and who must act."""
        self.without("wayclear_connector_cause_info")
        self.put("wayclear_connector_cause_info", hold(1), cause=cause, owner=owner)

    def without(self, *metrics: str) -> None:
        """These metrics it does not have."""
        self.series = {key: values for key, values in self.series.items() if key[0] not in metrics}

    def on(self, target: str, metric: str, values: Values, **labels: str) -> None:
        """A series of one of its targets."""
        port = "80" if target == CRL else "443"
        self.put(metric, values, target=target, port=port, rule_group=GROUPS[target], via="direct", **labels)

    def check(self, target: str, check: str, success: Values, measured: Values = ALWAYS) -> None:
        """One check of a target. What was not measured is no success either."""
        self.on(target, "wayclear_check_success", success, check=check)
        self.on(target, "wayclear_check_measured", measured, check=check)

    def info(self, target: str, cause: str, values: Values, issuer: str = "expected") -> None:
        """A target's cause and issuer, to join."""
        self.on(target, "wayclear_target_info", values,
                check="tls", cause=cause, owner="", issuer_class=issuer, tls_version="TLSv1.2")  # fmt: skip

    def flapping_cause(self, target: str) -> None:
        """A cause that is another one every minute, while success stays what it is."""
        self.info(target, "ok", hold("stale"))
        self.info(target, "tcp.timeout", flap(1, "stale"))
        self.info(target, "tls.timeout", flap("stale", 1))

    def fail(self, target: str, success: Values = NEVER) -> None:
        """The target's TLS check fails, or does what `success` says."""
        self.check(target, "tls", success)

    def die(self, can_live: Values = NEVER) -> None:
        """The answer is no, or flaps, over a service name."""
        self.put("wayclear_connector_can_live", can_live)
        self.fail(SERVICE, can_live)

    def inventory(self, *members: str) -> None:
        """It knows of these connectors."""
        for member in members:
            self.put("wayclear_inventory_member", hold(1), member=member)

    def vanish(self, at: int) -> None:
        """From this minute on nothing of it is scraped."""

        def ended(before: Values) -> Values:
            return lambda minute: before(minute) if minute < at else ("stale" if minute == at else "_")

        self.series = {key: ended(values) for key, values in self.series.items()}

    def scraped_as(self, **labels: str) -> None:
        """Every series with more labels, as scraping adds them."""
        self.series = {(metric, (*own, *labels.items())): v for (metric, own), v in self.series.items()}

    def every(self, wrap: Callable[[Values], Values]) -> None:
        """Change all its series in the same way."""
        self.series = {key: wrap(values) for key, values in self.series.items()}

    def input_series(self, minutes: int) -> list[dict[str, str]]:
        """As promtool takes it."""
        found = []
        for (metric, labels), values in self.series.items():
            selector = ", ".join(f'{name}="{value}"' for name, value in labels)
            samples = " ".join(values(minute) for minute in range(minutes + 1))
            found.append({"series": f"{metric}{{{selector}}}", "values": samples})
        return found
