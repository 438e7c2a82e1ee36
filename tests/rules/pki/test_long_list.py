"""A list kept as marks says what the list itself says: held against the library on lists of every kind."""

from __future__ import annotations

import datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from rules.model.kinds.http_fetch import HttpExchange
from rules.model.long_list import LongList
from rules.model.verdict import Status
from rules.pki.long_list import MOST_HEAD, ListReader, begins_as_list
from rules.pki.revocation import digest_crl, expires, judge_crl
from tests.pki import KeyKind, authority, common_name, der, private_key

BEGUN = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
NOW = BEGUN.timestamp() + 3600
HASHES = [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]
Reason = x509.ReasonFlags


@cache
def entry(serial: int, *extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    made = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(BEGUN)
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return made.build()


def crl(
    entries: list[x509.RevokedCertificate],
    kind: KeyKind = "ec",
    algorithm: hashes.HashAlgorithm = HASHES[0],
    *,
    pss: bool = False,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    """A list of the CA "Long", signed with its key."""
    made = x509.CertificateRevocationListBuilder(revoked_certificates=entries)
    made = made.issuer_name(common_name("Long")).last_update(BEGUN)
    made = made.next_update(BEGUN + datetime.timedelta(days=7))
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    key = private_key(kind, "authority Long")
    options = {"rsa_padding": padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)} if pss else {}
    return made.sign(key, algorithm, **options).public_bytes(Encoding.DER)  # type: ignore[arg-type]  # options by kind


def ca(kind: KeyKind = "ec") -> bytes:
    return der(authority("Long", kind=kind).certificate)


def kept(content: bytes, piece: int = 4096) -> LongList | None:
    reader = ListReader()
    for at in range(0, len(content), piece):
        reader.feed(content[at : at + piece])
    return reader.finish()


def known(content: bytes, piece: int = 4096) -> LongList:
    found = kept(content, piece)
    assert found is not None
    return found


PLAIN = [entry(n) for n in (1, 127, 128, 2**64, 2**159 - 1)]
REASONS = [
    entry(300 + n, (x509.CRLReason(r), False)) for n, r in enumerate(Reason) if r is not Reason.unspecified
]
DATED = [
    entry(400, (x509.InvalidityDate(BEGUN), False)),
    entry(401, (x509.CRLReason(Reason.superseded), False), (x509.InvalidityDate(BEGUN), False)),
]
ASKED = tuple(
    f"{n:x}" for n in (1, 2, 127, 128, 129, *range(299, 311), 400, 401, 500, 2**64, 2**64 + 1, 2**159 - 1)
)


@pytest.mark.parametrize("entries", [[], PLAIN, REASONS, DATED, [*PLAIN, *REASONS, *DATED]])
@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_whatever_the_entries_and_the_pieces_are_it_says_what_the_list_says(
    entries: list[x509.RevokedCertificate], piece: int
) -> None:
    content = crl(entries)
    assert digest_crl(known(content, piece), (ca(),), ASKED) == digest_crl(content, (ca(),), ASKED)


@pytest.mark.parametrize("algorithm", HASHES, ids=lambda a: a.name)
@pytest.mark.parametrize(("kind", "pss"), [("ec", False), ("rsa", False), ("rsa", True)])
def test_every_signature_that_cas_use_verifies_and_a_changed_byte_does_not(
    kind: KeyKind, pss: bool, algorithm: hashes.HashAlgorithm
) -> None:
    content = crl(PLAIN, kind, algorithm, pss=pss)
    digest = digest_crl(known(content), (ca(kind),), ASKED)
    assert digest is not None
    assert digest.signer is not None
    assert digest == digest_crl(content, (ca(kind),), ASKED)
    at = content.index((2**64).to_bytes(9)) + 3
    changed = content[:at] + b"\x77" + content[at + 1 :]
    forged = digest_crl(known(changed), (ca(kind),), ASKED)
    assert forged is not None
    assert forged.signer is None


def test_entries_that_say_more_stay_as_they_came() -> None:
    """A hold, its end, and critical extensions: a judgement reads them from the short list."""
    hold, back = (
        entry(5, (x509.CRLReason(Reason.certificate_hold), False)),
        entry(6, (x509.CRLReason(Reason.remove_from_crl), False)),
    )
    unknown = entry(7, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True))
    found = known(crl([*PLAIN, hold, back, unknown, *REASONS]))
    short = x509.load_der_x509_crl(found.skeleton)
    assert {e.serial_number for e in short} >= {5, 6, 7}
    assert found.count == len(PLAIN) + len(REASONS) - 2, "and all others are marks"


def test_what_follows_the_entry_of_another_ca_stays_with_it() -> None:
    other = x509.CertificateIssuer([x509.DirectoryName(common_name("Other"))])
    found = known(crl([entry(1), entry(2, (other, True)), entry(3)]))
    assert [e.serial_number for e in x509.load_der_x509_crl(found.skeleton)] == [2, 3]
    assert found.count == 1


def test_the_short_list_has_the_extensions_and_dates_of_the_long_one() -> None:
    names = [x509.UniformResourceIdentifier("http://a.test/")]
    point = x509.IssuingDistributionPoint(names, None, False, True, None, False, False)
    content = crl(PLAIN, extensions=((point, True), (x509.CRLNumber(7), False)))
    long, short = x509.load_der_x509_crl(content), x509.load_der_x509_crl(known(content).skeleton)
    assert list(short.extensions) == list(long.extensions)
    assert (short.issuer, short.last_update_utc) == (long.issuer, long.last_update_utc)
    assert expires(HttpExchange(0.0, status=200, long_list=known(content))) == BEGUN.timestamp() + 7 * 86400


def test_it_is_judged_as_the_list_is() -> None:
    content = crl([*PLAIN, *REASONS])
    whole = HttpExchange(0.0, status=200, body=content, size=len(content))
    marks = HttpExchange(0.0, status=200, size=len(content), long_list=known(content))
    for asked in ((), ("2",), ("7f",)):
        found = judge_crl(marks, None, (ca(),), asked, NOW)
        assert found == judge_crl(whole, None, (ca(),), asked, NOW)
        assert found.cause.word == ("crl.revoked" if asked == ("7f",) else "crl.form"), (
            "an entry is taken back"
        )


def test_an_entry_that_is_taken_back_is_told_of_a_long_list_as_of_a_short_one() -> None:
    """removeFromCRL belongs on a delta list (RFC 5280 section 5.3.1); a plain entry beside it revokes all the same."""
    back = entry(6, (x509.CRLReason(Reason.remove_from_crl), False))
    critical = entry(6, (x509.CRLReason(Reason.remove_from_crl), True))
    for entries, cause in (
        ([*PLAIN, back], "crl.unverified"), ([*PLAIN, critical], "crl.unverified"),
        ([*PLAIN, entry(6), back], "crl.revoked"), ([*PLAIN, back, entry(6)], "crl.revoked"),
        ([entry(7, (x509.CRLReason(Reason.remove_from_crl), False))], "crl.form"), (PLAIN, "ok"),
    ):  # fmt: skip
        content = crl(entries)
        whole = HttpExchange(0.0, status=200, body=content, size=len(content))
        marks = HttpExchange(0.0, status=200, size=len(content), long_list=known(content))
        found = judge_crl(marks, None, (ca(),), ("6",), NOW)
        assert (found.cause.word, found) == (cause, judge_crl(whole, None, (ca(),), ("6",), NOW))


def test_a_signature_without_a_hash_of_its_own_is_not_kept_so() -> None:
    """Ed25519 signs the whole list; no CA of the web uses it (CA/Browser Forum, Baseline Requirements section 7.1.3)."""
    key = ed25519.Ed25519PrivateKey.generate()
    made = x509.CertificateRevocationListBuilder(revoked_certificates=PLAIN).issuer_name(common_name("Long"))
    content = made.last_update(BEGUN).next_update(BEGUN).sign(key, None).public_bytes(Encoding.DER)
    assert kept(content) is None
    assert begins_as_list(content)
    cut = HttpExchange(0.0, status=200, body=content[:200], size=len(content))
    assert judge_crl(cut, None, (ca(),), (), NOW).status is Status.INCONCLUSIVE


@given(st.integers(0, 500), st.integers(0, 255), st.integers(1, 200))
def test_a_broken_byte_never_raises_and_never_verifies(place: int, value: int, piece: int) -> None:
    content = crl([*PLAIN, *REASONS])
    place %= len(content)
    broken = content[:place] + bytes([value]) + content[place + 1 :]
    found = kept(broken, piece)
    digest = digest_crl(found, (ca(),), ASKED) if found is not None else None
    if digest is not None and broken != content:
        assert digest.signer is None


@given(st.binary(max_size=400), st.integers(1, 100))
def test_any_bytes_are_no_list(content: bytes, piece: int) -> None:
    assert kept(content, piece) is None


@given(st.integers(0, 600))
def test_a_part_of_a_list_is_none_and_begins_as_one(size: int) -> None:
    content = crl([*PLAIN, *REASONS])
    part = content[: min(size, len(content) - 1)]
    assert kept(part) is None
    assert begins_as_list(part) is bool(part)
    assert kept(content + b"\x00") is None


@pytest.mark.parametrize("content", [b"<html>" * 20, b"", bytes(9)])
def test_what_does_not_begin_as_a_list(content: bytes) -> None:
    assert not begins_as_list(content)


def _sequence(content: bytes) -> bytes:
    size = len(content).to_bytes(4)
    return b"\x30\x84" + size + content


@pytest.mark.parametrize(
    "content",
    [
        _sequence(_sequence(b"\x30\x83\x7f\xff\xff")) + bytes(2 * MOST_HEAD),  # a name that does not end
        crl([])[:20] + bytes(2 * MOST_HEAD),
        crl([entry(n, (x509.CRLReason(Reason.certificate_hold), False)) for n in range(1, 4000)]),  # all of them on hold
    ],
)  # fmt: skip
def test_it_keeps_no_more_than_it_may(content: bytes) -> None:
    reader = ListReader()
    for at in range(0, len(content), 1000):
        reader.feed(content[at : at + 1000])
    assert reader.broken
    assert reader.finish() is None
    assert reader.count == 0


def test_an_rsa_key_is_what_the_tests_call_rsa() -> None:
    assert isinstance(private_key("rsa", "Long"), rsa.RSAPrivateKey)
