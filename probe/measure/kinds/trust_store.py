"""Root certificates in the stores of this host (`probe.measure.trust_stores`). No network."""

from __future__ import annotations

import time

from probe.measure.kind import Probe
from probe.measure.trust_stores import TrustStores
from rules.model.failure import Stage
from rules.model.kinds.trust_store import KIND, TrustLookup, TrustRoots
from rules.model.observation import Observation


async def measure(step: TrustLookup, stores: TrustStores) -> Observation:
    """Both stores' roots with the step's subject, compared byte by byte (as Windows does); sends no packet."""
    started, begin = time.time(), time.monotonic()
    public, system = stores.public, stores.system
    facts = TrustRoots(
        public=public.roots.get(step.subject, ()),
        system=system.roots.get(step.subject, ()),
        public_date=public.date,
        system_date=system.date,
        public_source=public.source,
        system_source=system.source,
    )
    return Observation(step, started, time.monotonic() - begin, evidence=facts)


PROBE = Probe(kind=KIND, stage=Stage.LOCAL, measure=lambda step, tools: measure(step, tools.stores))
