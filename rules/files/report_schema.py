"""The JSON Schema (draft 2020-12) of a report, generated from the types.

It ships as `rules/schema/report-1.json`; a test holds the file equal to `schema()`. After a change of the types write
it anew: `python -m exporters.report.schema > rules/schema/report-1.json`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from typing import Any, Literal, Union

from rules.files.codec import Hint, fields_of
from rules.files.report_json import SCHEMA
from rules.model.causes.record import Cause
from rules.model.failure import Failure
from rules.model.kinds.local_host import ProxySetting
from rules.model.observation import EVIDENCE, STEPS
from rules.model.verdict import Answer, CauseGroup, Plan, RulesUsed, Status, Verdict

Json = dict[str, Any]

TIME: Json = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$",
}
PLAIN: dict[Hint, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}


def schema() -> Json:
    """The schema of `wayclear.report/1`. Objects may have further keys: the contract is only ever added to."""
    defs: dict[str, Json] = {}
    top = {
        "schema": {"const": SCHEMA},
        "version": _of(str, defs),
        "started": TIME,
        "finished": TIME,
        "vantage": _vantage(defs),
        "plan": _of(Plan, defs),
        "rulesets": _of(tuple[RulesUsed, ...], defs),
        "answer": _of(Answer, defs),
        "answer_text": _of(str, defs),
        "summary": {
            "type": "object",
            "properties": {status.value: {"type": "integer", "minimum": 0} for status in Status},
            "required": [status.value for status in Status],
        },
        "exit_code": {"type": "integer", "minimum": 0, "maximum": 3},
        "causes": _of(tuple[CauseGroup, ...], defs),
        "verdicts": _of(tuple[Verdict, ...], defs),
        "stopped": {"type": "string"},
        "notes": _of(tuple[str, ...], defs),
        "observations": {"type": "array", "items": _observation(defs)},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "wayclear report",
        "type": "object",
        "properties": top,
        "required": list(top),
        "$defs": dict(sorted(defs.items())),
    }


def _vantage(defs: dict[str, Json]) -> Json:
    settings = {"type": "object", "properties": {"settings": _of(tuple[ProxySetting, ...], defs)}}
    properties = {
        "host": _of(str, defs),
        "user": _of(str, defs),
        "os": _of(str, defs),
        "sources": _of(tuple[str, ...], defs),
        "resolvers": _of(tuple[str, ...], defs),
        "proxy": {"anyOf": [settings | {"required": ["settings"]}, {"type": "null"}]},
        "tenant": _of(str | None, defs),
        "tenant_source": _of(str, defs),
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _observation(defs: dict[str, Json]) -> Json:
    """What all observations share; step and facts follow the kind, and kinds to come are allowed."""
    properties: Json = {
        "id": {"type": "string", "pattern": "^o[1-9][0-9]*$"},
        "kind": {"type": "string"},
        "step": {"type": "object"},
        "started": TIME,
        "elapsed_s": _of(float, defs),
        "failure": _of(Failure | None, defs),
        "facts": {"type": ["object", "null"]},
        "local": _of(tuple[str, int] | None, defs),
        "stale": _of(bool, defs),
    }
    kinds = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {
                "properties": {
                    "step": _of(step, defs),
                    "facts": {"anyOf": [_of(EVIDENCE[kind], defs), {"type": "null"}]},
                }
            },
        }
        for kind, step in STEPS.items()
    ]
    return {"type": "object", "properties": properties, "required": list(properties), "allOf": kinds}


def _of(hint: Hint, defs: dict[str, Json]) -> Json:
    """The schema of a type; classes go to `defs` and are referred to."""
    origin: Hint = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {
            "anyOf": [_of(arm, defs) for arm in arguments if arm is not types.NoneType] + [{"type": "null"}]
        }
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return {"type": "array", "items": _of(arguments[0], defs)}
    if origin is tuple:
        whole = len(arguments)
        return {
            "type": "array",
            "prefixItems": [_of(arm, defs) for arm in arguments],
            "minItems": whole,
            "maxItems": whole,
        }
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if hint is Cause:
        return _of(str, defs)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(hint, defs)
    return dict(PLAIN[hint])


def _object(cls: type, defs: dict[str, Json]) -> Json:
    if cls.__name__ not in defs:
        defs[cls.__name__] = {}  # before its fields: a type may hold itself
        fields = fields_of(cls)
        defs[cls.__name__] = {
            "type": "object",
            "properties": {name: _of(hint, defs) for name, hint, _ in fields},
            "required": [name for name, _, needed in fields if needed],
        }
    return {"$ref": f"#/$defs/{cls.__name__}"}
