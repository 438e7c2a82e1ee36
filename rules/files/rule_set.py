"""From mappings, as `tomllib` gives them, to rule sets: strict, with all faults of a file at once.

docs/rules.md describes the format for users. The input is a user's own file or ours, never a peer's bytes; the loader
limits its size and depth. `rules.files.ca_set` reads sets of CAs and interceptors.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rules.files.ca_set import parse_caset, parse_interceptors
from rules.files.citations import GRADES, NOBODY, cite, names_of, read_citations, read_name
from rules.files.fields import BadFile, Fault, Faults, Table
from rules.model.geography import GEOGRAPHIES
from rules.model.ruleset import Citation, Document, Expect, Group, Match, Probe, Rule, RuleSet, Severity
from rules.text.hostname import BadName, mixed_scripts, normalise, shown

__all__ = ["BadFile", "Fault", "conflicts", "parse_caset", "parse_interceptors", "parse_ruleset"]

SCHEMA = "wayclear.ruleset/1"
TENANT = "{tenant}"
MOST_TARGETS = 10_000  #: probe names of one set
_SOME_TENANT = "00000000-0000-0000-0000-000000000000"  # a placeholder tenant, to check a name's form
_EXPECTED_BY_GROUP = {
    Group.SERVICE: Expect.EXPECTED_CA,
    Group.VALIDATION: Expect.NONE,
    Group.SIGN_IN: Expect.PUBLIC_CA,
}
_EXAMPLE_PROBE = '[[rule.probe]] host = "a.example.net", kind = "sample", citation = "page"'
_EXAMPLE_RULE = '[[rule]] id = "login", title = "Sign-in", host = "login.windows.net", match = "exact", ...'


@dataclass(frozen=True, slots=True)
class _File:
    """The context for reading the rules of one file."""

    citations: Mapping[str, Citation]
    faults: Faults
    warnings: list[str]


def parse_ruleset(
    data: Mapping[str, object], source: str, *, sha256: str = "", base: RuleSet | None = None
) -> RuleSet:
    """The rule set in `data`. `base` is the set that its key `extends` names; BadFile for anything wrong.

    A rule with an id of the base replaces that row, a new id is added at the end, `remove` drops rows. The review
    date of the result is the older of the two.
    """
    faults = Faults(source)
    top = Table(data, "", faults)
    top.matched("schema", re.escape(SCHEMA), SCHEMA, f'schema = "{SCHEMA}"', required=True)
    name, title, version, reviewed = read_name(top, "rule set")
    cloud = top.matched("cloud", r"[a-z0-9-]+", "a cloud's short name", 'cloud = "public"')
    unpublished = top.text("unpublished", 'unpublished = "no published list"')
    extends = top.text("extends", 'extends = "entra-app-proxy"')
    if extends and base is None:
        top.fault("extends", f"{shown(extends)} is not a set that is known", 'extends = "entra-app-proxy"')
    removed = top.texts("remove", 'remove = ["id-of-a-row"]')
    file = _File(read_citations(top), faults, [])
    own = [rule for table in top.tables("rule", _EXAMPLE_RULE) if (rule := _rule(table, file)) is not None]
    if not own and base is None and not unpublished:
        top.fault(
            "rule", "is missing: the set has no rule, and does not say with `unpublished` why", _EXAMPLE_RULE
        )
    top.finish()
    rules = _merge(own, removed, base, faults)
    _refuse_twice(own, rules, faults)
    if sum(len(rule.probes) for rule in rules) > MOST_TARGETS:
        faults.add("rule", f"more than {MOST_TARGETS} names to probe in one set")
    faults.raise_if_any()
    assert reviewed is not None
    return RuleSet(
        name=name,
        title=title,
        version=version,
        reviewed=min(reviewed, base.reviewed) if base else reviewed,
        rules=rules,
        cloud=cloud or (base.cloud if base else "public"),
        unpublished=unpublished,
        source=f"{source} (extends {base.name} {base.version})" if base else source,
        sha256=sha256,
        warnings=(*file.warnings, *conflicts(rules)),
    )


def conflicts(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Rows that cover the same name and port and contradict each other: another group, or other expected CAs.

    This is allowed, because the exact row wins over the wildcard; the author of the file should know it.
    """
    found = []
    ordered = tuple(rules)
    wide: dict[str, list[Rule]] = defaultdict(list)
    for rule in ordered:
        if rule.match is Match.SUFFIX:
            wide[rule.host.removeprefix("*.")].append(rule)
    for rule in ordered:
        labels = rule.host.removeprefix("*.").split(".")
        for other in (one for at in range(1, len(labels)) for one in wide.get(".".join(labels[at:]), ())):
            shared = sorted(set(rule.ports) & set(other.ports))
            differs = rule.group is not other.group or rule.expect is not other.expect
            if shared and differs:
                found.append(
                    f"rule {rule.id} ({rule.host}, {rule.group}, {rule.expect}) and rule {other.id} "
                    f"({other.host}, {other.group}, {other.expect}) disagree about port {shared[0]}"
                )
    return tuple(found)


def _rule(table: Table, file: _File) -> Rule | None:
    """One `[[rule]]`; None when it has too many errors to continue (the faults give the reasons)."""
    before = len(file.faults.found)
    rule_id = table.matched(
        "id", r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by hyphens", 'id = "login"', required=True
    )
    title = table.text("title", 'title = "Sign-in"', required=True, most=200)
    match = table.choice("match", Match, Match.EXACT, 'match = "suffix"', required=True)
    host = _pattern(table, match, file)
    ports = _ports(table)
    group = table.choice("group", Group, Group.SERVICE, 'group = "service"', required=True)
    severity = table.choice("severity", Severity, Severity.REQUIRED, 'severity = "required"')
    expect = _expect(table, group, ports)
    path = _path(table, required=match is Match.URL_PATH)
    if path and match is not Match.URL_PATH:
        table.fault("path", 'belongs to a row with match = "url_path"; a probe has a path of its own')
    ids = table.texts("citations", 'citations = ["page"]', required=True)
    citations = tuple(
        c for i, key in enumerate(ids) if (c := cite(table, f"citations[{i}]", key, file.citations))
    )
    changed, note = table.text("changed", 'changed = "added 2024-10"'), table.text("note", 'note = "..."')
    probes, documents = (
        list(table.tables("probe", _EXAMPLE_PROBE)),
        list(table.tables("document", "[[rule.document]]")),
    )
    broken = len(file.faults.found) > before
    rule = Rule(
        rule_id, title, host, match, ports, group, severity, citations[0] if citations else NOBODY, expect, path,
        citations, changed=changed, note=note,
    )  # fmt: skip
    rule = replace(
        rule,
        probes=tuple(p for one in probes if (p := _probe(one, rule, file)) is not None),
        documents=tuple(d for one in documents if (d := _document(one, rule, file)) is not None),
    )
    table.finish()
    if broken or len(file.faults.found) > before:
        return None
    return rule if rule.probes or match is Match.SUFFIX else replace(rule, probes=(_implied(rule),))


def _implied(rule: Rule) -> Probe:
    """An exact row is its own probe name."""
    return Probe(rule.host, required=True, citation=rule.citation, path=rule.path)


def _pattern(table: Table, match: Match, file: _File) -> str:
    """`host` of a rule: a host name, with `*.` in front in a suffix row and only there."""
    example = 'host = "*.msappproxy.net"' if match is Match.SUFFIX else 'host = "login.windows.net"'
    value = table.get("host", str, example, required=True)
    if not isinstance(value, str):
        return ""
    if match is not Match.SUFFIX and "*" in value:
        table.fault("host", f'{shown(value)} is a wildcard, which needs match = "suffix"', example)
        return ""
    if match is Match.SUFFIX and (not value.startswith("*.") or "*" in value[2:]):
        table.fault("host", f"{shown(value)} must begin with *. and hold no other star", example)
        return ""
    name = table.as_host("host", value.removeprefix("*."), example)
    if name and match is Match.SUFFIX and "." not in name:
        table.fault("host", f"{shown(value)} covers a whole top-level domain: too wide to be probed", example)
        return ""
    _look_alike(value, name, table.where("host"), file)
    return f"*.{name}" if name and match is Match.SUFFIX else name


def _look_alike(value: str, name: str, where: str, file: _File) -> None:
    if name and (scripts := mixed_scripts(value)):
        file.warnings.append(
            f"{where}: {shown(value)} ({name}) mixes {' and '.join(scripts)} letters: a look-alike?"
        )


def _ports(table: Table) -> tuple[int, ...]:
    example = "ports = [443]"
    value = table.get("ports", list, example, required=True)
    if not isinstance(value, list):
        return ()
    for index, port in enumerate(value):
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            table.fault(
                f"ports[{index}]", f"{shown(port)} is no TCP port (1 to 65535, without quotes)", example
            )
            return ()
    if not value or len(value) > 16 or len(set(value)) != len(value):
        table.fault("ports", "must name between 1 and 16 ports, each once", example)
    return tuple(value)


def _expect(table: Table, group: Group, ports: tuple[int, ...]) -> Expect:
    """The expected CAs; the default depends on the group."""
    expect = table.choice("expect", Expect, _EXPECTED_BY_GROUP[group], 'expect = "public-ca"')
    if ports == (80,) and expect is not Expect.NONE and table.has("expect"):
        table.fault("expect", "asks for a certificate, but port 80 alone is plain HTTP", 'expect = "none"')
    if expect is Expect.NONE and 443 in ports:
        table.fault("expect", "is none, but port 443 speaks TLS", 'expect = "public-ca"')
    return Expect.NONE if ports == (80,) else expect


def _path(table: Table, required: bool = False) -> str | None:
    """The path of a URL, percent-encoded as it is sent."""
    value = table.matched(
        "path",
        r"/[!$-;=?-Z_a-z~]{0,1023}",
        "a path of a URL, percent-encoded",
        'path = "/pkiops"',
        required=required,
    )
    return value or None


def _probe(table: Table, rule: Rule, file: _File) -> Probe | None:
    """One `[[rule.probe]]`: a name under the rule's pattern."""
    example = 'host = "a.example.net"'
    host = _probe_host(table, rule, file, example)
    exact = rule.match is not Match.SUFFIX
    kind = table.matched(
        "kind", "required|sample", "required or sample", 'kind = "sample"', required=not exact
    )
    if exact and kind == "sample":
        table.fault("kind", "is sample, but an exact row's own name is required", 'kind = "required"')
    elif kind == "sample" and TENANT in host:
        table.fault("kind", "is sample, but a name with the tenant in it is required", 'kind = "required"')
    path = _path(table)
    client = table.flag("expects_client_certificate", "expects_client_certificate = true")
    grade = table.matched("grade", GRADES, "A, B or C", 'grade = "A"')
    note = table.text("note", 'note = "..."')
    region = table.matched(
        "region", "|".join(GEOGRAPHIES), f"one of {', '.join(GEOGRAPHIES)}", 'region = "eur"'
    )
    if region and kind != "sample":
        table.fault("region", "is for a sample: a required name is needed in every region", 'kind = "sample"')
    citation = _cited(table, file)
    table.finish()
    if not host or citation is None:
        return None
    return Probe(host, exact or kind == "required", citation, grade or "A", path, client, note, region)


def _probe_host(table: Table, rule: Rule, file: _File, example: str) -> str:
    """A probe's name, with `{tenant}` kept as it is; the rule must cover it."""
    value = table.get("host", str, example, required=True)
    if not isinstance(value, str):
        return ""
    try:
        name = normalise(value.replace(TENANT, _SOME_TENANT))
    except BadName as error:
        table.fault("host", str(error), example)
        return ""
    if rule.host and not rule.covers(name):
        table.fault("host", f"{shown(value)} is not covered by the rule's own pattern {rule.host}", example)
        return ""
    _look_alike(value, name, table.where("host"), file)
    return name.replace(_SOME_TENANT, TENANT) if TENANT in value else name


def _document(table: Table, rule: Rule, file: _File) -> Document | None:
    """One `[[rule.document]]`: a document that a host of the rule is known to serve on port 80."""
    host = table.host("host", 'host = "crl3.digicert.com"')
    if host and rule.host and not rule.covers(host):
        table.fault("host", f"{host} is not covered by the rule's own pattern {rule.host}")
        host = ""
    if rule.ports and 80 not in rule.ports:
        table.fault(
            "host", "a document is fetched over port 80, which this rule does not have", "ports = [80]"
        )
    path = _path(table, required=True)
    if path and rule.path and not path.startswith(rule.path):
        table.fault("path", f"{path} is not below the rule's own path {rule.path}")
    kind = table.matched("kind", "crl|aia", "crl or aia", 'kind = "crl"', required=True)
    citation = _cited(table, file)
    table.finish()
    return Document(host, path, kind, citation) if host and path and kind and citation else None


def _cited(table: Table, file: _File) -> Citation | None:
    key = table.text("citation", 'citation = "page"', required=True)
    return cite(table, "citation", key, file.citations) if key else None


def _merge(
    own: list[Rule], removed: tuple[str, ...], base: RuleSet | None, faults: Faults
) -> tuple[Rule, ...]:
    """The rows of the base with our replacements in place, then the new ones."""
    if removed and base is None:
        faults.add(
            "remove", "drops rows of another set, but the file extends none", 'extends = "entra-app-proxy"'
        )
    if base is None:
        return tuple(own)
    known = names_of(rule.id for rule in base.rules)
    ours = {rule.id: rule for rule in own}
    for index, key in enumerate(removed):
        if key not in known:
            faults.add(
                f"remove[{index}]", f"{shown(key)} is not the id of a row of {base.name} ({', '.join(known)})"
            )
        elif key in ours:
            faults.add(
                f"remove[{index}]", f"{shown(key)} is removed and given anew: one of the two is enough"
            )
    kept = [ours.get(rule.id, rule) for rule in base.rules if rule.id not in removed]
    return (*kept, *(rule for rule in own if rule.id not in known))


def _refuse_twice(own: list[Rule], rules: tuple[Rule, ...], faults: Faults) -> None:
    """Refuse a repeated id, destination or probe name."""
    ids: set[str] = set()
    for rule in own:
        if rule.id in ids:
            faults.add("rule", f"the id {rule.id} is given twice", 'id = "a-name-of-its-own"')
        ids.add(rule.id)
    seen: dict[tuple[str, ...], str] = {}
    for rule in rules:
        where = f"rule {rule.id}"
        for port in rule.ports:
            _once(
                seen,
                ("row", rule.host, rule.path or "", str(port)),
                where,
                f"{rule.host} port {port}",
                faults,
            )
            for probe in rule.probes:
                _once(
                    seen,
                    ("probe", probe.host, probe.path or "", str(port)),
                    where,
                    f"the probe {probe.host} port {port}",
                    faults,
                )
        for document in rule.documents:
            _once(
                seen,
                ("document", document.host, document.path),
                where,
                f"http://{document.host}{document.path}",
                faults,
            )


def _once(
    seen: dict[tuple[str, ...], str], key: tuple[str, ...], where: str, what: str, faults: Faults
) -> None:
    if (first := seen.setdefault(key, where)) != where:
        faults.add(where, f"{what} is already in {first}")
    elif key[0] != "row" and (*key, "seen") in seen:
        faults.add(where, f"{what} is given twice")
    seen[(*key, "seen")] = where
