"""The probe of each kind: the record `PROBE` in the module of `probe/measure/kinds` with the name of the kind's module.

The list of kinds is in `rules/model/observation.py` only.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from probe.measure.kind import Probe
from rules.model.kind import Kind
from rules.model.observation import KINDS, Step


def _probe(kind: Kind[Any, Any]) -> Probe[Any, Any]:
    _, _, name = kind.step.__module__.rpartition(".")
    probe = importlib.import_module(f"probe.measure.kinds.{name}").PROBE
    assert isinstance(probe, Probe)
    assert probe.kind is kind
    return probe


PROBES: Mapping[type[Step], Probe[Any, Any]] = {kind.step: _probe(kind) for kind in KINDS}
