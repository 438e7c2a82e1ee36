"""A bare connect: open, refused, silent."""

from __future__ import annotations

import asyncio
import socket

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.tcp_connect import measure
from probe.measure.limits import Limits
from rules.model.failure import Code, Stage
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.observation import Observation
from tests.servers import serving


async def closed(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    assert await reader.read() == b""


def test_an_open_port_is_measured_and_closed_without_a_byte() -> None:
    async def run() -> tuple[Observation, int]:
        async with serving(closed) as place:
            observation = await measure(TcpConnect(place.address, place.port), HostNetwork(), Limits())
            return observation, place.connections

    observation, _ = asyncio.run(run())
    assert observation.failure is None
    assert isinstance(observation.evidence, TcpFacts)
    assert 0 < observation.evidence.connect_s <= observation.elapsed
    assert observation.local is not None
    assert observation.local[0] == "127.0.0.1"


def test_a_reset_in_answer_to_syn_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        step = TcpConnect("127.0.0.1", unused.getsockname()[1])
        observation = asyncio.run(measure(step, HostNetwork(), Limits()))
    assert observation.failure is not None
    assert (observation.failure.stage, observation.failure.code) == (Stage.TCP, Code.REFUSED)
    assert observation.evidence is None


def test_a_dropped_syn_ends_at_the_limit() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):  # the queue is full: further SYNs are dropped
            step = TcpConnect("127.0.0.1", full.getsockname()[1])
            observation = asyncio.run(measure(step, HostNetwork(), Limits(tcp=0.2)))
    assert observation.failure is not None
    assert (observation.failure.stage, observation.failure.code) == (Stage.TCP, Code.TIMEOUT)
    assert observation.elapsed >= 0.2
