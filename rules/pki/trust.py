"""Whose key is above a server's certificate: a chain judged by signatures, never by names.

The order of proof, by the end of the signatures:
- a key of the CA set: genuine (either path of a cross-sign is enough)
- a root of the public list: a public CA that is not an expected one
- a root that only this host's store holds: somebody added it as trusted, which is how interception works
- a self-signed certificate that no list knows: untrusted
- a missing issuer: proves nothing

A certificate with a known CA's name on another key is forged, unless a genuine or public path exists. `paths.py`
finds the paths.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from rules.model.kinds.trust_store import TrustRoots
from rules.model.ruleset import CaSet
from rules.pki.certificate import CertFacts, facts, fold_text
from rules.pki.paths import MAX_POOL, CaSetIdentity, KnownKeys, Path, PathsFound, find_paths, key_index
from rules.text.display import display

MAX_SUBJECTS = 20  #: maximum of names looked up in the stores for one chain
MAX_AIA = 4  #: maximum of addresses of a missing issuer

ChainVerdict: TypeAlias = Literal[
    "genuine",
    "issuer-unexpected",
    "untrusted",
    "self-signed",
    "intercepted",
    "incomplete-chain",
    "unverified",
    "malformed",
]
AnchorKind: TypeAlias = Literal["expected", "public", "system", "unknown"]
Roots: TypeAlias = Mapping[bytes, TrustRoots]
_Relevant: TypeAlias = tuple[tuple[bytes, TrustRoots], ...]


@dataclass(frozen=True, slots=True)
class ChainJudgement:
    """The proof of a chain. `path` goes from the leaf to the last known certificate (the anchor's, if there is one).

    `issuing_key`: hex SHA-256 of the SPKI that signed the leaf; "name:..." (issuer's name and key id) if that key is
    not available. `missing_issuer`: (issuer's Name, AIA URLs as found) if the best path ends because an issuer is
    missing. `expired`: subjects of CA certificates that the proof needs, that are not valid now and that the CA set
    does not excuse. `brand`: the word in a name of the path that imitates an expected CA. `notes` are for people and
    harmless; the other texts are the peer's, as found.
    """

    verdict: ChainVerdict
    forged: bool = False
    forged_name: str = ""  # the known CA's name, used without its key
    anchor_name: str | None = None
    anchor_kind: AnchorKind = "unknown"
    anchor_key: str | None = None  # hex SHA-256 of the anchor's SPKI
    path: tuple[bytes, ...] = ()
    issuing_key: str | None = None
    new_issuing_ca: bool = False  # an expected root, through a CA that the set does not know
    used_fetched: bool = False  # an issuer was not served and came from its AIA address
    missing_issuer: tuple[bytes, tuple[str, ...]] | None = None
    expired: tuple[str, ...] = ()
    brand: str = ""
    notes: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether a known key vouches for the leaf: the CA set's or a public root's."""
        return self.verdict in ("genuine", "issuer-unexpected")


def judge_chain(
    chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: Roots, cas: tuple[CaSet, ...], now: float
) -> ChainJudgement:
    """Judge the certificates that were served (`chain`, leaf first) and fetched.

    `roots` gives the stores' roots by subject (Name, DER); `now` is Unix time. Never raises for a peer's bytes.
    """
    if not chain:
        return ChainJudgement("malformed", notes=("no certificate was served",))
    return _case(chain, fetched, roots, cas).judge_at(now)


def missing_pieces(
    chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: Roots, cas: tuple[CaSet, ...] = ()
) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """What the judgement still needs: subjects to look up in the stores, and AIA URLs of a missing issuer.

    URLs are given as found in the certificate, once all subjects were looked up, and only while neither a key of
    `cas` nor a public root vouches for the chain.
    """
    if not chain:
        return (), ()
    found_paths = _case(chain, fetched, roots, cas).found_paths
    subjects = tuple(s for s in found_paths.wanted if s not in roots)[:MAX_SUBJECTS]
    if subjects or any(p.genuine or (p.ending == "public" and p.weak_at is None) for p in found_paths.paths):
        return subjects, ()
    urls = dict.fromkeys(url for p in found_paths.paths if p.missing for url in p.missing[1])
    return (), tuple(urls)[:MAX_AIA]


@dataclass(eq=False, slots=True)
class _Case:
    """A chain with all its paths, and the last judgement, which holds for a period in which no validity date changes it."""

    leaf: bytes
    known: KnownKeys
    found_paths: PathsFound
    changes: tuple[float, ...]
    _judged: tuple[tuple[int, int], ChainJudgement] | None = None

    def judge_at(self, now: float) -> ChainJudgement:
        stretch = (bisect_left(self.changes, now), bisect_right(self.changes, now))
        judged = self._judged
        if judged is None or judged[0] != stretch:
            judged = self._judged = (stretch, _judge(self, now))
        return judged[1]


def _case(
    chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: Roots, cas: tuple[CaSet, ...]
) -> _Case:
    return _cached_case(
        chain, fetched, _relevant(chain, fetched, roots), tuple(CaSetIdentity(c) for c in cas)
    )


@lru_cache(maxsize=2048)
def _cached_case(
    chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: _Relevant, sets: tuple[CaSetIdentity, ...]
) -> _Case:
    known = key_index(sets)
    found_paths = find_paths(chain, fetched, dict(roots), known)
    certs = [facts(der) for der in {der: None for path in found_paths.paths for der in path.certs}]
    changes = {date for cert in certs for date in (cert.not_before, cert.not_after) if date is not None}
    for cert in certs:
        changes.update(date for period in known.validity.get(cert.spki_sha256 or "", ()) for date in period)
    return _Case(chain[0], known, found_paths, tuple(sorted(changes)))


def _relevant(chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: Roots) -> _Relevant:
    """The stores' roots for the names in this chain, in a form that can be a cache's key."""
    found: dict[bytes, TrustRoots] = {}
    queue = deque(facts(der).issuer for der in (*chain[:MAX_POOL], *fetched[:MAX_POOL]))
    while queue and len(found) < MAX_POOL:
        name = queue.popleft()
        if name is None or name in found or name not in roots:
            continue
        found[name] = roots[name]
        queue.extend(facts(der).issuer for der in (*roots[name].public, *roots[name].system)[:MAX_POOL])
    return _shared(tuple(found.items()))


@lru_cache(maxsize=256)
def _shared(relevant: _Relevant) -> _Relevant:
    """One shared copy for all chains under one CA: it is in the key of each of them."""
    return relevant


def _judge(case: _Case, now: float) -> ChainJudgement:
    leaf = facts(case.leaf)
    if not leaf.loads:
        return ChainJudgement(
            "malformed", notes=tuple(f"{what}: {display(why)}" for what, why in leaf.unreadable)
        )
    if not case.found_paths.paths:
        return ChainJudgement("malformed", issuing_key=name_id(leaf), notes=case.found_paths.notes)
    path = min(case.found_paths.paths, key=lambda p: _path_order(p, case.known, now))
    verdict = _verdict(path)
    forged = bool(case.found_paths.forged_name) and verdict not in ("genuine", "issuer-unexpected")
    anchor = _anchor(path, case.known)
    issuing = facts(path.certs[min(1, len(path.certs) - 1)])
    signer_known = len(path.certs) > 1 or verdict in (
        "self-signed",
        "genuine",
        "issuer-unexpected",
        "intercepted",
    )
    return ChainJudgement(
        "intercepted" if forged else verdict,
        forged,
        case.found_paths.forged_name if forged else "",
        _anchor_name(path, anchor, case.known),
        _anchor_kind(path),
        anchor.spki_sha256 if anchor else None,
        path.certs,
        issuing.spki_sha256 if signer_known else name_id(leaf),
        path.genuine and path.known_at is not None and path.known_at > 1,
        _needs_fetched(path),
        None if path.genuine else path.missing,
        _out_of_date(path, case.known, now),
        "" if path.genuine or verdict == "issuer-unexpected" else _brand(path, case.known),
        _notes(path, case),
    )


def _verdict(path: Path) -> ChainVerdict:
    if path.genuine:
        return "genuine"
    if path.ending == "unproven" or path.known_at is not None:
        return "unverified"  # a signature on the path cannot be checked or, over a weak hash, proves nothing
    if path.ending == "public":
        return "issuer-unexpected" if path.weak_at is None else "unverified"
    if path.ending == "system":
        return "intercepted"
    if path.ending == "unknown":
        return "self-signed" if len(path.certs) == 1 else "untrusted"
    if path.missing is not None and not path.missing[1]:
        return "untrusted"  # unlike every public CA's certificate it gives no address of an issuer, so the chain is complete
    return "incomplete-chain"


_ORDER: tuple[ChainVerdict, ...] = (
    "genuine", "issuer-unexpected", "intercepted", "untrusted", "self-signed", "unverified", "malformed",
    "incomplete-chain",
)  # fmt: skip


def _path_order(path: Path, known: KnownKeys, now: float) -> tuple[int, int, bool, bool, int]:
    """The order of paths: by proof, in date, as served, up to a root, short."""
    return (
        _ORDER.index(_verdict(path)),
        len(_out_of_date(path, known, now)),
        _needs_fetched(path),
        path.ending in ("missing", "unproven"),
        len(path.certs),
    )


def _proof(path: Path) -> tuple[bytes, ...]:
    """The CA certificates that the proof needs: up to the first key of the CA set, else all."""
    return path.certs[1 : path.known_at + 1] if path.genuine and path.known_at is not None else path.certs[1:]


def _needs_fetched(path: Path) -> bool:
    return path.fetched_at is not None and path.fetched_at <= len(_proof(path))


def _out_of_date(path: Path, known: KnownKeys, now: float) -> tuple[str, ...]:
    return tuple(
        c.subject_text for c in map(facts, _proof(path)) if not (in_date(c, now) or _excused(c, known, now))
    )


def in_date(cert: CertFacts, now: float) -> bool:
    """Whether `now` lies in the certificate's validity, both ends included (RFC 5280 section 4.1.2.5)."""
    begins, ends = cert.not_before, cert.not_after
    return begins is not None and ends is not None and begins <= now <= ends


def _excused(cert: CertFacts, known: KnownKeys, now: float) -> bool:
    """Whether another certificate for the same key is valid: verifiers find the other path of a cross-sign."""
    return any(begins <= now <= ends for begins, ends in known.validity.get(cert.spki_sha256 or "", ()))


def _anchor(path: Path, known: KnownKeys) -> CertFacts | None:
    """The certificate that the verdict rests on: the highest one with a known key, else the root, whoever owns it."""
    if path.genuine:
        return next(c for c in map(facts, reversed(path.certs)) if c.spki_sha256 in known.names)
    return facts(path.certs[-1]) if path.ending in ("public", "system", "unknown") else None


def _anchor_name(path: Path, anchor: CertFacts | None, known: KnownKeys) -> str | None:
    if anchor is None:
        return None
    if path.genuine:
        return known.names[anchor.spki_sha256 or ""]
    return anchor.subject_cn or anchor.subject_text


def _anchor_kind(path: Path) -> AnchorKind:
    if path.genuine:
        return "expected"
    return path.ending if path.ending == "public" or path.ending == "system" else "unknown"


def _brand(path: Path, known: KnownKeys) -> str:
    texts = [fold_text(facts(der).issuer_text) for der in path.certs]
    return next((brand for brand in known.brands if any(fold_text(brand) in text for text in texts)), "")


def _notes(path: Path, case: _Case) -> tuple[str, ...]:
    notes = list(case.found_paths.notes)
    if path.weak_at is not None:
        weak = facts(path.certs[path.weak_at])
        notes.append(
            f"{display(weak.subject_text, 80)} is signed over {weak.signature_hash}, which proves nothing"
        )
    if _needs_fetched(path):
        notes.append("an issuer was not served and was fetched from its AIA address")
    leaf = facts(case.leaf)
    if leaf.is_ca and len(path.certs) > 1:
        notes.append("the server's certificate is itself a CA certificate")
    if leaf.server_auth is False:
        notes.append("the certificate is not meant for servers (extended key usage)")
    notes.extend(f"unreadable: {what}: {display(why, 120)}" for what, why in leaf.unreadable)
    return tuple(notes)


def name_id(leaf: CertFacts) -> str:
    """An id for an issuing key that is not available: the issuer's name and the key id from the leaf."""
    digest = hashlib.sha256((leaf.issuer or b"") + b"|" + (leaf.aki or "").encode())
    return f"name:{digest.hexdigest()[:32]}"
