"""All paths up from a leaf, as far as signatures prove them; `trust.py` judges them (RFC 5280 section 6.1, RFC 4158).

The search covers served certificates, fetched ones and the stores of this host. A step up counts when the issuer's
key made the signature and the issuer may issue certificates at all; a name only finds candidates. The time does not
matter. The search is bounded, because the peer chooses the certificates.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from rules.model.kinds.trust_store import TrustRoots
from rules.model.ruleset import CaSet
from rules.pki.certificate import CertFacts, Signature, facts, fold_text, signature
from rules.text.display import display

MAX_CHECKS = 200  #: maximum of signatures checked for one chain
MAX_STEPS = 400  #: maximum of partial paths examined for one chain
MAX_DEPTH = 10  #: maximum of certificates in a path
MAX_POOL = 120  #: maximum of certificates from each source; a real chain has two to five

Ending: TypeAlias = Literal["public", "system", "unknown", "missing", "unproven"]
"""The end of a path: a root of the public list, of this host's store only, or of no store; an issuer that is missing;
a signature that cannot be checked or proves nothing."""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """An index over the CA sets. A key is the hex SHA-256 of its SubjectPublicKeyInfo."""

    names: Mapping[str, str]  # key -> CA's name
    keys: Mapping[str, frozenset[str]]  # folded CA name -> its keys; empty where the set holds none
    validity: Mapping[
        str, tuple[tuple[float, float], ...]
    ]  # key -> periods of certificates for it, Unix time
    brands: tuple[str, ...]


def known_keys(sets: tuple[CaSet, ...]) -> KnownKeys:
    """An index over `sets`. A CA without a key is only a name."""
    names: dict[str, str] = {}
    keys: dict[str, set[str]] = {}
    validity: dict[str, list[tuple[float, float]]] = {}
    for ca in (ca for one in sets for ca in one.cas):
        by_name = keys.setdefault(fold_text(ca.name.partition(" (")[0]), set())
        if ca.spki_sha256 is None:
            continue
        key = ca.spki_sha256.lower()
        names.setdefault(key, ca.name)
        by_name.add(key)
        if ca.not_after is not None:
            starts = _midnight(ca.not_before) if ca.not_before else float("-inf")
            validity.setdefault(key, []).append((starts, _midnight(ca.not_after) + 86400.0))
    return KnownKeys(
        names,
        {name: frozenset(found) for name, found in keys.items()},
        {key: tuple(periods) for key, periods in validity.items()},
        tuple(dict.fromkeys(b for one in sets for b in one.brands if b.strip())),
    )


def _midnight(day: datetime.date) -> float:
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Path:
    """One way up. `known_at` is the index in `certs` of the first certificate with a key of the CA set."""

    certs: tuple[bytes, ...]
    ending: Ending = "missing"
    known_at: int | None = None
    fetched_at: int | None = None  # index of the first certificate that was not served and not in a store
    weak_at: int | None = None  # index of the first certificate whose own signature is over MD5 or SHA-1
    missing: tuple[bytes, tuple[str, ...]] | None = (
        None  # the issuer's Name and where the certificate says it is
    )

    @property
    def genuine(self) -> bool:
        """Whether proof reaches a key of the CA set."""
        at = self.known_at
        return at is not None and (self.weak_at is None or self.weak_at >= at)


@dataclass(frozen=True, slots=True)
class PathsFound:
    """All paths found. `wanted`: names (DER) to look up in the stores."""

    paths: tuple[Path, ...]
    wanted: tuple[bytes, ...] = ()
    forged_name: str = ""  # a known CA's name on another key
    notes: tuple[str, ...] = ()


def find_paths(
    chain: tuple[bytes, ...], fetched: tuple[bytes, ...], roots: Mapping[bytes, TrustRoots], known: KnownKeys
) -> PathsFound:
    """The paths up from `chain[0]`. `chain` must not be empty."""
    return _Walk(chain, fetched, roots, known).run()


_Node: TypeAlias = tuple[bytes, CertFacts]


class _Walk:
    def __init__(
        self,
        chain: tuple[bytes, ...],
        fetched: tuple[bytes, ...],
        roots: Mapping[bytes, TrustRoots],
        known: KnownKeys,
    ) -> None:
        self.known = known
        self.leaf = chain[0]
        self.served = frozenset(chain[:MAX_POOL])
        self.anchors: dict[tuple[bytes | None, str | None], Ending] = {}
        self.trusted: set[bytes] = set()
        self.by_name: dict[str | bytes | None, dict[bytes, CertFacts]] = {}
        self.checks = 0
        self.paths: list[Path] = []
        self.wanted: dict[bytes, None] = {}
        self.forged_name = ""
        self.notes: dict[str, None] = {}
        for der in (*chain[:MAX_POOL], *fetched[:MAX_POOL]):
            self._add(der)
        for found in roots.values():
            for ending, ders in (("public", found.public), ("system", found.system)):
                for der in ders[:MAX_POOL]:
                    root = self._add(der)
                    self.trusted.add(der)
                    self.anchors.setdefault(
                        (root.subject, root.spki_sha256), "public" if ending == "public" else "system"
                    )

    def _add(self, der: bytes) -> CertFacts:
        cert = facts(der)
        if cert.loads:
            self.by_name.setdefault(_name_key(cert.subject, cert.subject_text), {})[der] = cert
        return cert

    def run(self) -> PathsFound:
        """Breadth first, so that a short path is found before a hostile one uses up the checks."""
        leaf = facts(self.leaf)
        queue: deque[Path] = deque()
        if leaf.loads:
            queue.append(Path((self.leaf,)))
        steps = 0
        while queue and steps < MAX_STEPS and self.checks < MAX_CHECKS:
            steps += 1
            queue.extend(self._up(queue.popleft()))
        if queue:
            self.notes["the chain is too complex: not every path was followed"] = None
            self.paths.extend(replace(path, ending="unproven") for path in queue)
        return PathsFound(tuple(self.paths), tuple(self.wanted), self.forged_name, tuple(self.notes))

    def _up(self, path: Path) -> Iterator[Path]:
        """The paths that go one step further. A path that ends here is kept."""
        der = path.certs[-1]
        child = facts(der)
        if child.issuer is not None:
            self.wanted.setdefault(child.issuer)
        if self._ends_in_itself(path, der, child):
            return
        links: dict[Signature, set[str | None]] = {s: set() for s in Signature}
        for above in self._candidates(path, child):
            link = self._check(der, above[0])
            links[link].add(above[1].spki_sha256)
            if link in (Signature.GOOD, Signature.WEAK):
                yield from self._step(path, above, link)
        self._note_forgery(child, links[Signature.GOOD] | links[Signature.WEAK], links[Signature.BAD])
        if not links[Signature.GOOD] and not links[Signature.WEAK] and path.ending == "missing":
            self._dead_end(path, child, links)

    def _ends_in_itself(self, path: Path, der: bytes, child: CertFacts) -> bool:
        """Whether this is a self-signed certificate: the end of the path, trusted or not."""
        if not child.self_issued:
            return False
        link = self._check(der, der)
        if link not in (Signature.GOOD, Signature.WEAK):
            return False
        self._note_forgery(child, {child.spki_sha256}, set())
        if path.ending == "missing":
            at = self._known_at(path, child, len(path.certs) - 1)
            ending = self.anchors.get((child.subject, child.spki_sha256), "unknown")
            self.paths.append(replace(path, ending=ending, known_at=at))
        return True

    def _known_at(self, path: Path, cert: CertFacts, index: int) -> int | None:
        if path.known_at is not None:
            return path.known_at
        return index if cert.spki_sha256 in self.known.names else None

    def _step(self, path: Path, above: _Node, link: Signature) -> Iterator[Path]:
        der, cert = above
        index = len(path.certs)
        foreign = der not in self.served and der not in self.trusted
        longer = Path(
            (*path.certs, der),
            self.anchors.get((cert.subject, cert.spki_sha256), "missing"),
            self._known_at(path, cert, index),
            index if foreign and path.fetched_at is None else path.fetched_at,
            index - 1 if link is Signature.WEAK and path.weak_at is None else path.weak_at,
        )
        if longer.ending != "missing":
            # A root of a store; it may have been cross-signed, so the search goes on.
            self.paths.append(longer)
        if len(longer.certs) < MAX_DEPTH:
            yield longer
        elif longer.ending == "missing":
            self.notes[f"a path is longer than {MAX_DEPTH} certificates"] = None
            self.paths.append(replace(longer, ending="unproven"))

    def _dead_end(self, path: Path, child: CertFacts, links: Mapping[Signature, set[str | None]]) -> None:
        if links[Signature.UNKNOWN]:
            self.notes[f"the signature on {display(child.subject_text, 80)} cannot be checked"] = None
            self.paths.append(replace(path, ending="unproven"))
            return
        if links[Signature.BAD]:
            self.notes[
                f"no certificate at hand named {display(child.issuer_text, 80)} made the signature"
            ] = None
        missing = (child.issuer, child.aia_urls) if child.issuer is not None else None
        self.paths.append(replace(path, missing=missing))

    def _candidates(self, path: Path, child: CertFacts) -> list[_Node]:
        """Possible issuers of `child`: the right name, permission to issue, not below already. Likely ones first."""
        below = {(c.subject, c.spki_sha256) for c in map(facts, path.certs)}
        named = self.by_name.get(_name_key(child.issuer, child.issuer_text), {})
        found = [
            (der, cert)
            for der, cert in named.items()
            if (cert.subject, cert.spki_sha256) not in below and self._may_issue(der, cert, path)
        ]
        found.sort(
            key=lambda node: (
                node[1].spki_sha256 not in self.known.names,
                node[0] not in self.trusted,
                child.aki is None or node[1].ski != child.aki,
            )
        )
        return found

    def _may_issue(self, der: bytes, cert: CertFacts, path: Path) -> bool:
        """RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.12; a store's root is trusted as it is (section 6.1.1 d)."""
        if der in self.trusted:
            return True
        if not cert.issuer_like:
            self.notes[f"{display(cert.subject_text, 80)} is named as an issuer and is no CA"] = None
            return False
        between = sum(not facts(c).self_issued for c in path.certs[1:])
        if cert.path_length is not None and between > cert.path_length:
            self.notes[f"{display(cert.subject_text, 80)} may not stand {between} CAs above the leaf"] = None
            return False
        return True

    def _check(self, child: bytes, issuer: bytes) -> Signature:
        if self.checks >= MAX_CHECKS:
            return Signature.UNKNOWN
        self.checks += 1
        return signature(child, issuer)

    def _note_forgery(self, child: CertFacts, signers: set[str | None], refuted: set[str | None]) -> None:
        """`child` names a known CA as its issuer, but another key signed it, or none of that CA's own keys did."""
        keys = self.known.keys.get(fold_text(child.issuer_cn))
        if not keys:
            return
        by_another = bool(signers) and signers.isdisjoint(keys)
        by_none = not signers and keys <= refuted
        if by_another or by_none:
            self.forged_name = self.forged_name or child.issuer_cn


def _name_key(name: bytes | None, text: str) -> str | bytes | None:
    """A name for comparison (RFC 5280 section 7.1): without case, spacing and string type if readable."""
    return fold_text(text) if text else name


@lru_cache(maxsize=16)
def _index(sets: tuple[CaSetIdentity, ...]) -> KnownKeys:
    return known_keys(tuple(same.value for same in sets))


class CaSetIdentity:
    """A CA set compared by identity: hashing its hundred entries each time would cost more than judging the chain."""

    __slots__ = ("value",)

    def __init__(self, value: CaSet) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CaSetIdentity) and other.value is self.value


def key_index(sets: tuple[CaSetIdentity, ...]) -> KnownKeys:
    """`known_keys`, cached for the sets in use."""
    return _index(sets)
