from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from cryptography import x509

from rules.model import causes
from rules.model.ruleset import Expect, Group
from rules.model.verdict import Status
from rules.pki.handshake import LeafFault, TlsCause, judge_leaf, tls_cause
from rules.pki.trust import ChainJudgement, judge_chain
from tests.lab.pki import CORPORATE, G2, OCSP02, OCSP98, PRIVATE, X1, X1_ISSUING
from tests.rules.certs import (
    CAS,
    DAY,
    HOST,
    NOW,
    PUBLIC,
    WHEN,
    ca,
    chain,
    impostor,
    make,
    replace_once,
    stores,
)

ROOTS = PUBLIC | stores(system=[ca(CORPORATE)])
SERVED = {name: chain(name) for name in (OCSP02, OCSP98, X1_ISSUING, CORPORATE)} | {
    "unknown root": (*chain(PRIVATE), ca(PRIVATE)),
    "missing": chain(X1_ISSUING)[:1],
    "forged": (chain(OCSP02, authority=impostor(OCSP02, "squid"))[0], ca(OCSP02)),
    "self": (make("self", "self"),),
    "junk": (b"junk",),
}


def judged(which: str) -> ChainJudgement:
    return judge_chain(SERVED[which], (), ROOTS, CAS, NOW)


def cause(which: str, *faults: LeafFault, strict: bool = True, **more: object) -> TlsCause:
    expect, group = (Expect.EXPECTED_CA, Group.SERVICE) if strict else (Expect.PUBLIC_CA, Group.SIGN_IN)
    return tls_cause(judged(which), faults, expect, group, **more)


EXPIRED = LeafFault(causes.TLS_EXPIRED, "ran out")
WRONG_NAME = LeafFault(causes.TLS_NAME_MISMATCH, "not for this host")


@pytest.mark.parametrize(
    ("which", "strict", "word", "status"),
    [
        (OCSP02, True, "ok", Status.PASS),
        (OCSP02, False, "ok", Status.PASS),
        (OCSP98, True, "tls.new-issuing-ca", Status.NOTICE),
        (X1_ISSUING, True, "tls.issuer-unexpected", Status.WARN),
        (X1_ISSUING, False, "ok", Status.PASS),
        (CORPORATE, True, "tls.intercepted", Status.FAIL),
        (CORPORATE, False, "tls.intercepted", Status.FAIL),
        ("forged", False, "tls.intercepted", Status.FAIL),
        ("unknown root", False, "tls.untrusted", Status.FAIL),
        ("self", False, "tls.self-signed", Status.FAIL),
        ("missing", False, "tls.incomplete-chain", Status.INCONCLUSIVE),
        ("junk", False, "tls.malformed", Status.INCONCLUSIVE),
    ],
)
def test_one_cause_for_each_verdict(which: str, strict: bool, word: str, status: Status) -> None:
    found = cause(which, strict=strict)
    assert (found.cause.word, found.status) == (word, status)
    assert found.summary


def test_precedence_from_the_heaviest_to_the_lightest() -> None:
    faults = (EXPIRED, WRONG_NAME)
    assert (
        cause(CORPORATE, EXPIRED, revoked="revoked by its CA", only_tls13=True).cause.word
        == "tls.intercepted"
    )
    assert cause("forged", *faults, revoked="revoked by its CA").cause.word == "tls.intercepted"
    assert cause(X1_ISSUING, *faults, intercepted="two names, one key").cause.word == "tls.intercepted"
    assert (
        cause(X1_ISSUING, *faults, revoked="revoked by its CA", only_tls13=True).cause.word == "tls.revoked"
    )
    assert cause("self", EXPIRED).cause.word == "tls.self-signed"
    assert cause(X1_ISSUING, *faults, only_tls13=True).cause.word == "tls.expired"
    assert cause("missing", WRONG_NAME).cause.word == "tls.name-mismatch"
    assert cause(X1_ISSUING, WRONG_NAME, only_tls13=True).cause.word == "tls.name-mismatch"
    assert cause(X1_ISSUING, only_tls13=True).cause.word == "tls.issuer-unexpected"
    assert cause(OCSP02, only_tls13=True).cause.word == "tls.version"


@pytest.mark.parametrize("which", [CORPORATE, "unknown root", "self"])
def test_another_servers_certificate_is_no_re_signing(which: str) -> None:
    found = cause(which, EXPIRED, WRONG_NAME)
    assert (found.cause.word, found.status) == ("tls.name-mismatch", Status.FAIL)
    assert found.summary.startswith("not for this host; it is ")
    claimed = replace(WRONG_NAME, claimed=True)
    assert cause(which, claimed).cause == cause(which).cause


def test_only_tls_13_fails_in_the_service_group_only() -> None:
    assert cause(OCSP02, only_tls13=True).status is Status.FAIL
    assert cause(OCSP02, only_tls13=True, strict=False).status is Status.NOTICE


def test_evidence_says_what_was_expected_served_and_which_key_differs() -> None:
    details = dict(cause("forged").details)
    assert details["expected"] == f"{OCSP02}, with its own key"
    assert HOST in details["served"]
    assert "SHA-256" in details["certificate"]
    assert dict(cause(CORPORATE).details)["key that differs"].startswith("issuer's SPKI SHA-256 ")
    assert CORPORATE in cause(CORPORATE).summary
    assert "key that differs" not in dict(cause(OCSP02).details)
    assert G2 in cause(OCSP02).summary
    assert X1 in cause(X1_ISSUING).summary


def test_an_expired_ca_certificate_is_named() -> None:
    served = (make(HOST, "sub", names=[x509.DNSName(HOST)]), make("sub", "r", is_ca=True, ends=WHEN - DAY))
    found = tls_cause(judge_chain(served, (), stores([make("r", "r", is_ca=True)]), (), NOW))
    assert (found.cause.word, found.summary) == ("tls.expired", "the CA certificate CN=sub is out of date")


def test_a_good_leaf_has_no_fault() -> None:
    assert judge_leaf(chain(OCSP02), HOST, NOW) == ()


def test_dates_and_names_are_told() -> None:
    late = judge_leaf(chain(OCSP02), HOST, NOW + 151 * 86400)
    assert [(f.cause.word, f.summary) for f in late] == [
        ("tls.expired", "the certificate ran out 2027-03-31 12:00:00 UTC (1 day ago)")
    ]
    early = judge_leaf(chain(OCSP02), HOST, NOW - 30 * 86400 - 90)
    assert early[0].summary == "the certificate begins 2026-10-02 12:00:00 UTC (in 1 minute)"
    other = judge_leaf(chain(OCSP02), "login.example.com", NOW)
    assert [(f.cause.word, f.summary) for f in other] == [
        ("tls.name-mismatch", f"the certificate is not for login.example.com but for {HOST}")
    ]
    assert other[0].details == (("expected", "login.example.com"), ("served", HOST))


def test_a_second_counts_and_the_calendars_end_too() -> None:
    ends = (WHEN + 150 * DAY).timestamp()
    assert judge_leaf(chain(OCSP02), HOST, ends) == ()
    assert judge_leaf(chain(OCSP02), HOST, ends + 1)[0].summary.endswith("(1 s ago)")
    never = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
    assert (
        judge_leaf((make("a", "a", starts=never, ends=never),), "a", NOW)[0].cause.word == "tls.not-yet-valid"
    )
    backwards = replace_once(make("a", "a"), b"261002120000Z", b"280101000000Z")
    assert judge_leaf((backwards,), "a", NOW)[0].cause.word == "tls.not-yet-valid"


def test_what_cannot_be_read_is_named_and_no_mismatch() -> None:
    leaf = chain(OCSP02)[0]
    cut = replace_once(leaf, bytes([0x82, len(HOST)]) + HOST.encode(), bytes([0x82, 0x7E]) + HOST.encode())
    nameless = judge_leaf((cut,), HOST, NOW)
    assert [f.cause.word for f in nameless] == ["tls.unverified"]
    assert "2.5.29.17" in nameless[0].summary
    undated = judge_leaf((replace_once(leaf, b"261002120000Z", b"261302120000Z"),), HOST, NOW)
    assert [f.cause.word for f in undated] == ["tls.unverified"]
    assert "not_before: ValueError: month must be" in undated[0].summary
    found = tls_cause(judge_chain(chain(OCSP02), (), {}, CAS, NOW), undated)
    assert (found.cause.word, found.status) == ("tls.unverified", Status.INCONCLUSIVE)
    assert [f.cause.word for f in judge_leaf((), HOST, NOW)] == ["tls.malformed"]
    assert cause(OCSP02, LeafFault(causes.TLS_MALFORMED, "unreadable")).status is Status.INCONCLUSIVE


def test_hostile_names_are_made_harmless() -> None:
    hostile = "\x1b[2J\u202e<script>" + "x" * 40
    many = [x509.DNSName(f"\x1b{n}.example") for n in range(9)]
    served = (make(hostile, hostile, names=many),)
    texts = [f.summary for f in judge_leaf(served, HOST, NOW)]
    found = tls_cause(judge_chain(served, (), {}, (), NOW))
    texts += [found.summary, *(value for _, value in found.details)]
    assert all(text.isprintable() for text in texts)
    assert texts[0].endswith("and 4 more")
