"""A list as text, one cut short and one with bytes after its end: each told for what it is, and for whom it is."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.crl import CrlSubject
from rules.pki.crl_form import declared_length, find_list
from rules.pki.revocation import CrlJudgement, judge_crl
from tests.lab.pki import AUTHORITIES, OCSP02
from tests.lab.revocation import Flaws, crl
from tests.rules.certs import NOW, PKI, ca, chain

LEAF = chain(OCSP02)[0]
SERIAL = facts(LEAF).serial
URL = AUTHORITIES[OCSP02].sources.crls[0]
KEPT = 65_536  # bytes that are kept of a long body


def made(flaws: Flaws | None = None, entries: int = 3) -> bytes:
    return crl(PKI, AUTHORITIES[OCSP02], URL, flaws or Flaws(), entries)


GOOD, LONG = made(), made(entries=4_000)


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def came(body: bytes, kind: str = "application/pkix-crl") -> HttpExchange:
    return HttpExchange(0.01, 0.02, 200, "", (("content-type", kind),), body[:KEPT], len(body))


def judge(exchange: HttpExchange) -> CrlJudgement:
    return judge_crl(exchange, None, (ca(OCSP02),), (SERIAL,), NOW, "crl.example", CrlSubject((LEAF,), URL))


def told(body: bytes) -> tuple[str, str, str]:
    found = judge(came(body))
    assert found.status is Status.FAIL
    assert (found.reachable, found.valid) == (True, False)
    assert found.summary.endswith(", called application/pkix-crl") or "beginning" in found.summary
    return found.cause.word, found.circumstance, found.summary.partition(",")[0].partition(":")[0]


@pytest.mark.parametrize(
    "body", [pem(GOOD), b"Certificate Revocation List (CRL):\r\n" + pem(GOOD).replace(b"\n", b"\r\n")]
)
def test_a_list_as_text_is_the_ca_s_where_its_signature_is_good(body: bytes) -> None:
    assert told(body) == ("crl.not-a-crl", "pem", "a list came as text (PEM) and not in DER")


@pytest.mark.parametrize(
    "body",
    [
        pem(made(Flaws(forged=(OCSP02,)))),
        pem(GOOD)[:200],
        b"-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n",
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        pem(LONG),  # of which only the beginning is kept
    ],
)
def test_text_that_nothing_proves_is_told_and_laid_on_nobody(body: bytes) -> None:
    assert told(body) == ("crl.not-a-crl", "pem-unproved", "a list came as text (PEM) and not in DER")


@pytest.mark.parametrize(
    ("list_", "sizes"), [(GOOD, (150, 300, len(GOOD) - 1)), (LONG, (150, KEPT, KEPT + 9, len(LONG) - 1))]
)
def test_a_list_cut_short_is_a_transfer_that_went_wrong(list_: bytes, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        assert told(list_[:size]) == ("crl.not-a-crl", "cut", "a list came cut short")
        assert f"{size} of its {len(list_)} bytes" in judge(came(list_[:size])).summary


@pytest.mark.parametrize("more", [b"\n", b"\r\n", bytes(70_000), GOOD])
@pytest.mark.parametrize("list_", [GOOD, LONG])
def test_bytes_after_the_end_of_a_list(list_: bytes, more: bytes) -> None:
    assert told(list_ + more)[:2] == ("crl.not-a-crl", "more")
    assert (
        f"a list of {len(list_)} bytes came, and {len(more)} more byte" in judge(came(list_ + more)).summary
    )


@pytest.mark.parametrize(
    "body",
    [
        b"", b"0", b"junk", b"\x30\x03\x02\x01\x01", b"\x30\x82\xff\xff junk", b"\x30\x80" + GOOD[4:], GOOD[:40],
        LEAF, LEAF[:300], LEAF + b"\n", b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(LEAF),
    ],
)  # fmt: skip
def test_what_shows_no_list_is_called_none(body: bytes) -> None:
    assert find_list(came(body)) is None
    found = judge(came(body))
    assert (found.cause.word, found.circumstance) == ("crl.not-a-crl", "")
    assert found.summary.startswith("what came is no CRL")


def test_a_list_as_it_should_be_and_a_page_are_neither() -> None:
    assert (declared_length(GOOD), find_list(came(GOOD))) == (len(GOOD), None)
    assert judge(came(GOOD)).cause.word == "ok"
    page = judge(came(b"<html><title>Blocked</title></html>", "text/html"))
    assert (page.cause.word, page.circumstance) == ("crl.not-a-crl", "page")


def test_a_long_list_that_is_whole_and_was_not_kept_is_too_large_to_judge() -> None:
    assert judge(came(LONG)).cause.word == "crl.too-large"


def test_whom_a_proven_list_revokes_is_revoked_in_whatever_form_it_comes() -> None:
    listed, forged = (made(Flaws(revoked=(int(SERIAL, 16),), forged=names)) for names in ((), (OCSP02,)))
    for body in (pem(listed), listed + b"\n"):
        found = judge(came(body))
        assert (found.cause.word, found.revoked) == ("crl.revoked", (SERIAL,))
        assert "a list" in found.summary
    for body in (pem(forged), forged + b"\n", listed[:-1]):
        assert (judge(came(body)).cause.word, judge(came(body)).revoked) == ("crl.not-a-crl", ())


@given(
    st.one_of(st.binary(max_size=300), st.integers(0, len(GOOD)).map(lambda n: GOOD[:n])),
    st.integers(0, 2**24),
)
def test_any_bytes_have_an_answer(body: bytes, more: int) -> None:
    exchange = replace(came(body), size=len(body) + more)
    found = find_list(exchange)
    assert found is None or found.words.isprintable()
    assert judge(exchange).summary.isprintable()
