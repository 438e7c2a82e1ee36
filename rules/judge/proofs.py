"""The names and addresses where port 80 is proved: a document with a verified signature came from there.

No network device can make a signed list, an OCSP answer or a CA's certificate. So no other observation at the same
name, address and port (such as a page that comes from other hosts too) is proof against it. It proves nothing for
another name at the address: a device may select by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.audit.machine import Audit
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.observation import Observation
from rules.pki.certificate import facts
from rules.pki.revocation import judge_crl, judge_ocsp


def proven_addresses(audit: Audit, now: float) -> frozenset[tuple[str, str]]:
    """(name, address) of every exchange over port 80 that brought a signed document. `now`: Unix time."""
    above = _above(audit, now)
    found: set[tuple[str, str]] = set()
    for seen in _exchanges(audit):
        step, exchange = seen.step, seen.evidence
        assert isinstance(step, HttpFetch)
        assert isinstance(exchange, HttpExchange)
        if step.purpose == "crl":
            signed = judge_crl(exchange, None, tuple(above), (), now, step.host).signer is not None
        else:
            signed = step.purpose == "aia" and exchange.status == 200 and exchange.body in above
        if signed:
            found.add((step.host, step.address))
    for wanted, (leaf, issuer, _) in audit.revocations.ocsp.items():
        for seen in audit.fetches.results.get(wanted, ()):
            step, exchange = seen.step, seen.evidence
            if not isinstance(step, HttpFetch) or not isinstance(exchange, HttpExchange) or seen.stale:
                continue
            if judge_ocsp(exchange, seen.failure, leaf, issuer, now, step.host).valid:
                found.add((step.host, step.address))
    return frozenset(found)


def _exchanges(audit: Audit) -> Iterator[Observation]:
    """Complete lists and certificates, from the address that was asked."""
    for seen in audit.seen.values():
        fetched = isinstance(seen.step, HttpFetch) and seen.step.purpose in ("crl", "aia")
        if fetched and isinstance(seen.evidence, HttpExchange) and seen.failure is None and not seen.stale:
            yield seen


def _above(audit: Audit, now: float) -> dict[bytes, None]:
    """CA certificates (DER) of the proved paths, and the roots from the trust stores."""
    found: dict[bytes, None] = {}
    for chain in audit.chains.known():
        judgement = audit.chains.judge(chain, now)
        if judgement.proven:
            found.update(dict.fromkeys(der for der in judgement.path[1:] if facts(der).is_ca))
    for roots in audit.chains.roots.values():
        found.update(dict.fromkeys(roots.public))
    return found
