"""Verdicts on revocation: CRL and OCSP sources of the certificates that were served. Reachable, valid, revoked: kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rules.certificate import facts
from rules.context import Context
from rules.fetches import Wanted
from rules.kinds.http_fetch import BlockPage, HttpExchange, HttpFetch
from rules.kinds.revocation import CrlJudgement, OcspJudgement, judge_crl, judge_ocsp, split_url
from rules.observation import Observation
from rules.remedies import BY_CAUSE, remedy
from rules.targets import Target
from rules.trust import ChainJudgement
from rules.verdict import Check, Endpoint, Status, Verdict

#: What is said of a cause where nothing more is known of it.
_REMEDIES = BY_CAUSE


def judge_revocation(context: Context) -> Iterator[Verdict]:
    """All sources named by certificates that were judged genuine."""
    good = _good_crls(context)
    for url in sorted(context.audit.revocations.crls):
        yield from _crl(context, url, good)
    yield from _ocsp_sources(context)
    yield from _off_list(context)


def judge_document(
    context: Context, target: Target, address: str, attempts: tuple[Observation, ...]
) -> Verdict:
    """A CRL that a host on a rule is known to serve: proof that the real document comes through port 80."""
    best = next((s for s in attempts if s.failure is None), attempts[-1])
    found = _judge(context, best, known_issuers(context), ())
    status = found.status
    if found.cause == "crl.unverified":  # its CA stands above no certificate that was met: nothing to verify
        status, found = Status.PASS, replace(found, cause="ok")
    return Verdict(
        target.id,
        target.rule.title,
        Endpoint(target.shown, target.port, address),
        "crl",
        status,
        found.cause,
        found.summary,
        remedy(found.cause) if status is not Status.PASS else "",
        target.rule.severity.value,
        target.rule.citation.id,
        context.evidence(*attempts),
        target.rule.group.value,
        _page(found.page),
    )


def revoked_by(context: Context, judgement: ChainJudgement) -> str:
    """Which certificate of a path is revoked, by whose word; "" when none is known to be."""
    path = judgement.path
    for url, paths in context.audit.revocations.crls.items():
        if path not in paths:
            continue
        for seen in _results(context, Wanted(url, "crl")):
            found = _judge(context, seen, path, tuple(s for der in path if (s := facts(der).serial)))
            if found.revoked:
                return f"the certificate with serial {', '.join(found.revoked)} is revoked (by {url})"
    for wanted, issuer, url in context.responders.get(path[0], ()) if path else ():
        for seen in _results(context, wanted):
            exchange = seen.evidence if isinstance(seen.evidence, HttpExchange) else None
            if judge_ocsp(exchange, seen.failure, path[0], issuer, context.now, _host(seen)).revoked:
                return f"the certificate is revoked (by {url})"
    return ""


def _host(seen: Observation) -> str:
    return seen.step.host if isinstance(seen.step, HttpFetch) else ""


def _page(page: BlockPage | None) -> tuple[tuple[str, str], ...]:
    """What stood in the document's place."""
    pairs = (("page", page.title), ("product", page.vendor), ("sent to", page.location)) if page else ()
    return tuple(pair for pair in pairs if pair[1])


def _results(context: Context, wanted: Wanted) -> tuple[Observation, ...]:
    best = context.audit.fetches.best(wanted)
    return (best,) if best is not None else ()


def _judge(
    context: Context, seen: Observation, issuers: Iterable[bytes], serials: tuple[str, ...]
) -> CrlJudgement:
    exchange = seen.evidence if isinstance(seen.evidence, HttpExchange) else None
    return judge_crl(exchange, seen.failure, tuple(issuers), serials, context.now, _host(seen))


def known_issuers(context: Context) -> tuple[bytes, ...]:
    """Every certificate of a path that was proved, and the roots that the stores gave."""
    found: dict[bytes, None] = {}
    for chain in context.audit.chains.known():
        judgement = context.audit.chains.judge(chain, context.now)
        if judgement.proven:
            found.update(dict.fromkeys(judgement.path[1:]))
    for roots in context.audit.chains.roots.values():
        found.update(dict.fromkeys(roots.public))
    return tuple(found)


def covered(context: Context, url: str) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Certificates whose key may have signed the list at `url`, and the serials that it should speak of."""
    issuers: dict[bytes, None] = {}
    serials: dict[str, None] = {}
    for path in context.audit.revocations.crls[url]:
        for index, der in enumerate(path):
            found = facts(der)
            if url in found.crl_urls and index + 1 < len(path):
                issuers[path[index + 1]] = None
                if found.serial:
                    serials[found.serial] = None
    return tuple(issuers) or known_issuers(context), tuple(serials)


def _good_crls(context: Context) -> frozenset[str]:
    good = set()
    for url in context.audit.revocations.crls:
        issuers, serials = covered(context, url)
        for seen in _results(context, Wanted(url, "crl")):
            if _judge(context, seen, issuers, serials).status in (Status.PASS, Status.NOTICE):
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
    wanted = Wanted(url, "crl")
    if split_url(url) is None:
        return
    results = _results(context, wanted)
    if not results:
        yield _unfetched(context, url, "crl", wanted)
        return
    issuers, serials = covered(context, url)
    found = _judge(context, results[0], issuers, serials)
    status = found.status
    if status in (Status.FAIL, Status.WARN) and not found.revoked and _alternatives(context, url) & good:
        status = Status.NOTICE
        found = replace(found, summary=f"{found.summary}; the same list was had from another address")
    yield _source(context, url, "crl", status, found.cause, found.summary, results, _page(found.page))


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
            yield _unfetched(context, url, "ocsp", None)
            continue
        yield _responder(context, url, made)


def _responder(context: Context, url: str, made: list[tuple[str, Observation, OcspJudgement]]) -> Verdict:
    seen = tuple(s for _, s, _ in made)
    worst = max(made, key=lambda m: m[2].status.weight)
    good = [m for m in made if m[2].status in (Status.PASS, Status.NOTICE)]
    if good and worst[2].status is Status.FAIL and not worst[2].revoked:
        summary = f"{worst[0]} fails ({worst[2].summary}), {good[0][0]} works"
        return _source(context, url, "ocsp", Status.WARN, worst[2].cause, summary, seen, _page(worst[2].page))
    status = worst[2].status
    if status is Status.FAIL and worst[2].cause == "ocsp.unreachable":
        status = (
            Status.WARN
        )  # lists come first; a silent responder costs time, a forged answer is another matter
    if worst[2].cause == "ocsp.unauthorized":
        status = (
            Status.NOTICE
        )  # the responder does not know this certificate (RFC 6960 section 2.3): lists tell
    methods = " and ".join(dict.fromkeys(m for m, _, _ in made))
    return _source(
        context,
        url,
        "ocsp",
        status,
        worst[2].cause,
        f"{worst[2].summary} ({methods})",
        seen,
        _page(worst[2].page),
    )


def _off_list(context: Context) -> Iterator[Verdict]:
    """Hosts that served certificates point at and that no rule holds: holes in an allow list made from the rules."""
    revocations = context.audit.revocations
    seen: dict[str, set[str]] = {}
    for url, names in revocations.named_by.items():
        parts = split_url(url)
        if parts is not None and not revocations.listed(parts[0]):
            seen.setdefault(parts[0], set()).update(names)
    for host, names in sorted(seen.items()):
        shown = ", ".join(sorted(names)[:3])
        yield Verdict(
            "",
            "Revocation sources outside the allow list",
            Endpoint(host, 80),
            "crl",
            Status.NOTICE,
            "audit.not-on-list",
            f"{host} is not on Microsoft's list, but the certificate of {shown} names it as a revocation source",
            remedy("audit.not-on-list", host=host),
            group="cert-validation",
        )


def _unfetched(context: Context, url: str, check: Check, wanted: Wanted | None) -> Verdict:
    if wanted is not None and wanted in context.audit.fetches.lost:
        return _source(
            context,
            url,
            check,
            Status.NOTICE,
            f"{check}.unreachable",
            "its host has no public address here, so it was not fetched",
            (),
        )
    cause = "audit.not-reached" if context.audit.stopped else "audit.not-recorded"
    return _source(context, url, check, Status.INCONCLUSIVE, cause, "was not fetched", ())


def _source(
    context: Context,
    url: str,
    check: Check,
    status: Status,
    cause: str,
    summary: str,
    seen: tuple[Observation, ...],
    details: tuple[tuple[str, str], ...] = (),
) -> Verdict:
    parts = split_url(url)
    host = parts[0] if parts else url
    rule_id, title, citation = "", "Revocation sources named by certificates", ""
    for ruleset in context.audit.rules.rulesets:
        rule = ruleset.rule_for(host, 80)
        if rule is not None:
            rule_id, title, citation = f"{ruleset.name}/{rule.id}", rule.title, rule.citation.id
            break
    names = sorted(context.audit.revocations.named_by.get(url, ()))
    named = (
        (("named by", ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")),)
        if names
        else ()
    )
    return Verdict(
        rule_id,
        title,
        Endpoint(host, 80),
        check,
        status,
        cause,
        f"{url}: {summary}",
        remedy(cause) if status in (Status.FAIL, Status.WARN) else "",
        "required",
        citation,
        context.evidence(*seen),
        "cert-validation",
        (("source", url), *named, *details),
    )
