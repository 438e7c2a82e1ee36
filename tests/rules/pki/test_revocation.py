from __future__ import annotations

import gzip
import time
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia
from hypothesis import given
from hypothesis import strategies as st

from rules.model.failure import LOCAL_CODES, Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.revocation import (
    CrlJudgement,
    CrlSubject,
    digest_crl,
    expires,
    judge_crl,
    judge_ocsp,
    sources,
    split_url,
)
from tests import pki
from tests.lab.pki import AUTHORITIES, G2, OCSP02, TLSG2, X1, Pki
from tests.lab.revocation import Flaws, crl
from tests.rules.certs import DAY, HOST, NOW, PKI, WHEN, ca, chain, make

LEAF = chain(OCSP02)[0]
SERIAL = facts(LEAF).serial
URL = AUTHORITIES[OCSP02].sources.crls[0]
HELD = CrlSubject((LEAF,), URL)
ISSUERS = (ca(OCSP02), ca(TLSG2, G2), ca(G2))

AUTHORITY = pki.authority("Responder CA")


def body(flaws: Flaws | None = None, issuer: str = OCSP02) -> bytes:
    return crl(PKI, AUTHORITIES[issuer], URL, flaws or Flaws())


GOOD = body()


def answer(content: bytes | None = GOOD, status: int = 200, **headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, status, "", pairs, content, len(content or b""))


def judge(
    exchange: HttpExchange | None,
    failure: Failure | None = None,
    issuers: tuple[bytes, ...] = ISSUERS,
    now: float = NOW,
    held: CrlSubject = HELD,
) -> CrlJudgement:
    return judge_crl(exchange, failure, issuers, (SERIAL,), now, "crl.example", held)


def test_a_good_crl() -> None:
    found = judge(answer())
    assert (found.cause.word, found.status, found.reachable, found.valid, found.revoked) == (
        "ok",
        Status.PASS,
        True,
        True,
        (),
    )
    assert found.summary == f"a current CRL of {OCSP02}, signed by it"
    assert found.signer == facts(ca(OCSP02)).spki_sha256
    assert (found.this_update, found.next_update) == (NOW - 86400, NOW + 7 * 86400)


def test_the_three_facts_are_kept_apart() -> None:
    serial = int(SERIAL, 16)
    unreached = judge(None, Failure(Stage.TCP, Code.TIMEOUT))
    revoked = judge(answer(body(Flaws(revoked=(serial,)))))
    forged = judge(answer(body(Flaws(revoked=(serial,), forged=(OCSP02,)))))
    stale = judge(answer(body(Flaws(stale=(OCSP02,)))))
    assert [(f.cause.word, f.reachable, f.valid, f.revoked) for f in (unreached, revoked, forged, stale)] == [
        ("crl.unreachable", False, False, ()),
        ("crl.revoked", True, True, (SERIAL,)),
        ("crl.bad-signature", True, False, ()),  # what it lists counts for nothing
        ("crl.stale", True, False, ()),
    ]


def test_a_crl_from_the_future() -> None:
    found = judge(answer(), now=NOW - 2 * 86400)
    assert (found.cause.word, found.status) == ("crl.stale", Status.WARN)


def test_another_ca_s_list_is_none_and_one_of_a_ca_that_nobody_knows_proves_nothing() -> None:
    other = judge(answer(), issuers=(ca(G2),))
    assert (other.cause.word, other.status, other.valid) == ("crl.wrong-issuer", Status.FAIL, False)
    assert OCSP02 in other.summary
    assert G2 in other.summary
    for issuers in ((ca(G2),), ()):
        unknown = judge(answer(), issuers=issuers, held=CrlSubject(url=URL, bound=False))
        assert (unknown.cause.word, unknown.status, unknown.valid, unknown.reachable) == (
            "crl.unverified",
            Status.INCONCLUSIVE,
            None,
            True,
        )


def test_a_leaf_or_a_namesake_cannot_have_signed_it() -> None:
    namesake = make(AUTHORITIES[OCSP02].subject, "x", key=OCSP02, is_ca=False)
    assert digest_crl(GOOD, (LEAF, namesake, b"junk"), ()) == replace(
        digest_crl(GOOD, ISSUERS, ()) or pytest.fail("no digest"), signer=None
    )


@pytest.mark.parametrize(
    ("exchange", "cause"),
    [
        (answer(b"<html><title>Blocked by policy</title></html>"), "crl.not-a-crl"),
        (answer(b"\x30\x03\x02\x01\x01"), "crl.not-a-crl"),
        (answer(b""), "crl.not-a-crl"),
        (answer(GOOD, 403), "http.status"),  # nothing shows who refuses
        (answer(b"<html>", 403), "http.status"),
        (answer(b"<html><title>Web page blocked</title>", 403), "http.block-page"),
        (answer(b"", 451), "http.status"),
        (answer(b"Action: Deny. Reason: x", 470), "http.block-page"),
        (answer(b"", 404), "http.status"),
        (answer(b"", 503), "http.status"),
        (answer(b"", 407), "proxy.auth-required"),
        (answer(b"<html>", 511), "http.block-page"),
    ],
)
def test_what_is_not_a_crl_is_reached_and_told_apart(exchange: HttpExchange, cause: str) -> None:
    found = judge(exchange)
    assert (found.cause.word, found.reachable, found.valid, found.status) == (cause, True, False, Status.FAIL)


def test_a_block_page_shows_its_title() -> None:
    found = judge(answer(b"<html><title>Blocked \x1b by policy</title>", server="squid"))
    assert found.page is not None
    assert (found.page.title, found.page.vendor) == ("Blocked \\x1b by policy", "Squid")
    assert 'titled "Blocked \\x1b by policy"' in found.summary


def test_an_encoded_body_is_unexpected() -> None:
    found = judge(answer(gzip.compress(GOOD), content_encoding="gzip"))
    assert (found.cause.word, found.status) == ("http.compressed", Status.FAIL)
    assert "came compressed (gzip)" in found.summary
    assert judge(answer(gzip.compress(GOOD))).cause.word == "http.compressed"
    assert judge(answer(GOOD, content_encoding="identity")).cause.word == "ok"
    labelled = judge(answer(GOOD, content_encoding="gzip"))
    assert (labelled.cause.word, labelled.status, labelled.valid) == ("http.odd-header", Status.NOTICE, True)


def test_a_list_in_an_answer_with_an_odd_header_is_good_and_said_so() -> None:
    found = judge(replace(answer(), repaired=("a line without a colon",)))
    assert (found.cause.word, found.status, found.valid) == ("http.odd-header", Status.NOTICE, True)
    assert "a line without a colon" in found.summary
    stale = replace(answer(body(Flaws(stale=(OCSP02,)))), repaired=("a line without a colon",))
    assert judge(stale).cause.word == "crl.stale"


@pytest.mark.parametrize(
    "target", ["https://crl.example/a.crl", "http://other.test/", "file:///etc/passwd", "/loop"]
)
def test_a_redirect_is_shown_and_not_followed(target: str) -> None:
    found = judge(answer(b"", 302, location=target))
    assert found.cause.word == "http.redirected"
    assert target in found.summary


def test_a_body_over_the_cap_is_not_judged() -> None:
    cut = replace(answer(GOOD[:100]), size=32 * 2**20)
    for exchange, failure in ((cut, None), (answer(GOOD[:100]), Failure(Stage.HTTP, Code.TOO_LARGE))):
        found = judge(exchange, failure)
        assert (found.cause.word, found.status, found.reachable) == (
            "crl.too-large",
            Status.INCONCLUSIVE,
            True,
        )


def test_a_slow_drip_is_reached_and_does_not_come_whole() -> None:
    found = judge(answer(GOOD[:100]), Failure(Stage.HTTP, Code.TIMEOUT))
    assert (found.cause.word, found.reachable, found.circumstance) == ("http.timeout", True, "cut")
    assert "did not come whole" in found.summary


def test_only_the_document_counts_whatever_the_cache_headers_say() -> None:
    stale = body(Flaws(stale=(OCSP02,)))
    lies = {"etag": '"new"', "last_modified": "Sun, 01 Nov 2026 11:59:59 GMT", "age": "0"}
    assert judge(answer(stale, 200, **lies)).cause.word == "crl.stale"


@pytest.mark.parametrize(
    "flaws", [Flaws(), Flaws(stale=(OCSP02,)), Flaws(forged=(OCSP02,)), Flaws(revoked=(int(SERIAL, 16),))]
)
def test_a_recording_without_the_body_is_judged_alike(flaws: Flaws) -> None:
    content = body(flaws)
    kept = replace(answer(content), body=None, digest=digest_crl(content, ISSUERS, (SERIAL,)))
    assert judge(kept) == judge(answer(content))


def test_a_recording_that_lacks_what_is_asked_is_inconclusive() -> None:
    kept = replace(answer(), body=None, digest=digest_crl(GOOD, ISSUERS, ()))
    assert judge(kept).cause.word == "audit.not-recorded"
    assert judge(replace(answer(), body=None)).cause.word == "audit.not-recorded"


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_crl_is_never_good(at: int, by: int, cut: bool) -> None:
    changed = bytearray(GOOD)
    changed[at] ^= by
    assert judge(answer(bytes(changed[:at] if cut else changed))).cause.word != "ok"


@given(st.binary(max_size=200), st.text("0123456789abcdef", min_size=1, max_size=40))
def test_any_bytes_are_no_crl(content: bytes, serial: str) -> None:
    assert digest_crl(content, ISSUERS, (serial,)) is None


def test_sources_of_leaf_and_intermediates() -> None:
    found = sources((*chain(OCSP02), ca(G2)))
    assert found.crl == (
        *AUTHORITIES[OCSP02].sources.crls, *AUTHORITIES[TLSG2].sources.crls, *AUTHORITIES[G2].sources.crls,
    )  # fmt: skip
    assert found.ocsp == ("http://oneocsp.microsoft.com/ocsp", "http://ocsp.digicert.com")
    assert found.aia[0] == AUTHORITIES[OCSP02].sources.issuers[0]
    assert found.unusable == ()
    assert sources((ca(X1), b"junk")) == sources(())


HOSTILE = (
    "file:///etc/passwd", "ldap://ldap.example/cn=x", "ftp://f.example/x", "https://crl.example/x.crl",
    "http://169.254.169.254/latest/meta-data", "http://127.0.0.1:9090/-/reload", "http://127.0.0.1/", "http://[::1]/",
    "http://2130706433/", "http://0x7f.1/", "http://1.2.3.0x4/", "http://localhost/", "http://crl.example:8080/x",
    "http://user@crl.example/x", "http://crl.example\\@evil.example/", "http://crl.example/x\r\nHost: evil",
    "http://crl.example/a b", "http://crl.exämple/x", "http://crl.example/\u202ex", "http:///x", "http://", "", "http:/x",
    "//crl.example/x", "http://-a.example/", "http://a..example/", f"http://{'a' * 64}.example/", "http://a.example/#f",
    "http://" + "a." * 150 + "example/", "http://crl.example/" + "x" * 2000, "http://crl.example:80:80/",
)  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_addresses_that_are_never_fetched(url: str) -> None:
    assert split_url(url) is None


def test_addresses_that_are_never_fetched_are_reported() -> None:
    urls = HOSTILE[:6]
    access = [x509.AccessDescription(Aia.OCSP, x509.UniformResourceIdentifier(url)) for url in urls]
    leaf = make(HOST, "x", extensions=[x509.AuthorityInformationAccess(access)])
    found = sources((leaf,))
    assert found.ocsp == ()
    assert [url for url, _ in found.unusable] == list(urls)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (URL, ("www.microsoft.com", 80, URL.removeprefix("http://www.microsoft.com"))),
        ("HTTP://Ocsp.DigiCert.com", ("ocsp.digicert.com", 80, "/")),
        ("http://ocsp.digicert.com:80/", ("ocsp.digicert.com", 80, "/")),
        ("http://c.example?x=1", ("c.example", 80, "/?x=1")),
        ("http://a_b.c.example/%20?q=http://x:9/", ("a_b.c.example", 80, "/%20?q=http://x:9/")),
    ],
)
def test_addresses_that_may_be_fetched(url: str, parts: tuple[str, int, str]) -> None:
    assert split_url(url) == parts


@given(st.text(max_size=80))
def test_whatever_passes_is_one_request_line_to_a_name(rest: str) -> None:
    parts = split_url(f"http://{rest}")
    if parts is not None:
        host, port, target = parts
        assert (port, target[0]) == (80, "/")
        assert all(" " < c < "\x7f" for c in host + target)
        assert not host.replace(".", "").isdigit()


def test_an_old_lab_makes_old_crls() -> None:
    """The judgement goes by the time that it is given, not by the clock of this machine."""
    past = Pki(WHEN - 400 * DAY)
    content = crl(past, AUTHORITIES[OCSP02], URL, Flaws())
    assert judge(answer(content)).cause.word == "crl.stale"
    assert judge(answer(content), now=NOW - 400 * 86400).cause.word == "ok"


def test_a_crl_of_four_hundred_thousand_entries_is_read_in_a_second() -> None:
    """Nine megabytes, as DigiCert's largest partitions: the entries are counted over, not built."""
    when = bytes.fromhex("170d") + b"261101000000Z"
    entries = b"".join(b"\x30\x15\x02\x04" + (n + 2**24).to_bytes(4) + when for n in range(400_000))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    name = facts(ca(OCSP02)).subject or b""
    signed = b"\x02\x01\x01" + algorithm + name + when + bytes.fromhex("170d") + b"271101000000Z"
    short = bytes.fromhex("0309 00 3006 020101 020101")
    large = _der(_der(signed + _der(entries)) + algorithm + short)
    begin = time.process_time()
    found = judge(answer(large))
    assert time.process_time() - begin < 2
    assert found.cause.word == "crl.bad-signature"


def _der(content: bytes) -> bytes:
    """A SEQUENCE with its length in as few octets as DER wants."""
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([0x30, 0x80 | len(size)]) + size + content


@pytest.mark.parametrize("code", LOCAL_CODES)
def test_a_fault_of_this_host_blocks_no_list(code: Code) -> None:
    """Without descriptors or memory of our own: what could not be measured is never told as blocked."""
    failure = Failure(Stage.LOCAL, code)
    answered = judge_ocsp(None, failure, LEAF, ISSUERS[0], NOW, "ocsp.example")
    for found in (judge(None, failure), answered):
        assert (found.cause, found.status) == (LOCAL_CODES[code][0], Status.INCONCLUSIVE)
        assert not found.reachable


# --- when a document runs out -------------------------------------------------------------------------------------------


def test_a_list_runs_out_at_its_next_update() -> None:
    assert expires(answer()) == NOW + 7 * 86400
    assert expires(answer(GOOD, 404)) is None
    assert expires(answer(None)) is None


def test_of_a_large_list_the_digest_tells() -> None:
    digest = digest_crl(GOOD, ISSUERS, ())
    assert digest is not None
    assert expires(replace(answer(None), digest=digest)) == digest.next_update == NOW + 7 * 86400
    assert expires(replace(answer(None), digest=replace(digest, next_update=None))) is None


def test_an_answer_about_a_certificate_runs_out_too() -> None:
    made = AUTHORITY.ocsp(AUTHORITY.leaf(["a.test"]))
    response = answer(made.public_bytes(Encoding.DER))
    assert made.next_update_utc is not None
    assert expires(response, ocsp=True) == made.next_update_utc.timestamp()
    assert expires(response) is None, "it is no list"
    assert expires(answer(), ocsp=True) is None
    assert expires(answer(bytes.fromhex("30030a0106")), ocsp=True) is None, "an error says no time"


@given(st.binary(max_size=300), st.booleans())
def test_what_runs_out_never_raises(content: bytes, ocsp: bool) -> None:
    assert expires(answer(content), ocsp=ocsp) is None


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.booleans())
def test_also_not_for_a_list_with_a_broken_byte(place: int, value: int, ocsp: bool) -> None:
    broken = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
    found = expires(answer(broken), ocsp=ocsp)
    assert found is None or isinstance(found, float)
