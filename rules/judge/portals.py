"""Addresses where another server answers for unrelated names: the page of a DNS filter.

A filter answers a blocked name with the address of its own page. The page has one certificate, for its own name, which
it shows to every client. Nothing was issued for the requested names, so no device re-signs TLS there, and no firewall
has to be opened. The operators of the resolver must act. The evidence, the strongest first:

=====================================================================  ==================================================
what came from the address                                             result
=====================================================================  ==================================================
a certificate that claims one of the names, on a known key, or a       no portal: a shared front end or an SNI proxy,
document where a list was asked for                                     which serves each name its own
a certificate that claims one of the names, on an unknown key           no portal: a device that impersonates names
                                                                        (`interception`: "tls.intercepted", or untrusted)
certificates for other names, or block pages on port 80, for names      `dns.sinkholed`, once, for every signer, public
of two zones, none of which works at another address                    or private address
the same for names of one zone                                          nothing here: the address has its own verdict
                                                                        ("tls.name-mismatch", "dns.private-address")
the same certificate or page at further addresses in other networks     nothing here: a network device answers, wherever
that only names of one zone lead to                                     the names lead
silence, a reset, a page that may be the host's own                     nothing here: the path may be closed
=====================================================================  ==================================================

An address that is a portal by two zones is one for every name that leads there and works at no other address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rules.http_answer.page import is_html, judge_reach, looks_like_block_page, page_text
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.pki.certificate import CertFacts, facts
from rules.pki.interception import claims
from rules.pki.trust import ChainJudgement
from rules.text.address import same_network
from rules.text.display import display
from rules.text.zones import zone

Came: TypeAlias = Literal["own", "claimed", "other", "page", "answer", "nothing"]
"""What a name got from an address. "own": its certificate, on a known key, or a document; "claimed": a certificate
that claims the name on an unknown key; "other": a certificate for other names; "page": the page of a filter or a
portal; "answer": HTTP that proves nothing either way; "nothing": no answer, or an unreadable one."""

#: Maximum of names listed in the evidence, and of characters of each.
LISTED, SHOWN = 4, 80
NETWORKS = 3  #: networks (and names) with one server's certificate from which no resolver can be the reason
EVIDENCE = 8  #: maximum of answers cited as evidence
_SIGNS: tuple[Came, ...] = ("other", "page")


@dataclass(frozen=True, slots=True)
class Visit:
    """The result of one question about `host` at `address`. `id` is the observation's.

    `mark` identifies one server's certificates and pages; `description` is the result in harmless words.
    """

    id: str
    host: str
    address: str
    came: Came
    mark: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Portal:
    """An address where another server answers. `hosts`: all names that lead there and work at no other address.

    `signs`: ids of some of the answers that show it; `description`: the results, one harmless line each.
    """

    address: str
    hosts: frozenset[str]
    signs: tuple[str, ...]
    description: tuple[str, ...]

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """Lines of evidence, the same for each of its names."""
        names = sorted(self.hosts)
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        seen = tuple(("at the address", f"{self.address}: {line}") for line in self.description[:2])
        return (*seen, ("lead there", ", ".join(names[:LISTED]) + more))


def judge_portals(visits: Iterable[Visit]) -> dict[str, Portal]:
    """The portals among the addresses visited, by address: see the table above."""
    found = list(visits)
    at: dict[str, list[Visit]] = defaultdict(list)
    for visit in found:
        at[visit.address].append(visit)
    doubtful = {address for address, mine in at.items() if any(v.came in _SIGNS for v in mine)}
    homes: dict[str, set[str]] = defaultdict(set)  # the addresses where a name works
    for visit in found:
        if visit.came == "own" or (visit.came == "answer" and visit.address not in doubtful):
            homes[visit.host].add(visit.address)
    stranded = {
        address: [v for v in at[address] if not homes[v.host]]
        for address in doubtful
        if not any(v.came in ("own", "claimed") for v in at[address])
    }
    signs = {address: [v for v in mine if v.came in _SIGNS] for address, mine in stranded.items()}
    shared = {address for address, mine in signs.items() if _unrelated(mine)}
    portals = {}
    for address in sorted(shared):
        mine = [v for v in signs[address] if not _on_the_way(v, found, shared)]
        if _unrelated(mine):
            portals[address] = _portal(address, mine, stranded[address])
    return portals


def portal_certificates(visits: Iterable[Visit]) -> frozenset[str]:
    """Marks of certificates that one server shows instead of several names' own, at addresses in at least three
    networks: no resolver leads there, so a network device takes the connections."""
    places: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in visits:
        if one.came == "other":
            places[one.mark][one.address].add(one.host)
    return frozenset(mark for mark, found in places.items() if _scattered(found))


def _scattered(hosts: Mapping[str, set[str]]) -> bool:
    apart: list[str] = []
    for address in hosts:
        if not any(same_network(address, other) for other in apart):
            apart.append(address)
    return len(apart) >= NETWORKS and len(frozenset.union(*map(frozenset, hosts.values()))) >= NETWORKS


def _unrelated(visits: Iterable[Visit]) -> bool:
    return len({zone(v.host) for v in visits}) > 1


def _on_the_way(sign: Visit, visits: Sequence[Visit], shared: set[str]) -> bool:
    """Whether the same certificate or page came from addresses too far apart for a portal. A portal has a few
    addresses, and one of them may have got names of one zone only."""
    others = {v.address for v in visits if v.mark == sign.mark and v.came == sign.came} - shared
    near = [other for other in others if any(same_network(other, one) for one in shared)]
    return len(others) > 1 or len(near) < len(others)


def _portal(address: str, signs: Sequence[Visit], visits: Sequence[Visit]) -> Portal:
    description = dict.fromkeys(v.description for v in sorted(signs, key=lambda v: v.came) if v.description)
    return Portal(
        address, frozenset(v.host for v in visits), tuple(v.id for v in signs[:EVIDENCE]), tuple(description)
    )


def visit_of(seen: Observation, id_: str, judgement: ChainJudgement | None) -> Visit | None:
    """The result of a handshake or a fetch; None for every other question. `judgement` is that of the chain shown."""
    step, evidence = seen.step, seen.evidence
    if isinstance(step, TlsHandshake):
        leaf = evidence.chain[0] if isinstance(evidence, TlsFacts) and evidence.chain else None
        return _shown(Visit(id_, step.server_name, step.address, "nothing"), leaf, judgement)
    if isinstance(step, HttpFetch) and not seen.stale:
        visit = Visit(id_, step.host, step.address, "nothing")
        if seen.failure is None and isinstance(evidence, HttpExchange):
            return _answered(visit, step, evidence)
        return visit
    return None


def _shown(visit: Visit, leaf: bytes | None, judgement: ChainJudgement | None) -> Visit:
    """The result of a certificate. Without readable names, its owner is unknown."""
    if leaf is None or judgement is None:
        return visit
    cert = facts(leaf)
    if claims(cert, visit.host):
        return replace(visit, came="own" if judgement.proven else "claimed")
    description = server_mark(cert)
    return replace(visit, came="other", mark=description, description=description) if description else visit


def server_mark(cert: CertFacts) -> str:
    """The server that a certificate belongs to, in harmless words: equal for every renewal with the same names and
    issuer; "" where the names cannot be read."""
    names = cert.dns_names or ((cert.subject_cn,) if cert.subject_cn else ())
    if not names:
        return ""
    shown = ", ".join(display(name, SHOWN) for name in names[:LISTED])
    issuer = display(cert.issuer_cn or cert.issuer_o or cert.issuer_text or "an unnamed issuer", SHOWN)
    return f"a certificate for {shown}, issued by {issuer}"


def _answered(visit: Visit, step: HttpFetch, exchange: HttpExchange) -> Visit:
    """The result of an HTTP answer. The mark of a page leaves out what changes, as an address or the time."""
    if step.purpose == "reach":
        page = judge_reach(exchange, None, step.host).page
    elif exchange.status == 200 and not is_html(exchange):
        return replace(visit, came="own" if exchange.body or exchange.digest is not None else "nothing")
    else:
        page = looks_like_block_page(exchange, step.host)
        page = None if page is not None and page.kind == "refused" and not page.marks else page
    if page is None:
        return replace(visit, came="answer" if exchange.status is not None else "nothing")
    # A proxy on the path gives the same message, wherever the name leads.
    if page.kind in (
        "proxy",
        "failed",
    ):
        return visit
    mark = f"{page.kind} {page.vendor} {page.title} {page.location.partition('?')[0]}"
    return replace(
        visit, came="page", mark=mark, description=f"on port {step.port} {page_text(page, exchange.status)}"
    )
