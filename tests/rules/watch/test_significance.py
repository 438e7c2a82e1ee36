"""Answers that mean the same have one essence, and whatever a verdict rests on is part of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Evidence, Observation, Step
from rules.watch.significance import CLOCK_TOLERANCE, significant_part
from tests import pki
from tests.lab.live import sampled
from tests.rules import goldens
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CRL_HOST,
    CUT,
    HOST,
    PUBLIC,
    RESOLVERS,
    SILENCE,
    START,
    leaf,
    page,
    shown,
)

SHAKE = TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/")
FETCH = HttpFetch("203.0.113.41", 80, CRL_HOST, "/")
ASK = DnsQuestion(RESOLVERS[0], BOOTSTRAP, "A")
RECORDS = (
    Record(BOOTSTRAP, "CNAME", 60, "a.test"),
    Record("a.test", "A", 60, "203.0.113.1"),
    Record("a.test", "A", 60, "203.0.113.2"),
)
ANSWER = DnsAnswer("NOERROR", RECORDS)
GOOD = shown(leaf(BOOTSTRAP).chain, http_status=403)


def seen(step: Step, evidence: Evidence | None, failure: Failure | None = None) -> Observation:
    return Observation(step, START, 0.05, failure, evidence, ("198.51.100.5", 50123))


def blurred(one: Observation, rnd: Random) -> Observation:
    """The same answer at another moment: other times, ports, TTLs, order, datagrams, ciphers."""
    evidence = one.evidence
    match evidence:
        case DnsAnswer():
            records = [replace(r, ttl=rnd.randrange(86_400)) for r in evidence.records]
            rnd.shuffle(records)
            evidence = replace(
                evidence,
                records=tuple(records),
                tries=rnd.randrange(1, 4),
                junk=rnd.randrange(9),
                ad=not evidence.ad,
                ede=rnd.choice(("", "3 Stale answer", "22 No reachable authority: 192.0.2.1")),
            )
        case TlsFacts():
            evidence = replace(
                evidence,
                connect_s=rnd.random(),
                handshake_s=rnd.random(),
                cipher=rnd.choice(("A", "B")),
                bytes_received=rnd.randrange(9000),
                hello_size=rnd.randrange(300),
                staple=rnd.choice((None, b"x")),
            )
        case HttpExchange():
            evidence = replace(
                evidence,
                connect_s=rnd.random(),
                first_byte_s=rnd.random(),
                reason=rnd.choice(("OK", "")),
                headers=(*evidence.headers, ("x-hits", str(rnd.randrange(99))), ("etag", str(rnd.random()))),
            )
    failure = one.failure and replace(one.failure, detail=rnd.choice(("", "after 3 tries")))
    return replace(
        one,
        started=one.started + rnd.random() / 10,
        elapsed=one.elapsed + rnd.random() / 10,
        evidence=evidence,
        failure=failure,
        local=("198.51.100.5", rnd.randrange(1024, 65536)),
    )


@sampled(goldens.STEADY)
def test_what_leaves_the_essence_alone_changes_no_verdict(name: str) -> None:
    report, rnd = goldens.recorded(name), Random(name)
    other = [blurred(one, rnd) for one in report.observations]
    assert [significant_part(one) for one in other] == [significant_part(one) for one in report.observations]
    assert goldens.decided(goldens.judged(goldens.memory_of(other), report)) == goldens.decided(
        goldens.usual(name)
    )


REVOKED = pki.authority("Stapler").ocsp(
    pki.authority("Stapler").leaf(["a.test"]), ocsp.OCSPCertStatus.REVOKED
).public_bytes(Encoding.DER)  # fmt: skip

Change = Callable[[Observation], Observation]


def of(**changes: object) -> Change:
    """The same answer with other evidence."""
    return lambda one: replace(one, evidence=replace(one.evidence, **changes))  # type: ignore[type-var]  # a test's short hand


def failed(failure: Failure) -> Change:
    return lambda one: replace(one, failure=failure)


def headed(*headers: tuple[str, str]) -> Change:
    return of(headers=headers)


MEANING: list[tuple[str, Observation, Change]] = [
    ("the answer failed", seen(ASK, ANSWER), failed(SILENCE)),
    ("it failed at another stage", seen(SHAKE, None, SILENCE), failed(replace(SILENCE, stage=Stage.TLS))),
    ("it failed in another way", seen(SHAKE, None, SILENCE), failed(CUT)),
    (
        "another alert",
        seen(SHAKE, GOOD, Failure(Stage.TLS, Code.ALERT, alert=40)),
        failed(Failure(Stage.TLS, Code.ALERT, alert=70)),
    ),
    (
        "ICMP from elsewhere",
        seen(SHAKE, None, Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 1, "192.0.2.1"))),
        failed(Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 13, "192.0.2.1"))),
    ),
    ("another rcode", seen(ASK, ANSWER), of(rcode="SERVFAIL")),
    ("another address", seen(ASK, ANSWER), of(records=(*RECORDS[:2], replace(RECORDS[2], value="10.0.0.1")))),
    ("one address fewer", seen(ASK, ANSWER), of(records=RECORDS[:2])),
    ("another name in the chain", seen(ASK, ANSWER), of(records=(replace(RECORDS[0], value="b.test"), *RECORDS[1:]))),
    ("no such record, by the zone's word", seen(ASK, DnsAnswer("NOERROR")), of(negative=True)),
    ("a private zone speaks", seen(ASK, DnsAnswer("NXDOMAIN", soa="example")), of(soa="privatelink.example")),
    ("the resolver says that it blocks", seen(ASK, DnsAnswer("NXDOMAIN")), of(ede="15 Blocked", ede_codes=(15,))),
    ("it says that it does not serve us", seen(ASK, DnsAnswer("REFUSED")), of(ede="18 Prohibited")),
    (
        "the answers repeat no question",
        seen(ASK, None, Failure(Stage.DNS, Code.MALFORMED)),
        failed(Failure(Stage.DNS, Code.MALFORMED, sign="no-question")),
    ),
    ("port 53 over TCP is closed", seen(ASK, ANSWER), of(tcp_failure="refused")),
    ("the system says something else", seen(OsLookup(BOOTSTRAP), OsAnswer(("203.0.113.1",))), of(addresses=("127.0.0.1",))),
    ("the system says nothing", seen(OsLookup(BOOTSTRAP), OsAnswer(())), of(error="EAI_AGAIN")),
    ("another certificate", seen(SHAKE, GOOD), of(chain=leaf(BOOTSTRAP, PUBLIC).chain)),
    ("an older version", seen(SHAKE, GOOD), of(version="TLSv1.1")),
    ("a client certificate is asked for", seen(SHAKE, GOOD), of(client_certificate_asked=True)),
    ("the key is proved", seen(SHAKE, GOOD), of(key_proven=True)),
    ("the key is refuted", seen(SHAKE, GOOD), of(key_refuted=True)),
    ("the server staples a revocation", seen(SHAKE, GOOD), of(staple=REVOKED)),
    ("our certificate went out", seen(SHAKE, GOOD), of(certificate_sent=True)),
    ("another status inside", seen(SHAKE, GOOD), of(http_status=502)),
    ("the session is cut", seen(SHAKE, GOOD), of(http_status=None, http_failure="reset")),
    ("no TLS", seen(SHAKE, TlsFacts(0.01)), of(first_bytes=b"HTTP/1.1 400")),
    ("another page", seen(FETCH, page(200, b"x")), of(sha256="ff")),
    ("another status", seen(FETCH, page(404)), of(status=403)),
    ("a refusal with a product's mark", seen(FETCH, page(403)), headed(("server", "FortiGate"))),
    ("a redirect to elsewhere", seen(FETCH, page(302)), headed(("location", "http://filter.test/"))),
    (
        "a redirect to a portal",
        seen(FETCH, page(302, location="http://filter.test/")),
        headed(("location", "http://portal.test/login")),
    ),
    ("a page that sends its reader elsewhere", seen(FETCH, page(404)), headed(("refresh", "0;url=http://filter.test/"))),
    ("a 451 that says who blocks", seen(FETCH, page(451)), headed(("link", '<http://filter.test/>; rel="blocked-by"'))),
    ("a page in a document's place", seen(FETCH, page(200)), headed(("content-type", "text/html"))),
    ("a body that is packed", seen(FETCH, page(200)), headed(("content-encoding", "gzip"))),
    ("another product", seen(FETCH, BLOCKED), headed(("content-type", "text/html"), ("server", "Zscaler"))),
    ("this host has another resolver", seen(LocalHost(), HOST), of(resolvers=("192.0.2.53",))),
    ("this host lost its route", seen(LocalHost(), HOST), of(route_v4=False)),
    ("a root that only this host trusts", seen(TrustLookup(b"x"), TrustRoots((), ())), of(system=(b"root",))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "before", "change"), MEANING, ids=[row[0] for row in MEANING])
def test_what_a_verdict_rests_on_is_part_of_it(what: str, before: Observation, change: Change) -> None:
    assert significant_part(change(before)) != significant_part(before)
    assert significant_part(change(before)) == significant_part(
        change(replace(before, started=START + 1, local=None))
    )


def dated(skew: float) -> Observation:
    """An exchange that tells the time, from which this host's clock differs by `skew` seconds."""
    told = format_datetime(datetime.datetime.fromtimestamp(int(START), datetime.UTC), usegmt=True)
    one = seen(FETCH, page(404, date=told))
    return replace(one, started=int(START) + skew - one.elapsed)


@settings(deadline=None)
@given(st.floats(-119, 119))
def test_a_clock_that_is_a_little_off_means_nothing(skew: float) -> None:
    assert significant_part(dated(skew)) == significant_part(dated(0))


def test_an_answer_that_grows_old_in_a_cache_means_nothing_new() -> None:
    fresh, old = dated(0), dated(3600)
    assert isinstance(old.evidence, HttpExchange)
    aged = replace(old, evidence=replace(old.evidence, headers=(*old.evidence.headers, ("age", "3600"))))
    assert significant_part(aged) == significant_part(fresh) != significant_part(old)


@pytest.mark.parametrize("limit", [2 * CLOCK_TOLERANCE, 5 * CLOCK_TOLERANCE])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_skew_counts_from_where_a_judgement_counts_it(limit: float, sign: int) -> None:
    """120 s is worth a finding, 300 s breaks: `rules/judge/clock.py`."""
    assert significant_part(dated(sign * (limit - 1))) != significant_part(dated(sign * (limit + 1)))


@pytest.mark.parametrize("value", ["", "yesterday", "Thu, 99 Foo 2026 99:99:99 GMT", "\x00", "9" * 5000])
def test_a_date_that_is_none_means_nothing(value: str) -> None:
    assert significant_part(seen(FETCH, page(404, date=value))) == significant_part(seen(FETCH, page(404)))
