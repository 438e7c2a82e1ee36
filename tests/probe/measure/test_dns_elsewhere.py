"""Answers from an address or port that was not asked: seen after silence, and never taken."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

import pytest

from probe.measure import dns_message
from probe.measure.direct_network import HostNetwork
from probe.measure.dns_elsewhere import NAMED, ask_unconnected
from probe.measure.kinds.dns_chain import measure
from probe.measure.limits import Limits
from probe.measure.network import NetworkError, Unconnected
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.observation import Observation
from tests.probe.dns_faults import fine
from tests.probe.dns_servers import Asked, Mapped, a_record, free_port, wire_name

LIMITS = Limits(dns_try=0.1, dns_name=0.3)
NAME = "a.test"
Reply = Callable[[Asked], bytes]


class Crooked(asyncio.DatagramProtocol):
    """Answers every query by other sockets than the one that was asked."""

    def __init__(self, senders: list[str], reply: Reply, honest: bool = False) -> None:
        self.senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in senders]
        for sock, address in zip(self.senders, senders, strict=True):
            sock.bind((address, 0))
        self.reply, self.honest = reply, honest
        self.asked: list[Asked] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = Asked(data)
        self.asked.append(asked)
        for sock in self.senders:
            sock.sendto(self.reply(asked), addr)
        if self.honest and len(self.asked) > 3:
            fine(asked, partial(self.transport.sendto, addr=addr))


def good(asked: Asked) -> bytes:
    return asked.reply(a_record("203.0.113.9"), 1)


def ask(
    senders: list[str], reply: Reply = good, *, honest: bool = False
) -> tuple[Observation, Crooked, list[int]]:
    async def body() -> tuple[Observation, Crooked, list[int]]:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: Crooked(senders, reply, honest), local_addr=("127.0.0.1", 0)
        )
        try:
            port = transport.get_extra_info("sockname")[1]
            seen = await measure(DnsQuestion("127.0.0.1", NAME, "A"), Mapped(port), LIMITS)
            return seen, server, [sock.getsockname()[1] for sock in server.senders]
        finally:
            transport.close()
            for sock in server.senders:
                sock.close()

    return asyncio.run(body(), debug=True)


@pytest.mark.parametrize("sender", ["127.0.0.2", "127.0.0.1"])
def test_another_address_and_another_port_are_named(sender: str) -> None:
    seen, server, (port,) = ask([sender])
    assert seen.failure == Failure(Stage.DNS, Code.WRONG_SOURCE, f"answered from {sender} port {port}")
    assert seen.evidence is None
    assert len(server.asked) == 4, "three questions, and one more that can see who answers"


def test_several_senders_are_named_up_to_a_number() -> None:
    seen, _, ports = ask(["127.0.0.2", "127.0.0.3"])
    assert seen.failure is not None
    assert all(f"port {port}" in seen.failure.detail for port in ports)
    many, _, _ = ask([f"127.0.0.{n}" for n in range(2, 9)])
    assert many.failure is not None
    assert many.failure.detail.endswith(f"{7 - NAMED} more")


REPLIES: dict[str, tuple[Reply, bool]] = {
    "the question in other letters": (lambda a: a.reply(a_record(), 1, question=a.question.upper()), True),
    "no question": (lambda a: a.reply(a_record(), 1, question=b""), True),
    "nxdomain": (lambda a: a.reply(rcode=3), True),
    "another id": (lambda a: a.reply(a_record(), 1, number=a.number ^ 1), False),
    "another name": (lambda a: a.reply(question=wire_name("b.test") + b"\0\1\0\1"), False),
    "another type": (lambda a: a.reply(question=wire_name(NAME) + b"\0\x1c\0\1"), False),
    "another class": (lambda a: a.reply(question=wire_name(NAME) + b"\0\1\0\3"), False),
    "a query": (lambda a: a.wire, False),
    "noise": (lambda _a: b"\xff" * 7, False),
    "nothing": (lambda _a: b"", False),
}


@pytest.mark.parametrize("what", REPLIES)
def test_only_an_answer_to_our_question_counts(what: str) -> None:
    reply, counts = REPLIES[what]
    seen, _, _ = ask(["127.0.0.2"], reply)
    assert seen.failure is not None
    assert seen.failure.code is (Code.WRONG_SOURCE if counts else Code.TIMEOUT)
    if not counts:
        assert seen.failure.detail == "3 datagrams sent, 1 dropped that were no answer"


def test_what_the_one_that_was_asked_says_to_the_second_socket_is_no_answer_either() -> None:
    seen, server, _ = ask([], honest=True)
    assert seen.failure is not None
    assert (seen.failure.code, len(server.asked)) == (Code.TIMEOUT, 4)


def test_who_answers_at_once_is_asked_once_and_elsewhere_never_looked_at() -> None:
    async def body() -> tuple[Observation, int]:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: Crooked([], good), local_addr=("127.0.0.1", 0)
        )
        network = Mapped(transport.get_extra_info("sockname")[1])
        server.datagram_received = lambda data, addr: transport.sendto(good(Asked(data)), addr)  # type: ignore[method-assign]  # an honest server in place of the crooked one
        seen = await measure(DnsQuestion("127.0.0.1", NAME, "A"), network, LIMITS)
        transport.close()
        return seen, network.questions

    seen, sockets = asyncio.run(body())
    assert (seen.failure, sockets) == (None, 1)


def test_a_refusal_by_icmp_is_told_at_once_and_needs_no_second_look() -> None:
    network = Mapped(free_port())
    seen = asyncio.run(measure(DnsQuestion("127.0.0.1", NAME, "A"), network, LIMITS))
    assert seen.failure is not None
    assert (seen.failure.code, network.questions) == (Code.REFUSED, 1)


def test_where_no_socket_is_to_be_had_nothing_is_seen() -> None:
    class Full(HostNetwork):
        async def unconnected(self, address: str, port: int) -> Unconnected:
            raise NetworkError(Failure(Stage.LOCAL, Code.NO_DESCRIPTORS))

    asked = dns_message.question_section(NAME, "A")
    assert asyncio.run(ask_unconnected(Full(), "127.0.0.1", 53, asked)) is None


def test_a_walk_is_over_in_a_second_and_looks_nowhere_else() -> None:
    async def body() -> tuple[Observation, int]:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: Crooked(["127.0.0.2"], good), local_addr=("127.0.0.1", 0)
        )
        step = DnsQuestion("127.0.0.1", NAME, "CNAME", walk=True)
        seen = await measure(step, Mapped(transport.get_extra_info("sockname")[1]), Limits())
        transport.close()
        server.senders[0].close()
        return seen, len(server.asked)

    seen, asked = asyncio.run(body())
    assert seen.failure is not None
    assert (seen.failure.code, asked) == (Code.TIMEOUT, 2)
    assert seen.elapsed < Limits().dns_try, "less than one try of any other question"
