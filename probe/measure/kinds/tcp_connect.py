"""TCP connect: open, measure, close."""

from __future__ import annotations

import time

from probe.measure.kind import Probe
from probe.measure.limits import Limits
from probe.measure.network import Network, NetworkError
from rules.model.failure import Stage
from rules.model.kinds.tcp_connect import KIND, TcpConnect, TcpFacts
from rules.model.observation import Observation


async def measure(step: TcpConnect, network: Network, limits: Limits) -> Observation:
    """Connect to the address within `limits.tcp` seconds and close at once; nothing is sent."""
    started, begin = time.time(), time.monotonic()
    try:
        stream = await network.connect(step.address, step.port, limits.tcp)
    except NetworkError as error:
        return Observation(step, started, time.monotonic() - begin, failure=error.failure, local=error.local)
    try:
        facts = TcpFacts(stream.connect_s)
        return Observation(step, started, time.monotonic() - begin, evidence=facts, local=stream.local)
    finally:
        stream.close()


PROBE = Probe(
    kind=KIND,
    stage=Stage.TCP,
    measure=lambda step, tools: measure(step, tools.network, tools.limits),
)
