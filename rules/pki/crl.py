"""A fetched CRL: its facts, and what they prove for the certificates that name it (RFC 5280 sections 5 and 6.3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from rules.http_answer.cache import late_by
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.kinds.http_fetch import BlockPage, CrlDigest, CrlScope, HttpExchange
from rules.model.long_list import LongList
from rules.model.verdict import Status
from rules.pki.certificate import CertFacts, Signature, check_signature_bits, facts, public_key, verify
from rules.pki.crl_scope import (
    canonical_uri,
    has_removal,
    is_removal,
    names_crl_issuer,
    odd_entries,
    out_of_scope,
    point_text,
    points_of,
    read_entries,
    read_scope,
    same_name,
    scope_text,
)
from rules.pki.fields import try_read
from rules.text.display import display

Document: TypeAlias = bytes | LongList  #: a list as it came, or the kept form of a long one
CLOCK_TOLERANCE = 300.0  #: seconds by which a list may begin in the future


@dataclass(frozen=True, slots=True)
class CrlJudgement:
    """The result of one CRL fetch. `reachable`: HTTP answered; `valid`: it is a current CRL with its issuer's signature
    that covers the certificates in question (None: no certificate of that issuer is available, or nothing here can
    check it); `revoked`: the listed ones of the serials asked (hex).

    `status` is a hint for this document alone. `issuer` (Name, DER), dates (Unix time) and `signer` (hex SHA-256 of
    the SPKI) are the document's, if there is one. `circumstance` is the observed fact about the cause ("cached",
    "late", "partition", ...), "" if nothing more is known.
    """

    cause: Cause
    status: Status
    summary: str
    reachable: bool
    valid: bool | None = False
    revoked: tuple[str, ...] = ()
    page: BlockPage | None = None
    issuer: bytes | None = None
    this_update: float | None = None
    next_update: float | None = None
    signer: str | None = None
    circumstance: str = ""


@dataclass(frozen=True, slots=True)
class CrlSubject:
    """The context in which a list is judged.

    `certificates` (DER) name its address; without any, `url` is the address that was asked. `bound`: the candidates
    for its issuer are the issuers of those certificates (section 6.3.3 (b)); else every available CA.
    """

    certificates: tuple[bytes, ...] = ()
    url: str = ""
    bound: bool = True


def digest_crl(body: Document, issuers: tuple[bytes, ...], serials: tuple[str, ...]) -> CrlDigest | None:
    """The facts of a CRL that judgements need; None if `body` is no CRL. Never raises.

    `signer` is set when a CA of `issuers` with the CRL's issuer name that may sign CRLs (RFC 5280 section 4.2.1.3)
    made the signature. SHA-1 counts here: no attacker can choose both the old and the new list.
    """
    return try_read(lambda: _digest(body, issuers, serials))[0]


def _digest(body: Document, issuers: tuple[bytes, ...], serials: tuple[str, ...]) -> CrlDigest:
    crl, name = read_crl(body)
    until = crl.next_update_utc
    scope = _scope(_readable_der(body))
    signer = barred = None
    unchecked = ""
    for ca in _of_name(issuers, name):
        found, why = _signed(body, ca)
        unchecked = unchecked or why
        if found and _may_sign(ca):
            signer = signer or ca.spki_sha256
        elif found:
            barred = barred or ca.spki_sha256
    listed: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    if signer is not None:  # only its entries count, and a forger's are not worth the time
        scope, listed, back = _read_listed(body, scope, serials)
    return CrlDigest(
        name, crl.last_update_utc.timestamp(), until.timestamp() if until else None, signer, listed, serials,
        scope, barred, "" if signer or barred else unchecked, back,
    )  # fmt: skip


def _read_listed(
    body: Document, scope: CrlScope, serials: tuple[str, ...]
) -> tuple[CrlScope, tuple[str, ...], tuple[str, ...]]:
    """The scope with additions from the entries, the listed serials, and those that are only taken off the list."""
    der = _readable_der(body)
    if not _has_odd_entries(der):
        return scope, tuple(s for s in serials if _marked(body, s) or _has_serial(der, s)), ()
    unknown, listed, back = _entries(der, serials)
    listed = tuple(s for s in serials if s in listed or _marked(body, s))
    scope = replace(scope, unknown=(*scope.unknown, *unknown), removes=has_removal(der))
    return scope, listed, tuple(s for s in serials if s in back and s not in listed)


def _readable_der(body: Document) -> bytes:
    """The bytes that the library reads: for a long list the short one with its head, its end and its odd entries."""
    return body if isinstance(body, bytes) else body.skeleton


def _marked(body: Document, serial: str) -> bool:
    return not isinstance(body, bytes) and body.lists(int(serial, 16))


@lru_cache(maxsize=32)
def _scope(der: bytes) -> CrlScope:
    return read_scope(_read(der)[0])


@lru_cache(maxsize=32)
def _has_odd_entries(der: bytes) -> bool:
    return odd_entries(der)


@lru_cache(maxsize=32)
def _entries(
    der: bytes, serials: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return read_entries(*_read(der), serials)


def read_crl(body: Document) -> tuple[x509.CertificateRevocationList, bytes]:
    """The list and its issuer's Name; raises what the library raises.

    Every chain that names a list asks about it; it is read once.
    """
    return _read(_readable_der(body))


@lru_cache(maxsize=32)
def _read(der: bytes) -> tuple[x509.CertificateRevocationList, bytes]:
    crl = x509.load_der_x509_crl(der)
    check_signature_bits(der)
    return crl, crl.issuer.public_bytes()


def _has_serial(der: bytes, serial: str) -> bool:
    known = _answers(der)
    if serial not in known:
        crl, number = _read(der)[0], int(serial, 16)
        if number >= 0:
            entry = crl.get_revoked_certificate_by_serial_number(number)
        else:  # some CAs write such a serial, and the library does not look for it
            entry = next((one for one in crl if one.serial_number == number), None)
        known[serial] = entry is not None and not is_removal(entry)
    return known[serial]


@lru_cache(maxsize=32)
def _answers(_der: bytes) -> dict[str, bool]:
    """Answers for one list, by serial. They are kept per list, because a cached answer would keep its list alive."""
    return {}


def _of_name(issuers: tuple[bytes, ...], name: bytes) -> tuple[CertFacts, ...]:
    return tuple(c for c in map(facts, issuers) if c.is_ca and same_name(c.subject, name))


def issuer_name(exchange: HttpExchange) -> bytes | None:
    """The Name (DER) of the CA that a list names as its issuer; None where no list came. Never raises."""
    if exchange.digest is not None:
        return exchange.digest.issuer
    body = exchange.long_list or exchange.body
    if body is None or exchange.status != 200:
        return None
    found, _ = try_read(lambda: read_crl(body)[1])
    return found


def _may_sign(ca: CertFacts) -> bool:
    return ca.may_sign_crls is not False


def _signed(body: Document, issuer: CertFacts) -> tuple[bool, str]:
    """Whether the issuer's key signed the list, and if that cannot be checked here, why."""
    return _cached_signature(body, issuer) if isinstance(body, bytes) else _verify_signature(body, issuer)


@lru_cache(maxsize=32)
def _cached_signature(body: bytes, issuer: CertFacts) -> tuple[bool, str]:
    return _verify_signature(body, issuer)


def _verify_signature(body: Document, issuer: CertFacts) -> tuple[bool, str]:
    crl, _ = read_crl(body)
    found, why = try_read(lambda: verify(public_key(issuer), crl.signature, *_signed_content(body, crl)))
    if found is None or found is Signature.UNKNOWN:
        return False, why or "its algorithm or its key is not supported"
    return found in (Signature.GOOD, Signature.WEAK), ""


def _signed_content(body: Document, crl: x509.CertificateRevocationList) -> tuple[bytes, object, object]:
    """The signed bytes, their hash and the parameters."""
    algorithm, parameters = crl.signature_hash_algorithm, crl.signature_algorithm_parameters
    if isinstance(body, bytes):
        return crl.tbs_certlist_bytes, algorithm, parameters
    if algorithm is None or algorithm.name != body.hash_name:
        raise ValueError("another hash than the one that was made")
    hashed = Prehashed(algorithm)
    return body.signed, hashed, ec.ECDSA(hashed) if isinstance(parameters, ec.ECDSA) else parameters


#: Cause, status, summary, whether the list is valid, circumstance.
_Found: TypeAlias = tuple[Cause, Status, str, bool | None, str]


def judge_digest(
    digest: CrlDigest,
    issuers: tuple[bytes, ...],
    serials: tuple[str, ...],
    now: float,
    held: CrlSubject,
    exchange: HttpExchange,
) -> CrlJudgement:
    """Judge the facts of a list. `exchange` is the answer with the list: its headers show caches."""
    named = _of_name(issuers, digest.issuer)
    keys = {ca.spki_sha256 for ca in named if _may_sign(ca)}
    signed = digest.signer is not None and digest.signer in keys
    listed = tuple(s for s in serials if s in digest.revoked) if signed else ()
    name = _issuer_text(named, digest.issuer)
    if not signed:
        cause, status, summary, valid, circumstance = _unproven(digest, named, issuers, name, held)
    elif listed and not _unusable(digest.scope):
        cause, status, circumstance = causes.CRL_REVOKED, Status.FAIL, ""
        summary = f"{name} has revoked the certificate with serial {', '.join(listed[:3])}"
        valid = not _late(digest, now) and not _early(digest, now)
    else:
        cause, status, summary, valid, circumstance = _proven(
            digest, named, serials, now, held, name, exchange
        )
    return CrlJudgement(
        cause, status, summary, True, valid, listed if cause == causes.CRL_REVOKED else (), None,
        digest.issuer, digest.this_update, digest.next_update, digest.signer if signed else None, circumstance,
    )  # fmt: skip


def _unusable(scope: CrlScope | None) -> bool:
    """Whether nothing on the list may be used, not even a listed serial. A delta, another partition or a list of some
    reasons is still the CA's statement about the serials on it: a CA uses a serial only once (RFC 5280 section
    4.1.2.2)."""
    return scope is not None and bool(scope.unread or scope.unknown or scope.only == "attribute")


def _late(digest: CrlDigest, now: float) -> bool:
    return digest.next_update is not None and now > digest.next_update


def _early(digest: CrlDigest, now: float) -> bool:
    return digest.this_update > now + CLOCK_TOLERANCE


def _unproven(
    digest: CrlDigest, named: tuple[CertFacts, ...], issuers: tuple[bytes, ...], name: str, held: CrlSubject
) -> _Found:
    """A list whose signature proves nothing: another CA's, a changed one, or one that cannot be checked."""
    left = any(names_crl_issuer(c, digest.issuer) for c in held.certificates)
    if not named and issuers and held.bound and not left:
        wanted = display(facts(issuers[0]).subject_cn or facts(issuers[0]).subject_text, 100)
        text = f"the list at this address is one of {name}, not of {wanted}, which issued the certificates that name it"
        return causes.CRL_WRONG_ISSUER, Status.FAIL, text, False, ""
    if not named:
        text = (
            f"a list that bears the name of {name}: the key of that CA is not at hand, so nothing proves it"
        )
        return causes.CRL_UNVERIFIED, Status.INCONCLUSIVE, text, None, "unknown-ca"
    if digest.barred in {ca.spki_sha256 for ca in named if not _may_sign(ca)}:
        text = f"the CRL is signed by {name}, whose certificate does not allow it to sign CRLs (keyUsage)"
        return causes.CRL_BAD_SIGNATURE, Status.FAIL, text, False, "may-not-sign"
    if digest.unchecked:
        text = f"a list of {name}: its signature cannot be checked here ({display(digest.unchecked, 100)})"
        return causes.CRL_UNVERIFIED, Status.INCONCLUSIVE, text, None, "algorithm"
    key = digest.scope.key_id if digest.scope is not None else ""
    known = {ca.ski for ca in named}
    if key and None not in known and key not in known:
        text = f"the CRL bears the name of {name} and another key of it (key id {key[:16]}...) than the certificates"
        return causes.CRL_BAD_SIGNATURE, Status.FAIL, text, False, "other-key"
    text = f"the CRL bears the name of {name} and is not signed by its key"
    return causes.CRL_BAD_SIGNATURE, Status.FAIL, text, False, ""


def _proven(
    digest: CrlDigest,
    named: tuple[CertFacts, ...],
    serials: tuple[str, ...],
    now: float,
    held: CrlSubject,
    name: str,
    exchange: HttpExchange,
) -> _Found:
    """A list with its issuer's signature and none of the serials: what it proves for these certificates."""
    why = _out_of_scope(digest.scope, serials, held)
    if why and why != "partition-unknown":
        text = (
            f"{scope_text(digest.scope, why, name)}: it does not tell whether these certificates are revoked"
        )
        return causes.CRL_OUT_OF_SCOPE, Status.FAIL, text, False, why
    if _late(digest, now) and digest.next_update is not None:
        by, clause = late_by(exchange, digest.this_update, digest.next_update, now)
        text = f"the CRL of {name}{_number(digest.scope)} ran out: an old copy is served; {clause}"
        return causes.CRL_STALE, Status.FAIL, text, False, by
    if _early(digest, now):
        return causes.CRL_STALE, Status.WARN, f"the CRL of {name} begins in the future", False, "early"
    if why:
        point = point_text(digest.scope)
        text = f"a list of {name} for the distribution point {point}: whether the certificates name that is not known"
        return causes.CRL_UNVERIFIED, Status.INCONCLUSIVE, text, None, why
    if back := [serial for serial in serials if serial in digest.removed]:
        text = (
            f"the list of {name} takes the certificate with serial {', '.join(back[:3])} off again (removeFromCRL), as only "
            "a delta list may (RFC 5280 section 5.3.1): whether it is revoked cannot be told"
        )
        return causes.CRL_UNVERIFIED, Status.INCONCLUSIVE, text, None, "removed"
    if not set(serials) <= set(digest.asked):
        text = "the recording does not tell whether these certificates are revoked"
        return causes.AUDIT_NOT_RECORDED, Status.INCONCLUSIVE, text, True, ""
    text = f"a current CRL of {name}, signed by it"
    if digest.scope is not None and digest.scope.indirect:
        text = f"{text} (an indirect one, of which its entries about this CA's own certificates count)"
    if digest.scope is None:
        return (
            causes.AUDIT_NOT_RECORDED,
            Status.NOTICE,
            f"{text}; the recording does not tell its scope",
            True,
            "",
        )
    if digest.next_update is None:
        text = f"{text}, without a time at which it runs out (nextUpdate): how old it may be cannot be told"
        return causes.CRL_FORM, Status.NOTICE, text, True, "no-end"
    if digest.scope.removes:
        text = f"{text}, of which an entry takes a certificate off again (removeFromCRL), as only a delta list may"
        return causes.CRL_FORM, Status.NOTICE, text, True, "removes"
    if not any(ca.subject == digest.issuer for ca in named):
        text = f"{text}, with the name in another form (string type, case or spacing) than in the CA's certificate"
        return causes.CRL_FORM, Status.NOTICE, text, True, "name"
    return causes.OK, Status.PASS, text, True, ""


def _number(scope: CrlScope | None) -> str:
    """The list's number, which distinguishes two copies."""
    return f" (number 0x{display(scope.number, 40)})" if scope is not None and scope.number else ""


def _out_of_scope(scope: CrlScope | None, serials: tuple[str, ...], held: CrlSubject) -> str:
    """Why the list does not cover one of the certificates that name it, "" if it covers all."""
    if scope is None:
        return ""
    if not held.certificates:
        # the requested address counts in favour of the list where the list names it, and never against it: other
        # certificates may name another host for the same list
        known = frozenset({canonical_uri(held.url)} if held.url else ()) & frozenset(scope.points)
        # serials without their certificates are those of servers; without any serials, a list of either kind is
        # enough
        return out_of_scope(scope, False if serials else None, known)
    found = (out_of_scope(scope, bool(facts(c).is_ca), points_of(c)) for c in held.certificates)
    return next((why for why in found if why), "")


def _issuer_text(named: tuple[CertFacts, ...], name: bytes) -> str:
    if named:
        return display(named[0].subject_cn or named[0].subject_text, 100)
    parsed, _ = try_read(lambda: x509.Name.from_bytes(name).rfc4514_string())
    return display(parsed or "an unnamed issuer", 100)
