"""States made by hand, for everything that tells what the appliance knows: metrics, the status page, the history."""

from __future__ import annotations

from rules.model.verdict import Answer, Status
from rules.watch.events import Drift, Transition
from rules.watch.state import AddressState, CheckName, CheckState, Place, SourceState, State, TargetState
from tests.exporters.samples import BOOTSTRAP, REGIONAL, SIGN_IN, START, healthy

NOW = START + 3600.0
PLACE = Place("connector01", "vienna", "Vienna", "eu")
TLS: tuple[CheckName, ...] = ("dns", "tls")
HTTP: tuple[CheckName, ...] = ("dns", "http", "crl")


def check(name: CheckName, status: Status = Status.PASS, cause: str = "ok") -> CheckState:
    """One check of a target: measured unless inconclusive, a success unless it fails."""
    measured = status not in (Status.INCONCLUSIVE, Status.BROKEN)
    return CheckState(name, measured and status is not Status.FAIL, measured, status, cause)


def address(text: str = "52.112.127.20", ok: bool | None = True, **changes: object) -> AddressState:
    """An address that resolution gives now and that was tried ten seconds ago."""
    values: dict[str, object] = {
        "address": text,
        "family": "ipv6" if ":" in text else "ipv4",
        "ok": ok,
        "cause": "tcp.timeout" if ok is False else "ok",
        "tried": NOW - 10,
        "current": True,
    }
    return AddressState(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def target(host: str = REGIONAL[0], port: int = 443, **changes: object) -> TargetState:
    """A service name that is fine: a TLS target, or on port 80 one that serves a CRL."""
    tls = port != 80
    values: dict[str, object] = {
        "host": host,
        "port": port,
        "rule": "entra-app-proxy/servicebus" if tls else "entra-app-proxy/crl",
        "group": "service" if tls else "cert-validation",
        "required": True,
        "status": Status.PASS,
        "cause": "ok",
        "check": "tls" if tls else "http",
        "summary": "as it should be",
        "checks": tuple(check(name) for name in (TLS if tls else HTTP)),
        "addresses": (address(), address("52.112.127.21")),
        "chain": (f"ns-{host}", "prod-edge.cloudapp.example"),
        "ttl": 60.0,
        "resolvers_agree": True,
        "issuer": "CN=Microsoft TLS G2 RSA CA OCSP 02, O=Microsoft Corporation" if tls else "",
        "issuer_class": "expected" if tls else "",
        "tls_version": "TLSv1.2" if tls else "",
        "expiry": NOW + 80 * 86400.0 if tls else None,
        "stages": (("dns", 0.004), ("tcp", 0.012), ("tls", 0.045) if tls else ("http", 0.031)),
        "handshakes": 3 if tls else 0,
        "intercepted": 0,
        "measured": NOW - 10,
        "since": START,
    }
    return TargetState(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def failing(host: str = SIGN_IN, cause: str = "tls.intercepted", **changes: object) -> TargetState:
    """A name whose TLS check fails at all its addresses."""
    values: dict[str, object] = {
        "group": "sign-in",
        "rule": "entra-app-proxy/sign-in",
        "status": Status.FAIL,
        "cause": cause,
        "summary": "Something on the way answers in its place",
        "checks": (check("dns"), check("tls", Status.FAIL, cause)),
        "addresses": (address("40.126.31.1", False, cause=cause),),
        "issuer": "CN=Corp Inspection CA",
        "issuer_class": "intercepted",
        "intercepted": 3,
    }
    return target(host, 443, **(values | changes))


def source(target_host: str = "crl3.digicert.com", kind: str = "crl", **changes: object) -> SourceState:
    """A revocation source that is reachable and valid."""
    values: dict[str, object] = {
        "kind": kind,
        "target": target_host,
        "url": f"http://{target_host}/DigiCertGlobalRootG2.{kind}",
        "reachable": True,
        "valid": True,
        "measured": True,
        "cause": "ok",
        "next_update": NOW + 5 * 86400.0 if kind == "crl" else None,
    }
    return SourceState(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def state(*targets: TargetState, **changes: object) -> State:
    """A connector in Vienna that works; by default with three targets and one revocation source."""
    values: dict[str, object] = {
        "place": PLACE,
        "version": "0.1.0",
        "now": NOW,
        "started": START - 60,
        "report": healthy(),
        "answer": Answer.YES,
        "answer_since": START,
        "headline": "YES: the connector works here.",
        "answer_text": "The connector works here.",
        "targets": targets or (target(), target(BOOTSTRAP), target("crl3.digicert.com", 80)),
        "sources": (source(),),
        "resolvers": (("10.20.0.2", True), ("10.20.0.3", True)),
    }
    return State(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def starting(**changes: object) -> State:
    """Before the first sweep has ended: no report, no targets, nothing proven."""
    unknown: dict[str, object] = {
        "report": None,
        "answer": Answer.NOT_PROVEN,
        "answer_since": START - 60,
        "headline": "NOT PROVEN: the first sweep has not ended.",
        "answer_text": "",
        "targets": (),
        "sources": (),
        "resolvers": (),
    }
    return state(**(unknown | changes))


def broken(**changes: object) -> State:
    """Intercepted sign-in, one address of the service lost, a resolver down, drift, a window, an inventory."""
    half = target(
        REGIONAL[1],
        status=Status.WARN,
        cause="tcp.timeout",
        checks=(check("dns"), check("tls", Status.WARN, "tcp.timeout")),
        addresses=(address("52.112.127.30"), address("2603:1030::1", False)),
        resolvers_agree=False,
    )
    values: dict[str, object] = {
        "answer": Answer.DEGRADED,
        "headline": "DEGRADED: sign-in is intercepted.",
        "answer_text": "Users cannot sign in.",
        "resolvers": (("10.20.0.2", True), ("10.20.0.3", False)),
        "sources": (
            source(),
            source("crl4.digicert.com", reachable=False, valid=False, cause="crl.unreachable"),
        ),
        "transitions": (
            Transition(
                NOW - 600, f"{SIGN_IN}:443", "pass", "fail", "ok", "tls.intercepted", "Intercepted", 7
            ),
            Transition(
                NOW - 600, "connector", "yes", "degraded", "ok", "tls.intercepted", "Sign-in fails", 8
            ),
        ),
        "drifts": (
            Drift(
                NOW - 900,
                REGIONAL[1],
                "cname",
                "new.example",
                f"a new suffix in the chain of {REGIONAL[1]}",
                3,
            ),
        ),
        "maintenance": "patch day",
        "inventory": ("connector01", "connector02"),
        "notes": ("the rule set has not been reviewed for 190 days",),
    }
    crl = target("crl3.digicert.com", 80)
    return state(target(), half, failing(), crl, target("crl4.digicert.com", 80), **(values | changes))


def many(count: int = 2_000, **changes: object) -> State:
    """A state of `count` targets, one in ten of them on port 80, with four addresses each."""
    addresses = tuple(address(f"52.112.{i}.{i + 1}") for i in range(4))
    found = [
        target(f"cwap-region{i:05}-1.servicebus.windows.net", 80 if i % 10 == 9 else 443, addresses=addresses)
        for i in range(count)
    ]
    return state(*found, **changes)
