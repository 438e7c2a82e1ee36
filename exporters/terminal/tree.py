"""One endpoint as a tree: names, addresses, certificates, revocation, verdicts, with all evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from exporters.terminal.audit import WORDS
from exporters.terminal.evidence import (
    SECRET_HEADERS,
    clock,
    failure_text,
    heading,
    hostport,
    mask,
    outcome_text,
    step_text,
    text_of_kind,
    unsent_text,
    without_repeats,
)
from exporters.terminal.finding import ACTIONS, need_text, request_notes, row_text
from exporters.terminal.style import Style, say, seconds
from rules.model import causes
from rules.model.kinds import dns_chain, http_fetch, os_lookup
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation, got_through, kind_of
from rules.model.verdict import Report, Status, Verdict
from rules.pki.certificate import CertFacts, facts
from rules.text.display import display
from rules.text.moments import utc


@dataclass(slots=True)
class Node:
    """A line of the tree and its children."""

    text: str
    below: list[Node] = field(default_factory=list)
    tone: str = ""

    def add(self, text: str, tone: str = "") -> Node:
        node = Node(text, [], tone)
        self.below.append(node)
        return node


def render(report: Report, host: str, port: int | None, style: Style) -> str:
    """Everything in `report` about `host` (and `port`, where given) as a tree."""
    name = display(host) if port is None else hostport(host, port)
    worst = max(
        (v.status for v in _verdicts(report, host, port)), key=lambda s: s.rank, default=Status.INCONCLUSIVE
    )
    style = replace(style, tenant=report.vantage.tenant or "")  # the name in the first line has the id
    root = Node(f"{name}  {WORDS[worst][0]}", [], WORDS[worst][1])
    chains: list[tuple[bytes, ...]] = []
    _names(root, report, host)
    _addresses(root, report, host, port, chains)
    _revocation(root, report, chains)
    _judged(root, report, host, port)
    for note in report.notes:
        root.add(f"note: {say(note)}")
    if style.verbose:
        _steps(root, report)
    return style.finish(_drawn(root, style))


def _verdicts(report: Report, host: str, port: int | None) -> list[Verdict]:
    return [
        v
        for v in report.verdicts
        if v.endpoint is not None and v.endpoint.host == host and port in (None, v.endpoint.port)
    ]


def _names(root: Node, report: Report, host: str) -> None:
    """Each resolver's answer for the name, and the separate question for each link of its CNAME chain."""
    names = {host}
    for seen in report.observations:  # links are asked for after the name, so one pass finds them
        question, answer = dns_chain.KIND.asked(seen.step), dns_chain.KIND.shown(seen.evidence)
        if question is not None and question.name in names and answer is not None:
            names.update(record.value for record in answer.records if record.type == "CNAME")
    branch = root.add("names")
    resolvers: dict[str, Node] = {}
    for seen in report.observations:
        question, lookup = dns_chain.KIND.asked(seen.step), os_lookup.KIND.asked(seen.step)
        if question is not None and question.name in names:
            resolver = question.resolver
            if resolver not in resolvers:
                resolvers[resolver] = branch.add(f"resolver {display(resolver, 80)}")
            node = resolvers[resolver].add(
                f"{question.rtype} {display(question.name)}: {outcome_text(seen)}", _tone(seen)
            )
            answer = dns_chain.KIND.shown(seen.evidence)
            for record in answer.records if answer is not None else ():
                node.add(
                    f"{display(record.name)}  {display(record.type, 20)}  {record.ttl} s  {display(record.value)}"
                )
        elif lookup is not None and lookup.name == host:
            branch.add(f"the operating system: {outcome_text(seen)}", _tone(seen))
    if not branch.below:
        branch.add("not asked for")


def _addresses(
    root: Node, report: Report, host: str, port: int | None, chains: list[tuple[bytes, ...]]
) -> None:
    """Every connection to the endpoint, and each certificate chain once."""
    branch = root.add("addresses")
    places: dict[tuple[str, int], Node] = {}
    for seen in report.observations:
        kind = kind_of(seen.step)
        endpoint, place = kind.endpoint(seen.step), kind.place(seen.step)
        if endpoint is None or place is None or endpoint[0] != host or port not in (None, endpoint[1]):
            continue
        if place not in places:
            places[place] = branch.add(hostport(*place))
        _connection(places[place], seen, chains)
    if not branch.below:
        branch.add("no connection was made")


def _connection(place: Node, seen: Observation, chains: list[tuple[bytes, ...]]) -> None:
    texts, found = text_of_kind(seen.step), seen.evidence
    node = place.add(
        f"{heading(seen.step)}: from {_local_address(seen)} at {clock(seen.started)} UTC", _tone(seen)
    )
    if found is not None:
        for line in texts.stages(found, outcome_text(seen)):
            node.add(line)
    if seen.failure is not None and got_through(seen):
        node.add(f"{unsent_text(seen.failure)} after {seconds(seen.elapsed)}")
    elif seen.failure is not None:
        node.add(f"{failure_text(seen.failure)} after {seconds(seen.elapsed)}", "bad")
    if found is None:
        return
    for line in texts.remains(found):
        node.add(line)
    if certificates := texts.kind.certificates(found):
        _chain(node, certificates, chains)


def _local_address(seen: Observation) -> str:
    return hostport(*seen.local) if seen.local else "this host"


def _chain(node: Node, chain: tuple[bytes, ...], chains: list[tuple[bytes, ...]]) -> None:
    """A certificate chain as served; a repeat refers to the first."""
    if chain in chains:
        node.add(f"certificates: chain {chains.index(chain) + 1}, as above")
        return
    chains.append(chain)
    branch = node.add(f"certificates as served: chain {len(chains)}")
    for der in chain:
        _certificate(branch, facts(der))


def _certificate(branch: Node, cert: CertFacts) -> None:
    node = branch.add(display(cert.subject_text or "subject unreadable"))
    node.add(f"issuer  {display(cert.issuer_text or 'unreadable')}")
    node.add(f"valid   {_day(cert.not_before)} to {_day(cert.not_after)}")
    if cert.dns_names:
        shown = ", ".join(display(name, 100) for name in cert.dns_names[:6])
        more = len(cert.dns_names) - 6
        node.add(f"names   {shown}" + (f", +{more} more" if more > 0 else ""))
    node.add(f"key     {display(cert.key or 'unreadable', 40)}, SHA-256 {cert.spki_sha256 or 'unreadable'}")
    node.add(f"serial  {display(cert.serial or 'unreadable', 80)}, SHA-256 of the certificate {cert.sha256}")
    for what, why in cert.unreadable[:6]:
        node.add(f"unreadable: {display(what, 60)}: {display(why)}", "doubt")


def _day(moment: float | None) -> str:
    if moment is None:
        return "unreadable"
    return utc(moment).isoformat(" ", "minutes").removesuffix("+00:00") + " UTC"


def _revocation(root: Node, report: Report, chains: Iterable[tuple[bytes, ...]]) -> None:
    """The revocation sources of the certificates, and what was fetched from them."""
    sources: dict[str, str] = {}
    for chain in chains:
        for der in chain:
            cert = facts(der)
            for kind, urls in (
                ("CRL", cert.crl_urls),
                ("OCSP", cert.ocsp_urls),
                ("issuer (AIA)", cert.aia_urls),
            ):
                sources.update(dict.fromkeys(urls, kind))
    if not sources:
        return
    branch = root.add("revocation and issuers, as the certificates name them")
    unused: list[str] = []
    for url, kind in sources.items():
        fetched, judged = _fetched(report, url, kind), _about(report, url, kind)
        if not fetched and not judged:
            unused.append(f"{kind}  {display(mask(url))}")
            continue
        node = branch.add(f"{kind}  {display(mask(url))}")
        for fetch, seen in fetched:
            where = hostport(fetch.address, fetch.port)
            verb = "GET" if fetch.body is None else "POST"
            node.add(f"{verb} at {where} from {_local_address(seen)}: {outcome_text(seen)}", _tone(seen))
        for verdict in judged:
            _verdict(node, [verdict], url)
    if unused:
        node = branch.add("named as well, and not needed or not reached")
        for line in unused:
            node.add(line)


def _fetched(report: Report, url: str, kind: str) -> list[tuple[HttpFetch, Observation]]:
    """The fetches of a URL. The path of an OCSP request follows the responder's path (RFC 6960 appendix A)."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return []
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return [
        (fetch, seen)
        for seen in report.observations
        if (fetch := http_fetch.KIND.asked(seen.step)) is not None
        and fetch.host == host
        and (fetch.target == target or (kind == "OCSP" and fetch.target.startswith(target)))
    ]


def _about(report: Report, url: str, kind: str) -> list[Verdict]:
    """The revocation verdicts whose evidence includes a fetch of this URL."""
    fetched = {id(seen) for _, seen in _fetched(report, url, kind)}
    names = {f"o{n}" for n, seen in enumerate(report.observations, 1) if id(seen) in fetched}
    return [v for v in report.verdicts if v.check in ("crl", "ocsp") and names.intersection(v.evidence)]


def _judged(root: Node, report: Report, host: str, port: int | None) -> None:
    """The verdicts, heaviest first. Equal verdicts of several addresses are shown once; the rule comes at the end."""
    branch = root.add("verdict")
    found = sorted(_verdicts(report, host, port), key=lambda v: -v.status.rank)
    groups: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in found:
        said = "" if verdict.status is Status.PASS and verdict.check == "tcp" else verdict.summary
        key = (verdict.check, verdict.status.value, verdict.cause.word, said, verdict.remedy)
        groups.setdefault(key, []).append(verdict)
    for alike in groups.values():
        _verdict(branch, alike)
    if not found:
        branch.add("none: nothing was judged for this endpoint")
    others = [
        v
        for v in report.verdicts
        if v.endpoint is None and v.status not in (Status.PASS, Status.NOT_APPLICABLE)
    ]
    for verdict in others:
        _verdict(branch, [verdict])
    rules = {
        f"rule: {display(v.rule)}, {say(v.title)}"
        + (f" (citation: {say(v.citation)})" if v.citation else ""): None
        for v in found
        if v.rule
    }
    for rule in rules:
        branch.add(rule)
    _asked(branch, report, host, port)


def _asked(branch: Node, report: Report, host: str, port: int | None) -> None:
    """What the finding about this endpoint asks for, and why this name was tested."""
    for found in report.causes:
        mine = [one for one in found.tested if one.host == host and port in (None, one.port)]
        if not mine or found.because:
            continue
        one = mine[0]
        node = branch.add(f"this name: {need_text(one.need, one.pattern, one.region)}")
        if found.command:
            node.add(f"copy: {say(found.command)}")
        if found.request is not None:
            label = ACTIONS[found.request.action].lower()
            for row in found.request.rows:
                node.add(f"{label}: {display(row.pattern)}, {row_text(row, found.request.action)}")
            for note in request_notes(found.request):
                node.add(note)
        if found.contrast:
            node.add(f"compare: {say(found.contrast)}")


def _verdict(branch: Node, alike: list[Verdict], source: str = "") -> None:
    """One verdict, or the same verdict of several addresses with the details that they share.

    `source` is a URL that is already shown above.
    """
    verdict = alike[0]
    word, tone = WORDS[verdict.status]
    code = "" if verdict.cause == causes.OK else f" [{display(verdict.cause.word, 60)}]"
    at = ", ".join(display(v.endpoint.address, 80) for v in alike if v.endpoint and v.endpoint.address)
    opened = len(alike) > 1 and verdict.check == "tcp" and verdict.status is Status.PASS
    summary = "opened" if opened else verdict.summary
    if source:
        summary = summary.removeprefix(f"{source}: ")
    where = f" at {at}" if at else ""
    node = branch.add(f"{verdict.check.upper()}{where}: {word}: {say(summary)}{code}", tone)
    common = [pair for pair in verdict.details if all(pair in v.details for v in alike)]
    for key, value in without_repeats(common):
        if source not in value or not source:
            node.add(f"{display(key, 40)}: {say(value)}")
    if verdict.remedy:
        node.add(f"do: {say(verdict.remedy)}")


def _steps(root: Node, report: Report) -> None:
    """Every question in order, to attach to a bug report."""
    branch = root.add("steps")
    for number, seen in enumerate(report.observations, 1):
        after = seconds(max(seen.started - report.started, 0))
        node = branch.add(
            f"o{number} +{after}: {mask(step_text(seen.step))}: {outcome_text(seen)}", _tone(seen)
        )
        headers = text_of_kind(seen.step).headers(seen.evidence) if seen.evidence is not None else ()
        for key, value in headers:
            shown = "***" if key.lower() in SECRET_HEADERS else display(mask(value))
            node.add(f"{display(key, 60)}: {shown}", "quiet")


def _tone(seen: Observation) -> str:
    return "" if got_through(seen) else "bad"


def _drawn(root: Node, style: Style) -> Iterator[str]:
    """The tree as lines; a long line continues below itself."""
    yield style.paint(root.tone, root.text) if root.tone else root.text
    yield from _branches(root, "", style)


def _branches(node: Node, indent: str, style: Style) -> Iterator[str]:
    for child in node.below:
        last = child is node.below[-1]
        hang = indent + ("   " if last else "│  ")
        trunk = hang + ("│  " if child.below else "   ")
        for number, line in enumerate(style.wrap(child.text, trunk, indent + ("└─ " if last else "├─ "))):
            start = len(trunk) if number else len(indent) + 3
            yield line[:start] + (style.paint(child.tone, line[start:]) if child.tone else line[start:])
        yield from _branches(child, hang, style)
