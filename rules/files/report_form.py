"""The form of a report's file, `wayclear.report/1`, where it differs from `Report`: its keys, in order.

The rest of a report are the dataclasses of `rules.model`, with their field names as keys.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from rules.model.failure import Failure
from rules.model.kinds.local_host import ProxySetting
from rules.model.verdict import Answer, CauseGroup, Plan, RulesUsed, Status, Verdict, VerifiedFlow

SCHEMA = "wayclear.report/1"


def _written(**schema: object) -> Meta:
    """What the schema states beyond a value's type. The reader does not check it: it accepts more than is written."""
    return Meta(extra_json_schema=schema)


_COUNTS = {status.value: {"type": "integer", "minimum": 0} for status in Status}
Time: TypeAlias = Annotated[
    str, _written(format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$")
]
Name: TypeAlias = Annotated[str, _written(pattern="^o[1-9][0-9]*$")]
ExitCode: TypeAlias = Annotated[int, _written(minimum=0, maximum=3)]
Labels: TypeAlias = Annotated[dict[str, Any], _written(additionalProperties={"type": "string"})]
Summary: TypeAlias = Annotated[Any, _written(type="object", properties=_COUNTS, required=[*_COUNTS])]
StepObject: TypeAlias = Annotated[Any, _written(type="object")]
FactsObject: TypeAlias = Annotated[Any, _written(type=["object", "null"])]


class RecordedProxies(Struct, frozen=True):
    """The proxy settings of a host that has some."""

    settings: tuple[ProxySetting, ...]


class RecordedVantage(Struct, frozen=True, kw_only=True):
    """A `Vantage`."""

    host: str
    user: str
    os: str
    sources: tuple[str, ...]
    resolvers: tuple[str, ...]
    tenant: str | None
    tenant_source: str = ""
    labels: Labels = {}
    utc_offset: int | None = None
    proxy: RecordedProxies | None = None


class RecordedObservation(Struct, frozen=True, kw_only=True):
    """An `Observation`. The kind gives the type of step and facts; a program ignores kinds that it does not know."""

    id: Name
    kind: str
    step: StepObject
    started: Time
    elapsed_s: float
    failure: Failure | None = None
    facts: FactsObject = None
    local: tuple[str, int] | None = None
    stale: bool = False


class RecordedReport(Struct, frozen=True, kw_only=True):
    """A `Report` without its observations, which are read one by one."""

    schema: str
    version: str
    started: Time
    finished: Time
    vantage: RecordedVantage
    plan: Plan
    rulesets: tuple[RulesUsed, ...]
    answer: Answer
    answer_text: str
    summary: Summary = None  # for human readers; a program counts the verdicts itself
    exit_code: ExitCode
    causes: tuple[CauseGroup, ...]
    verdicts: tuple[Verdict, ...]
    stopped: str = ""
    notes: tuple[str, ...] = ()
    verified: tuple[VerifiedFlow, ...] = ()
    observations: tuple[dict[str, Any], ...]
