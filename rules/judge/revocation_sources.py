"""Rows about revocation sources: fetched, not fetched, or on no allow list."""

from __future__ import annotations

from collections.abc import Iterator

from rules.audit.guard import is_v6
from rules.judge.dns_views import resolver_views
from rules.judge.evidence import Context
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.kinds.dns_chain import Outcome
from rules.model.kinds.http_fetch import BlockPage
from rules.model.observation import Observation
from rules.model.verdict import Check, Endpoint, Status, Verdict
from rules.pki.document import unreachable
from rules.pki.revocation import split_url


def source_verdict(
    context: Context,
    url: str,
    check: Check,
    status: Status,
    cause: Cause,
    summary: str,
    seen: tuple[Observation, ...],
    details: tuple[tuple[str, str], ...] = (),
    circumstance: str = "",
) -> Verdict:
    """The verdict on a source that certificates name, under the row that allows its host if there is one."""
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
        remedy(cause, circumstance) if status in (Status.FAIL, Status.WARN) else "",
        "required",
        citation,
        context.evidence(*seen),
        "cert-validation",
        (("source", url), *named, *details),
        circumstance=circumstance,
    )


def unfetched_verdict(context: Context, url: str, check: Check, elsewhere: bool = False) -> Verdict:
    """A source that could not be asked has the cause of its host. `elsewhere`: the same list came from another address."""
    host = (split_url(url) or (url,))[0]
    audit = context.audit
    view = next(
        (v for v in resolver_views(context, host) if not v.ok and v.word != Outcome.NOT_MEASURED), None
    )
    addresses = [c.address for c in audit.candidates(host) if c.tried and c.public]
    if view is not None and not addresses:
        heavy = Status.FAIL if check == "crl" else Status.WARN
        status = Status.NOTICE if elsewhere or view.word in _HERE else heavy
        cause = unreachable(check) if view.word in _HERE else view.cause
        at = f" (at {view.at})" if view.at and view.at != host else ""
        where = f": {', '.join(view.addresses[:3])}" if view.addresses else at
        text = f"was not fetched: its host {_WORDS.get(view.word, 'does not resolve')}{where}"
        return source_verdict(context, url, check, status, cause, text, view.seen)
    if audit.guard.sweep:
        text = "was not fetched: a firewall had begun to drop this host's traffic"
        return source_verdict(context, url, check, Status.INCONCLUSIVE, causes.PATH_SWEEP_DETECTED, text, ())
    if addresses and all(audit.guard.family_broken(is_v6(a)) for a in addresses):
        text = "was not fetched: its host has addresses only of a family that goes nowhere here"
        return source_verdict(context, url, check, Status.INCONCLUSIVE, causes.PATH_FAMILY_BROKEN, text, ())
    if not addresses and audit.names.complete(host) and not audit.stopped:
        text = "its host has no public address here, so it was not fetched"
        return source_verdict(context, url, check, Status.NOTICE, unreachable(check), text, ())
    return source_verdict(context, url, check, Status.INCONCLUSIVE, audit.unasked, "was not fetched", ())


#: Words of a resolution with addresses of this network: the public document cannot be reached from here.
_HERE = frozenset({"private-address", "synthetic"})
_WORDS = {
    "private-address": "is at an address that is not public",
    "synthetic": "is at a made-up address",
    "sinkholed": "is answered with a dead-end address",
    "chain-broken": "leads to a name that does not resolve",
    "timeout": "gets no answer from the resolver",
}


def page_detail(found: BlockPage | None) -> tuple[tuple[str, str], ...]:
    """The page that came instead of the document."""
    if found is None:
        return ()
    pairs = (
        ("page", found.title or found.sentence),
        ("product", found.vendor),
        ("sent to", found.location),
    )
    return tuple(pair for pair in pairs if pair[1])


def unlisted_hosts(context: Context) -> Iterator[Verdict]:
    """Hosts that served certificates point at and that no rule holds: an allow list made from the rules lacks them."""
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
            causes.AUDIT_NOT_ON_LIST,
            f"{host} is not on Microsoft's list, but the certificate of {shown} names it as a revocation source",
            remedy(causes.AUDIT_NOT_ON_LIST, host=host),
            group="cert-validation",
        )
