"""What a finding asks for, by the rows of the rule sets, and what was tested, apart from it.

A name that was tested under a wildcard is an example: a connector is handed other names at run time. A team that allows the
examples builds a wrong rule, so a request names the row's pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules.audit.targets import Target
from rules.model import causes
from rules.model.causes.record import Cause, Layer, Owner
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.observation import Observation
from rules.model.request import Action, Inspect, Need, Request, RequestRow, TestedName
from rules.model.ruleset import Group, Match, Rule, RuleSet
from rules.model.verdict import Endpoint, Status, Verdict

#: Whose devices a request is about. Others have nothing to allow.
_ASKED = frozenset[Owner]({"firewall", "proxy", "dns"})
#: Where a device on the way stops what a connector needs.
_ON_THE_WAY = frozenset[Layer]({"tcp", "tls", "http", "crl", "ocsp", "proxy"})
#: A device re-signs TLS, or may.
_RE_SIGNED = frozenset({causes.TLS_INTERCEPTED, causes.TLS_UNTRUSTED})
_RESOLVERS_PORT = 53
#: The purpose, and the page that asks for it.
_DNS_OVER_TCP = (
    "DNS answers that do not fit in a datagram",
    "RFC 7766, section 5: resolvers and clients must support DNS over TCP",
    "https://www.rfc-editor.org/rfc/rfc7766#section-5",
    "2016-03-01",
)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the rule sets and the names that were tested, for looking up."""

    rulesets: tuple[RuleSet, ...]
    rules: Mapping[str, Rule]  # by `Verdict.rule`
    targets: Mapping[tuple[str, str], Target]  # by `Verdict.rule` and the name

    @classmethod
    def of_audit(cls, rulesets: tuple[RuleSet, ...], targets: Iterable[Target]) -> Rows:
        rules = {f"{one.name}/{rule.id}": rule for one in rulesets for rule in one.rules}
        return cls(rulesets, rules, {(t.id, t.shown): t for t in targets})

    def row(self, verdict: Verdict) -> Rule | None:
        """The row behind a verdict; for a host that only certificates name, the row that covers it."""
        endpoint = verdict.endpoint
        if endpoint is None or verdict.rule in self.rules:
            return self.rules[verdict.rule] if endpoint is not None else None
        covering = (ruleset.rule_for(endpoint.host, endpoint.port) for ruleset in self.rulesets)
        return next((rule for rule in covering if rule is not None), None)

    def of_microsoft(self, verdict: Verdict) -> bool:
        """Whether a page of Microsoft's lists the name: then the server is Microsoft's, or the one that Microsoft uses."""
        rule = self.row(verdict)
        return rule is not None and ".microsoft.com/" in rule.citation.url

    def need(self, verdict: Verdict, rule: Rule | None) -> tuple[Need, str]:
        """Why a name was tested, and the region of an example."""
        assert verdict.endpoint is not None
        if rule is None:
            return "named", ""
        if verdict.cause == causes.AUDIT_NO_PROBE_NAME:
            return "untried", ""
        target = self.targets.get((verdict.rule, verdict.endpoint.host))
        if target is None:  # certificates name the host, and a row covers it
            return Target("", rule, verdict.endpoint.port, None).need, ""
        region = target.probe.region if target.probe is not None and target.sample else ""
        return target.need, region


def asked_pattern(rule: Rule, action: Action) -> str:
    """The row as what a request names: DNS knows no paths."""
    return rule.host if action == "resolve" else pattern(rule)


def pattern(rule: Rule) -> str:
    """The row as a pattern: "*.msappproxy.net", "www.microsoft.com/pkiops"."""
    return f"{rule.host}{rule.path or ''}" if rule.match is Match.URL_PATH else rule.host


def inspection(rule: Rule, ports: Iterable[int]) -> Inspect:
    """Whether TLS to this row may be inspected: Microsoft forbids it for the service, whose connections are mutual TLS."""
    if all(port == 80 for port in ports):
        return ""
    return "never" if rule.group is Group.SERVICE else "allowed"


def tested(rows: Rows, verdicts: Iterable[Verdict]) -> tuple[TestedName, ...]:
    """Each name and port behind a finding, once. Resolvers are none."""
    found: dict[tuple[str, int], tuple[Verdict, dict[str, None]]] = {}
    for verdict in verdicts:
        endpoint = verdict.endpoint
        if endpoint is None or _resolver(endpoint):
            continue
        _, addresses = found.setdefault((endpoint.host, endpoint.port), (verdict, {}))
        if endpoint.address is not None:
            addresses[endpoint.address] = None
    names = []
    for (host, port), (verdict, addresses) in found.items():
        rule = rows.row(verdict)
        need, region = rows.need(verdict, rule)
        names.append(TestedName(host, port, need, pattern(rule) if rule else host, region, tuple(addresses)))
    return tuple(names)


def action_of(cause: Cause) -> Action | None:
    """What a finding with this cause asks for. None: nothing is closed, or the remedy is about a document."""
    if cause.layer in ("crl", "ocsp") and not cause.unheard:
        return None
    if cause == causes.DNS_TCP_BLOCKED:
        return "allow"
    if cause == causes.TLS_INCOMPLETE_CHAIN:
        return None
    if cause in _RE_SIGNED:
        return "exempt"
    if cause.layer == "dns":
        return "resolve"
    return "allow" if cause.layer in _ON_THE_WAY else None


def request(rows: Rows, cause: Cause, owner: Owner, verdicts: Sequence[Verdict]) -> Request | None:
    """What to ask for; None where no device of the owner's has anything to allow."""
    action = action_of(cause)
    if owner not in _ASKED or action is None:
        return None
    made: dict[RequestRow, None] = {}
    for verdict in verdicts:
        if verdict.endpoint is None or _resolver(verdict.endpoint) or verdict.status is Status.NOTICE:
            continue
        made[_row(rows, verdict, action)] = None
    if not made:
        return None
    may: tuple[str, ...] = ()
    asked = list(made)
    never = [row for row in asked if row.inspect == "never"]
    if action == "exempt" and never:
        may = tuple(dict.fromkeys(row.pattern for row in asked if row.inspect == "allowed"))
        asked = never
    cited = dict.fromkeys(f"{row.citation}, {row.date}" if row.date else row.citation for row in asked)
    return Request(
        action,
        tuple(dict.fromkeys(row.pattern for row in asked)),
        tuple(sorted({port for row in asked for port in row.ports})),
        "never" if never else "allowed" if any(row.inspect for row in asked) else "",
        "; ".join(cited),
        tuple(asked),
        may,
    )


def resolvers_request(seen: Iterable[Observation]) -> Request | None:
    """TCP port 53 of the resolvers whose long answers did not come over TCP. `seen`: a finding's evidence."""
    closed = {
        one.step.resolver: None
        for one in seen
        if isinstance(one.step, DnsQuestion)
        and isinstance(one.evidence, DnsAnswer)
        and one.evidence.tcp_failure
    }
    if not closed:
        return None
    asked = tuple(RequestRow(resolver, (_RESOLVERS_PORT,), "", *_DNS_OVER_TCP) for resolver in closed)
    cited = f"{asked[0].citation}, {asked[0].date}"
    return Request("allow", tuple(closed), (_RESOLVERS_PORT,), "", cited, asked)


def _row(rows: Rows, verdict: Verdict, action: Action) -> RequestRow:
    """The row, with the one port of the finding where the row has several."""
    assert verdict.endpoint is not None
    port = verdict.endpoint.port
    rule = rows.row(verdict)
    if rule is None:
        return RequestRow(
            verdict.endpoint.host, (port,), "", verdict.title, "on no list: certificates name it"
        )
    ports = (port,) if port in rule.ports else rule.ports
    cited = rule.citation
    return RequestRow(
        asked_pattern(rule, action),
        ports,
        inspection(rule, ports),
        rule.title,
        cited.title,
        cited.url,
        cited.date.isoformat(),
    )


def _resolver(endpoint: Endpoint) -> bool:
    return endpoint.port == _RESOLVERS_PORT
