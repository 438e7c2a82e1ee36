"""What is fed with spoiled input, and what must hold whatever it is fed.

Of every parser: no exception but the documented one, and nothing good said of what is not the original, byte for byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

import dns.message
import dns.rrset

from exporters.terminal.style import Style
from probe.audit.tenant import read_answer as read_tenant
from probe.command.formats import FORMATS, JudgedReport
from probe.config.rule_files import check_file
from probe.config.settings import Config, parse_config
from probe.host.files import parse_toml
from probe.measure import dns_message
from probe.measure.http_client import ResponseReader
from probe.measure.kinds import tls_handshake
from probe.measure.limits import Limits
from probe.measure.network import Datagrams, Stream, Unconnected
from rules.files.fields import BadFile
from rules.files.report_json import BadReport, dumps, loads
from rules.http_answer.page import judge_reach
from rules.judge.report import replay
from rules.model.failure import Code
from rules.model.kinds.dns_chain import DnsAnswer, follow_chain
from rules.model.kinds.http_fetch import HttpExchange
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.verdict import Status
from rules.pki.certificate import covers_name, facts, signature
from rules.pki.der import element
from rules.pki.handshake import judge_leaf
from rules.pki.trust import judge_chain, missing_pieces
from rules.text.display import display
from tests.fuzz.mutations import spoiled, spoiled_json
from tests.rules.certs import CAS, HOST, NOW, PUBLIC, chain
from tests.rules.pki import test_ocsp, test_revocation
from tests.rules.script import RULES, healthy, judged
from tests.servers import certificate_message, message, record, server_hello
from tests.test_house import ROOT


@dataclass(frozen=True, slots=True)
class Target:
    """`inputs(seed, count)` gives what `feed` is fed with, one after the other."""

    name: str
    inputs: Callable[[int, int], Iterable[object]]
    feed: Callable[..., None]


def _bytes(seeds: Callable[[], list[bytes]]) -> Callable[[int, int], Iterable[tuple[bytes, bytes]]]:
    """Spoiled bytes, each with the original."""

    def inputs(seed: int, count: int) -> Iterable[tuple[bytes, bytes]]:
        originals = seeds()
        return ((originals[chosen], data) for chosen, data in spoiled(originals, seed, count))

    return inputs


# --- DNS ----------------------------------------------------------------------------------------------------------

NAME = "login.example.net"
ASKED = dns_message.question_section(NAME, "A")


def _dns_seeds() -> list[bytes]:
    made = []
    for records in (
        (f"{NAME}. 60 IN A 192.0.2.1", f"{NAME}. 60 IN A 192.0.2.2"),
        (f"{NAME}. 60 IN CNAME a.example.net.", "a.example.net. 0 IN CNAME b.a.example.net.", "b.a.example.net. 9 IN A 192.0.2.9"),
        (f"{NAME}. 60 IN CNAME {NAME}.",),
        (),
    ):  # fmt: skip
        query = dns.message.make_query(NAME, "A", use_edns=0, id=7)
        answer = dns.message.make_response(query)
        rows = (text.split() for text in records)
        answer.answer = [
            dns.rrset.from_text(name, int(ttl), cls, kind, value) for name, ttl, cls, kind, value in rows
        ]
        wire = answer.to_wire()
        made.append(wire if records else wire[:3] + b"\x83" + wire[4:])
    return made


def feed_dns(case: tuple[bytes, bytes]) -> None:
    """An answer is read or malformed; every address in it is one, and every chain of it ends."""
    wire = case[1]
    if dns_message.response_id(wire, ASKED) is None:
        return
    try:
        reply = dns_message.parse_response(wire, ASKED, NAME)
    except dns_message.MalformedError:
        return
    assert len(reply.records) <= dns_message.RECORDS_KEPT
    for one in reply.records:
        assert one.name.isascii()
        assert 0 <= one.ttl <= dns_message.TTL_MAX
        if one.type in ("A", "AAAA"):
            ip_address(one.value)
        else:
            dns_message.question_section(one.value, "A")  # can be asked for
    answer = DnsAnswer(reply.rcode, reply.records)
    found = follow_chain("192.0.2.53", NAME, "A", lambda _question: (answer, None))
    assert found.ask is None
    assert len(found.links) <= 17


# --- TLS ----------------------------------------------------------------------------------------------------------


class _Replayed:
    """A peer that sends what it was told and closes, whatever it hears."""

    local = ("192.0.2.7", 49152)
    connect_s = 0.001

    def __init__(self, sent: bytes) -> None:
        self._left = sent

    async def send(self, data: bytes) -> None:
        """Hear nothing."""

    async def receive(self, limit: int = 65536) -> bytes:
        """A hundred bytes at a time."""
        piece, self._left = self._left[:100], self._left[100:]
        return piece

    def close(self) -> None:
        """Nothing to close."""

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        """This is the network, too."""
        return self

    async def datagrams(self, address: str, port: int) -> Datagrams:
        """TLS has none."""
        raise NotImplementedError

    async def unconnected(self, address: str, port: int) -> Unconnected:
        """Nor any of these."""
        raise NotImplementedError


def _tls_seeds() -> list[bytes]:
    served = chain("Microsoft TLS G2 RSA CA OCSP 04")
    flight = server_hello() + certificate_message(*served)
    exchange = message(12, b"\x03\x00\x17\x41\x04" + bytes(64) + b"\x04\x03\x00\x08" + bytes(8))
    whole = record(
        22, flight + exchange + message(13, b"\x01\x01\x00\x02\x04\x03\x00\x00") + message(14, b"")
    )
    return [
        whole,
        b"".join(record(22, flight[i : i + 200]) for i in range(0, len(flight), 200))
        + record(21, b"\x02\x28"),
        record(22, server_hello(extensions=b"\x00\x2b\x00\x02\x03\x04"))
        + record(20, b"\x01")
        + record(23, bytes(80)),
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    ]


def feed_tls(case: tuple[bytes, bytes]) -> None:
    """No bytes of a peer make a handshake without its key, and none are a bug of ours."""
    step = TlsHandshake("192.0.2.1", 443, HOST, path="/")
    seen = asyncio.run(tls_handshake.measure(step, _Replayed(case[1]), Limits()))
    assert seen.failure is not None
    assert seen.failure.code is not Code.BUG, seen.failure
    assert isinstance(seen.evidence, TlsFacts)
    assert seen.evidence.handshake_s is None
    assert seen.evidence.http_status is None
    _chain_is_judged(seen.evidence.chain)


# --- certificates --------------------------------------------------------------------------------------------------


@cache
def _chains() -> tuple[tuple[bytes, ...], ...]:
    return tuple(
        chain(name) for name in ("Microsoft TLS G2 RSA CA OCSP 04", "Microsoft TLS G2 RSA CA OCSP 02")
    )


def _chain_is_judged(served: tuple[bytes, ...]) -> None:
    found = judge_chain(served, (), PUBLIC, CAS, NOW)
    assert found.verdict
    missing_pieces(served, (), PUBLIC, CAS)
    for fault in judge_leaf(served, HOST, NOW):
        assert fault.summary == display(fault.summary, 4096)


def feed_certificate(case: tuple[bytes, bytes]) -> None:
    """As the leaf it is genuine only where what was signed is unchanged (bytes may follow it); as an issuer it is read or not,
    and never makes a foreign leaf genuine."""
    original, data = case
    found = facts(data)
    covers_name(found, HOST)
    (leaf, *above) = next(c for c in _chains() if original in c)
    if data != leaf:
        verdict = judge_chain((data, *above), (), PUBLIC, CAS, NOW).verdict
        ours = {_signed(one) for made in _chains() for one in made}
        assert verdict not in ("genuine", "issuer-unexpected") or _signed(data) in ours
    _chain_is_judged((data,))
    _chain_is_judged((leaf, data, *above))
    signature(leaf, data)
    signature(data, leaf)


def _signed(der: bytes) -> bytes:
    """What the issuer signed. An issuer's certificate in the leaf's place is genuine as what it is."""
    return next(element(der, 0).children()).raw


# --- revocation ----------------------------------------------------------------------------------------------------


def feed_crl(case: tuple[bytes, bytes]) -> None:
    """Current and signed only unchanged."""
    original, data = case
    found = test_revocation.judge(test_revocation.answer(data))
    assert (found.status is Status.PASS) == (data == original), found
    assert found.summary == display(found.summary, 4096)


def feed_ocsp(case: tuple[bytes, bytes]) -> None:
    """Good only unchanged."""
    original, data = case
    for found in (test_ocsp.judge(test_ocsp.answer(data)), test_ocsp.staple(data)):
        assert (found.status is Status.PASS) == (data == original), found
        assert found.certificate in (None, "good") or data == original


# --- HTTP ----------------------------------------------------------------------------------------------------------


def _http_seeds() -> list[bytes]:
    crl = test_revocation.GOOD
    head = b"HTTP/1.1 200 OK\r\nDate: Sun, 01 Nov 2026 12:00:00 GMT\r\nContent-Type: application/pkix-crl\r\n"
    chunked = b"".join(
        b"%x;x=y\r\n%s\r\n" % (len(crl[i : i + 99]), crl[i : i + 99]) for i in range(0, len(crl), 99)
    )
    return [
        head + b"Content-Length: %d\r\n\r\n" % len(crl) + crl,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\nTrailer: a\r\n b\r\n\r\n",
        b"HTTP/1.0 200\r\n\r\n" + crl,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + head + b"X-Folded: a\r\n\t b\r\n\r\n" + crl,
        b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login?\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nServer: Zscaler\r\n\r\n<!doctype html><title>Blocked</title>",
    ]


def feed_http(case: tuple[bytes, bytes]) -> None:
    """An answer is whole or has a failure of the peer's; a CRL in it is current only as it was signed."""
    reader = ResponseReader(Limits(), cap=65_536)
    data = case[1]
    for at in range(0, len(data) + 1, 211):
        if not reader.done:
            reader.feed(data[at : at + 211])
    if not reader.done:
        reader.feed(b"")
    assert reader.done
    assert reader.failure is None or reader.failure.code is not Code.BUG, reader.failure
    assert len(reader.body) <= 65_536
    exchange = HttpExchange(
        0.1,
        0.1,
        reader.status,
        reader.reason,
        reader.headers,
        bytes(reader.body),
        len(reader.body),
        reader.sha256,
    )
    found = test_revocation.judge(exchange, reader.failure)
    if found.status is Status.PASS:
        assert bytes(reader.body) == test_revocation.GOOD
        assert (reader.status, reader.failure) == (200, None)
    reached = judge_reach(exchange, reader.failure, "crl.example")
    assert reached.summary == display(reached.summary, 4096)
    read_tenant(reader.status or 0, bytes(reader.body))


# --- files ---------------------------------------------------------------------------------------------------------


@cache
def _report() -> str:
    return dumps(judged(healthy()))


def _reports(seed: int, count: int) -> Iterable[bytes]:
    text = _report().encode()
    yield from spoiled_json(json.loads(text), seed, count - count // 4)
    for _, data in spoiled([text], seed, count // 4):
        yield data


def feed_report(data: bytes) -> None:
    """A report is refused with its place, or judged again and told; it says of a broken TLS session nothing good."""
    try:
        again = replay(loads(data), RULES)
    except BadReport:
        return
    kept = {f"o{n}": seen for n, seen in enumerate(again.observations, 1)}
    for verdict in again.verdicts:
        if verdict.check == "tls" and verdict.status is Status.PASS:
            proof = [kept[e] for e in verdict.evidence]
            assert any(
                isinstance(s.evidence, TlsFacts) and s.evidence.chain and s.failure is None for s in proof
            )
    for form in FORMATS.values():
        text = "".join(form.render(JudgedReport(again, RULES, Config()), Style(100, verbose=True)))
        assert all(char.isprintable() or char == "\n" for char in text)
    loads(dumps(again))


def _toml_seeds() -> list[bytes]:
    config = b'schema = "wayclear.config/1"\ntenant = "contoso.example"\nresolvers = ["192.0.2.53"]\nbudget = 120\n' \
        b'pace = "fast"\n[timeouts]\ntcp = 5.0\n[labels]\nsite = "x"\n'  # fmt: skip
    sets = [
        (ROOT / "rules" / "sets" / f"{n}.toml").read_bytes()
        for n in ("entra-cloud-sync", "entra-app-proxy-china")
    ]
    cas = (ROOT / "rules" / "sets" / "microsoft-azure.toml").read_bytes()[:6_000].rpartition(b"\n[")[0]
    return [config, *(one[:8_000].rpartition(b"\n[")[0] for one in sets), cas]


def feed_toml(case: tuple[bytes, bytes]) -> None:
    """A file is read or refused in lines that print, whatever is in it."""
    try:
        file = parse_toml(case[1], "my.toml")
        if "config" in str(file.data.get("schema", "config"))[:60]:
            parse_config(file.data, file.source)
        else:
            check_file(file)
    except BadFile as error:
        text = str(error)
        assert all(char.isprintable() or char == "\n" for char in text), text
        assert len(text) < 100_000


TARGETS = (
    Target("dns answers", _bytes(_dns_seeds), feed_dns),
    Target("tls handshakes", _bytes(_tls_seeds), feed_tls),
    Target("certificates", _bytes(lambda: [der for one in _chains() for der in one]), feed_certificate),
    Target("crls", _bytes(lambda: [test_revocation.GOOD]), feed_crl),
    Target("ocsp answers", _bytes(lambda: [test_ocsp.GOOD]), feed_ocsp),
    Target("http answers", _bytes(_http_seeds), feed_http),
    Target("reports", _reports, feed_report),
    Target("toml files", _bytes(_toml_seeds), feed_toml),
)
