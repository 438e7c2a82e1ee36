"""One cause, many endpoints: verdicts grouped into what a reader acts on, with who must act."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rules.verdict import CauseGroup, Confidence, Endpoint, Mechanism, Owner, Status, Verdict

_OWNERS: dict[str, Owner] = {
    "dns": "dns",
    "tcp": "firewall",
    "tls": "firewall",
    "http": "firewall",
    "crl": "firewall",
    "ocsp": "firewall",
    "proxy": "proxy",
    "path": "firewall",
    "local": "host",
    "audit": "nobody",
}
_OWNER_OF: dict[str, Owner] = {
    "tls.expired": "microsoft",
    "tls.not-yet-valid": "microsoft",
    "tls.version": "microsoft",
    "tls.issuer-unexpected": "pki",
    "crl.stale": "pki",
    "crl.revoked": "pki",
    "ocsp.revoked": "pki",
    "dns.os-differs": "host",
    "path.family-broken": "host",
    "audit.no-tenant": "host",
    "audit.bug": "wayclear",
    "tls.incomplete-chain": "pki",
    "ocsp.unauthorized": "pki",
    "tls.name-mismatch": "firewall",
}
_POSSIBLE = frozenset({"dns.nxdomain", "tls.untrusted", "tls.self-signed", "tls.reset", "tls.timeout"})
_PROVEN = (
    "tls.intercepted",
    "crl.bad-signature",
    "tls.issuer-unexpected",
    "tcp.unreachable",
    "dns.sinkholed",
)
#: Causes that are the host's or the way's: one block, whatever they touch.
_HOST_WIDE = frozenset(
    {"local.no-route", "local.no-resolver", "local.clock-skew", "path.sweep-detected", "proxy.not-tested"}
)
_PLURAL = {
    "tcp.timeout": "TCP is silently dropped on the way to {n} endpoints",
    "tcp.reset": "TCP is refused with a reset at {n} endpoints",
    "tcp.unreachable": "{n} endpoints are unreachable",
    "tls.reset": "The connection is reset when TLS begins, at {n} endpoints",
    "tls.timeout": "TLS gets no answer at {n} endpoints, although TCP opens",
    "tls.intercepted": "TLS is intercepted at {n} endpoints",
    "dns.nxdomain": "{n} names do not exist for this host's resolver",
    "dns.servfail": "{n} names cannot be resolved (SERVFAIL)",
    "dns.refused": "The resolver refuses {n} names",
    "dns.timeout": "{n} names get no answer from the resolver",
    "dns.sinkholed": "{n} names are answered with a dead-end address",
    "dns.wildcarded": "{n} names get the address that this resolver gives for every name",
    "audit.no-tenant": "{n} names hold the tenant's id, which is not known",
    "audit.no-probe-name": "{n} wildcards have no citable name to try",
    "audit.not-reached": "{n} endpoints were not reached in time",
    "http.block-page": "A block page answers in place of {n} endpoints on port 80",
    "proxy.not-tested": "{n} endpoints fail on the direct way; the way through the proxy was not tested",
    "path.sweep-detected": "{n} endpoints could not be tested once a firewall dropped this host's traffic",
}


def group(verdicts: Iterable[Verdict]) -> tuple[CauseGroup, ...]:
    """Groups of every cause but "ok", heaviest first. Verdicts of one cause that need different acts stay apart."""
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.cause != "ok" and verdict.status not in (Status.PASS, Status.NOT_APPLICABLE):
            groups[(verdict.cause, _apart(verdict))].append(verdict)
    made = [_group(cause, found) for (cause, _), found in groups.items()]
    return tuple(sorted(made, key=lambda g: (-_weight(g), -len(g.endpoints), g.cause, g.summary)))


def _weight(found: CauseGroup) -> int:
    order = (Status.NOTICE, Status.INCONCLUSIVE, Status.WARN, Status.FAIL, Status.BROKEN)
    return order.index(found.status)


def _apart(verdict: Verdict) -> str:
    """What keeps two verdicts of the same cause in two groups: weight, port, and the key that intercepts."""
    if verdict.cause in _HOST_WIDE:
        return ""
    heavy = "heavy" if verdict.status in (Status.FAIL, Status.BROKEN) else verdict.status.value
    if not verdict.rule:
        return f"{heavy} {verdict.summary}"
    port = (
        str(verdict.endpoint.port) if verdict.endpoint and verdict.cause.startswith(("tcp.", "http.")) else ""
    )
    key = next((value for name, value in verdict.details if name == "issuing key"), "")
    return f"{heavy} {port} {key}"


def _group(cause: str, found: list[Verdict]) -> CauseGroup:
    heaviest = max(
        found, key=lambda v: (not v.rule, v.status.weight) if cause in _HOST_WIDE else (True, v.status.weight)
    )
    endpoints = tuple(dict.fromkeys(v.endpoint for v in found if v.endpoint is not None))
    merged = _merge(endpoints)
    summary = heaviest.summary
    if len(merged) > 1 and cause in _PLURAL:
        summary = _PLURAL[cause].format(n=len(merged))
    elif heaviest.endpoint is not None and heaviest.rule and heaviest.endpoint.host not in summary:
        summary = f"{heaviest.endpoint.host}: {summary}"
    details = tuple(dict.fromkeys(d for v in found[:20] for d in v.details))
    return CauseGroup(
        cause,
        heaviest.status,
        summary,
        heaviest.remedy,
        owner(cause),
        _confidence(cause),
        endpoints,
        tuple(dict.fromkeys(e for v in found for e in v.evidence)),
        details[:12],
        _hop(found),
        _mechanism(cause, found),
    )


def _merge(endpoints: tuple[Endpoint, ...]) -> set[tuple[str, int]]:
    return {(e.host, e.port) for e in endpoints}


def owner(cause: str) -> Owner:
    """Who must act, as a first guess by layer."""
    return _OWNER_OF.get(cause) or _OWNERS.get(cause.partition(".")[0], "nobody")


def _confidence(cause: str) -> Confidence:
    if cause in _PROVEN:
        return "proven"
    return "possible" if cause in _POSSIBLE else "likely"


def _hop(found: list[Verdict]) -> str | None:
    """The device that told of itself by an ICMP message."""
    return next((value for v in found for name, value in v.details if name == "sent by"), None)


def _mechanism(cause: str, found: list[Verdict]) -> Mechanism | None:
    if cause == "tls.large-hello-blocked":
        return "size"
    if cause == "tls.version":
        return "protocol"
    told = {value for v in found for name, value in v.details if name == "by"}
    return "name" if "name" in told else "address" if "address" in told else None
