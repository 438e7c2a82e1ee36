"""From rows of an allow list to names that can be tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.request import Need
from rules.model.ruleset import Document, Group, Match, Probe, Rule, Rules, Severity

#: Maximum of names besides the service's whose OCSP responders are asked: a user's own list may have thousands.
MAX_RESPONDER_NAMES = 24


@dataclass(frozen=True, slots=True)
class Target:
    """One name and port that a rule requires us to test.

    `host` is None where the rule has no name to test: a probe needs the tenant and none is known, or a wildcard has
    no probe (`why` tells which).
    """

    ruleset: str
    rule: Rule
    port: int
    host: str | None
    probe: Probe | None = None
    why: Cause | None = None
    in_region: bool = False  # a sample of the connector's own geography: its names are the ones it is handed
    # one shared text for the thousands of verdicts with this rule
    id: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.ruleset}/{self.rule.id}")

    @property
    def required(self) -> bool:
        """Whether this very name must work, and its row still counts."""
        needed = self.probe is None or self.probe.required or self.in_region
        return self.rule.severity is Severity.REQUIRED and needed

    @property
    def sample(self) -> bool:
        return self.probe is not None and not self.probe.required and not self.in_region

    @property
    def need(self) -> Need:
        """Why it is tested."""
        if self.rule.severity is not Severity.REQUIRED:
            return "retired" if self.rule.severity is Severity.RETIRED else "optional"
        return "example" if self.sample else "required"

    @property
    def shown(self) -> str:
        """The name for people, also where there is none to test."""
        if self.host is not None:
            return self.host
        return self.probe.host if self.probe else self.rule.host

    @property
    def path(self) -> str | None:
        return self.probe.path if self.probe else None

    @property
    def document(self) -> Document | None:
        """A document that this name is known to serve over port 80."""
        return (
            next((d for d in self.rule.documents if d.host == self.host), None) if self.port == 80 else None
        )


def targets(rules: Rules, tenant: str | None, only: str = "", region: str = "") -> tuple[Target, ...]:
    """Every name and port to test, in the order of the sets. `only` is a glob over names; the samples of `region`
    (`rules.model.geography`) are required."""
    found = (
        target
        for ruleset in rules.rulesets
        for rule in ruleset.rules
        for target in _of_rule(ruleset.name, rule, tenant, region)
    )
    return tuple(t for t in found if not only or fnmatchcase(t.shown, only.lower()))


def _of_rule(ruleset: str, rule: Rule, tenant: str | None, region: str) -> Iterator[Target]:
    for port in rule.ports:
        if not rule.probes and rule.match is not Match.SUFFIX:
            yield Target(ruleset, rule, port, rule.host)
        elif not rule.probes:
            yield Target(ruleset, rule, port, None, None, causes.AUDIT_NO_PROBE_NAME)
        for probe in rule.probes:
            if "{tenant}" not in probe.host:
                own = bool(region) and probe.region == region
                yield Target(ruleset, rule, port, probe.host, probe, in_region=own)
            elif tenant is None:
                yield Target(ruleset, rule, port, None, probe, causes.AUDIT_NO_TENANT)
            else:
                yield Target(ruleset, rule, port, probe.host.replace("{tenant}", tenant), probe)


def ocsp_names(found: tuple[Target, ...]) -> frozenset[str]:
    """Names whose OCSP responders are asked: of each service row the required names, else its first sample."""
    by_rule: dict[str, list[Target]] = {}
    for target in found:
        if target.rule.group is Group.SERVICE and target.host is not None:
            by_rule.setdefault(target.id, []).append(target)
    chosen = ([t for t in rows if t.required] or rows[:1] for rows in by_rule.values())
    return frozenset(t.host for rows in chosen for t in rows if t.host is not None)


def responder_names(found: tuple[Target, ...]) -> frozenset[str]:
    """Names whose OCSP responders are asked once: of each other TLS row the required names, else its first sample, up
    to `MAX_RESPONDER_NAMES`. Otherwise a responder that only these certificates name would not be asked at all."""
    by_rule: dict[str, list[Target]] = {}
    for target in found:
        weighs = target.rule.group is not Group.SERVICE and target.rule.severity is not Severity.RETIRED
        if weighs and target.port != 80 and target.host is not None:
            by_rule.setdefault(target.id, []).append(target)
    chosen = ([t for t in rows if t.required] or rows[:1] for rows in by_rule.values())
    names = dict.fromkeys(t.host for rows in chosen for t in rows if t.host is not None)
    return frozenset(list(names)[:MAX_RESPONDER_NAMES])
