"""Plain HTTP: one request on one connection, the answer within its caps, whole or with the reason why not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from probe.failure import at
from probe.http_reader import ResponseReader, request
from probe.limits import Limits
from probe.network import Network, NetworkError, Stream
from rules.failure import Code, Failure, Stage
from rules.kinds.http_fetch import HttpExchange, HttpFetch
from rules.observation import Observation

KEPT = 65_536  # bytes that are kept of a body beyond its cap
_YIELD = 262_144  # bytes that one fetch may read before others have their turn


@dataclass(slots=True)
class _Clock:
    """When the first byte of the answer came, in seconds after the request was sent."""

    first_byte_s: float | None = None


async def measure(step: HttpFetch, network: Network, limits: Limits) -> Observation:
    """GET the target (POST where the step has a body) at the step's address.

    The connect has `limits.tcp`, the first byte of the answer `limits.first_byte`, the exchange `limits.http` seconds
    (`limits.crl` for a CRL). Failures before the connection stands are of TCP or this host, later ones of HTTP; the
    exchange keeps what came until then. A redirect is an answer like any other and is not followed.
    """
    started, begin = time.time(), time.monotonic()
    wire = request(step.host, step.port, step.target, 80, step.body)
    if isinstance(wire, Failure):
        return Observation(step, started, 0.0, failure=wire)
    try:
        stream = await network.connect(step.address, step.port, limits.tcp)
    except NetworkError as error:
        return Observation(step, started, time.monotonic() - begin, failure=error.failure, local=error.local)
    reader, clock = ResponseReader(limits, min(step.cap, limits.crl_body)), _Clock()
    try:
        async with asyncio.timeout(limits.crl if step.purpose == "crl" else limits.http):
            await _exchange(stream, wire, reader, clock, limits.first_byte)
    except NetworkError as error:
        reader.give_up(at(error.failure, Stage.HTTP))
    except TimeoutError:
        waiting = "no byte of an answer" if clock.first_byte_s is None else "the answer did not end"
        reader.give_up(Failure(Stage.HTTP, Code.TIMEOUT, waiting))
    finally:
        stream.close()
    return Observation(
        step,
        started,
        time.monotonic() - begin,
        failure=reader.failure,
        evidence=_evidence(stream.connect_s, clock, reader),
        local=stream.local,
    )


async def _exchange(
    stream: Stream, wire: bytes, reader: ResponseReader, clock: _Clock, first_byte: float
) -> None:
    async with asyncio.timeout(first_byte):
        sent = time.monotonic()
        try:
            await stream.send(wire)
        except NetworkError as error:  # an answer may have come before the peer stopped listening
            lost: NetworkError | None = error
        else:
            lost = None
        data = await _receive(stream, lost)
        if data:
            clock.first_byte_s = time.monotonic() - sent
    reader.feed(data)
    unyielded = 0
    while not reader.done:
        data = await _receive(stream, lost)
        reader.feed(data)
        unyielded += len(data)
        if unyielded > _YIELD:  # bytes that are there already are received without a turn of the loop
            unyielded = 0
            await asyncio.sleep(0)


async def _receive(stream: Stream, lost: NetworkError | None) -> bytes:
    data = await stream.receive()
    if lost is not None and not data:
        raise lost
    return data


def _evidence(connect_s: float, clock: _Clock, reader: ResponseReader) -> HttpExchange:
    size = len(reader.body)
    if reader.failure is not None and reader.failure.code is Code.TOO_LARGE:
        del reader.body[
            KEPT:
        ]  # nobody judges it, and a device may answer every document of an audit like this
    body = bytes(reader.body)
    return HttpExchange(
        connect_s=connect_s,
        first_byte_s=clock.first_byte_s,
        status=reader.status,
        reason=reader.reason,
        headers=reader.headers,
        body=body if reader.status is not None or body else None,
        size=size,
        sha256=reader.sha256,
        repaired=reader.repaired,
    )
