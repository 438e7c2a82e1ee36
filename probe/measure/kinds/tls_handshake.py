"""TLS: connect, make the handshake, keep the facts (pyOpenSSL, in `probe.measure.tls_session`). Nothing is verified here."""

from __future__ import annotations

import asyncio
import time

from probe.measure.failure import in_stage
from probe.measure.kind import Probe
from probe.measure.limits import Limits
from probe.measure.network import Network, NetworkError
from probe.measure.tls_session import Session
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import KIND, TlsHandshake
from rules.model.observation import Observation


async def measure(step: TlsHandshake, network: Network, limits: Limits) -> Observation:
    """Connect, make the handshake and, if the step has a path, GET it; then close at once.

    Limits: `limits.tcp` for the connect, `limits.tls` for the whole handshake however slowly it drips,
    `limits.first_byte` for the GET. Failures of the connect are of TCP or this host, later ones of TLS. The evidence
    keeps what was shown before a failure.
    """
    if not step.server_name:
        raise ValueError("a TLS step needs a server name (or an address literal, for a hello without SNI)")
    started, begin = time.time(), time.monotonic()
    try:
        stream = await network.connect(step.address, step.port, limits.tcp)
    except NetworkError as error:
        return Observation(step, started, time.monotonic() - begin, failure=error.failure, local=error.local)
    try:
        session = Session(step, stream, limits)
        failure: Failure | None
        try:
            async with asyncio.timeout(limits.tls):
                failure = await session.handshake()
        except NetworkError as error:
            failure = in_stage(error.failure, Stage.TLS)
        except TimeoutError:
            failure = Failure(Stage.TLS, Code.TIMEOUT, f"{session.records.size} bytes came")
        if failure is None and step.path is not None:
            await session.get(step.path)
        facts = session.facts()
    finally:
        stream.close()
    return Observation(step, started, time.monotonic() - begin, failure, facts, stream.local)


PROBE = Probe(
    kind=KIND,
    stage=Stage.TLS,
    measure=lambda step, tools: measure(step, tools.network, tools.limits),
)
