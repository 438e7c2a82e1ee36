"""Documents that certificates point at (CRL, OCSP, AIA). Each is fetched once, over port 80, from public addresses only.

For a genuine chain the CRLs are fetched first, and OCSP is asked about a few leaves. Hosts on no rule are noted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rules.model.kinds.http_fetch import BODY_KEPT, CRL_CAP, HttpExchange, HttpFetch, Purpose
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.ruleset import Rules, Severity
from rules.pki.certificate import facts
from rules.pki.revocation import ocsp_get_target, ocsp_request, sources, split_url
from rules.pki.trust import ChainJudgement


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """A document to fetch; a `body` makes it a POST."""

    url: str
    purpose: Purpose
    body: bytes | None = None

    @property
    def host(self) -> str | None:
        parts = split_url(self.url)
        return parts[0] if parts else None


class Fetches:
    """The documents asked for, at which addresses, with what result. At most two attempts for each."""

    def __init__(self) -> None:
        self.tries: dict[DocumentRequest, list[HttpFetch]] = {}
        self.results: dict[DocumentRequest, list[Observation]] = defaultdict(list)
        self.lost: set[DocumentRequest] = set()  # there is no public address to fetch it from
        self.settled: set[DocumentRequest] = set()  # fetched, or all attempts were made
        self._addresses: dict[DocumentRequest, tuple[str, ...]] = {}
        self._by_step: dict[HttpFetch, set[DocumentRequest]] = defaultdict(set)
        self._waiting: dict[str, list[DocumentRequest]] = defaultdict(list)

    def want(self, wanted: DocumentRequest) -> str | None:
        """Ask for a document. Return the host to resolve, or None when it is known or cannot be fetched."""
        if wanted in self.tries or wanted.host is None:
            return None
        self.tries[wanted] = []
        self._waiting[wanted.host].append(wanted)
        return wanted.host

    def known(self, wanted: DocumentRequest) -> bool:
        return wanted in self.tries

    def resolved(
        self, host: str, addresses: tuple[str, ...]
    ) -> tuple[tuple[HttpFetch, ...], tuple[DocumentRequest, ...]]:
        """The host's public addresses are known. Return the first attempt for each waiting document, and documents
        without an address."""
        waiting = self._waiting.pop(host, ())
        if not addresses:
            self.lost.update(waiting)
            return (), tuple(waiting)
        for wanted in waiting:
            self._addresses[wanted] = addresses
        return tuple(self._try(wanted, addresses[0], 1) for wanted in waiting), ()

    def record(self, seen: Observation) -> tuple[tuple[HttpFetch, ...], tuple[DocumentRequest, ...]]:
        """Take an answer. Return further attempts, and the documents that it settles."""
        steps: list[HttpFetch] = []
        settled: list[DocumentRequest] = []
        if not isinstance(seen.step, HttpFetch):
            return (), ()
        for wanted in sorted(self._by_step.get(seen.step, ()), key=lambda w: (w.url, w.body or b"")):
            self.results[wanted].append(seen)
            if has_document(seen) or len(self.tries[wanted]) > 1:
                settled.append(wanted)
                self.settled.add(wanted)
                continue
            addresses = self._addresses[wanted]
            again = (addresses[1], 1) if len(addresses) > 1 else (addresses[0], 2)
            steps.append(self._try(wanted, *again))
        return tuple(steps), tuple(settled)

    def best(self, wanted: DocumentRequest) -> Observation | None:
        """The attempt that got the document, else the last one; None before the first."""
        results = self.results.get(wanted, [])
        return next((seen for seen in results if has_document(seen)), results[-1] if results else None)

    def _try(self, wanted: DocumentRequest, address: str, attempt: int) -> HttpFetch:
        parts = split_url(wanted.url)
        if parts is None:
            raise ValueError(f"{wanted.url}: not an address that is fetched")
        host, port, target = parts
        cap = CRL_CAP if wanted.purpose == "crl" else BODY_KEPT
        step = HttpFetch(address, port, host, target, wanted.purpose, wanted.body, cap, attempt)
        self.tries[wanted].append(step)
        self._by_step[step].add(wanted)
        return step


def has_document(seen: Observation) -> bool:
    """Whether a document came. Silence, resets and wrong pages get a second attempt."""
    exchange = seen.evidence
    if seen.failure is not None or not isinstance(exchange, HttpExchange):
        return False
    kind = next((value for name, value in exchange.headers if name == "content-type"), "")
    return exchange.status == 200 and "html" not in kind.lower()


class Revocations:
    """Sources by chain, and by source the chains that name it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pki_hosts = frozenset(host for cas in rules.cas for host in cas.pki_hosts)
        self.named_by: dict[str, set[str]] = defaultdict(set)  # source URL -> names whose chain lists it
        self.crls: dict[str, set[tuple[bytes, ...]]] = defaultdict(
            set
        )  # CRL URL -> paths (leaf..anchor) it covers
        self.ocsp: dict[DocumentRequest, tuple[bytes, bytes, str]] = {}  # request -> leaf, issuer, URL

    def on_rule(self, host: str) -> bool:
        return any(ruleset.rule_for(host, 80) is not None for ruleset in self._rules.rulesets)

    def listed(self, host: str) -> bool:
        """Whether Microsoft's list holds the host. Optional rows do not count: we added them from certificates."""
        found = (ruleset.rule_for(host, 80) for ruleset in self._rules.rulesets)
        return any(rule is not None and rule.severity is not Severity.OPTIONAL for rule in found)

    def may_fetch(self, wanted: DocumentRequest) -> bool:
        """Whether an address from an unjudged certificate may be fetched: only from hosts that a rule or the CA set
        names."""
        return wanted.host is not None and (self.on_rule(wanted.host) or wanted.host in self._pki_hosts)

    def wanted(
        self,
        chain: tuple[bytes, ...],
        judgement: ChainJudgement,
        step: TlsHandshake,
        strict: bool,
        ocsp: bool,
        once: bool = False,
    ) -> tuple[DocumentRequest, ...]:
        """Documents to fetch for a chain that is genuine (or publicly trusted, where that is enough).

        `strict`: only the CA set's keys are enough; `ocsp`: ask the responder about this leaf by GET and POST;
        `once`: by GET only. Responders of the CAs' own certificates are few and are always asked once, so every
        responder that a chain names is asked something.
        """
        path = judgement.path or chain
        found = sources(path)
        for url in (*found.crl, *found.ocsp):
            self.named_by[url].add(step.server_name)
        if judgement.verdict != "genuine" and strict:
            return ()
        for url in found.crl:
            self.crls[url].add(path)
        crls = tuple(DocumentRequest(url, "crl") for url in found.crl if split_url(url))
        return (*crls, *self._ocsp(path, ocsp, once))

    def _ocsp(self, path: tuple[bytes, ...], both: bool, once: bool) -> Iterator[DocumentRequest]:
        """The OCSP requests for a path: by GET, which caches serve (RFC 5019 section 5), and for few leaves also by
        POST, because networks block the two separately."""
        for place, (der, issuer) in enumerate(pairwise(path)):
            if place == 0 and not (both or once):
                continue
            request = ocsp_request(der, issuer) if place == 0 or not facts(der).self_issued else None
            for url in sources((der,)).ocsp if request is not None else ():
                if split_url(url) is None or request is None:
                    continue
                get = DocumentRequest(ocsp_get_target(url, request), "ocsp")
                for wanted in (DocumentRequest(url, "ocsp", request), get) if both and place == 0 else (get,):
                    self.ocsp[wanted] = (der, issuer, url)
                    yield wanted
