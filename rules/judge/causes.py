"""One cause, many endpoints: verdicts grouped into what a reader acts on, with who must act."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rules.judge.remedies import advice
from rules.model.verdict import CauseGroup, Confidence, Endpoint, Mechanism, Owner, Status, Verdict

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
    "crl.revoked": "pki",
    "crl.form": "pki",
    "crl.unverified": "nobody",
    "ocsp.unverified": "nobody",
    "ocsp.revoked": "pki",
    "tls.revoked": "pki",
    "dns.os-differs": "host",
    "path.family-broken": "host",
    "audit.no-tenant": "host",
    "audit.bug": "wayclear",
    "tls.incomplete-chain": "pki",
    "tls.unverified": "pki",
    "ocsp.unauthorized": "pki",
    "tls.name-mismatch": "dns",
    "http.same-page": "nobody",
    "http.odd-header": "nobody",
}
_POSSIBLE = frozenset({"dns.nxdomain", "tls.untrusted", "tls.self-signed", "tls.reset", "tls.timeout"})
_PROVEN = (
    "tls.intercepted",
    "tls.revoked",
    "crl.revoked",
    "ocsp.revoked",
    "crl.bad-signature",
    "tls.issuer-unexpected",
    "tcp.unreachable",
    "dns.sinkholed",
)
#: Causes that are the host's or the way's: one block, whatever they touch.
_HOST_WIDE = frozenset(
    {"local.no-route", "local.no-resolver", "local.clock-skew", "path.sweep-detected", "proxy.not-tested"}
)
#: Findings about hosts that only certificates name: judged like those on a rule.
_ON_NO_RULE = frozenset({"crl", "ocsp", "http", "tcp", "tls"})
#: How the evidence of a copied name ends: "<known CA>, with its own key".
OWN_KEY = "with its own key"
#: Evidence that belongs to one endpoint; the list of endpoints and the connections show it for several.
_OWN = frozenset({"from", "handshake", "names", "addresses", "client certificate", "named by"})
#: How many different values are shown where one would not do.
_LISTED = {"source": 3, "sent to": 3, "page": 2}
MAX_DETAILS = 12
#: The evidence of a verdict about an address that no resolver gives: whoever runs this host must act.
ADDRESS_FROM = "address from"
#: "this host" in a remedy for an endpoint is the endpoint's host; "from this host" is the connector.
_MANY = (
    ("Exempt this host", "Exempt these hosts"),
    ("exempt this host", "exempt these hosts"),
    ("to this host", "to these hosts"),
    ("fetches this list", "fetches these lists"),
    ("re-signs it", "re-signs them"),
    ("this name", "these names"),
)
_PLURAL = {
    "tcp.timeout": "TCP is silently dropped on the way to {n} endpoints",
    "tcp.reset": "TCP is refused with a reset at {n} endpoints",
    "tcp.unreachable": "{n} endpoints are unreachable: the way there is refused (ICMP) or missing",
    "tls.reset": "The connection is reset when TLS begins, at {n} endpoints",
    "tls.timeout": "TLS comes to no end at {n} endpoints, although TCP opens",
    "tls.intercepted": "TLS is intercepted at {n} endpoints",
    "dns.nxdomain": "{n} names do not exist for this host's resolver",
    "dns.servfail": "{n} names cannot be resolved (SERVFAIL)",
    "dns.refused": "The resolver refuses {n} names",
    "dns.timeout": "{n} names get no answer from the resolver",
    "dns.sinkholed": "{n} names are answered with a dead-end address",
    "dns.sinkholed own-word": "{n} names are blocked, by the resolver's own word",
    "dns.refused own-word": "The resolver refuses {n} names to this host, by its own word",
    "dns.malformed no-question": "The answers for {n} names do not repeat the question",
    "dns.wrong-source": "The answers for {n} names come from another address than the one that was asked",
    "dns.timeout others-pass": "{n} names get no answer from a resolver that answers others",
    "dns.sinkholed portal": "{n} names are answered with the address of another server, where unrelated names lead too",
    "dns.wildcarded": "{n} names get the address that this resolver gives for every name",
    "audit.no-tenant": "{n} names hold the tenant's id, which is not known",
    "audit.no-probe-name": "{n} wildcards have no citable name to try",
    "audit.not-reached": "{n} endpoints were not reached in time",
    "dns.no-address": "{n} names have no address",
    "dns.malformed": "The answers for {n} names break the protocol",
    "tls.issuer-unexpected": "{n} endpoints show a public CA's certificate, but not an expected CA's",
    "tls.untrusted": "{n} endpoints show a certificate that leads to a root nobody knows",
    "tls.self-signed": "{n} endpoints show a self-signed certificate",
    "tls.expired": "The certificates of {n} endpoints are out of date",
    "tls.not-yet-valid": "The certificates of {n} endpoints are not valid yet",
    "tls.name-mismatch": "{n} endpoints show a certificate for another name",
    "tls.incomplete-chain": "The chains of {n} endpoints end before a known CA, and the missing issuer is not to be had",
    "tls.version": "{n} endpoints refuse TLS 1.2",
    "tls.alert": "TLS is refused with an alert at {n} endpoints",
    "tls.not-tls": "What answers at {n} endpoints is not TLS",
    "tls.malformed": "The answers of {n} endpoints break TLS",
    "tls.unverified": "The certificates of {n} endpoints cannot be checked: part of them cannot be read or proves nothing",
    "http.timeout": "Port 80 opens at {n} endpoints, and then nothing answers",
    "http.reset": "Port 80 opens at {n} endpoints, and then the connection is reset",
    "http.redirected": "{n} endpoints are redirected elsewhere on port 80",
    "http.status": "{n} endpoints answer with an HTTP error on port 80",
    "http.malformed": "What answers at {n} endpoints on port 80 is not HTTP",
    "http.compressed": "The documents of {n} hosts come compressed, although they are asked for as they are",
    "http.same-page": "{n} endpoints give the same web page on port 80 as hosts that have nothing to do with them",
    "http.odd-header": "The answers of {n} endpoints on port 80 have odd header lines, and are read all the same",
    "crl.unreachable": "No CRL is to be had from {n} hosts",
    "crl.not-a-crl": "Something else comes in place of the CRLs of {n} hosts",
    "crl.stale": "The CRLs of {n} hosts are out of date",
    "crl.bad-signature": "The CRLs of {n} hosts are not signed by their issuers",
    "crl.wrong-issuer": "The CRLs of {n} hosts are another CA's than that of the certificates that name them",
    "crl.out-of-scope": "The CRLs of {n} hosts do not tell of the certificates that name them",
    "crl.unverified": "The CRLs of {n} hosts cannot be verified here",
    "ocsp.unreachable": "{n} OCSP responders do not answer",
    "ocsp.stale": "The answers of {n} OCSP responders are out of date",
    "ocsp.responder": "{n} OCSP responders are not set up right",
    "ocsp.not-ocsp": "Something else answers in place of {n} OCSP responders",
    "audit.not-recorded": "The recording lacks what today's rules ask of {n} endpoints",
    "http.block-page proxy-failed": "A proxy on the way answers for {n} endpoints on port 80 that it cannot reach",
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
    """What keeps two verdicts of the same cause in two groups: weight, port, the key that intercepts, what to do."""
    if verdict.cause in _HOST_WIDE:
        return verdict.circumstance if verdict.cause == "proxy.not-tested" else ""
    heavy = "heavy" if verdict.status in (Status.FAIL, Status.BROKEN) else verdict.status.value
    if not verdict.rule and verdict.check not in _ON_NO_RULE:
        return f"{heavy} {verdict.summary}"
    port = (
        str(verdict.endpoint.port) if verdict.endpoint and verdict.cause.startswith(("tcp.", "http.")) else ""
    )
    key = "forged" if _forged(verdict) else _detail(verdict, "issuing key")
    return f"{heavy} {port} {key} {verdict.circumstance}"


def _forged(verdict: Verdict) -> bool:
    """Whether a known CA's name was copied: whoever does so makes a key for every name that it copies."""
    return verdict.cause == "tls.intercepted" and _detail(verdict, "expected").endswith(OWN_KEY)


def _detail(verdict: Verdict, wanted: str) -> str:
    return next((value for name, value in verdict.details if name == wanted), "")


def _group(cause: str, found: list[Verdict]) -> CauseGroup:
    heaviest = max(
        found, key=lambda v: (not v.rule, v.status.weight) if cause in _HOST_WIDE else (True, v.status.weight)
    )
    endpoints = tuple(dict.fromkeys(v.endpoint for v in found if v.endpoint is not None))
    many = len(_merge(endpoints)) > 1
    remedy = heaviest.remedy or next((v.remedy for v in found if v.remedy), "")
    return CauseGroup(
        cause,
        heaviest.status,
        _summary(cause, heaviest, found, len(_merge(endpoints))),
        _remedy(remedy, heaviest, many),
        owner(cause, heaviest.circumstance),
        _confidence(cause, found),
        endpoints,
        tuple(dict.fromkeys(e for v in found for e in v.evidence)),
        _details(found, len(endpoints)),
        _hop(found),
        _mechanism(cause, found),
    )


def _summary(cause: str, heaviest: Verdict, found: list[Verdict], names: int) -> str:
    """The heaviest verdict's own sentence, or one that holds for all of them."""
    if cause == "tls.intercepted" and names > 1:
        keys = {_detail(v, "issuing key") for v in found}
        if len(keys) == 1:
            return heaviest.summary  # it speaks of all handshakes that met this key
        return (
            f"TLS is intercepted at {names} endpoints: their certificates bear the names of {len(keys)} known CAs, each "
            "on a key that is not that CA's"
        )
    if heaviest.circumstance == "ca-set-missing":
        return heaviest.summary  # it speaks of all of them
    plural = _PLURAL.get(f"{cause} {heaviest.circumstance}") or _PLURAL.get(cause)
    if names > 1 and plural is not None and not (cause in _HOST_WIDE and not heaviest.rule):
        return plural.format(n=names)
    if names > 1 and heaviest.rule:
        return f"{heaviest.summary} (and {names - 1} more)"
    if heaviest.endpoint is not None and heaviest.rule and heaviest.endpoint.host not in heaviest.summary:
        return f"{heaviest.endpoint.host}: {heaviest.summary}"
    return heaviest.summary


def _remedy(remedy: str, heaviest: Verdict, many: bool) -> str:
    """The remedy of one endpoint, with its name, or as that of several."""
    if heaviest.endpoint is None:
        return remedy
    for one, several in _MANY:
        named = one.replace("this name", heaviest.endpoint.host).replace("this host", heaviest.endpoint.host)
        remedy = remedy.replace(one, several if many else named)
    return remedy


def _details(found: list[Verdict], endpoints: int) -> tuple[tuple[str, str], ...]:
    """Short lines of evidence: of several endpoints what they share, and of what differs the first.

    What only one connection has (our port, a handshake's time) is left to the connections themselves.
    """
    by_key: dict[str, dict[str, None]] = {}
    for verdict in found:
        for key, value in verdict.details:
            if endpoints == 1 or key not in _OWN:
                by_key.setdefault(key, {})[value] = None
    lines = []
    for key, told in by_key.items():
        values = [v for v in told if not any(o != v and o.startswith(v) for o in told)]
        most = _LISTED.get(key, 1)
        lines += [(key, value) for value in values[:most]]
        if len(values) > most:
            last = lines.pop()[1]
            lines.append((key, f"{last} (and {len(values) - most} more)"))
    return tuple(lines[:MAX_DETAILS])


def _merge(endpoints: tuple[Endpoint, ...]) -> set[tuple[str, int]]:
    return {(e.host, e.port) for e in endpoints}


def owner(cause: str, circumstance: str = "") -> Owner:
    """Who must act: by what was seen, else as a first guess by layer."""
    found = advice(cause, circumstance)
    if found is not None and found.owner is not None:
        return found.owner
    return _OWNER_OF.get(cause) or _OWNERS.get(cause.partition(".")[0], "nobody")


def _confidence(cause: str, found: list[Verdict]) -> Confidence:
    row = advice(cause, found[0].circumstance)
    if row is not None and row.confidence is not None:
        return row.confidence
    if (
        cause == "tcp.unreachable"
    ):  # only "prohibited" is a policy's word; the other codes may be a missing route
        return "proven" if all("prohibited" in v.summary for v in found) else "likely"
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
