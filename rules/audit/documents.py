"""Documents that certificates point at (CRL, OCSP, AIA): fetched once each, over port 80, at public addresses only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from rules.model.kinds.http_fetch import BODY_KEPT, CRL_CAP, HttpExchange, HttpFetch, Purpose
from rules.model.observation import Observation
from rules.pki.revocation import split_url


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document to fetch: `body` makes it a POST."""

    url: str
    purpose: Purpose
    body: bytes | None = None

    @property
    def host(self) -> str | None:
        parts = split_url(self.url)
        return parts[0] if parts else None


class Fetches:
    """Which documents were asked for, at which addresses, with what result. At most two tries for each."""

    def __init__(self) -> None:
        self.tries: dict[Wanted, list[HttpFetch]] = {}
        self.results: dict[Wanted, list[Observation]] = defaultdict(list)
        self.lost: set[Wanted] = set()  # no public address to fetch them from
        self.settled: set[Wanted] = set()  # got, or tried to the end
        self._addresses: dict[Wanted, tuple[str, ...]] = {}
        self._by_step: dict[HttpFetch, set[Wanted]] = defaultdict(set)
        self._waiting: dict[str, list[Wanted]] = defaultdict(list)

    def want(self, wanted: Wanted) -> str | None:
        """Ask for a document; returns the host to resolve, or None when it is known or cannot be fetched."""
        if wanted in self.tries or wanted.host is None:
            return None
        self.tries[wanted] = []
        self._waiting[wanted.host].append(wanted)
        return wanted.host

    def known(self, wanted: Wanted) -> bool:
        return wanted in self.tries

    def resolved(
        self, host: str, addresses: tuple[str, ...]
    ) -> tuple[tuple[HttpFetch, ...], tuple[Wanted, ...]]:
        """The host's public addresses are known: the first try of all that waited for it, and what has no address."""
        waiting = self._waiting.pop(host, ())
        if not addresses:
            self.lost.update(waiting)
            return (), tuple(waiting)
        for wanted in waiting:
            self._addresses[wanted] = addresses
        return tuple(self._try(wanted, addresses[0], 1) for wanted in waiting), ()

    def record(self, seen: Observation) -> tuple[tuple[HttpFetch, ...], tuple[Wanted, ...]]:
        """Take an answer: further tries, and documents that are settled by it."""
        steps: list[HttpFetch] = []
        settled: list[Wanted] = []
        if not isinstance(seen.step, HttpFetch):
            return (), ()
        for wanted in sorted(self._by_step.get(seen.step, ()), key=lambda w: (w.url, w.body or b"")):
            self.results[wanted].append(seen)
            if good(seen) or len(self.tries[wanted]) > 1:
                settled.append(wanted)
                self.settled.add(wanted)
                continue
            addresses = self._addresses[wanted]
            again = (addresses[1], 1) if len(addresses) > 1 else (addresses[0], 2)
            steps.append(self._try(wanted, *again))
        return tuple(steps), tuple(settled)

    def best(self, wanted: Wanted) -> Observation | None:
        """The try that got the document, else the last one; None when none has been made."""
        results = self.results.get(wanted, [])
        return next((seen for seen in results if good(seen)), results[-1] if results else None)

    def _try(self, wanted: Wanted, address: str, attempt: int) -> HttpFetch:
        parts = split_url(wanted.url)
        if parts is None:
            raise ValueError(f"{wanted.url}: not an address that is fetched")
        host, port, target = parts
        cap = CRL_CAP if wanted.purpose == "crl" else BODY_KEPT
        step = HttpFetch(address, port, host, target, wanted.purpose, wanted.body, cap, attempt)
        self.tries[wanted].append(step)
        self._by_step[step].add(wanted)
        return step


def good(seen: Observation) -> bool:
    """Whether a document came: a second try is for silence, resets and pages that are not what was asked for."""
    exchange = seen.evidence
    if seen.failure is not None or not isinstance(exchange, HttpExchange):
        return False
    kind = next((value for name, value in exchange.headers if name == "content-type"), "")
    return exchange.status == 200 and "html" not in kind.lower()
