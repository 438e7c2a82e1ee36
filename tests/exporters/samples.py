"""Reports made by hand, for everything that tells what was found."""

from __future__ import annotations

from rules.model import causes
from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost, ProxySetting
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation
from rules.model.verdict import (
    Answer,
    CauseGroup,
    Check,
    Endpoint,
    Plan,
    Report,
    RulesUsed,
    Status,
    Vantage,
    Verdict,
)

START = 1_793_610_845.12  # 2026-11-02T09:14:05.120Z
EXPECTED = "DigiCert Global Root G2 (key cb3ccbb76031e5e0...) or another of the 14 expected CAs"
SIGN_IN = "login.microsoftonline.com"
BOOTSTRAP = "0b1c.bootstrap.msappproxy.net"
REGIONAL = tuple(
    f"cwap-{place}-1.servicebus.windows.net"
    for place in ("nam", "eur", "asia", "aus", "ind", "bra", "zaf", "uae")
)


def vantage(**changes: object) -> Vantage:
    """A connector in Vienna."""
    values: dict[str, object] = {
        "host": "connector01",
        "user": "CORP\\svc-connector",
        "os": "Debian GNU/Linux 12",
        "sources": ("10.20.0.5",),
        "resolvers": ("10.20.0.2", "10.20.0.3"),
        "proxies": (),
        "tenant": "5f3b1c9e-0000-4000-8000-00000000cafe",
        "tenant_source": "connector",
        "labels": (("site", "Vienna"),),
    }
    return Vantage(**(values | changes))  # type: ignore[arg-type]  # a test's short hand


def observations() -> tuple[Observation, ...]:
    """One of each kind; o1 to o10."""
    return (
        Observation(
            LocalHost(),
            START,
            0.004,
            None,
            HostFacts(
                "connector01",
                "CORP\\svc-connector",
                "Debian GNU/Linux 12",
                ("10.20.0.5",),
                ("10.20.0.5",),
                ("10.20.0.0/24",),
                ("10.20.0.2", "10.20.0.3"),
                True,
                False,
            ),
        ),
        Observation(
            DnsQuestion("10.20.0.2", SIGN_IN, "A"),
            START + 0.1,
            0.012,
            None,
            DnsAnswer(
                "NOERROR",
                (
                    Record(SIGN_IN, "CNAME", 300, "login.mso.msidentity.example"),
                    Record("login.mso.msidentity.example", "A", 60, "20.190.0.1"),
                    Record("login.mso.msidentity.example", "A", 60, "20.190.0.2"),
                ),
            ),
        ),
        Observation(
            DnsQuestion("10.20.0.3", SIGN_IN, "A"),
            START + 0.1,
            5.0,
            Failure(Stage.DNS, Code.TIMEOUT, "no answer to 3 datagrams"),
        ),
        Observation(OsLookup(SIGN_IN), START + 0.1, 0.02, None, OsAnswer(("20.190.0.1", "20.190.0.2"))),
        Observation(
            TlsHandshake("20.190.0.1", 443, SIGN_IN),
            START + 0.3,
            0.061,
            None,
            TlsFacts(
                0.021,
                0.04,
                "TLSv1.2",
                "ECDHE-RSA-AES256-GCM-SHA384",
                (b"\x30\x03\x02\x01\x01",),
                bytes_received=4213,
                hello_size=230,
            ),
            ("10.20.0.5", 53211),
        ),
        Observation(
            TlsHandshake("20.190.0.2", 443, SIGN_IN),
            START + 0.9,
            5.001,
            Failure(Stage.TCP, Code.TIMEOUT, "no answer to SYN"),
            None,
            ("10.20.0.5", 53212),
        ),
        Observation(
            TlsHandshake("20.190.0.2", 443, SIGN_IN, attempt=2),
            START + 6.9,
            0.013,
            Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 13, "10.20.0.1")),
            None,
            ("10.20.0.5", 53213),
        ),
        Observation(
            HttpFetch("192.0.2.80", 80, "crl3.example", "/root.crl", "crl", cap=1 << 25),
            START + 7,
            0.2,
            None,
            HttpExchange(
                0.02, 0.1, 200, "OK", (("content-type", "application/pkix-crl"),), b"\x30\x00", 2, "ab" * 32
            ),
        ),
        Observation(
            TcpConnect("203.0.113.99", 443), START + 8, 0.5, None, TcpFacts(0.5), ("10.20.0.5", 53214)
        ),
        Observation(
            TrustLookup(b"\x30\x00"),
            START + 8,
            0.001,
            None,
            TrustRoots((b"\x30\x01\x00",), (), START, None, "certifi", ""),
        ),
    )


def verdict(
    host: str,
    check: Check = "tls",
    status: Status = Status.PASS,
    cause: str = "ok",
    *,
    port: int = 443,
    address: str | None = None,
    summary: str = "as it should be",
    remedy: str = "",
    severity: str = "required",
    evidence: tuple[str, ...] = (),
    group: str = "sign-in",
    details: tuple[tuple[str, str], ...] = (),
) -> Verdict:
    """One judgement; by default something fine."""
    return Verdict(
        "entra-app-proxy/x",
        "Sign-in",
        Endpoint(host, port, address),
        check,
        status,
        causes.from_word(cause),
        summary,
        remedy,
        severity,
        "https://learn.microsoft.com/entra (2026-10-01)",
        evidence,
        group,
        details,
    )


INTERCEPTED = CauseGroup(
    causes.TLS_INTERCEPTED,
    Status.FAIL,
    "A device on the way answers TLS in the place of the service, with certificates of its own.",
    "Exempt *.msappproxy.net and *.servicebus.windows.net from TLS inspection.",
    "firewall",
    "proven",
    tuple(Endpoint(host, 443) for host in REGIONAL),
    ("o5", "o6"),
    (
        ("expected", EXPECTED),
        ("served", "CN=Corp Proxy CA \x1b[31m, key 1f0a55..."),
        ("product", "Squid, by the issuer's name"),
    ),
    id="1",
)
SILENT = CauseGroup(
    causes.TCP_TIMEOUT,
    Status.WARN,
    "Packets to one of two addresses are dropped without an answer.",
    "Allow TCP 443 from 10.20.0.5 to 20.190.0.2.",
    "firewall",
    "likely",
    (Endpoint(SIGN_IN, 443, "20.190.0.2"),),
    ("o6",),
    hop="10.20.0.1",
    id="2",
)
UNTESTED = CauseGroup(
    causes.AUDIT_NO_PROBE_NAME,
    Status.INCONCLUSIVE,
    "No name is known to try under *.msauth.net.",
    "Name one in a rule set of your own.",
    "nobody",
    "proven",
    (),
    (),
    id="3",
)
NOTICE = CauseGroup(
    causes.TLS_LARGE_HELLO_BLOCKED,
    Status.NOTICE,
    "A large ClientHello is dropped; the connector sends a small one.",
    "",
    "firewall",
    "proven",
    (Endpoint(SIGN_IN, 443, "20.190.0.1"),),
    (),
    id="4",
)
RULESETS = (
    RulesUsed("entra-app-proxy", "2026.11.1", "2026-11-01"),
    RulesUsed("microsoft-cas", "2026.03.1", "2026-03-01", "cas", note="not reviewed for 246 days"),
)


def report(**changes: object) -> Report:
    """A network that intercepts the service and drops one address of sign-in."""
    values: dict[str, object] = {
        "version": "0.1.0",
        "started": START,
        "finished": START + 41.23,
        "plan": Plan("q7x2", labels=(("site", "Vienna"),)),
        "vantage": vantage(),
        "rulesets": RULESETS,
        "answer": Answer.NO,
        "answer_text": "Published applications do not open: the connector refuses the intercepted connections.",
        "exit_code": 2,
        "causes": (INTERCEPTED, UNTESTED, SILENT, NOTICE),
        "verdicts": (
            *(verdict(host, "tls", Status.FAIL, "tls.intercepted", group="service") for host in REGIONAL),
            verdict(SIGN_IN, "dns"),
            verdict(SIGN_IN, "tls", address="20.190.0.1", evidence=("o5",)),
            verdict(
                SIGN_IN,
                "tcp",
                Status.WARN,
                "tcp.timeout",
                address="20.190.0.2",
                summary="no answer to SYN",
                remedy="Allow TCP 443 from 10.20.0.5 to 20.190.0.2.",
                evidence=("o6",),
            ),
            verdict("crl3.example", "crl", port=80),
            verdict("old.example", "dns", Status.NOT_APPLICABLE, "dns.nxdomain"),
        ),
        "observations": observations(),
        "notes": ("The CA set has not been reviewed for 246 days: what it does not know may be new.",),
    }
    return Report(**(values | changes))  # type: ignore[arg-type]  # short hand of a sample


def healthy() -> Report:
    """Nothing to complain about."""
    return report(
        answer=Answer.YES,
        answer_text="The connector works here.",
        exit_code=0,
        causes=(),
        notes=(),
        verdicts=(verdict(SIGN_IN, "dns"), verdict(SIGN_IN, "tls"), verdict(BOOTSTRAP, "tls")),
    )


def behind_proxy() -> Report:
    """A proxy is set, the direct way fails, no tenant was given."""
    proxies = (ProxySetting("environment HTTPS_PROXY", "http://***@proxy.corp.example:8080", "localhost"),)
    cause = CauseGroup(
        causes.PROXY_NOT_TESTED,
        Status.INCONCLUSIVE,
        "This host has a proxy; the direct way does not work and the proxy was not tried.",
        "",
        "nobody",
        "proven",
        tuple(Endpoint(host, 443) for host in REGIONAL),
    )
    return report(
        vantage=vantage(
            proxies=proxies, tenant=None, tenant_source="", labels=(), sources=("10.20.0.5", "2001:db8::5")
        ),
        answer=Answer.NOT_PROVEN,
        answer_text="Not proven: the tenant's own names were not tested.",
        exit_code=3,
        causes=(cause,),
        notes=(),
        verdicts=tuple(verdict(h, "proxy", Status.INCONCLUSIVE, "proxy.not-tested") for h in REGIONAL),
    )
