from __future__ import annotations

import datetime
import gzip
import urllib.parse
from dataclasses import replace
from email.utils import format_datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from hypothesis import given
from hypothesis import strategies as st

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.ocsp import (
    OcspJudgement,
    judge_ocsp,
    judge_staple,
    ocsp_get_target,
    ocsp_request,
    says_revoked,
)
from tests.lab.pki import AUTHORITIES, OCSP02, derived_key
from tests.lab.revocation import Flaws, Responder
from tests.rules.certs import DAY, NOW, PKI, WHEN, ca, chain, make, replace_once, rsa_key

LEAF, ISSUER = chain(OCSP02)[0], ca(OCSP02)
SERIAL = int(facts(LEAF).serial, 16)
REQUEST = ocsp_request(LEAF, ISSUER) or b""


def response(flaws: Flaws | None = None, request: bytes = REQUEST) -> bytes:
    return Responder(PKI, flaws or Flaws()).answer(request).body


GOOD = response()


def signed(
    signer: ec.EllipticCurvePrivateKey | None = None,
    responder: bytes = ISSUER,
    certificates: tuple[bytes, ...] = (),
    leaf: bytes = LEAF,
    algorithm: hashes.HashAlgorithm | None = None,
    until: datetime.datetime | None = WHEN + DAY,
    begins: datetime.datetime = WHEN - DAY,
) -> bytes:
    load = x509.load_der_x509_certificate
    builder = ocsp.OCSPResponseBuilder().add_response(
        load(leaf), load(ISSUER), hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, begins, until, None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, load(responder))
    if certificates:
        builder = builder.certificates([load(c) for c in certificates])
    made = builder.sign(signer or derived_key(OCSP02), algorithm or hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def answer(content: bytes | None = GOOD, status: int = 200, **headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, status, "", pairs, content, len(content or b""))


def judge(exchange: HttpExchange | None, failure: Failure | None = None, now: float = NOW) -> OcspJudgement:
    return judge_ocsp(exchange, failure, LEAF, ISSUER, now, "oneocsp.microsoft.com")


def staple(content: bytes, now: float = NOW) -> OcspJudgement:
    return judge_staple(content, LEAF, ISSUER, now)


def test_a_certificate_that_breaks_a_rule_elsewhere_is_asked_about_all_the_same() -> None:
    starred = replace_once(LEAF, b"\x0c\x1ften", b"\x13\x1f*en")
    undated = replace_once(LEAF, b"261002120000Z", b"261302120000Z")
    assert [ocsp_request(odd, ISSUER) for odd in (starred, undated, LEAF + b"\0")] == [REQUEST] * 3


def test_the_request_names_the_leaf_as_responders_expect() -> None:
    request = ocsp.load_der_ocsp_request(REQUEST)
    assert (request.serial_number, request.hash_algorithm.name) == (SERIAL, "sha1")
    assert len(request.extensions) == 0
    assert ocsp_request(b"junk", ISSUER) is None
    assert ocsp_request(LEAF, b"junk") is None


@pytest.mark.parametrize("base", ["http://oneocsp.microsoft.com/ocsp", "/ocsp", "/ocsp/"])
def test_the_get_form_is_the_same_question(base: str) -> None:
    target = ocsp_get_target(base, REQUEST)
    path = urllib.parse.urlsplit(target).path
    assert "/" not in target.removeprefix(base.rstrip("/") + "/")
    found = Responder(PKI, Flaws()).from_target(path)
    assert staple(found.body).cause.word == "ok"


def test_a_good_answer() -> None:
    found = judge(answer())
    assert (found.cause.word, found.status, found.reachable, found.valid) == ("ok", Status.PASS, True, True)
    assert (found.certificate, found.response, found.revoked) == ("good", "successful", False)
    assert (found.this_update, found.next_update) == (NOW - 3600, NOW + 72 * 3600)


def test_the_facts_are_kept_apart() -> None:
    revoked = judge(answer(response(Flaws(revoked=(SERIAL,)))))
    unknown = judge(answer(response(Flaws(ocsp_unknown=True))))
    told = response(Flaws(revoked=(SERIAL,)))
    forged = judge(answer(told[:-1] + bytes([told[-1] ^ 1])))
    stale = judge(answer(), now=NOW + 4 * 86400)
    assert [
        (f.cause.word, f.reachable, f.valid, f.certificate) for f in (revoked, unknown, forged, stale)
    ] == [
        ("ocsp.revoked", True, True, "revoked"),
        ("ocsp.unknown", True, True, "unknown"),
        ("ocsp.bad-signature", True, False, None),
        ("ocsp.stale", True, False, None),
    ]
    assert revoked.revoked_at == NOW - 48 * 3600


@pytest.mark.parametrize(
    ("number", "cause", "word"),
    [
        (1, "ocsp.status", "malformedRequest"),
        (2, "ocsp.status", "internalError"),
        (3, "ocsp.status", "tryLater"),
        (4, "ocsp.status", "status 4"),
        (5, "ocsp.status", "sigRequired"),
        (6, "ocsp.unauthorized", "unauthorized"),
        (9, "ocsp.status", "status 9"),
    ],
)
def test_every_status_is_told_apart(number: int, cause: str, word: str) -> None:
    found = judge(answer(bytes([0x30, 0x03, 0x0A, 0x01, number])))
    assert (found.cause.word, found.response, found.reachable, found.valid) == (cause, word, True, False)
    assert word in found.summary


def test_success_without_an_answer_is_none() -> None:
    assert judge(answer(bytes.fromhex("30030a0100"))).cause.word == "ocsp.not-ocsp"


def responder(*, purpose: bool = True, signer: str = OCSP02, ends: datetime.datetime = WHEN + DAY) -> bytes:
    usage = x509.ExtendedKeyUsage([Eku.OCSP_SIGNING if purpose else Eku.SERVER_AUTH])
    issuer = AUTHORITIES[OCSP02].subject
    return make(
        "responder",
        issuer,
        key="responder",
        signer=signer,
        extensions=[usage],
        ends=ends,
        starts=WHEN - 9 * DAY,
    )


def test_a_responder_that_the_issuer_appointed_may_sign() -> None:
    mine = responder()
    found = staple(signed(derived_key("responder"), mine, (mine,)))
    assert (found.cause.word, found.certificate) == ("ok", "good")


@pytest.mark.parametrize(
    ("certificate", "circumstance", "why"),
    [
        (responder(purpose=False), "no-purpose", "not for signing OCSP answers"),
        (responder(signer="somebody"), "other-ca", "did not sign"),
        (responder(ends=WHEN - DAY), "expired", "out of date"),
        (make("other", "other"), "no-certificate", "no certificate of its signer"),
    ],
)
def test_a_responder_that_is_not_set_up_right(certificate: bytes, circumstance: str, why: str) -> None:
    """RFC 6960 section 4.2.2.2: not accepted, and its operator's affair. Nothing shows that the answer was changed."""
    found = staple(signed(derived_key("responder"), responder(), (certificate,)))
    assert (found.cause.word, found.circumstance) == ("ocsp.responder", circumstance)
    assert (found.status, found.valid, found.certificate) == (Status.FAIL, False, None)
    assert why in found.summary


def test_an_ocsp_answer_with_no_certificate_and_with_fifty() -> None:
    assert staple(signed(derived_key("responder"), responder())).circumstance == "no-certificate"
    fifty = (*(make(f"c{n}", "x") for n in range(50)), responder())
    assert staple(signed(derived_key("responder"), responder(), fifty)).cause.word == "ocsp.responder"


def test_an_answer_that_names_its_signer_and_is_not_by_its_key_was_changed_or_forged() -> None:
    mine = responder()
    for good in (signed(), signed(derived_key("responder"), mine, (mine,))):
        made = ocsp.load_der_ocsp_response(good).signature
        found = staple(good.replace(made, made[:-1] + bytes([made[-1] ^ 1])))
        assert (found.cause.word, found.circumstance, found.valid) == ("ocsp.bad-signature", "", False)


def test_an_answer_about_another_certificate_is_no_answer() -> None:
    other = chain(OCSP02, "other.msappproxy.net")[0]
    assert staple(signed(leaf=other)).cause.word == "ocsp.not-ocsp"


def test_an_answer_without_an_end_is_taken_and_one_from_the_future_is_not() -> None:
    assert staple(signed(until=None)).cause.word == "ok"
    early = staple(signed(begins=WHEN + DAY, until=WHEN + 2 * DAY))
    assert (early.cause.word, early.valid) == ("ocsp.stale", False)
    assert "begins in the future" in early.summary


def test_an_old_answer_is_a_cache_s_the_responder_s_or_nobody_s_by_its_headers() -> None:
    """With an end and without one: then it counts for ten days from its beginning."""
    ended = signed(begins=WHEN - 9 * DAY, until=WHEN - 2 * DAY)
    endless = signed(begins=WHEN - 19 * DAY, until=None)
    for body, days in ((ended, 8), (endless, 18)):
        age, date = (
            str(days * 86_400),
            format_datetime((WHEN - days * DAY).replace(tzinfo=datetime.UTC), usegmt=True),
        )
        for headers, circumstance in (
            ((), "late"),
            ((("age", age), ("via", "1.1 gw")), "cached"),
            ((("age", age),), "cached-unnamed"),
            ((("date", date),), ""),
            ((("age", str((days + 5) * 86_400)),), ""),
        ):
            found = judge_ocsp(
                HttpExchange(0.0, status=200, headers=headers, body=body), None, LEAF, ISSUER, NOW
            )
            assert (found.cause.word, found.circumstance) == ("ocsp.stale", circumstance)


def test_an_issuer_with_an_rsa_key() -> None:
    issuer = make("r", "r", key=rsa_key(), signer=rsa_key(), is_ca=True)
    leaf = make("leaf", "r", signer=rsa_key())
    load = x509.load_der_x509_certificate
    builder = ocsp.OCSPResponseBuilder().add_response(
        load(leaf), load(issuer), hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, WHEN, WHEN + DAY, None, None
    )
    made = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, load(issuer)).sign(
        rsa_key(), hashes.SHA256()
    )
    assert judge_staple(made.public_bytes(Encoding.DER), leaf, issuer, NOW).cause.word == "ok"
    assert judge_staple(made.public_bytes(Encoding.DER), leaf, ISSUER, NOW).cause.word == "ocsp.not-ocsp"


@pytest.mark.parametrize(
    ("exchange", "cause"),
    [
        (answer(b"<html><title>Blocked</title>"), "ocsp.not-ocsp"),
        (answer(b"hello", content_type="text/plain"), "ocsp.not-ocsp"),
        (answer(b""), "ocsp.not-ocsp"),
        (answer(b"", 407), "proxy.auth-required"),
        (answer(b"", 411), "http.status"),
        (answer(b"", 405), "http.status"),
        (answer(b"", 403), "http.status"),
        (answer(b"<html>", 403), "http.status"),
        (answer(b"<html><title>Web page blocked</title>", 403), "http.block-page"),
        (answer(b"no", 470), "http.block-page"),
        (answer(b"", 302, location="http://other.example/"), "http.redirected"),
        (answer(b"", 302, location="/elsewhere"), "http.redirected"),
        (answer(gzip.compress(GOOD), content_encoding="gzip"), "http.compressed"),
    ],
)
def test_what_is_no_ocsp_is_reached_and_told_apart(exchange: HttpExchange, cause: str) -> None:
    found = judge(exchange)
    assert (found.cause.word, found.reachable, found.valid, found.status) == (cause, True, False, Status.FAIL)


def test_the_type_is_noted_and_not_trusted() -> None:
    assert judge(answer(GOOD, content_type="text/plain")).cause.word == "ok"
    assert "called text/plain" in judge(answer(b"hello", content_type="text/plain")).summary


def test_an_answer_with_an_odd_header_is_good_and_said_so() -> None:
    found = judge(replace(answer(), repaired=("a blank before the colon",)))
    assert (found.cause.word, found.status, found.valid) == ("http.odd-header", Status.NOTICE, True)
    assert "a blank before the colon" in found.summary


def test_nobody_answers() -> None:
    found = judge(None, Failure(Stage.TCP, Code.TIMEOUT))
    assert (found.cause.word, found.reachable) == ("ocsp.unreachable", False)
    half = judge(answer(GOOD[:20]), Failure(Stage.HTTP, Code.EOF))
    assert (half.cause.word, half.reachable, half.circumstance) == ("http.reset", True, "cut")
    silent = judge(HttpExchange(0.01), Failure(Stage.HTTP, Code.TIMEOUT))
    assert (silent.cause.word, silent.reachable, silent.circumstance) == ("http.timeout", False, "")
    assert judge(replace(answer(), body=None)).cause.word == "audit.not-recorded"


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_answer_is_never_good(at: int, by: int, cut: bool) -> None:
    changed = bytearray(GOOD)
    changed[at] ^= by
    found = staple(bytes(changed[:at] if cut else changed))
    assert found.cause.word != "ok"
    assert found.certificate is None


@given(st.binary(max_size=300))
def test_any_bytes_have_a_judgement(content: bytes) -> None:
    assert staple(content).cause.word in ("ocsp.not-ocsp", "ocsp.status", "ocsp.unauthorized")


def test_an_answer_that_calls_something_revoked() -> None:
    load = x509.load_der_x509_certificate
    made = ocsp.OCSPResponseBuilder().add_response(
        load(LEAF), load(ISSUER), hashes.SHA1(), ocsp.OCSPCertStatus.REVOKED, WHEN, WHEN + DAY, WHEN, None
    )
    told = made.responder_id(ocsp.OCSPResponderEncoding.HASH, load(ISSUER)).sign(
        derived_key(OCSP02), hashes.SHA256()
    )
    assert says_revoked(told.public_bytes(Encoding.DER))
    assert not any(map(says_revoked, (GOOD, b"", b"x", bytes.fromhex("30030a0106"))))
