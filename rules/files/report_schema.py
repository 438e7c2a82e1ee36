"""The JSON Schema (draft 2020-12) of a report, generated from the types by msgspec.

It ships as `rules/schema/report-1.json`; a test holds the file equal to `schema()`. After a change of the types write
it anew: `python -m exporters.report.schema > rules/schema/report-1.json`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from rules.files.codec import unrecorded
from rules.files.report_form import SCHEMA, RecordedObservation, RecordedReport, RecordedVantage
from rules.model.causes.record import Cause, Circumstance
from rules.model.observation import EVIDENCE, STEPS
from rules.model.verdict import CauseGroup, Verdict

Json = dict[str, Any]


def schema() -> Json:
    """The schema of `wayclear.report/1`. Objects may have further keys: the contract is only ever added to."""
    recorded = (RecordedReport, RecordedObservation, *STEPS.values(), *EVIDENCE.values())
    _, defs = msgspec.json.schema_components(recorded, ref_template="#/$defs/{name}")
    for one in defs.values():
        one.pop("description", None)  # docstrings are for readers of the program and change with it
    for evidence in EVIDENCE.values():
        for name in unrecorded(evidence):
            del defs[evidence.__name__]["properties"][name]
    for judged in (Verdict, CauseGroup):
        defs[judged.__name__]["properties"]["cause"] = {"type": "string"}
    del defs[Cause.__name__], defs[Circumstance.__name__]
    # Always written, though the reader accepts gaps.
    for form in (
        RecordedReport,
        RecordedObservation,
        RecordedVantage,
    ):
        defs[form.__name__]["required"] = list(defs[form.__name__]["properties"])
    top = defs.pop(RecordedReport.__name__)
    top["properties"]["schema"] = {"const": SCHEMA}
    top["properties"]["observations"]["items"] = _ref(RecordedObservation)
    defs[RecordedObservation.__name__]["allOf"] = [_of_kind(kind) for kind in STEPS]
    written = json.dumps([top, defs])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        **top,
        "title": "wayclear report",
        "$defs": {name: defs[name] for name in sorted(defs) if f'"#/$defs/{name}"' in written},
    }


def _of_kind(kind: str) -> Json:
    """The types of step and facts for a kind; unknown kinds are allowed."""
    step, facts = _ref(STEPS[kind]), {"anyOf": [_ref(EVIDENCE[kind]), {"type": "null"}]}
    return {
        "if": {"properties": {"kind": {"const": kind}}},
        "then": {"properties": {"step": step, "facts": facts}},
    }


def _ref(cls: type) -> Json:
    return {"$ref": f"#/$defs/{cls.__name__}"}
