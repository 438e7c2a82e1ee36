"""One DNS question against an ordinary resolver and against hostile ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.dns_chain import measure
from probe.measure.limits import Limits
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record, RecordType
from rules.model.observation import Observation
from tests.probe import dns_faults
from tests.probe.dns_faults import BROKEN, cut, fine, query_of
from tests.probe.dns_servers import (
    AD,
    TC,
    Answer,
    Asked,
    Mapped,
    Send,
    Server,
    a_record,
    alias,
    free_port,
    hostile,
    opt,
    unbound,
    wire_name,
)
from tests.servers import Talk

QUICK = Limits(dns_try=0.4, dns_name=1.6, tcp=1.6)
#: Where no wait is expected: a test that waits for one of these fails.
PATIENT = Limits(dns_try=30.0, dns_name=60.0)
NAME = "a.test"


def ask(answer: Answer, tcp: Talk | None = None, limits: Limits = QUICK) -> tuple[Observation, list[Asked]]:
    async def body() -> tuple[Observation, list[Asked]]:
        async with hostile(answer, tcp) as server:
            seen = await measure(DnsQuestion("127.0.0.1", NAME, "A"), server.network, limits)
            assert_nothing_runs(server)
            return seen, server.asked

    return asyncio.run(body(), debug=True)


def assert_nothing_runs(_server: Server) -> None:
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]  # a task of ours has a coroutine
    assert not {name for name in names if name.startswith(("measure", "_Asking", "_HostStream"))}


def answer_of(seen: Observation) -> DnsAnswer:
    assert seen.failure is None, seen.failure
    assert isinstance(seen.evidence, DnsAnswer)
    return seen.evidence


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    zone = ['local-data: "a.test. 60 IN A 192.0.2.1"', 'local-data: "a.test. 60 IN AAAA 2001:db8::1"']
    zone += [f'local-data: "big.test. 60 IN A 192.0.2.{i}"' for i in range(1, 120)]
    directory: Path = tmp_path_factory.mktemp("unbound")
    with unbound(directory, "\n".join(f"    {line}" for line in zone)) as port:
        yield port


def ask_unbound(port: int, name: str, rtype: RecordType = "A") -> Observation:
    return asyncio.run(measure(DnsQuestion("127.0.0.1", name, rtype), Mapped(port), Limits()))


def test_an_address(resolver: int) -> None:
    seen = ask_unbound(resolver, "a.test")
    assert answer_of(seen) == DnsAnswer("NOERROR", (Record("a.test", "A", 60, "192.0.2.1"),))
    assert seen.local is not None
    assert seen.local[0] == "127.0.0.1"
    assert seen.elapsed > 0
    assert abs(seen.started - time.time()) < 60


def test_a_v6_address(resolver: int) -> None:
    seen = ask_unbound(resolver, "a.test", "AAAA")
    assert answer_of(seen).records == (Record("a.test", "AAAA", 60, "2001:db8::1"),)


def test_rcodes_are_answers(resolver: int) -> None:
    assert answer_of(ask_unbound(resolver, "no.test")).rcode == "NXDOMAIN"
    assert answer_of(ask_unbound(resolver, "refused.example")).rcode == "REFUSED"
    nodata = answer_of(ask_unbound(resolver, "big.test", "AAAA"))
    assert (nodata.rcode, nodata.records) == ("NOERROR", ())


def test_a_truncated_answer_is_had_over_tcp(resolver: int) -> None:
    answer = answer_of(ask_unbound(resolver, "big.test"))
    assert (answer.truncated, answer.transport, answer.tcp_failure) == (True, "tcp", "")
    assert len(answer.records) == 119


def test_a_chain_with_its_aliases_and_flags() -> None:
    def chain(asked: Asked, send: Send) -> None:
        target = wire_name("B.CDN.test")
        at = (12 + len(asked.question) + 12).to_bytes(2, "big")
        pointer = bytes([at[0] | 0xC0, at[1]])
        records = alias(target, 2**31 + 5) + a_record("192.0.2.7", 2**31 - 1, pointer)
        send(asked.reply(records, 2, flags=AD, additional=opt(), additionals=1))

    answer = answer_of(ask(chain)[0])
    assert answer.records == (
        Record("a.test", "CNAME", 0, "b.cdn.test"),  # a TTL with the highest bit is zero
        Record("b.cdn.test", "A", 86400, "192.0.2.7"),
    )
    assert answer.ad


def test_an_extended_error_is_kept_and_harmless() -> None:
    def blocked(asked: Asked, send: Send) -> None:
        text = b"\0\x0fby policy \x1b[2J"
        options = b"\0\x0f" + len(text).to_bytes(2, "big") + text
        send(asked.reply(rcode=3, additional=opt(options), additionals=1))

    answer = answer_of(ask(blocked)[0])
    assert answer.rcode == "NXDOMAIN"
    assert answer.ede.startswith("15 Blocked: by policy ")
    assert answer.ede.isprintable()


def test_an_unknown_rcode_has_a_word() -> None:
    def odd(asked: Asked, send: Send) -> None:
        send(asked.reply(rcode=8, additional=opt(rcode_high=0xFF), additionals=1))

    assert answer_of(ask(odd)[0]).rcode == "RCODE4088"


def test_the_query_is_a_stub_s() -> None:
    _, asked = ask(fine)
    (query,) = asked
    assert query.wire[2:12] == bytes.fromhex("0100 0001 0000 0000 0001")
    assert query.question == wire_name(NAME) + b"\0\1\0\1"
    assert query.wire[-11:] == b"\0\0\x29" + (1232).to_bytes(2, "big") + bytes(6)


def test_ids_cannot_be_told_in_advance() -> None:
    async def body() -> set[int]:
        async with hostile(fine) as server:
            for _ in range(40):
                await measure(DnsQuestion("127.0.0.1", NAME, "A"), server.network, QUICK)
            return {asked.number for asked in server.asked}

    numbers = asyncio.run(body())
    assert len(numbers) > 35
    assert max(numbers) - min(numbers) > 10_000


def test_a_middlebox_that_drops_edns() -> None:
    def drops(asked: Asked, send: Send) -> None:
        if not asked.edns:
            fine(asked, send)

    answer = answer_of(ask(drops)[0])
    assert (answer.edns, answer.tries, len(answer.records)) == (False, 2, 1)


@pytest.mark.parametrize("rcode", [1, 4, 16])
def test_a_server_that_refuses_edns(rcode: int) -> None:
    def refuses(asked: Asked, send: Send) -> None:
        if not asked.edns:
            fine(asked, send)
        elif rcode == 16:
            send(asked.reply(rcode=0, additional=opt(rcode_high=1), additionals=1))
        else:
            send(asked.reply(rcode=rcode, question=b""))  # such servers leave the question out

    seen, _ = ask(refuses, limits=PATIENT)
    answer = answer_of(seen)
    assert (answer.rcode, answer.edns, answer.tries) == ("NOERROR", False, 2)
    assert seen.elapsed < PATIENT.dns_try, "no wait in between"


def test_formerr_also_without_edns_is_the_answer() -> None:
    answer = answer_of(ask(lambda asked, send: send(asked.reply(rcode=1)))[0])
    assert (answer.rcode, answer.edns, answer.tries) == ("FORMERR", False, 2)


def test_a_slow_answer_to_the_first_datagram_still_counts() -> None:
    first: list[Asked] = []

    def slow(asked: Asked, send: Send) -> None:
        if asked.edns:
            first.append(asked)
        else:  # the second datagram is there: now the answer to the first one comes
            fine(first[0], send)

    answer = answer_of(ask(slow)[0])
    assert (answer.edns, answer.tries) == (True, 2)


def test_silence_ends_at_the_limit_after_three_datagrams() -> None:
    seen, asked = ask(lambda _asked, _send: None, limits=Limits(dns_try=0.1, dns_name=0.25))
    assert seen.failure == Failure(Stage.DNS, Code.TIMEOUT, "3 datagrams sent")
    assert seen.evidence is None
    assert [query.edns for query in asked] == [True, False, False, False]  # the last to see strays
    assert len({query.number for query in asked}) == 4
    assert seen.elapsed > 0.24


def test_every_third_dns_answer_dropped() -> None:
    calls = iter(range(100))

    def drops(asked: Asked, send: Send) -> None:
        if next(calls) % 3:
            fine(asked, send)

    answer = answer_of(ask(drops)[0])
    assert (answer.tries, answer.edns) == (2, False)


def test_nobody_listens() -> None:
    step = DnsQuestion("127.0.0.1", NAME, "A")
    seen = asyncio.run(measure(step, Mapped(free_port()), PATIENT))
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.code) == (Stage.DNS, Code.REFUSED)
    assert seen.failure.icmp is not None
    assert seen.local is not None
    assert seen.elapsed < PATIENT.dns_try


def test_junk_is_dropped_and_counted_and_ends_no_wait() -> None:
    def junk(asked: Asked, send: Send) -> None:
        send(b"\0")
        send(b"\xff" * 5)
        send(asked.wire)  # a query, not a response
        send(asked.reply(a_record("203.0.113.9"), 1, number=asked.number ^ 1))
        send(asked.reply(a_record("203.0.113.9"), 1, question=wire_name("b.test") + b"\0\1\0\1"))
        send(asked.reply(a_record("203.0.113.9"), 1, question=wire_name(NAME) + b"\0\x1c\0\1"))
        send(asked.reply(a_record("203.0.113.9"), 1, question=b""))
        fine(asked, send)

    answer = answer_of(ask(junk)[0])
    assert [record.value for record in answer.records] == ["192.0.2.1"]
    assert (answer.junk, answer.tries) == (7, 1)


@pytest.mark.parametrize("rcode", [0, 3])
def test_answers_that_repeat_no_question_are_malformed_and_no_silence(rcode: int) -> None:
    seen, _ = ask(lambda asked, send: send(asked.reply(question=b"", rcode=rcode)))
    assert seen.failure is not None
    assert (seen.failure.code, seen.failure.sign) == (Code.MALFORMED, "no-question")


def test_a_question_echoed_in_other_letters_is_ours() -> None:
    def shouts(asked: Asked, send: Send) -> None:
        send(asked.reply(a_record(), 1, question=asked.question.upper()))

    answer = answer_of(ask(shouts)[0])
    assert (answer.records[0].name, answer.junk) == (NAME, 0)


def test_a_flood_of_junk_moves_no_deadline_and_leaves_the_loop_to_others() -> None:
    async def body() -> tuple[Observation, int]:
        stop = asyncio.Event()

        async def flood(send: Send) -> None:
            dice = random.Random(1)
            while not stop.is_set():
                for _ in range(200):
                    send(dice.randbytes(40))
                await asyncio.sleep(0)

        floods: list[asyncio.Task[None]] = []
        looks = 0

        async def watch() -> None:
            nonlocal looks
            while not stop.is_set():
                await asyncio.sleep(0)
                looks += 1

        def start(_asked: Asked, send: Send) -> None:
            if not floods:
                floods.append(asyncio.create_task(flood(send)))

        async with hostile(start) as server:
            watching = asyncio.create_task(watch())
            limits = Limits(dns_try=0.3, dns_name=1.0)
            seen = await measure(DnsQuestion("127.0.0.1", NAME, "A"), server.network, limits)
            stop.set()
            await asyncio.gather(watching, *floods)
            return seen, looks

    seen, looks = asyncio.run(body())
    assert seen.failure is not None
    assert seen.failure.code is Code.TIMEOUT
    assert "dropped that were no answer" in seen.failure.detail
    assert int(seen.failure.detail.split(", ")[1].split()[0]) > 1000
    assert looks > 5, "others had their turns"


def test_a_genuine_answer_behind_much_junk_is_found() -> None:
    def much(asked: Asked, send: Send) -> None:
        for _ in range(100):  # what a receive buffer holds
            send(b"junk")
        fine(asked, send)

    answer = answer_of(ask(much)[0])
    assert answer.junk == 100


@pytest.mark.parametrize("fault", BROKEN)
def test_an_answer_that_breaks_the_protocol_is_a_doubt_and_named_at_the_limit(fault: str) -> None:
    def broken(asked: Asked, send: Send) -> None:
        send(asked.reply(BROKEN[fault](asked), 1))

    seen, _ = ask(broken, limits=Limits(dns_try=0.05, dns_name=0.1))
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.code) == (Stage.DNS, Code.MALFORMED)
    assert seen.failure.detail
    assert seen.evidence is None


def test_a_good_answer_after_a_broken_one_wins() -> None:
    def both(asked: Asked, send: Send) -> None:
        send(asked.reply(alias(b"\xff\xff"), 1))
        fine(asked, send)

    answer = answer_of(ask(both)[0])
    assert (answer.records[0].value, answer.junk) == ("192.0.2.1", 1)


def test_a_name_that_is_none_sends_nothing() -> None:
    network = HostNetwork()
    step = DnsQuestion("127.0.0.1", "a" * 64 + ".test", "A")
    seen = asyncio.run(measure(step, network, QUICK))
    assert seen.failure is not None
    assert seen.failure.code is Code.MALFORMED
    assert network.questions == 0


@pytest.mark.parametrize(
    ("tcp", "word"),
    [
        (None, "refused"),
        (dns_faults.silent, "timeout"),
        (dns_faults.length_only, "timeout"),
        (dns_faults.drip, "timeout"),
        (dns_faults.reset, "reset"),
        (dns_faults.eof, "eof"),
        (dns_faults.noise, "malformed"),
        (dns_faults.other_id, "malformed"),
    ],
)
def test_truncated_and_tcp_53_fails(tcp: Talk | None, word: str) -> None:
    seen, _ = ask(cut, tcp)
    answer = answer_of(seen)
    assert (answer.truncated, answer.transport, answer.tcp_failure) == (True, "udp", word)
    assert [record.value for record in answer.records] == ["192.0.2.1"]  # what fitted is kept


def test_a_server_that_cuts_in_the_middle_of_a_record() -> None:
    def mid(asked: Asked, send: Send) -> None:
        send(asked.reply(a_record() + a_record("192.0.2.2")[:9], 2, flags=TC))

    answer = answer_of(ask(mid)[0])
    assert (len(answer.records), answer.tcp_failure) == (1, "refused")


def test_tcp_in_single_bytes_is_read_whole() -> None:
    async def bytewise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await query_of(reader)
        reply = asked.reply(a_record() * 300, 300)
        for byte in len(reply).to_bytes(2, "big") + reply[:20]:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(reply[20:])

    answer = answer_of(ask(cut, bytewise)[0])
    assert (answer.transport, len(answer.records)) == ("tcp", 200)  # the cap


def test_cancelled_from_outside_it_leaves_nothing() -> None:
    async def body() -> None:
        came = asyncio.Event()
        async with hostile(lambda _asked, _send: came.set()) as server:
            task = asyncio.create_task(measure(DnsQuestion("127.0.0.1", NAME, "A"), server.network, Limits()))
            await came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert_nothing_runs(server)

    asyncio.run(body())
