"""The report as JSON, `wayclear.report/1`: the program's contract with scripts, only ever added to.

`to_json` and `from_json` are each other's inverse, but for what a recording leaves out: times of the report are kept
to the millisecond, floats to the microsecond, and bodies over 64 KiB are dropped (their `digest` stays, `Audit` made
it). The JSON Schema is `rules.files.report_schema.schema()` and ships as `rules/schema/report-1.json`.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import NoReturn

from rules.files.codec import BadReport, Hint, JsonValue, decode, decode_object, encode, field, items, mapping
from rules.files.limits import DEEPEST, LARGEST_REPORT, deeper
from rules.model.kinds.http_fetch import BODY_KEPT, HttpExchange
from rules.model.kinds.local_host import ProxySetting
from rules.model.observation import EVIDENCE, STEPS, Observation, kind_of
from rules.model.verdict import Answer, CauseGroup, Plan, Report, RulesUsed, Vantage, Verdict
from rules.text.display import INVISIBLE, display
from rules.text.moments import EPOCH, bounded

__all__ = ["BadReport", "dumps", "from_json", "loads", "pieces", "to_json"]

SCHEMA = "wayclear.report/1"
_ODD = re.compile(r"[^\n -~]")  # what is not plain ASCII can only stand inside a text


def dumps(report: Report) -> str:
    """The report as text, for people to look at: indented, a line at the end."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The same text piece by piece, so that a report of thousands of observations is never in memory as JSON whole."""
    lead = "{"
    for key, value in _members(report):
        yield f"{lead}\n {json.dumps(key)}: "
        if isinstance(value, Iterator):
            yield from _list_pieces(value)
        else:
            yield _text(value, 1)
        lead = ","
    yield "\n}\n"


def _list_pieces(values: Iterator[JsonValue]) -> Iterator[str]:
    lead = "["
    for value in values:
        yield f"{lead}\n  {_text(value, 2)}"
        lead = ","
    yield "[]" if lead == "[" else "\n ]"


def _text(value: JsonValue, depth: int) -> str:
    """As `json` writes it `depth` levels deep; in JSON a line break is never inside a string."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return _ODD.sub(_visible, text).replace("\n", "\n" + " " * depth)


def _visible(found: re.Match[str]) -> str:
    """A character as it is where it prints as something; what acts on a terminal is escaped (RFC 8259 section 7)."""
    char = found[0]
    if char.isprintable() and char not in INVISIBLE:
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def loads(text: str | bytes) -> Report:
    """The report in a file. BadReport for anything else, however hostile."""
    if len(text) > LARGEST_REPORT:
        raise BadReport("$", f"is larger than {LARGEST_REPORT >> 20} MiB")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise BadReport("$", f"is nested deeper than {DEEPEST}") from None
    except ValueError as error:  # also JSONDecodeError, UnicodeDecodeError and integers of 4,301 digits
        raise BadReport("$", f"is not JSON: {display(str(error))}") from None
    if deeper(data, DEEPEST):
        raise BadReport("$", f"is nested deeper than {DEEPEST}")
    return from_json(data)


def to_json(report: Report) -> dict[str, JsonValue]:
    """The report as values that `json` writes."""
    return {key: list(value) if isinstance(value, Iterator) else value for key, value in _members(report)}


def _members(report: Report) -> Iterator[tuple[str, JsonValue]]:
    """Keys and values in order; the long lists as iterators."""
    yield "schema", SCHEMA
    yield "version", report.version
    yield "started", to_rfc3339(report.started)
    yield "finished", to_rfc3339(report.finished)
    yield "vantage", _vantage_to_json(report.vantage)
    yield "plan", encode(report.plan)
    yield "rulesets", encode(report.rulesets)
    yield "answer", report.answer.value
    yield "answer_text", encode(report.answer_text)
    yield "summary", report.summary
    yield "exit_code", report.exit_code
    yield "causes", encode(report.causes)
    yield "verdicts", map(encode, report.verdicts)
    yield "stopped", report.stopped
    yield "notes", encode(report.notes)
    yield "observations", map(_observation_to_json, map("o{}".format, count(1)), report.observations)


def from_json(data: Mapping[str, JsonValue]) -> Report:
    """The report that `data` holds. BadReport names the place of what is wrong.

    Observations of a kind that this program does not know are left out and a note says so; ids are then given anew.
    """
    found = mapping(data, "$")
    schema = field(found, "schema", "$")
    if schema != SCHEMA:
        shown = display(str(schema), 60)
        raise BadReport(
            "$.schema", f"must be {SCHEMA!r}, is {shown!r}: written by another version of wayclear?"
        )
    observations, ids, notes = _observations(field(found, "observations", "$"))

    def get(key: str, hint: Hint) -> Hint:
        return decode(hint, field(found, key, "$"), f"$.{key}")

    verdicts = get("verdicts", tuple[Verdict, ...])
    causes = get("causes", tuple[CauseGroup, ...])
    if notes:
        verdicts = tuple(dataclasses.replace(v, evidence=_renamed(v.evidence, ids)) for v in verdicts)
        causes = tuple(dataclasses.replace(c, evidence=_renamed(c.evidence, ids)) for c in causes)
    kept = decode(tuple[str, ...], found.get("notes", []), "$.notes")
    return Report(
        version=get("version", str),
        started=from_rfc3339(get("started", str), "$.started"),
        finished=from_rfc3339(get("finished", str), "$.finished"),
        plan=get("plan", Plan),
        vantage=_vantage_from_json(field(found, "vantage", "$"), "$.vantage"),
        rulesets=get("rulesets", tuple[RulesUsed, ...]),
        answer=get("answer", Answer),
        answer_text=get("answer_text", str),
        exit_code=get("exit_code", int),
        causes=causes,
        verdicts=verdicts,
        observations=observations,
        stopped=decode(str, found.get("stopped", ""), "$.stopped"),
        notes=kept + notes,
    )


def to_rfc3339(seconds: float, timespec: str = "milliseconds") -> str:
    """Unix time as RFC 3339 in UTC: `2026-11-02T09:14:05.120Z`, with `timespec` "microseconds" six digits.

    What no date can say becomes the nearest that one can. Never raises.
    """
    unit = 1000 if timespec == "milliseconds" else 1
    moment = EPOCH + datetime.timedelta(microseconds=round(bounded(seconds) * 1_000_000 / unit) * unit)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def from_rfc3339(text: str, path: str) -> float:
    """Unix time of an RFC 3339 date and time; BadReport where it is none or names no zone."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        pass
    raise BadReport(path, f"must be a time such as 2026-11-02T09:14:05.120Z, is {display(text, 60)!r}")


def _vantage_to_json(vantage: Vantage) -> dict[str, JsonValue]:
    whole: dict[str, JsonValue] = encode(vantage)
    proxies = whole.pop("proxies")
    whole["proxy"] = {"settings": proxies} if proxies else None
    whole["labels"] = dict(whole["labels"])
    return whole


def _vantage_from_json(value: JsonValue, path: str) -> Vantage:
    found = mapping(value, path)
    proxy = found.get("proxy")
    settings: JsonValue = []
    if proxy is not None:
        settings = field(mapping(proxy, f"{path}.proxy"), "settings", f"{path}.proxy")
    labels = mapping(found.get("labels", {}), f"{path}.labels")
    pairs = [[key, labels[key]] for key in labels]
    return decode_object(
        Vantage,
        found,
        path,
        proxies=decode(tuple[ProxySetting, ...], settings, f"{path}.proxy.settings"),
        labels=decode(tuple[tuple[str, str], ...], pairs, f"{path}.labels"),
    )


def _observation_to_json(name: str, observation: Observation) -> dict[str, JsonValue]:
    evidence = observation.evidence
    if isinstance(evidence, HttpExchange) and evidence.body is not None and len(evidence.body) > BODY_KEPT:
        evidence = dataclasses.replace(evidence, body=None)
    return {
        "id": name,
        "kind": kind_of(observation.step).word,
        "step": encode(observation.step),
        "started": to_rfc3339(observation.started, "microseconds"),  # their order is evidence
        "elapsed_s": encode(observation.elapsed),
        "failure": encode(observation.failure),
        "facts": encode(evidence),
        "local": encode(observation.local),
        "stale": observation.stale,
    }


def _observations(value: JsonValue) -> tuple[tuple[Observation, ...], dict[str, str], tuple[str, ...]]:
    """The observations, their ids in the file and now, and what must be said about those left out."""
    known: list[Observation] = []
    ids: dict[str, str] = {}
    strange: dict[str, int] = {}
    for position, item in enumerate(items(value, "$.observations")):
        path = f"$.observations[{position}]"
        found = mapping(item, path)
        kind = decode(str, field(found, "kind", path), f"{path}.kind")
        if kind not in STEPS:
            strange[kind] = strange.get(kind, 0) + 1
            continue
        known.append(_observation(kind, found, path))
        ids[decode(str, field(found, "id", path), f"{path}.id")] = f"o{len(known)}"
    notes = tuple(
        f"{count} observations of a kind that this version does not know were left out: {display(kind, 60)}"
        for kind, count in list(strange.items())[:10]
    )
    return tuple(known), ids, notes


def _observation(kind: str, found: Mapping[str, JsonValue], path: str) -> Observation:
    facts = found.get("facts")
    return decode_object(
        Observation,
        found,
        path,
        step=decode_object(STEPS[kind], field(found, "step", path), f"{path}.step"),
        started=from_rfc3339(
            decode(str, field(found, "started", path), f"{path}.started"), f"{path}.started"
        ),
        elapsed=decode(float, field(found, "elapsed_s", path), f"{path}.elapsed_s"),
        evidence=None if facts is None else decode_object(EVIDENCE[kind], facts, f"{path}.facts"),
    )


def _renamed(evidence: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(ids[name] for name in evidence if name in ids)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
