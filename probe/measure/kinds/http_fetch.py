"""Plain HTTP: one request on one connection, and the answer within its limits, complete or with the reason why not."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from probe.measure.failure import in_stage, local_failure
from probe.measure.http_client import ResponseReader, request
from probe.measure.kind import Probe
from probe.measure.limits import Limits
from probe.measure.long_lists import LONGEST_WAIT, TURN_AFTER, LongLists
from probe.measure.network import Network, NetworkError, Stream
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import BODY_KEPT, KIND, HttpExchange, HttpFetch
from rules.model.observation import Observation
from rules.pki.long_list import ListReader

_YIELD = 262_144  # bytes that one fetch reads before it yields to others


async def measure(
    step: HttpFetch, network: Network, limits: Limits, lists: LongLists | None = None
) -> Observation:
    """GET the target (POST where the step has a body) at the step's address.

    The connect has `limits.tcp`, the first byte of the answer `limits.first_byte`, the exchange `limits.http` seconds
    (`limits.crl` for a CRL). Failures before the connection stands are of TCP or this host, later ones of HTTP; the
    exchange keeps what came until then. A redirect is an answer like any other and is not followed. A long list waits for
    its turn among `lists`, and its time does not run meanwhile.
    """
    started, begin = time.time(), time.monotonic()
    wire = request(step.host, step.port, step.target, 80, step.body)
    if isinstance(wire, Failure):
        return Observation(step, started, 0.0, failure=wire)
    try:
        stream = await network.connect(step.address, step.port, limits.tcp)
    except NetworkError as error:
        return Observation(step, started, time.monotonic() - begin, failure=error.failure, local=error.local)
    answer = _Answer(step, limits, lists or LongLists())
    try:
        async with AsyncExitStack() as turn:
            await answer.read(stream, wire, limits, turn)
    finally:
        stream.close()
    return Observation(
        step,
        started,
        time.monotonic() - begin,
        failure=answer.reader.failure,
        evidence=answer.evidence(stream.connect_s),
        local=stream.local,
    )


class _Answer:
    """One running request and its answer."""

    def __init__(self, step: HttpFetch, limits: Limits, lists: LongLists) -> None:
        self.first_byte_s: float | None = None  # after the request was sent
        self._lists = lists
        self._list = ListReader() if step.purpose == "crl" else None
        take = self._list.feed if self._list is not None else None
        self.reader = ResponseReader(limits, min(step.cap, limits.crl_body), keep=BODY_KEPT, whole=take)
        self._seconds = limits.crl if step.purpose == "crl" else limits.http

    async def read(self, stream: Stream, wire: bytes, limits: Limits, turn: AsyncExitStack) -> None:
        """Send the request, and read until the answer is complete or too long, or its time is over."""
        try:
            async with asyncio.timeout(self._seconds) as clock:
                lost = await self._begin(stream, wire, limits.first_byte)
                await self._body(stream, lost, clock, turn)
        except NetworkError as error:
            self.reader.give_up(in_stage(error.failure, Stage.HTTP))
        except TimeoutError:
            waiting = "no byte of an answer" if self.first_byte_s is None else "the answer did not end"
            self.reader.give_up(Failure(Stage.HTTP, Code.TIMEOUT, waiting))

    async def _begin(self, stream: Stream, wire: bytes, first_byte: float) -> NetworkError | None:
        """Send the request and read the first bytes of the answer; the failure if sending was incomplete."""
        lost: NetworkError | None = None
        async with asyncio.timeout(first_byte):
            sent = time.monotonic()
            try:
                await stream.send(wire)
            except NetworkError as error:  # an answer may have come before the peer stopped listening
                lost = error
            data = await _receive(stream, lost)
            if data:
                self.first_byte_s = time.monotonic() - sent
        self.reader.feed(data)
        return lost

    async def _body(
        self, stream: Stream, lost: NetworkError | None, clock: asyncio.Timeout, turn: AsyncExitStack
    ) -> None:
        unyielded, waited = 0, False
        while not self.reader.done:
            data = await _receive(stream, lost)
            self.reader.feed(data)
            unyielded += len(data)
            if (
                self._list is not None
                and not waited
                and not self._list.broken
                and self.reader.size > TURN_AFTER
            ):
                waited = True
                await self._wait(self._list, clock, turn)
            if unyielded > _YIELD or self.reader.done:
                unyielded = 0
                if waited and self._lists.full and self.reader.failure is None:
                    words = f"more entries of lists than are kept at once ({self._lists.most})"
                    self.reader.refuse(Failure(Stage.HTTP, Code.TOO_LARGE, words))
                await asyncio.sleep(0)  # receiving bytes that are already there does not yield to the loop

    async def _wait(self, reader: ListReader, clock: asyncio.Timeout, turn: AsyncExitStack) -> None:
        """Wait for a turn to read a long list. The wait does not count for the answer's time limit."""
        loop = asyncio.get_running_loop()
        left = (clock.when() or loop.time()) - loop.time()
        clock.reschedule(None)
        try:
            await turn.enter_async_context(self._lists.turn(reader))
        except TimeoutError:
            self.reader.give_up(
                local_failure(Code.STARVED, "other long lists took all the time there was to read it")
            )
        clock.reschedule(loop.time() + left)

    def evidence(self, connect_s: float) -> HttpExchange:
        """The kept parts of the answer."""
        reader, found = self.reader, None
        if self._list is not None and reader.size > BODY_KEPT and reader.failure is None:
            found = self._lists.keep(reader.sha256, self._list)
        body = bytes(reader.body) if found is None else None
        return HttpExchange(
            connect_s=connect_s,
            first_byte_s=self.first_byte_s,
            status=reader.status,
            reason=reader.reason,
            headers=reader.headers,
            body=body if reader.status is not None or body else None,
            size=reader.size,
            sha256=reader.sha256,
            repaired=reader.repaired,
            long_list=found,
        )


async def _receive(stream: Stream, lost: NetworkError | None) -> bytes:
    data = await stream.receive()
    if lost is not None and not data:
        raise lost
    return data


PROBE = Probe(
    kind=KIND,
    stage=Stage.HTTP,
    measure=lambda step, tools: measure(step, tools.network, tools.limits, tools.lists),
    longer=lambda step: LONGEST_WAIT if step.purpose == "crl" else 0.0,
)
