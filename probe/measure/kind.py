"""The record `Probe`: how a kind of question is measured. The kind itself is in `rules.model.kind`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from probe.host.places import Places
from probe.measure.limits import Limits
from probe.measure.long_lists import LongLists
from probe.measure.network import Network
from probe.measure.os_resolver import OsResolver
from probe.measure.trust_stores import TrustStores
from rules.model.failure import Stage
from rules.model.kind import Kind
from rules.model.observation import Observation

S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything that measuring needs. `places`: None for those of the running system."""

    limits: Limits
    network: Network
    resolver: OsResolver
    stores: TrustStores
    lists: LongLists
    places: Places | None = None


def _no_longer(_: object) -> float:
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Generic[S, E]):
    """`measure` returns the observation of a step. The prober records an exception as a bug of ours."""

    kind: Kind[S, E]
    stage: Stage  # of a measurement that exceeds the outer deadline
    measure: Callable[[S, Tools], Awaitable[Observation]]
    longer: Callable[[S], float] = _no_longer  # seconds that a step may take beyond the outer deadline
