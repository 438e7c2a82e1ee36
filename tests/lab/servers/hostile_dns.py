"""Resolvers and authoritative servers that misbehave: `python -m tests.lab.servers.hostile_dns OPTIONS.json`.

A resolver forwards questions to a healthy one and changes the answers that its rules name. Options: `listen`,
`upstream` (a resolver) or `world` (an authoritative server), and `rules`, of which the first match applies:
`{"under": ".msappproxy.net", "types": ["A"], "transport": "udp", "do": ACTION, ...}`. With `answer_from` it answers
datagrams from another address of this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pickle
import socket
import sys
from pathlib import Path
from typing import Any, cast

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

Rule = dict[str, Any]
JUNK_DATAGRAMS = 60  # more would push the answer out of a stub resolver's socket buffer


def names_below(name: str, suffix: str) -> bool:
    """Whether `suffix` (`.zone` and below, `=name` exactly, or empty for everything) covers `name`."""
    if suffix.startswith("="):
        return name == suffix[1:].lower()
    suffix = suffix.lstrip(".").lower()
    return not suffix or name == suffix or name.endswith("." + suffix)


class Answers:
    """The correct data of a server, before the rules change it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.upstream: str | None = options.get("upstream")
        self.zone: dns.zone.Zone | None = None
        if "world" in options:
            text = pickle.loads(Path(options["world"]).read_bytes()).zone(everything=True)
            self.zone = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)

    async def get(self, query: dns.message.Message) -> dns.message.Message:
        """The correct answer."""
        if self.upstream is not None:
            forwarded = dns.message.make_query(query.question[0].name, query.question[0].rdtype, use_edns=0)
            honest = await dns.asyncquery.tcp(forwarded, self.upstream, timeout=5)
            answer = dns.message.make_response(query, recursion_available=True)
            answer.set_rcode(honest.rcode())
            answer.answer, answer.authority = honest.answer, honest.authority
            return answer
        return self._from_zone(query)

    def _from_zone(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        question = query.question[0]
        if self.zone is None or (node := self.zone.get_node(question.name)) is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        for kind in (dns.rdatatype.CNAME, question.rdtype):
            rdataset = node.get_rdataset(self.zone.rdclass, kind)
            if rdataset is not None:
                answer.answer.append(dns.rrset.from_rdata_list(question.name, rdataset.ttl, list(rdataset)))
                break
        return answer


async def relay(data: bytes, upstream: str, transport: str) -> list[bytes]:
    """Forward the question and return the answer, byte for byte; nothing if no answer arrives within 5 s."""
    try:
        async with asyncio.timeout(5):
            if transport == "udp":
                return [await _relay_udp(data, upstream)]
            reader, writer = await asyncio.open_connection(upstream, 53)
            try:
                writer.write(len(data).to_bytes(2) + data)
                return [await reader.readexactly(int.from_bytes(await reader.readexactly(2)))]
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return []


async def _relay_udp(data: bytes, upstream: str) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((upstream, 53))
        await loop.sock_sendall(sock, data)
        return await loop.sock_recv(sock, 65_535)


class HostileServer:
    """Chooses a rule for each question and acts on it. None as an answer: stay silent."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.rules: list[Rule] = options.get("rules", [])
        self.answers = Answers(options)

    async def reply(self, data: bytes, transport: str) -> list[bytes]:
        """The datagrams (or the one TCP message) that answer `data`."""
        try:
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
        except (dns.exception.DNSException, IndexError):
            return []
        rule = self._rule(name, dns.rdatatype.to_text(query.question[0].rdtype), transport, query.edns >= 0)
        action = rule.get("do", "honest")
        if action == "silent":
            return []
        if action == "honest" and self.answers.upstream is not None:
            return await relay(data, self.answers.upstream, transport)
        if action == "late":
            await asyncio.sleep(rule["seconds"])
        if action in ("late", "honest", "junk", "cut", "truncate", "annotate", "no-question"):
            try:
                answer = await self.answers.get(query)
            except (dns.exception.DNSException, OSError):
                return []
            return self._spoil(action, query, answer, rule)
        return [make_up(action, query, name, rule)]

    def _rule(self, name: str, kind: str, transport: str, edns: bool) -> Rule:
        for rule in self.rules:
            if (
                names_below(name, rule.get("under", ""))
                and kind in rule.get("types", [kind])
                and transport == rule.get("transport", transport)
                and edns == rule.get("edns", edns)
            ):
                return rule
        return {}

    def _spoil(
        self, action: str, query: dns.message.Message, answer: dns.message.Message, rule: Rule
    ) -> list[bytes]:
        if action == "truncate":
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            return [short.to_wire()]
        if action == "annotate":
            _say(answer, query, rule)
        if action == "no-question":
            answer.question = []
        if action == "cut":
            answer.answer = answer.answer[: rule["links"]]
        wire = answer.to_wire(max_size=65_535)
        if action != "junk":
            return [wire]
        junk = [os.urandom(2) + wire[2:-1] + os.urandom(1) for _ in range(JUNK_DATAGRAMS // 2)]
        return [*junk, *(os.urandom(40) for _ in range(JUNK_DATAGRAMS // 2)), wire]


def make_up(action: str, query: dns.message.Message, name: str, rule: Rule) -> bytes:
    """An invented answer."""
    answer = dns.message.make_response(query, recursion_available=True)
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    match action:
        case "rcode":
            answer.set_rcode(dns.rcode.from_text(rule["rcode"]))
            _lead_into(answer, name, rule)
        case "address":
            addresses = [a for a in rule["addresses"] if (":" in a) == (kind == "AAAA")]
            if addresses and kind in ("A", "AAAA"):
                answer.answer.append(
                    dns.rrset.from_text(name + ".", rule.get("ttl", 60), "IN", kind, *addresses)
                )
        case "loop":
            pair = (name, f"a.{rule['zone']}", f"b.{rule['zone']}", f"a.{rule['zone']}")
            for owner, target in itertools.pairwise(pair):
                if owner != target:
                    answer.answer.append(dns.rrset.from_text(owner + ".", 60, "IN", "CNAME", target + "."))
        case "long-chain":
            _lengthen(answer, name, kind, rule)
        case "malformed":
            question = dns.message.make_query(query.question[0].name, query.question[0].rdtype).to_wire()[12:]
            head = query.to_wire()[:2] + b"\x81\x80\x00\x01\x00\x05\x00\x00\x00\x00"
            return head + question + b"\xc0\x40\x80\xff" * 20
    _say(answer, query, rule)
    return answer.to_wire()


def _say(answer: dns.message.Message, query: dns.message.Message, rule: Rule) -> None:
    """The rule's extended errors, `[[15, "text"], ...]`, for clients that ask with EDNS (RFC 8914)."""
    if "ede" in rule and query.edns >= 0:
        answer.use_edns(0, options=[dns.edns.EDEOption(code, text or None) for code, text in rule["ede"]])


def _lead_into(answer: dns.message.Message, name: str, rule: Rule) -> None:
    """An alias into the rule's `zone`, whose own SOA record says that it lacks the name (RFC 2308 section 2)."""
    if "zone" not in rule:
        return
    target = f"{name.partition('.')[0]}.{rule['zone']}."
    if name + "." != target:
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", target))
    soa = "azureprivatedns.net. azureprivatedns-host.microsoft.com. 1 3600 300 2419200 10"
    answer.authority.append(dns.rrset.from_text(f"{rule['zone']}.", 10, "IN", "SOA", soa))


def _lengthen(answer: dns.message.Message, name: str, kind: str, rule: Rule) -> None:
    names = [name, *(f"link{n}.{rule['zone']}" for n in range(rule["links"]))]
    if name in names[1:]:
        names = names[names.index(name, 1) :]
    for owner, target in itertools.pairwise(names):
        answer.answer.append(dns.rrset.from_text(owner + ".", 60, "IN", "CNAME", target + "."))
    if kind == "A" and "address" in rule:
        answer.answer.append(dns.rrset.from_text(names[-1] + ".", 60, "IN", "A", rule["address"]))


class Datagrams(asyncio.DatagramProtocol):
    """The UDP side."""

    def __init__(self, server: HostileServer, other: socket.socket | None = None) -> None:
        self.server = server
        self.other = other  # answers leave by this socket
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        """Answer each question in a separate task."""
        task = asyncio.create_task(self._answer(data, peer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        for wire in await self.server.reply(data, "udp"):
            if self.other is not None:
                self.other.sendto(wire, peer)
            else:
                self.transport.sendto(wire, peer)


async def serve(options: dict[str, Any]) -> None:
    """Listen on UDP and TCP port 53, and report it."""
    server = HostileServer(options)
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((options["listen"], 53))
    other: socket.socket | None = None
    if "answer_from" in options:
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind((options["answer_from"], 0))
    await loop.create_datagram_endpoint(lambda: Datagrams(server, other), sock=sock)

    async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2))
                for wire in await server.reply(await reader.readexactly(length), "tcp"):
                    writer.write(len(wire).to_bytes(2) + wire)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    await asyncio.start_server(tcp, options["listen"], 53)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
