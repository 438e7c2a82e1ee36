"""One DNS question to one resolver (dnspython for names, our own messages and sockets).

It works like a stub resolver and keeps the evidence: two or three datagrams, without EDNS after no answer, TCP for a
truncated answer (RFC 1035 section 4.2, RFC 6891 section 7, RFC 7766 section 5). Datagrams that do not answer our question are
dropped and counted, and never end the wait.

After silence two sights more, as evidence and never as an answer: responses with our id that repeat no question, and
responses to one last question from a socket that is not connected, which come from an address that was not asked.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace

from dns.exception import DNSException

from probe.measure import dns_message
from probe.measure.direct_network import DNS_PORT
from probe.measure.dns_elsewhere import UnconnectedQuestion, ask_unconnected
from probe.measure.dns_message import MalformedError, Reply
from probe.measure.failure import classify
from probe.measure.kind import Probe
from probe.measure.limits import Limits
from probe.measure.network import Datagrams, Network, NetworkError
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import KIND, DnsAnswer, DnsQuestion
from rules.model.observation import Observation

TRIES = 3
WALK = Limits(dns_try=0.5, dns_name=1.0)  # of a walk along a chain: two seconds are all that a name gets
JUNK_TURN = 32  # datagrams dropped before others get a turn
JUNK_FLOOD = 1000  # from here on the turns are pauses: a flood must not take the processor
FLOOD_PAUSE = 0.002  # seconds for each JUNK_TURN datagrams
_WITHOUT_EDNS = frozenset({"FORMERR", "BADVERS", "NOTIMP"})  # RFC 6891 section 7
_WORDS = {Code.TIMEOUT: "timeout", Code.REFUSED: "refused", Code.RESET: "reset", Code.EOF: "eof"}


async def measure(step: DnsQuestion, network: Network, limits: Limits) -> Observation:
    """Ask, and return the answer with any rcode, or a failure if no acceptable answer came in time."""
    started, begun = time.time(), time.monotonic()
    asking = _Asking(step, network, _shorter(limits) if step.walk else limits)
    failure: Failure | None = None
    evidence: DnsAnswer | None = None
    try:
        evidence = await asking.answer()
    except (NetworkError, DNSException) as error:
        failure = classify(error, Stage.DNS)
        if isinstance(error, NetworkError):
            asking.local = asking.local or error.local
    except MalformedError as error:
        failure = Failure(Stage.DNS, Code.MALFORMED, str(error))
    except TimeoutError:
        failure = asking.silence()
    finally:
        asking.close()
    return Observation(step, started, time.monotonic() - begun, failure, evidence, asking.local)


class _Asking:
    """One running question. `_open`: the ids without an answer, and whether they were sent with EDNS."""

    def __init__(self, step: DnsQuestion, network: Network, limits: Limits) -> None:
        self._step, self._network, self._limits = step, network, limits
        self._end = asyncio.get_running_loop().time() + limits.dns_name
        self._asked = b""
        self._socket: Datagrams | None = None
        self._elsewhere: UnconnectedQuestion | None = None
        self._open: dict[int, bool] = {}
        self._doubt = ""  # of a response with our id and question that cannot be read
        self._unasked = False  # whether it is that of a response without a question
        self._tries = 0
        self._junk = 0
        self.local: tuple[str, int] | None = None

    async def answer(self) -> DnsAnswer:
        """The first acceptable answer. TimeoutError if none came."""
        self._asked = dns_message.question_section(self._step.name, self._step.rtype)
        self._socket = await self._network.datagrams(self._step.resolver, DNS_PORT)
        self.local = self._socket.local
        edns = True
        while True:
            reply, with_edns = await self._ask(edns)
            if with_edns and reply.rcode in _WITHOUT_EDNS:
                edns = False
                self._open.clear()
                continue
            if reply.truncated:
                return await self._by_tcp(reply, with_edns)
            return self._finished(reply, with_edns)

    async def _ask(self, edns: bool) -> tuple[Reply, bool]:
        """Send until an acceptable answer comes. Later tries have no EDNS; answers to earlier ids are still accepted."""
        loop = asyncio.get_running_loop()
        while self._tries < TRIES:
            if self._tries == TRIES - 1 and not self._doubt:
                self._elsewhere = await ask_unconnected(
                    self._network, self._step.resolver, DNS_PORT, self._asked
                )
            try:
                async with asyncio.timeout_at(min(self._end, loop.time() + self._limits.dns_try)):
                    await self._send(edns)
                    return await self._receive()
            except TimeoutError:
                edns = False
                if loop.time() >= self._end - 0.01:
                    break
        raise TimeoutError

    async def _send(self, edns: bool) -> None:
        assert self._socket is not None
        number = secrets.randbelow(65536)
        self._open[number] = edns
        self._tries += 1
        await self._socket.send(dns_message.make_query(self._asked, number, edns=edns))

    async def _receive(self) -> tuple[Reply, bool]:
        assert self._socket is not None
        while True:
            wire = await self._socket.receive()
            number = dns_message.response_id(wire, self._asked)
            if dns_message.questionless_id(wire) in self._open:
                said = f"a response ({dns_message.rcode_word(wire)}) with our id that does not repeat the question"
                self._doubt, self._unasked = said, True
            elif number is not None and number in self._open:
                try:
                    return dns_message.parse_response(wire, self._asked, self._step.name), self._open[number]
                except MalformedError as error:
                    # it may be forged and faster than the resolver: keep waiting
                    self._doubt, self._unasked = str(error), False
            self._junk += 1
            if self._junk % JUNK_TURN == 0:
                await asyncio.sleep(FLOOD_PAUSE if self._junk >= JUNK_FLOOD else 0)

    async def _by_tcp(self, fitted: Reply, edns: bool) -> DnsAnswer:
        """The same question over TCP; if that fails, the truncated answer and the failure of TCP."""
        try:
            async with asyncio.timeout_at(self._end):
                reply = await self._tcp_reply(edns)
        except (NetworkError, MalformedError, TimeoutError) as error:
            return self._finished(fitted, edns, tcp_failure=_word(error))
        return self._finished(reply, edns, by_tcp=True)

    async def _tcp_reply(self, edns: bool) -> Reply:
        left = self._end - asyncio.get_running_loop().time()
        stream = await self._network.connect(
            self._step.resolver, DNS_PORT, max(0.0, min(left, self._limits.tcp))
        )
        try:
            number = secrets.randbelow(65536)
            message = dns_message.make_query(self._asked, number, edns=edns)
            await stream.send(len(message).to_bytes(2, "big") + message)
            received = bytearray()
            wanted = 2
            while len(received) < wanted:
                piece = await stream.receive(2 + 65535 - len(received))
                if not piece:
                    raise NetworkError(Failure(Stage.DNS, Code.EOF))
                received += piece
                if len(received) >= 2:
                    wanted = 2 + int.from_bytes(received[:2], "big")
            wire = bytes(received[2:wanted])
            if dns_message.response_id(wire, self._asked) != number:
                raise MalformedError("a response over TCP to another question")
            return dns_message.parse_response(wire, self._asked, self._step.name)
        finally:
            stream.close()

    def _finished(
        self, reply: Reply, edns: bool, *, by_tcp: bool = False, tcp_failure: str = ""
    ) -> DnsAnswer:
        return DnsAnswer(
            rcode=reply.rcode,
            records=reply.records,
            ad=reply.ad,
            negative=reply.negative,
            truncated=by_tcp or bool(tcp_failure),
            transport="tcp" if by_tcp else "udp",
            edns=edns,
            tries=self._tries,
            junk=self._junk,
            ede=reply.ede,
            tcp_failure=tcp_failure,
            soa=reply.soa,
            ede_codes=reply.ede_codes,
        )

    def silence(self) -> Failure:
        """The failure if no acceptable answer came: the malformed answer, other senders, or the number of datagrams."""
        if self._doubt:
            sign = "no-question" if self._unasked else ""
            return Failure(Stage.DNS, Code.MALFORMED, self._doubt, sign=sign)
        sources, others = self._elsewhere.seen() if self._elsewhere is not None else ((), 0)
        self._junk += others
        if sources:
            return Failure(Stage.DNS, Code.WRONG_SOURCE, f"answered from {', '.join(sources)}")
        sent = f"{self._tries} datagram{'s' if self._tries != 1 else ''} sent"
        dropped = f", {self._junk} dropped that were no answer" if self._junk else ""
        return Failure(Stage.DNS, Code.TIMEOUT, sent + dropped)

    def close(self) -> None:
        for opened in (self._socket, self._elsewhere):
            if opened is not None:
                opened.close()


def _shorter(limits: Limits) -> Limits:
    return replace(
        limits, dns_try=min(limits.dns_try, WALK.dns_try), dns_name=min(limits.dns_name, WALK.dns_name)
    )


def _word(error: NetworkError | MalformedError | TimeoutError) -> str:
    """The failure of TCP as a word of `DnsAnswer.tcp_failure`, also "unreachable" and words for faults of this host."""
    if isinstance(error, MalformedError):
        return "malformed"
    if isinstance(error, NetworkError):
        return _WORDS.get(error.failure.code, error.failure.code.value)
    return "timeout"


PROBE = Probe(
    kind=KIND,
    stage=Stage.DNS,
    measure=lambda step, tools: measure(step, tools.network, tools.limits),
)
