"""Verdicts on revocation: CRL and OCSP sources of the served certificates. Reachable, valid and revoked are three
separate facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from rules.audit.documents import DocumentRequest
from rules.audit.targets import Target
from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.judge.revocation_sources import page_detail, source_verdict, unfetched_verdict, unlisted_hosts
from rules.model import causes
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.observation import Observation
from rules.model.verdict import Endpoint, Status, Verdict
from rules.pki.certificate import facts
from rules.pki.crl_scope import canonical_uri
from rules.pki.revocation import (
    CrlJudgement,
    CrlSubject,
    OcspJudgement,
    judge_crl,
    judge_ocsp,
    judge_staple,
    split_url,
)
from rules.pki.trust import ChainJudgement
from rules.text.display import display


def judge_revocation(context: Context) -> Iterator[Verdict]:
    """All sources named by certificates that were judged genuine."""
    good = _good_crls(context)
    for url in sorted(context.audit.revocations.crls):
        yield from _crl(context, url, good)
    yield from _ocsp_sources(context)
    yield from unlisted_hosts(context)


def judge_document(
    context: Context, target: Target, address: str, attempts: tuple[Observation, ...]
) -> Verdict:
    """A CRL that a host on a rule is known to serve. A good signature proves that the real document comes through
    port 80."""
    best = next((s for s in attempts if s.failure is None), attempts[-1])
    document = target.document
    url = f"http://{target.host}{document.path}" if document is not None else ""
    found = _judge(context, best, replace(named_by(context, url), serials=()))
    return Verdict(
        target.id,
        target.rule.title,
        Endpoint(target.shown, target.port, address),
        "crl",
        found.status,
        found.cause,
        found.summary,
        remedy(found.cause, found.circumstance) if found.status in (Status.FAIL, Status.WARN) else "",
        target.rule.severity.value,
        target.rule.citation.id,
        context.evidence(*attempts),
        target.rule.group.value,
        page_detail(found.page),
        circumstance=found.circumstance,
    )


def revoked_by(context: Context, judgement: ChainJudgement) -> str:
    """The revoked certificate of a path and the source of that fact; "" when none is known to be revoked."""
    path = judgement.path
    for url, paths in context.audit.revocations.crls.items():
        seen = context.audit.fetches.best(DocumentRequest(url, "crl")) if path in paths else None
        if seen is None:
            continue
        for der, issuer in _naming(path, url):
            serials = (serial,) if (serial := facts(der).serial) else ()
            found = _judge(context, seen, ListContext((issuer,), serials, CrlSubject((der,), url)))
            if found.revoked:
                return f"the certificate with serial {', '.join(found.revoked)} is revoked (by {url})"
    for place, der in enumerate(path):
        for wanted, issuer, url in context.responders.get(der, ()):
            seen = context.audit.fetches.best(wanted)
            exchange = seen.evidence if seen is not None and isinstance(seen.evidence, HttpExchange) else None
            if seen is None:
                continue
            if judge_ocsp(exchange, seen.failure, der, issuer, context.now, _host(seen)).revoked:
                which = f" of {facts(der).subject_cn or 'an issuer'}" if place else ""
                return f"the certificate{display(which, 100)} is revoked (by {url})"
    return ""


def stapled(context: Context, judgement: ChainJudgement, staple: bytes | None) -> OcspJudgement | None:
    """The OCSP answer that a server sent in its handshake (RFC 6066 section 8), judged against the issuer of its
    certificate; None where it sent none, or where the issuer is unknown."""
    if staple is None or not judgement.proven or len(judgement.path) < 2:
        return None
    return judge_staple(staple, judgement.path[0], judgement.path[1], context.now)


def _host(seen: Observation) -> str:
    return seen.step.host if isinstance(seen.step, HttpFetch) else ""


@dataclass(frozen=True, slots=True)
class ListContext:
    """The context of a list: its candidate issuers (DER), the serials to look for, and the certificates that name it."""

    issuers: tuple[bytes, ...]
    serials: tuple[str, ...]
    held: CrlSubject


def _judge(context: Context, seen: Observation, named: ListContext) -> CrlJudgement:
    exchange = seen.evidence if isinstance(seen.evidence, HttpExchange) else None
    return judge_crl(
        exchange, seen.failure, named.issuers, named.serials, context.now, _host(seen), named.held
    )


def known_issuers(context: Context) -> tuple[bytes, ...]:
    """Every CA with a known key: CAs of proved paths, roots from the public list, and any other available certificate
    whose key the CA sets hold."""
    chains = context.audit.chains
    found: dict[bytes, None] = {}
    others: dict[bytes, None] = {}
    for chain in chains.known():
        judgement = chains.judge(chain, context.now)
        if judgement.proven:
            found.update(dict.fromkeys(judgement.path[1:]))
        others.update(dict.fromkeys((*chain[1:], *chains.fetched_for(chain))))
    for roots in chains.roots.values():
        found.update(dict.fromkeys(roots.public))
        others.update(dict.fromkeys(roots.system))
    keys = {ca.spki_sha256.lower() for cas in context.audit.rules.cas for ca in cas.cas if ca.spki_sha256}
    found.update(dict.fromkeys(der for der in others if facts(der).spki_sha256 in keys))
    return tuple(found)


def _naming(path: tuple[bytes, ...], url: str) -> Iterator[tuple[bytes, bytes]]:
    """The certificates of a path that name a list's address, each with its issuer."""
    wanted = canonical_uri(url)
    for der, issuer in pairwise(path):
        if any(canonical_uri(named) == wanted for named in facts(der).crl_urls):
            yield der, issuer


def named_by(context: Context, url: str) -> ListContext:
    """The certificates that name the list at `url`, and its issuer by them (RFC 5280 section 6.3.3 (b)).

    Where no served chain names it, every known CA may have issued it.
    """
    paths = context.audit.revocations.crls.get(url, ()) or next(
        (
            p
            for other, p in context.audit.revocations.crls.items()
            if canonical_uri(other) == canonical_uri(url)
        ),
        (),
    )
    pairs = tuple(dict.fromkeys(pair for path in paths for pair in _naming(path, url)))
    if not pairs:
        return ListContext(known_issuers(context), (), CrlSubject(url=url, bound=False))
    serials = tuple(dict.fromkeys(s for der, _ in pairs if (s := facts(der).serial)))
    certificates = tuple(dict.fromkeys(der for der, _ in pairs))
    return ListContext(
        tuple(dict.fromkeys(issuer for _, issuer in pairs)), serials, CrlSubject(certificates, url)
    )


def _good_crls(context: Context) -> frozenset[str]:
    good = set()
    for url in context.audit.revocations.crls:
        seen = context.audit.fetches.best(DocumentRequest(url, "crl"))
        if seen is not None:
            found = _judge(context, seen, named_by(context, url))
            if found.status in (Status.PASS, Status.NOTICE):
                good.add(url)
    return frozenset(good)


def _alternatives(context: Context, url: str) -> frozenset[str]:
    """Other addresses that the same certificates name for the same list."""
    found: set[str] | None = None
    for path in context.audit.revocations.crls[url]:
        for der in path:
            urls = facts(der).crl_urls
            if url in urls:
                found = set(urls) if found is None else found & set(urls)
    return frozenset((found or set()) - {url})


def _crl(context: Context, url: str, good: frozenset[str]) -> Iterator[Verdict]:
    if split_url(url) is None:
        return
    elsewhere = bool(_alternatives(context, url) & good)
    seen = context.audit.fetches.best(DocumentRequest(url, "crl"))
    if seen is None:
        yield unfetched_verdict(context, url, "crl", elsewhere)
        return
    found = _judge(context, seen, named_by(context, url))
    if found.status in (Status.FAIL, Status.WARN) and not found.revoked and elsewhere:
        summary = f"{found.summary}; the same list was had from another address"
        found = replace(found, status=Status.NOTICE, summary=summary)
    yield source_verdict(
        context, url, "crl", found.status, found.cause, found.summary, (seen,), page_detail(found.page),
        found.circumstance,
    )  # fmt: skip


def _ocsp_sources(context: Context) -> Iterator[Verdict]:
    by_url: dict[str, list[tuple[str, Observation | None, OcspJudgement | None]]] = {}
    for wanted, (leaf, issuer, url) in context.audit.revocations.ocsp.items():
        seen = context.audit.fetches.best(wanted)
        found = None
        if seen is not None:
            exchange = seen.evidence if isinstance(seen.evidence, HttpExchange) else None
            found = judge_ocsp(exchange, seen.failure, leaf, issuer, context.now, _host(seen))
        by_url.setdefault(url, []).append(("POST" if wanted.body else "GET", seen, found))
    for url, found_list in sorted(by_url.items()):
        made = [
            (method, seen, found)
            for method, seen, found in found_list
            if seen is not None and found is not None
        ]
        if not made:
            yield unfetched_verdict(context, url, "ocsp")
            continue
        yield _responder(context, url, made)


def _responder(context: Context, url: str, made: list[tuple[str, Observation, OcspJudgement]]) -> Verdict:
    seen = tuple(s for _, s, _ in made)
    # GET and the word decide between equals, because the order of `made` is that in which the servers answered.
    method, _, worst = max(
        made, key=lambda m: (m[2].revoked, m[2].status.rank, m[0] == "GET", m[2].cause.word)
    )
    good = [m for m in made if m[2].status in (Status.PASS, Status.NOTICE)]
    methods = " and ".join(dict.fromkeys(m for m, _, _ in made))
    status, summary = worst.status, f"{worst.summary} ({methods})"
    if good and status is Status.FAIL and not worst.revoked:
        apart = {m for m, _, found in made if found.status is Status.FAIL}.isdisjoint(m for m, _, _ in good)
        works = f"{good[0][0]} works" if apart else "other questions are answered"
        status, summary = Status.WARN, f"{method} fails ({worst.summary}), {works}"
    elif status is Status.FAIL and (worst.cause.unheard or worst.cause == causes.OCSP_RESPONDER):
        # lists come first: a silent or badly configured responder only costs time. A forged answer is more serious
        status = Status.WARN
    if worst.cause == causes.OCSP_UNAUTHORIZED:
        # The responder does not know this certificate (RFC 6960 section 2.3): lists decide.
        status = Status.NOTICE
    return source_verdict(
        context, url, "ocsp", status, worst.cause, summary, seen, page_detail(worst.page), worst.circumstance
    )
