"""Rule sets and CA sets as text: what is required, by whom, since when.

Each row has the numbers of its sources ([1]); the sources stand once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from exporters.terminal.style import Style, count, say
from rules.model.ruleset import CaSet, Citation, Rule, RuleSet, Severity
from rules.text.display import display

#: Who says that a name is used, by the grade of the source.
_GRADES: Mapping[str, str] = {
    "A": "by Microsoft's documentation",
    "B": "by official code or a vendor's text",
    "C": "by a third party",
}


def listing(rulesets: Iterable[RuleSet], cas: Iterable[CaSet], style: Style) -> str:
    """Every set in a line or two: name, version, when it was reviewed, how much is in it."""
    rows = [(r.name, _facts(r) + (r.unpublished or count(len(r.rules), "row"))) for r in rulesets]
    rows += [(c.name, _facts(c) + count(len(c.cas), "expected CA")) for c in cas]
    return style.finish(style.pairs(rows, ""))


def _facts(what: RuleSet | CaSet) -> str:
    return f"{say(what.title)}; version {display(what.version)}, reviewed {what.reviewed}; "


def show_rules(ruleset: RuleSet, style: Style) -> str:
    """Every row of a rule set with its source."""
    return style.finish(_ruleset(ruleset, style))


def show_cas(caset: CaSet, style: Style) -> str:
    """Every CA of a CA set with its key."""
    return style.finish(_caset(caset, style))


def _ruleset(ruleset: RuleSet, style: Style) -> Iterator[str]:
    yield style.paint("heading", f"{display(ruleset.name)}: {say(ruleset.title)}")
    yield f"version {display(ruleset.version)}, reviewed {ruleset.reviewed}, cloud {display(ruleset.cloud)}"
    if ruleset.unpublished:
        yield from style.wrap(say(ruleset.unpublished))
    sources = _numbered(one for rule in ruleset.rules for one in _cited(rule))
    for rule in ruleset.rules:
        yield ""
        yield from _rule(rule, sources, style)
    yield from _sources(sources, style)


def _cited(rule: Rule) -> tuple[Citation, ...]:
    return rule.citations or (rule.citation,)


def _numbered(cited: Iterable[Citation]) -> dict[Citation, int]:
    """Each source once, numbered from 1 in the order of the rows."""
    return {one: number for number, one in enumerate(dict.fromkeys(cited), 1)}


def _sources(sources: Mapping[Citation, int], style: Style) -> Iterator[str]:
    """The numbered list of sources; nothing if there is none."""
    if not sources:
        return
    yield ""
    yield style.paint("heading", "Sources")
    rows = [
        (f"[{number}]", f"{say(one.title)}, {one.date}, {display(one.url)}")
        for one, number in sources.items()
    ]
    yield from style.pairs(rows, "  ")


def _numbers(cited: Iterable[Citation], sources: Mapping[Citation, int]) -> str:
    """`[1] [3]`: the places of `cited` in the list at the end."""
    return " ".join(f"[{sources[one]}]" for one in cited)


def _rule(rule: Rule, sources: Mapping[Citation, int], style: Style) -> Iterator[str]:
    ports = ", ".join(map(str, rule.ports))
    weight = "" if rule.severity is Severity.REQUIRED else f", {rule.severity.value}"
    yield style.paint("heading", f"{display(rule.host)}{display(rule.path or '')}") + f"  port {ports}"
    rows = [("rule", f"{rule.id}: {say(rule.title)} ({rule.group.value}{weight})")]
    for probe in rule.probes:
        kind = "required" if probe.required else "example"
        rows.append(
            (
                "tried as",
                f"{display(probe.host)}{display(probe.path or '')} ({kind}, {_GRADES.get(probe.grade, probe.grade)})",
            )
        )
    rows += [
        ("known document", f"http://{display(d.host)}{display(d.path)} ({d.kind})") for d in rule.documents
    ]
    rows += [("changed", say(rule.changed))] if rule.changed else []
    rows += [("note", say(rule.note))] if rule.note else []
    rows.append(("source", _numbers(_cited(rule), sources)))
    yield from style.pairs(rows, "  ")


def _caset(caset: CaSet, style: Style) -> Iterator[str]:
    yield style.paint("heading", f"{display(caset.name)}: {say(caset.title)}")
    yield f"version {display(caset.version)}, reviewed {caset.reviewed}"
    sources = _numbered(ca.citation for ca in caset.cas)
    for ca in caset.cas:
        yield ""
        yield style.paint("heading", display(ca.name))
        valid = f"{ca.not_before or 'unknown'} to {ca.not_after or 'unknown'}"
        rows = [("role", f"{ca.role}, issued by {say(ca.issuer)}, valid {valid}")]
        rows.append(
            (
                "key",
                f"SHA-256 {ca.spki_sha256}" if ca.spki_sha256 else "not known: can be named, proves nothing",
            )
        )
        rows += [("certificate", f"SHA-256 {ca.sha256}")] if ca.sha256 else []
        rows += [("note", say(ca.note))] if ca.note else []
        rows.append(("source", _numbers((ca.citation,), sources)))
        yield from style.pairs(rows, "  ")
    yield from _sources(sources, style)
