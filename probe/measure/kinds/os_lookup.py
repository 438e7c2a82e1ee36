"""The operating system's own resolution of a name (`probe.measure.os_resolver`)."""

from __future__ import annotations

import socket
import time

from probe.measure.failure import classify, gai_name
from probe.measure.kind import Probe
from probe.measure.limits import Limits
from probe.measure.os_resolver import OsResolver
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.os_lookup import KIND, OsAnswer, OsLookup
from rules.model.observation import Observation


async def measure(step: OsLookup, resolver: OsResolver, limits: Limits) -> Observation:
    """Resolve by the operating system. An error of getaddrinfo is an answer; a late or dead child is a failure."""
    started, begun = time.time(), time.monotonic()
    failure: Failure | None = None
    evidence: OsAnswer | None = None
    try:
        addresses, error = await resolver.lookup(step.name, limits.os_lookup)
        evidence = OsAnswer(addresses, gai_name(socket.gaierror(error, "")) if error else "")
    except TimeoutError:
        failure = Failure(
            Stage.DNS, Code.TIMEOUT, f"no answer from the operating system in {limits.os_lookup:g} s"
        )
    except EOFError as error:
        failure = Failure(Stage.LOCAL, Code.LOOKUP, str(error))
    except OSError as error:  # no process could be started
        failure = classify(error, Stage.LOCAL)
    return Observation(step, started, time.monotonic() - begun, failure, evidence)


PROBE = Probe(
    kind=KIND,
    stage=Stage.DNS,
    measure=lambda step, tools: measure(step, tools.resolver, tools.limits),
)
