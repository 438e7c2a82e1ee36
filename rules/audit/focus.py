"""The part of the rules about one endpoint, for `wayclear explain`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rules.model.ruleset import Match, Probe, Rule, Rules, RuleSet
from rules.text.hostname import BadName, normalise

ASKED_FOR = "named by the person who asked"  #: the note of a name that no rule set lists


class NotCovered(ValueError):  # noqa: N818 - says what is the matter with the endpoint
    """No rule covers the endpoint, so nobody requires it. The message lists what the rules cover."""


def parse_endpoint(text: str) -> tuple[str, int | None]:
    """`HOST[:PORT]` as a name (A-label, lower case) and a port; BadName states the fault."""
    host, colon, port = text.strip().partition(":")
    if not colon or ":" in port or "/" in port:
        return normalise(text.strip()), None  # a URL or an IPv6 literal: `normalise` raises a fitting message
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise BadName(f"{port[:40]!a} is no port, a number from 1 to 65535 belongs behind the colon")
    return normalise(host), int(port)


def focus(rules: Rules, host: str, port: int | None) -> Rules:
    """`rules` with only the rows that cover the endpoint, each with this one name; NotCovered if there is none.

    A name under a wildcard is tested although no rule set lists it: it may belong to the region in use.
    """
    found = [_narrowed(ruleset, host, port) for ruleset in rules.rulesets]
    sets = tuple(ruleset for ruleset in found if ruleset.rules)
    if sets:
        return replace(rules, rulesets=sets)
    names = ", ".join(ruleset.name for ruleset in rules.rulesets)
    ports = sorted({p for rule in rules.rules if rule.covers(host) for p in rule.ports})
    if ports:
        there = " and ".join(map(str, ports))
        raise NotCovered(f"no rule of {names} asks for port {port} of {host}, only for {there}")
    raise NotCovered(f"{host} is on no rule of {names}")


def _narrowed(ruleset: RuleSet, host: str, port: int | None) -> RuleSet:
    hits = (rule for rule in ruleset.rules if rule.covers(host) and (port is None or port in rule.ports))
    return replace(ruleset, rules=tuple(_only(rule, host, port) for rule in hits))


def _only(rule: Rule, host: str, port: int | None) -> Rule:
    known = _listed(rule.probes, host)
    if known is None and rule.match is Match.SUFFIX:
        client = any(p.expects_client_certificate and _kin(p.host, host) for p in rule.probes)
        # Not required: when no resolver knows it, it may be a typing error, and no team is at fault.
        known = Probe(host, False, rule.citation, expects_client_certificate=client, note=ASKED_FOR)
    ports = rule.ports if port is None else (port,)
    return replace(rule, ports=ports, probes=(known,) if known else ())


def _kin(listed: str, host: str) -> bool:
    """Whether two names differ in their first label only: instances, regions or tenants of one kind of server."""
    return listed.partition(".")[2] == host.partition(".")[2]


def _listed(probes: Iterable[Probe], host: str) -> Probe | None:
    """The probe for `host`, also where the tenant is a part of its name."""
    for probe in probes:
        before, tenant, after = probe.host.partition("{tenant}")
        fits = host.startswith(before) and host.endswith(after) and len(host) > len(before) + len(after)
        if host == probe.host or (tenant and fits):
            return replace(probe, host=host)
    return None
