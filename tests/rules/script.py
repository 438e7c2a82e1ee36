"""Networks as a script: what each step of an audit is answered with, and an audit driven through it.

world = healthy()                                        # every name resolves, every certificate is genuine
world.when(TlsHandshake, SILENCE, address=RELAY_1)       # but this address says nothing
report = judged(world)
only(report, host=RELAY, check="tcp").cause.word              # "tcp.timeout"
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeAlias
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia

from rules.audit.machine import Audit
from rules.judge.report import make_report
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Evidence, Observation, Step
from rules.model.ruleset import (
    CaSet,
    Citation,
    Document,
    Expect,
    ExpectedCa,
    Group,
    Interceptor,
    Match,
    Probe,
    Rule,
    Rules,
    RuleSet,
    Severity,
)
from rules.model.verdict import Plan, Report, Verdict
from rules.pki.certificate import facts as cert_facts
from tests import pki

START = pki.today().timestamp()
DAY = pki.today().date()
CITED = Citation("c", "Page", "https://learn.microsoft.com/x", DAY)
RESOLVERS = ("198.51.100.53", "198.51.100.54")

TENANT = "5f3b1c9e-0000-4000-8000-00000000cafe"
BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net"
RELAYS = ("eur.servicebus.windows.net", "nam.servicebus.windows.net", "old.servicebus.windows.net")
SIGN_IN = "login.microsoftonline.com"
RETIRED = "retired.microsoft.com"
CRL_HOST, OCSP_HOST = "crl3.digicert.com", "ocsp.digicert.com"
CRL_URL = f"http://{CRL_HOST}/issuing.crl"
AIA_URL = f"http://{CRL_HOST}/issuing.crt"
CONTROL = "www.example.com"
ZONE: dict[str, tuple[str, ...]] = {
    BOOTSTRAP: ("203.0.113.1", "203.0.113.2"),
    RELAYS[0]: ("203.0.113.11",),
    RELAYS[1]: ("203.0.113.12",),
    RELAYS[2]: ("203.0.113.13",),
    SIGN_IN: ("203.0.113.21", "203.0.113.22"),
    RETIRED: ("203.0.113.31",),
    CRL_HOST: ("203.0.113.41",),
    OCSP_HOST: ("203.0.113.42",),
}

UNAUTHORIZED = bytes.fromhex("30030a0106")  #: an OCSP response of five bytes (RFC 6960 section 2.3)
SILENCE = Failure(Stage.TCP, Code.TIMEOUT)
REFUSED = Failure(Stage.TCP, Code.REFUSED)
CUT = Failure(Stage.TLS, Code.RESET)
NO_ANSWER = Failure(Stage.DNS, Code.TIMEOUT)

ROOT = pki.authority("DigiCert Global Root G2")
ISSUING = pki.authority("Microsoft TLS Issuing CA 01", ROOT)
PUBLIC_ROOT = pki.authority("Example Public Root")
PUBLIC = pki.authority("Example Public Issuing", PUBLIC_ROOT)
CORPORATE = pki.authority("Contoso Inspection CA")
NOBODY = pki.authority("Some Appliance CA")

Answer: TypeAlias = Evidence | Failure | tuple[Failure, Evidence] | None
Scripted: TypeAlias = Answer | Callable[[Step], Answer]


def rule(id_: str, host: str, group: Group = Group.SERVICE, port: int = 443, **more: object) -> Rule:
    """A row; service rows expect the CA set's keys, as in the shipped sets."""
    expect = Expect.EXPECTED_CA if group is Group.SERVICE else Expect.PUBLIC_CA
    values: dict[str, object] = {
        "match": Match.SUFFIX if host.startswith("*") else Match.EXACT,
        "ports": (port,),
        "severity": Severity.REQUIRED,
        "citation": CITED,
        "expect": expect if port != 80 else Expect.NONE,
    }
    return Rule(id_, id_, host, group=group, **(values | more))  # type: ignore[arg-type]  # a test's short hand


BOOTSTRAP_RULE = rule(
    "bootstrap", "*.msappproxy.net", probes=(Probe("{tenant}.bootstrap.msappproxy.net", True, CITED, "A", "/", True),)
)  # fmt: skip
RELAY_RULE = rule(
    "relay", "*.servicebus.windows.net", probes=tuple(Probe(name, False, CITED) for name in RELAYS)
)
SIGN_IN_RULE = rule("sign-in", SIGN_IN, Group.SIGN_IN)
RETIRED_RULE = rule("retired", RETIRED, Group.SIGN_IN, severity=Severity.RETIRED)
CRL_RULE = rule(
    "crl", CRL_HOST, Group.VALIDATION, 80, documents=(Document(CRL_HOST, "/issuing.crl", "crl", CITED),)
)
OCSP_RULE = rule("ocsp", OCSP_HOST, Group.VALIDATION, 80)
NO_PROBE_RULE = rule("nobody-knows", "*.msauth.net", Group.SIGN_IN)
ALL = (BOOTSTRAP_RULE, RELAY_RULE, SIGN_IN_RULE, RETIRED_RULE, CRL_RULE, OCSP_RULE, NO_PROBE_RULE)


def expected(authority: pki.Authority, role: str, name: str = "") -> ExpectedCa:
    known = cert_facts(pki.der(authority.certificate))
    return ExpectedCa(name or known.subject_cn, role, known.issuer_cn, CITED, known.spki_sha256)


CAS = CaSet("microsoft", "", "1", DAY, (expected(ROOT, "root"), expected(ISSUING, "issuing")), (CRL_HOST,))


def rules_of(*rows: Rule, reviewed: datetime.date = DAY, cas: CaSet = CAS) -> Rules:
    sets = (RuleSet("app", "Test", "1", reviewed, rows),)
    return Rules(sets, (cas,), (Interceptor("Contoso Box", cn="Contoso*"),))


RULES = rules_of(*ALL)
PLAN = Plan(
    "q7x2",
    tenant=TENANT,
    tenant_source="--tenant",
    public_networks=("192.0.2.0/24", "203.0.113.0/24", "2001:db8::/32"),
    control_name=CONTROL,
)
HOST = HostFacts(
    "connector01", "svc", "Debian 12", ("198.51.100.5",), ("198.51.100.5",), (), RESOLVERS, True, False
)


def leaf(name: str, authority: pki.Authority = ISSUING, days: int = 90) -> pki.Leaf:
    """A certificate for `name`, the same bytes each time; those of the expected CA name its CRL and OCSP addresses."""
    return _leaf(name, authority, days)


@cache
def _leaf(name: str, authority: pki.Authority, days: int) -> pki.Leaf:
    sources: list[x509.ExtensionType] = []
    if authority is ISSUING:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(CRL_URL)], None, None, None)
        access = [(Aia.OCSP, f"http://{OCSP_HOST}"), (Aia.CA_ISSUERS, AIA_URL)]
        sources = [
            x509.CRLDistributionPoints([point]),
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(how, x509.UniformResourceIdentifier(url)) for how, url in access]
            ),
        ]
    starts = datetime.timedelta(days=-300 if days < 0 else -1)
    return authority.leaf([name], starts=starts, ends=datetime.timedelta(days=days), extensions=sources)


def shown(chain: tuple[bytes, ...], **more: object) -> TlsFacts:
    """A handshake that showed `chain`."""
    values: dict[str, object] = {
        "handshake_s": 0.02,
        "version": "TLSv1.2",
        "cipher": "ECDHE-RSA-AES256-GCM-SHA384",
    }
    return TlsFacts(0.01, chain=chain, bytes_received=4000, hello_size=230, **(values | more))  # type: ignore[arg-type]


def wanting(chain: tuple[bytes, ...], alert: int = 40, **more: object) -> tuple[Failure, TlsFacts]:
    """A server of TLS 1.2 that proved its key and ends the handshake for want of a client certificate; 0: a close."""
    values: dict[str, object] = {
        "handshake_s": None,
        "client_certificate_asked": True,
        "key_proven": True,
        "certificate_sent": True,
    }
    end = Failure(Stage.TLS, Code.ALERT, alert=alert) if alert else Failure(Stage.TLS, Code.EOF)
    return end, shown(chain, **(values | more))


def by(authority: pki.Authority, *, path: bool = True) -> Callable[[Step], Answer]:
    """Every handshake meets a certificate of `authority` for the name that was asked for."""

    def answer(step: Step) -> Answer:
        assert isinstance(step, TlsHandshake)
        made = leaf(step.server_name, authority)
        root = () if authority.issuer or not path else (pki.der(authority.certificate),)
        return shown((*made.chain, *root))

    return answer


def page(status: int, body: bytes = b"", **headers: str) -> HttpExchange:
    """What a web server says."""
    named = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    return HttpExchange(0.01, 0.02, status, "", named, body, len(body), body.hex()[:64])


BLOCKED = page(
    200,
    b"<html><head><title>Web filter: blocked</title></head></html>",
    content_type="text/html",
    server="FortiGate",
)


@cache
def crl(authority: pki.Authority = ISSUING, revoked: tuple[int, ...] = (), age: int = 1) -> HttpExchange:
    """A CRL that is good for a week from its issue, `age` days ago."""
    made = authority.crl(revoked, age=datetime.timedelta(days=age))
    return page(200, made.public_bytes(Encoding.DER), content_type="application/pkix-crl")


@cache
def ocsp_answer(
    name: str, signer: pki.Authority = ISSUING, status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
) -> HttpExchange:
    made = signer.ocsp(leaf(name), status)
    return page(200, made.public_bytes(Encoding.DER), content_type="application/ocsp-response")


@dataclass(slots=True)
class World:
    """A network. `zone` holds addresses by name, `aliases` CNAMEs; `when` makes exceptions, the last one counts."""

    facts: HostFacts = HOST
    zone: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ZONE))
    aliases: dict[str, str] = field(default_factory=dict)
    public: tuple[bytes, ...] = (pki.der(ROOT.certificate), pki.der(PUBLIC_ROOT.certificate))
    system: tuple[bytes, ...] = (pki.der(ROOT.certificate), pki.der(PUBLIC_ROOT.certificate))
    script: list[tuple[type[Step] | tuple[type[Step], ...], dict[str, object], Scripted]] = field(
        default_factory=list
    )

    def when(self, kind: type[Step] | tuple[type[Step], ...], answer: Scripted, **fields: object) -> World:
        """Steps of `kind` whose fields have these values are answered so."""
        self.script.append((kind, fields, answer))
        return self

    def answer(self, step: Step) -> Observation:
        """The observation of `step`."""
        got = next(
            (what for kind, fields, what in reversed(self.script)
             if isinstance(step, kind) and all(getattr(step, k, None) == v for k, v in fields.items())),
            self._normal,
        )  # fmt: skip
        made = got(step) if callable(got) else got
        failure, evidence = made if isinstance(made, tuple) else (None, made)
        if isinstance(evidence, Failure):
            failure, evidence = evidence, None
        return Observation(step, START, 0.05, failure, evidence, ("198.51.100.5", 50123))

    def _normal(self, step: Step) -> Answer:
        match step:
            case LocalHost():
                return self.facts
            case DnsQuestion(name=name, rtype=rtype):
                return self._resolve(name, rtype)
            case OsLookup(name=name):
                found = self.zone.get(self._end(name), ())
                return OsAnswer(found, "" if found else "EAI_NONAME")
            case TlsHandshake(server_name=name):
                status = 403 if step.path else None
                return shown(leaf(name, PUBLIC if name in (SIGN_IN, RETIRED, CONTROL) else ISSUING).chain,
                             http_status=status)  # fmt: skip
            case HttpFetch():
                return self._document(step)
            case TrustLookup(subject=subject):
                return TrustRoots(_named(self.public, subject), _named(self.system, subject))
        return SILENCE

    def _end(self, name: str) -> str:
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def _resolve(self, name: str, rtype: str) -> DnsAnswer:
        records = []
        if rtype == "CNAME" and (name in self.aliases or name in self.zone):
            alias = self.aliases.get(name)
            return DnsAnswer("NOERROR", (Record(name, "CNAME", 60, alias),) if alias else ())
        while name in self.aliases:
            records.append(Record(name, "CNAME", 60, self.aliases[name]))
            name = self.aliases[name]
        if name not in self.zone:
            return DnsAnswer("NXDOMAIN", tuple(records))
        records += [Record(name, rtype, 60, a) for a in self.zone[name] if (":" in a) == (rtype == "AAAA")]
        return DnsAnswer("NOERROR", tuple(records))

    def _document(self, step: HttpFetch) -> HttpExchange:
        if (step.host, step.target) == (CRL_HOST, "/issuing.crl"):
            return crl()
        if (step.host, step.target) == (CRL_HOST, "/issuing.crt"):
            return page(200, pki.der(ISSUING.certificate), content_type="application/pkix-cert")
        if step.host == OCSP_HOST and (step.body is not None or len(step.target) > 1):
            asked = step.body or base64.b64decode(unquote(step.target[1:]))
            serial = ocsp.load_der_ocsp_request(asked).serial_number
            named = [n for n in ZONE if leaf(n).certificate.serial_number == serial]
            return ocsp_answer(named[0]) if named else page(200, UNAUTHORIZED)
        return page(404)


def _named(ders: tuple[bytes, ...], subject: bytes) -> tuple[bytes, ...]:
    return tuple(d for d in ders if cert_facts(d).subject == subject)


def healthy(**changes: object) -> World:
    """A network on which nothing is wrong."""
    return World(**changes)  # type: ignore[arg-type]  # a test's short hand


def without(*names: str) -> World:
    """A network whose resolvers do not know these names."""
    return healthy(zone={name: found for name, found in ZONE.items() if name not in names})


Pick: TypeAlias = Callable[[int], int]


def run(
    world: World,
    rules: Rules = RULES,
    plan: Plan = PLAN,
    pick: Pick | None = None,
    lost: Callable[[Step], bool] = lambda step: False,
) -> Audit:
    """An audit to its end, one step after the other.

    `pick` says which of so many waiting steps is answered next (without it the first of the earliest phase, as the loop
    does), `lost` which never are.
    """
    audit = Audit(rules, plan)
    waiting = audit.ready()
    while waiting:
        place = pick(len(waiting)) if pick else min(range(len(waiting)), key=lambda n: waiting[n].phase)
        step = waiting.pop(place).step
        if audit.wanted(step) and not lost(step):
            audit.record(world.answer(step))
        waiting += audit.ready()
    return audit


def judged(world: World, rules: Rules = RULES, plan: Plan = PLAN, **more: object) -> Report:
    """The report of `run`."""
    return make_report(run(world, rules, plan, **more), START, START + 60, "0.0")  # type: ignore[arg-type]


def of_host(report: Report) -> list[Verdict]:
    """Findings of this host and the way as a whole."""
    return [v for v in report.verdicts if not v.rule]


def rows(
    report: Report | Iterable[Verdict], host: str = "", check: str = "", address: str = "", cause: str = ""
) -> list[Verdict]:
    """Verdicts on a host, of a check, of an address, with a cause: what is not given fits all."""
    found = report.verdicts if isinstance(report, Report) else report
    return [
        v
        for v in found
        if (not host or (v.endpoint is not None and v.endpoint.host == host))
        and (not check or v.check == check)
        and (not address or (v.endpoint is not None and v.endpoint.address == address))
        and (not cause or v.cause.word == cause)
    ]


def only(report: Report, host: str = "", check: str = "", address: str = "", cause: str = "") -> Verdict:
    """The one verdict that fits."""
    found = rows(report, host, check, address, cause)
    assert len(found) == 1, [(v.endpoint, v.check, v.status, v.cause.word) for v in found]
    return found[0]


QUIET = replace(PLAN, extras=False)  #: without canaries, TLS 1.3, large hellos and links by themselves
