"""Which finding follows from which. One root is one finding; what follows is told below it.

The order of layers is this host, DNS, TCP, TLS, HTTP, documents: a fault on a lower layer shows on the layers above it.

=====================================  ==================================  ===============================================
what follows                           from                                when
=====================================  ==================================  ===============================================
a notice                               the same cause                      always: Microsoft does not require its rows
another circumstance                   the same interception cause         always
another circumstance                   the same DNS cause                  at the same rows, or at an invented name
anything at a name                     a failing name (DNS)                all its names are among those
anything at an address                 a resolver that answers all names   all its addresses are those that it invents
accept-all                             interception                        always: one device opens every connection
accept-all                             any other failure of TLS            at two names at least
no list, no OCSP, no issuer            TCP on port 80 is closed            at the same names, or with the same failure
revoked, by a list or a responder      a revoked certificate               always: they are its proof
something else instead of a document   something else on port 80           the same page, or a page by its own circumstance
a list as text, with unknown issuer    a list as text                      always
silence after port 80 opens            silence after the ClientHello       no handshake passes, and no answer that is larger
                                                                            than a packet comes over HTTP
=====================================  ==================================  ===============================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rules.judge.causes import Finding
from rules.model import causes
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts
from rules.model.observation import Observation, got_through, kind_of
from rules.model.verdict import Status

_WRONG = (Status.FAIL, Status.BROKEN, Status.WARN)
_CLOSED = (causes.TCP_TIMEOUT, causes.TCP_RESET, causes.TCP_UNREACHABLE)
_UNFETCHED = (causes.CRL_UNREACHABLE, causes.OCSP_UNREACHABLE, causes.TLS_INCOMPLETE_CHAIN)
_REVOKED = (causes.CRL_REVOKED, causes.OCSP_REVOKED)
#: What comes on port 80 in place of what was asked for; the first that a finding has is the root.
_REPLACED = (
    causes.HTTP_BLOCK_PAGE,
    causes.HTTP_REDIRECTED,
    causes.HTTP_MALFORMED,
    causes.CRL_NOT_A_CRL,
    causes.CRL_WRONG_ISSUER,
    causes.CRL_BAD_SIGNATURE,
    causes.OCSP_NOT_OCSP,
)
_AS_TEXT = ("pem", "pem-unproved")
_ALIKE = frozenset({causes.TLS_INTERCEPTED})
ONE_PACKET = 1_400  #: bytes of an answer that surely fit into one packet


@dataclass(frozen=True, slots=True)
class Seen:
    """What the relations look at: the observations by their ids, and the addresses that resolvers invent."""

    observations: Mapping[str, Observation]
    invented: frozenset[str]

    def of(self, found: Finding) -> list[Observation]:
        return [self.observations[name] for name in found.group.evidence if name in self.observations]


def roots(findings: Sequence[Finding], seen: Seen) -> dict[int, int]:
    """By the place of a finding: the place of the finding that it follows from. Roots are absent."""
    direct: dict[int, int] = {}
    for place, found in enumerate(findings):
        candidates = (
            other
            for other, root in enumerate(findings)
            if other != place and root.group.status in _WRONG and _follows(found, root, findings, seen)
        )
        root_place = next(candidates, None)
        if root_place is not None:
            direct[place] = root_place
    return {place: _last(place, direct) for place in direct if _last(place, direct) != place}


def _last(place: int, direct: Mapping[int, int]) -> int:
    """The end of the way from a finding to its root; the finding itself where the way is a circle."""
    way = [place]
    while way[-1] in direct:
        if direct[way[-1]] in way:
            return min(way[way.index(direct[way[-1]]) :])
        way.append(direct[way[-1]])
    return way[-1]


def _follows(found: Finding, root: Finding, findings: Sequence[Finding], seen: Seen) -> bool:
    cause, below = found.group.cause, root.group.cause
    if cause == below:
        return _same_cause(found, root, findings)
    if below.layer == "dns":
        return cause.layer not in ("dns", "local", "audit", "path") and _of_failing_names(found, root, seen)
    if cause == causes.TCP_ACCEPT_ALL:
        several = below == causes.TLS_INTERCEPTED or len(_hosts(root)) > 1
        return below.layer == "tls" and root.group.status is Status.FAIL and several
    if cause in _UNFETCHED and below in _CLOSED:
        return _ports(root) == {80} and _closed_alike(found, root, seen)
    if cause in _REVOKED:
        return below == causes.TLS_REVOKED
    if cause in _REPLACED and below in _REPLACED:
        return _REPLACED.index(below) < _REPLACED.index(cause) and _same_answer(found, root, seen)
    if cause == causes.HTTP_TIMEOUT and below == causes.TLS_TIMEOUT:
        return _only_small_answers_come(seen.observations.values())
    return False


def _same_cause(found: Finding, root: Finding, findings: Sequence[Finding]) -> bool:
    """Of findings with one cause: those at rows that Microsoft does not require, and of some causes all, follow the first."""
    if found.group.status is Status.NOTICE:
        return True
    earlier = findings.index(root) < findings.index(found)
    if found.group.cause == causes.CRL_NOT_A_CRL and found.circumstance in _AS_TEXT:
        return root.circumstance == "pem" != found.circumstance
    resolution = found.group.cause.layer == "dns" and root.group.status is Status.FAIL
    alike = found.group.cause in _ALIKE or (resolution and _rows(found) <= _rows(root))
    return earlier and found.group.status in _WRONG and alike


def _of_failing_names(found: Finding, root: Finding, seen: Seen) -> bool:
    if root.group.status is not Status.FAIL:
        return False
    names = _hosts(root)
    addresses = {place[0] for o in seen.of(found) if (place := kind_of(o.step).place(o.step)) is not None}
    invented = root.group.cause == causes.DNS_WILDCARDED and bool(addresses) and addresses <= seen.invented
    return invented or (bool(_hosts(found)) and _hosts(found) <= names)


def _closed_alike(found: Finding, root: Finding, seen: Seen) -> bool:
    """Whether what was to be fetched failed at the root's names, or at other names in the same way."""
    if _hosts(found) and _hosts(found) <= _hosts(root):
        return True
    how = {o.failure.code for o in seen.of(root) if o.failure is not None}
    fetches = [o for o in seen.of(found) if isinstance(o.step, HttpFetch)]
    return bool(fetches) and all(o.failure is not None and o.failure.code in how for o in fetches)


def _same_answer(found: Finding, root: Finding, seen: Seen) -> bool:
    """Whether the same bytes came, or both are pages of one device by their own circumstance."""
    shared = _bodies(found, seen) & _bodies(root, seen)
    pages = found.circumstance == "page" and root.group.cause == causes.HTTP_BLOCK_PAGE
    return bool(shared) or (pages and root.circumstance == "")


def _bodies(found: Finding, seen: Seen) -> frozenset[str]:
    answers = (o.evidence for o in seen.of(found))
    return frozenset(a.sha256 for a in answers if isinstance(a, HttpExchange) and a.sha256 and a.body)


def _only_small_answers_come(observations: Collection[Observation]) -> bool:
    """Whether larger answers get lost on every way: no TLS handshake passes, and over HTTP only small documents come."""
    handshakes = [o for o in observations if isinstance(o.evidence, TlsFacts) and got_through(o)]
    answers = [o.evidence for o in observations if o.failure is None and isinstance(o.evidence, HttpExchange)]
    sizes = [len(a.body or b"") for a in answers]
    return not handshakes and bool(sizes) and max(sizes) <= ONE_PACKET


def _hosts(found: Finding) -> set[str]:
    return {e.host for e in found.group.endpoints}


def _rows(found: Finding) -> set[str]:
    """The rows of the rule sets; none for an invented name."""
    return {v.rule for v in found.verdicts if v.rule}


def _ports(found: Finding) -> set[int]:
    return {e.port for e in found.group.endpoints}
