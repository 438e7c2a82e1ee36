"""The longest chain of dependent round trips of a finished audit, out of what it recorded.

Counted as begun one after the other because each needs the answer of the one before:

    DNS question                           1   (an alias whose answer holds no address leads to a second one)
    lookup by the operating system         1   (A and AAAA are asked at once)
    TCP connect                            1
    TLS 1.2 handshake, 1.3 handshake       2, 1
    request and answer inside or over TCP  1

A handshake needs all lookups of its name; a further look (another hello, a link of the chain, a second try) needs the
first answer; a document (CRL, OCSP) needs the handshake that showed its address and the lookups of its own host.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, follow_chain
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Report
from rules.pki.revocation import sources, split_url


@dataclass(frozen=True, slots=True)
class Way:
    """A chain of dependent steps: how many round trips, and what they were."""

    trips: int = 0
    steps: tuple[str, ...] = ()

    def then(self, trips: int, what: str) -> Way:
        return Way(self.trips + trips, (*self.steps, f"{what} ({trips})"))


@dataclass
class _Ways:
    """By host: since when it is known, and until when it is resolved."""

    known: dict[str, Way] = field(default_factory=dict)
    resolved: dict[str, Way] = field(default_factory=lambda: defaultdict(Way))
    longest: Way = field(default_factory=Way)

    def note(self, way: Way) -> Way:
        self.longest = max(self.longest, way, key=lambda w: w.trips)
        return way


def critical_path(report: Report) -> Way:
    """The longest way of the audit."""
    ways = _Ways()
    lookups = [o for o in report.observations if isinstance(o.step, DnsQuestion | OsLookup)]
    shakes = [o for o in report.observations if isinstance(o.step, TlsHandshake)]
    names = {s.step.server_name for s in shakes if isinstance(s.step, TlsHandshake)}
    fetched = {o.step.host for o in report.observations if isinstance(o.step, HttpFetch)}
    _look_up(ways, lookups, names)
    for seen in shakes:
        _shake(ways, seen)
    _look_up(ways, lookups, fetched - names)
    for seen in report.observations:
        if isinstance(seen.step, HttpFetch):
            begin = max(
                ways.resolved[seen.step.host], ways.known.get(seen.step.host, Way()), key=lambda w: w.trips
            )
            ways.note(begin.then(2 * seen.step.attempt, f"TCP, request for {seen.step.purpose}"))
    links = [o for o in lookups if _name(o) not in names | fetched]
    ways.note(Way().then(1, "DNS").then(1 if links else 0, "each link"))
    return ways.longest


def _name(seen: Observation) -> str:
    assert isinstance(seen.step, DnsQuestion | OsLookup)
    return seen.step.name


def _look_up(ways: _Ways, lookups: list[Observation], names: set[str]) -> None:
    answers = {
        replace(o.step, attempt=1): (o.evidence if isinstance(o.evidence, DnsAnswer) else None, o.failure)
        for o in lookups
        if isinstance(o.step, DnsQuestion)
    }
    for seen in lookups:
        name, trips = _name(seen), 1
        if name not in names:
            continue
        if isinstance(seen.step, DnsQuestion):
            trips = len(follow_chain(seen.step.resolver, name, seen.step.rtype, answers.get).questions)
        way = ways.known.get(name, Way())
        for number in range(trips):
            way = way.then(1, "DNS" if number == 0 else "DNS, end of the alias")
        ways.resolved[name] = max(ways.resolved[name], way, key=lambda w: w.trips)
        ways.note(way)


def _shake(ways: _Ways, seen: Observation) -> None:
    step = seen.step
    assert isinstance(step, TlsHandshake)
    first = replace(step, hello="connector", attempt=1)
    begin = ways.resolved[step.server_name]
    if step != first:
        begin = begin.then(3, "TCP, TLS 1.2")
    version = seen.evidence.version if isinstance(seen.evidence, TlsFacts) else None
    what, trips = ("TCP, TLS 1.3", 2) if version == "TLSv1.3" else ("TCP, TLS 1.2", 3)
    way = begin.then(trips, what)
    if step.path is not None:
        way = way.then(1, "GET inside")
    ways.note(way)
    if isinstance(seen.evidence, TlsFacts) and step == first:
        found = sources(seen.evidence.chain)
        for url in (*found.crl, *found.ocsp):
            parts = split_url(url)
            if parts is not None:
                ways.known.setdefault(parts[0], way)
