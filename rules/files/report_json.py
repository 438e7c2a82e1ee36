"""The report as JSON, `wayclear.report/1`: the program's contract with scripts, which only grows.

`loads` restores what `dumps` wrote, except what a recording leaves out: the report's times are kept to the
millisecond, floats to the microsecond, and bodies over 64 KiB are dropped (`Audit` made their `digest`, which stays).
`rules.files.report_form` states the file's content; its JSON Schema is `rules.files.report_schema.schema()`.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import msgspec

from rules.files.codec import BadReport, Hint, JsonValue, decode, encode, mapping, parse, recorded, unrecorded
from rules.files.limits import DEEPEST, LARGEST_REPORT, deeper
from rules.files.report_form import (
    SCHEMA,
    RecordedObservation,
    RecordedProxies,
    RecordedReport,
    RecordedVantage,
)
from rules.model import causes
from rules.model.kinds.http_fetch import BODY_KEPT, HttpExchange
from rules.model.observation import EVIDENCE, STEPS, Observation, kind_of
from rules.model.verdict import Report, Vantage
from rules.text.display import INVISIBLE, display
from rules.text.moments import EPOCH, bounded

__all__ = ["BadReport", "dumps", "loads", "pieces"]

_ODD = re.compile(r"[^\n -~]")  # non-ASCII characters occur only inside a text


def dumps(report: Report) -> str:
    """The report as indented text with a final line end."""
    return "".join(pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """The same text in pieces: the JSON of thousands of observations is never in memory as a whole."""
    own = {
        "schema": SCHEMA,
        "started": to_rfc3339(report.started),
        "finished": to_rfc3339(report.finished),
        "vantage": _vantage_to_form(report.vantage),
        "verdicts": iter(report.verdicts),
        "observations": map(_observation_to_form, count(1), report.observations),
    }
    lead = "{"
    for key in recorded(RecordedReport):
        value = own[key] if key in own else getattr(report, key)
        yield f'{lead}\n "{key}": '
        if isinstance(value, Iterator):
            yield from _list_pieces(map(encode, value))
        else:
            yield _text(encode(value), 1)
        lead = ","
    yield "\n}\n"


def _list_pieces(values: Iterator[JsonValue]) -> Iterator[str]:
    lead = "["
    for value in values:
        yield f"{lead}\n  {_text(value, 2)}"
        lead = ","
    yield "[]" if lead == "[" else "\n ]"


def _text(value: JsonValue, depth: int) -> str:
    """The text of `json`, indented by `depth` levels. A JSON string never contains a line break."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _ODD.sub(_visible, msgspec.json.format(flat, indent=1)).replace("\n", "\n" + " " * depth)


def _visible(found: re.Match[str]) -> str:
    """A visible character as it is; an escape for one that acts on a terminal (RFC 8259 section 7)."""
    char = found[0]
    if char.isprintable() and char not in INVISIBLE:
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def loads(text: str | bytes) -> Report:
    """The report in a file. BadReport, with the place of the error, for anything else, however hostile.

    Observations of a kind that this program does not know are left out, and a note says so; ids are then assigned
    again.
    """
    if len(text) > LARGEST_REPORT:
        raise BadReport("$", f"is larger than {LARGEST_REPORT >> 20} MiB")
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text))
        data = parse(text)
    except RecursionError:
        raise BadReport("$", f"is nested deeper than {DEEPEST}") from None
    except ValueError as error:  # includes JSONDecodeError, UnicodeDecodeError and integers of 4,301 digits
        raise BadReport("$", f"is not JSON: {display(str(error))}") from None
    if deeper(data, DEEPEST):
        raise BadReport("$", f"is nested deeper than {DEEPEST}")
    found = mapping(data, "$")
    if "schema" in found and found["schema"] != SCHEMA:
        shown = display(str(found["schema"]), 60)
        raise BadReport(
            "$.schema", f"must be {SCHEMA!r}, is {shown!r}: written by another version of wayclear?"
        )
    for key in ("verdicts", "causes"):
        _read_causes(found.get(key), f"$.{key}")
    return _from_form(decode(RecordedReport, found, "$"))


def _read_causes(values: JsonValue, path: str) -> None:
    """Replace each cause's word with the record. msgspec accepts the record, but would also build one from an object."""
    for at, value in enumerate(values if isinstance(values, list) else ()):
        if isinstance(value, dict) and "cause" in value:
            value["cause"] = causes.from_word(decode(str, value["cause"], f"{path}[{at}].cause"))


def _from_form(form: RecordedReport) -> Report:
    observations, ids, notes = _observations(form.observations)
    verdicts, groups = form.verdicts, form.causes
    if notes:
        verdicts = tuple(dataclasses.replace(v, evidence=_renamed(v.evidence, ids)) for v in verdicts)
        groups = tuple(dataclasses.replace(g, evidence=_renamed(g.evidence, ids)) for g in groups)
    own = {
        "started": from_rfc3339(form.started, "$.started"),
        "finished": from_rfc3339(form.finished, "$.finished"),
        "vantage": _vantage_from_form(form.vantage),
        "causes": groups,
        "verdicts": verdicts,
        "observations": observations,
        "notes": form.notes + notes,
    }
    return Report(**_shared(form, Report) | own)


def to_rfc3339(seconds: float, timespec: str = "milliseconds") -> str:
    """Unix time as RFC 3339 in UTC: `2026-11-02T09:14:05.120Z`, with `timespec` "microseconds" six digits.

    A time outside the calendar becomes the nearest inside. Never raises.
    """
    unit = 1000 if timespec == "milliseconds" else 1
    moment = EPOCH + datetime.timedelta(microseconds=round(bounded(seconds) * 1_000_000 / unit) * unit)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def from_rfc3339(text: str, path: str) -> float:
    """Unix time of an RFC 3339 date and time; BadReport if it is invalid or has no zone."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(datetime.UTC).timestamp()
    except (ValueError, OverflowError):
        pass
    raise BadReport(path, f"must be a time such as 2026-11-02T09:14:05.120Z, is {display(text, 60)!r}")


def _shared(value: object, cls: Hint) -> dict[str, Any]:
    """The fields of a value that another class has under the same names."""
    return {name: getattr(value, name) for name in recorded(cls) if hasattr(value, name)}


def _vantage_to_form(vantage: Vantage) -> RecordedVantage:
    proxy = RecordedProxies(vantage.proxies) if vantage.proxies else None
    own = {"proxy": proxy, "labels": dict(vantage.labels)}
    return RecordedVantage(**_shared(vantage, RecordedVantage) | own)


def _vantage_from_form(form: RecordedVantage) -> Vantage:
    labels = decode(tuple[tuple[str, str], ...], list(form.labels.items()), "$.vantage.labels")
    own = {"proxies": form.proxy.settings if form.proxy else (), "labels": labels}
    return Vantage(**_shared(form, Vantage) | own)


def _observation_to_form(number: int, observation: Observation) -> RecordedObservation:
    evidence = observation.evidence
    if isinstance(evidence, HttpExchange) and evidence.body is not None and len(evidence.body) > BODY_KEPT:
        evidence = dataclasses.replace(evidence, body=None)
    own = {
        "id": f"o{number}",
        "kind": kind_of(observation.step).word,
        "started": to_rfc3339(observation.started, "microseconds"),  # their order is evidence
        "elapsed_s": observation.elapsed,
        "facts": evidence,
    }
    return RecordedObservation(**_shared(observation, RecordedObservation) | own)


def _observations(
    values: tuple[dict[str, JsonValue], ...],
) -> tuple[tuple[Observation, ...], dict[str, str], tuple[str, ...]]:
    """The observations, the map from ids in the file to new ids, and the notes about those left out."""
    known: list[Observation] = []
    ids: dict[str, str] = {}
    strange: dict[str, int] = {}
    for position, value in enumerate(values):
        path = f"$.observations[{position}]"
        kind = decode(_Kind, value, path).kind
        if kind not in STEPS:
            strange[kind] = strange.get(kind, 0) + 1
            continue
        form = decode(RecordedObservation, value, path)
        known.append(_observation_from_form(form, path))
        ids[form.id] = f"o{len(known)}"
    notes = tuple(
        f"{count} observations of a kind that this version does not know were left out: {display(kind, 60)}"
        for kind, count in list(strange.items())[:10]
    )
    return tuple(known), ids, notes


class _Kind(msgspec.Struct):
    """The fields that an observation of an unknown kind must have."""

    kind: str


def _observation_from_form(form: RecordedObservation, path: str) -> Observation:
    evidence = None
    if form.facts is not None:
        facts, cls = mapping(form.facts, f"{path}.facts"), EVIDENCE[form.kind]
        for name in unrecorded(cls):
            facts.pop(name, None)
        evidence = decode(cls, facts, f"{path}.facts")
    own = {
        "step": decode(STEPS[form.kind], form.step, f"{path}.step"),
        "started": from_rfc3339(form.started, f"{path}.started"),
        "elapsed": form.elapsed_s,
        "evidence": evidence,
    }
    return Observation(**_shared(form, Observation) | own)


def _renamed(evidence: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(ids[name] for name in evidence if name in ids)
