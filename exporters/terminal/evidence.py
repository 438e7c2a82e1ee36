"""Questions and answers in words, so that a firewall engineer can find them in a log."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from exporters.terminal.style import count, seconds
from rules.files.report_json import to_rfc3339
from rules.model.failure import Code, Failure, Icmp
from rules.model.kind import Kind
from rules.model.kinds import (
    dns_chain,
    http_fetch,
    local_host,
    os_lookup,
    tcp_connect,
    tls_handshake,
    trust_store,
)
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.os_lookup import OsAnswer
from rules.model.kinds.tls_handshake import Hello, TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustRoots
from rules.model.observation import Observation, Step, got_through, kind_of
from rules.text.display import display

FAILED: Mapping[Code, str] = {
    Code.TIMEOUT: "no answer in time",
    Code.REFUSED: "refused (RST)",
    Code.RESET: "reset (RST)",
    Code.EOF: "closed by the peer",
    Code.UNREACHABLE: "unreachable (ICMP)",
    Code.NO_ROUTE: "this host has no route",
    Code.NO_DESCRIPTORS: "this host has no file descriptors left",
    Code.NO_PORTS: "this host has no local port left",
    Code.DENIED: "this host refused to send (local firewall or policy)",
    Code.ALERT: "TLS alert",
    Code.NOT_TLS: "the answer is not TLS",
    Code.MALFORMED: "the answer breaks the protocol",
    Code.WRONG_SOURCE: "the answer came from another address than the one asked",
    Code.TOO_LARGE: "more than may be read",
    Code.LOOKUP: "not resolved",
    Code.NOT_REACHED: "not started before the audit ended",
    Code.NOT_RECORDED: "not in the recording",
    Code.STARVED: "this host was too busy to tell",
    Code.BUG: "a bug of wayclear",
}

#: ICMP type 3 codes (RFC 792, RFC 1812 section 5.2.7.1) and ICMPv6 type 1 codes (RFC 4443 section 3.1).
ICMP_WORDS: Mapping[tuple[int, int], str] = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 9): "network administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 13): "administratively prohibited",
    (1, 0): "no route",
    (1, 1): "administratively prohibited",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
}

#: TLS alerts that middleboxes and services send (RFC 8446 section 6).
ALERTS: Mapping[int, str] = {
    0: "close_notify",
    10: "unexpected_message",
    40: "handshake_failure",
    42: "bad_certificate",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    112: "unrecognized_name",
    116: "certificate_required",
}

SECRET_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie", "www-authenticate"}
)
_TELLING = 24  # characters from which a text that appears in two lines is a repeat
S = TypeVar("S")
E = TypeVar("E")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def _nothing(*_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindText(Generic[S, E]):
    """The texts for a kind of question."""

    kind: Kind[S, E]
    question: Callable[[S], str]
    answer: Callable[[E], str]
    #: The question in a list under its address; None: as `question` has it.
    heading: Callable[[S], str] | None = None
    #: Lines under a connection: the stages that it reached (the second argument is the outcome of the whole step), and
    #: after its failure the further facts.
    stages: Callable[[E, str], Iterable[str]] = _nothing
    remains: Callable[[E], Iterable[str]] = _nothing
    #: The HTTP headers received, for the steps of a verbose tree.
    headers: Callable[[E], tuple[tuple[str, str], ...]] = _nothing


def mask(text: str) -> str:
    """`text` with credentials in URLs hidden."""
    return _USERINFO.sub("***@", text)


def without_repeats(details: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Evidence lines, without those whose text another line holds too. Lines that compare values always stay."""
    found = list(dict.fromkeys(details))
    return [
        (key, value)
        for place, (key, value) in enumerate(found)
        if not any(
            value in other and (len(other) > len(value) or earlier < place)
            for earlier, (_, other) in enumerate(found)
            if earlier != place
        )
        or len(value) < _TELLING
        or key in ("expected", "served")
    ]


def hostport(address: str, port: int) -> str:
    """`192.0.2.1:443`, `[2001:db8::1]:443`."""
    shown = display(address, 80)
    return f"[{shown}]:{port}" if ":" in address else f"{shown}:{port}"


def clock(moment: float) -> str:
    """The time of day in UTC with milliseconds, `09:14:05.120`."""
    return to_rfc3339(moment)[11:23]


def day_and_clock(moment: float) -> str:
    """The date and the time of day in UTC, `2026-11-02 09:14:05.120`."""
    return to_rfc3339(moment)[:23].replace("T", " ")


def step_text(step: Step) -> str:
    """The question of a step."""
    return text_of_kind(step).question(step) + _again(step)


def connection_text(seen: Observation) -> str:
    """The connection as it appears in a firewall's log: both addresses and ports, the time, the outcome."""
    step = seen.step
    came = f"{day_and_clock(seen.started)} UTC, {outcome_text(seen)}"
    place, name = kind_of(step).place(step), kind_of(step).name(step)
    if place is None:
        return f"{step_text(step)}: {came}"
    mine = hostport(*seen.local) if seen.local else "this host"
    asks = f" ({display(name)})" if name else ""
    return f"{mine} → {hostport(*place)}{asks} at {came}"


def outcome_text(seen: Observation) -> str:
    """The answer, or why there was none, and the time that it took."""
    age = " (an earlier observation)" if seen.stale else ""
    came = text_of_kind(seen.step).answer(seen.evidence) if seen.evidence is not None else "done"
    if seen.failure is None:
        return f"{came} in {seconds(seen.elapsed)}{age}"
    if got_through(seen):
        return f"{came}, {unsent_text(seen.failure)} after {seconds(seen.elapsed)}{age}"
    return f"{failure_text(seen.failure)} after {seconds(seen.elapsed)}{age}"


def failure_text(failure: Failure) -> str:
    """A failure in words: the stage, the event, and the ICMP message or alert if there was one."""
    words = [f"{failure.stage.value.upper()}: {FAILED[failure.code]}"]
    if failure.icmp is not None:
        words.append(_icmp(failure.icmp))
    if failure.alert is not None:
        words.append(f"alert {failure.alert} {ALERTS.get(failure.alert, '')}".rstrip())
    if failure.detail:
        words.append(display(mask(failure.detail)))
    return ", ".join(words)


def unsent_text(failure: Failure) -> str:
    """How a server ended a handshake only because we have no client certificate."""
    if not failure.alert:
        return "closed by the server as none was sent"
    return (
        f"ended by the server as none was sent (alert {failure.alert} {ALERTS.get(failure.alert, '')}".rstrip()
        + ")"
    )


def _icmp(icmp: Icmp) -> str:
    named = ICMP_WORDS.get((icmp.type, icmp.code))
    sender = f" from {display(icmp.sender, 80)}" if icmp.sender else ""
    return f"ICMP type {icmp.type} code {icmp.code}{f' ({named})' if named else ''}{sender}"


_YEAR_10000 = 253_402_300_800.0


def _store(source: str, changed: float | None) -> str:
    """The store's source and date: an old store is a reason to doubt."""
    words = [display(mask(source), 80)] if source else []
    if changed is not None and 0 <= changed < _YEAR_10000:  # a report file may hold any number
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=changed)
        words.append(f"of {moment:%Y-%m-%d}")
    return f" ({', '.join(words)})" if words else ""


def _dns(answer: DnsAnswer) -> str:
    words = [display(answer.rcode, 40), count(len(answer.records), "record")]
    if answer.transport == "tcp":
        words.append("over TCP")
    if answer.truncated:
        words.append("truncated" + (f", {display(answer.tcp_failure)}" if answer.tcp_failure else ""))
    if not answer.edns:
        words.append("without EDNS only")
    if answer.junk:
        words.append(f"{count(answer.junk, 'junk datagram')} ignored")
    if answer.ad:
        words.append("validated, as the resolver says")
    if answer.ede:
        words.append(display(answer.ede))
    return ", ".join(words)


def tls_words(facts: TlsFacts) -> str:
    """A handshake in a line."""
    words = [display(facts.version or "no TLS version", 20)]
    if facts.cipher:
        words.append(display(facts.cipher, 60))
    words.append(count(len(facts.chain), "certificate"))
    if facts.client_certificate_asked:
        words.append("client certificate asked for")
    if facts.staple is not None:
        words.append(f"stapled OCSP answer of {count(len(facts.staple), 'byte')}")
    if facts.http_status is not None:
        words.append(f"HTTP {facts.http_status} inside")
    elif facts.http_failure:
        words.append(f"HTTP inside: {display(facts.http_failure)}")
    return ", ".join(words)


def _host_read(facts: HostFacts) -> str:
    return "read" if facts.descriptors is None else f"read, {facts.descriptors} descriptors at most"


def _dns_question(step: DnsQuestion) -> str:
    return f"DNS {step.rtype} {display(step.name)} at {display(step.resolver, 80)}"


def _os_answer(answer: OsAnswer) -> str:
    found = ", ".join(display(a, 80) for a in answer.addresses[:8])
    return found or display(answer.error or "no address")


_HELLOS: Mapping[Hello, str] = {"connector": "TLS 1.2", "tls13": "TLS 1.3", "large": "a large hello"}


def _tls_question(step: TlsHandshake) -> str:
    return f"TLS to {hostport(step.address, step.port)} as {display(step.server_name)} with {_hello(step)}"


def _hello(step: TlsHandshake) -> str:
    return _HELLOS[step.hello] + (f", GET {display(mask(step.path))}" if step.path else "")


def _tls_stages(facts: TlsFacts, _: str) -> Iterable[str]:
    yield f"TCP: connected in {seconds(facts.connect_s)}"
    if facts.chain or facts.handshake_s is not None:
        took = f" in {seconds(facts.handshake_s)}" if facts.handshake_s is not None else ", not completed"
        yield f"TLS: {tls_words(facts)}{took}; our hello had {facts.hello_size} bytes"


def _tls_remains(facts: TlsFacts) -> Iterable[str]:
    if facts.first_bytes:
        yield f"the answer began with {display(facts.first_bytes, 80)}"


def _http_question(step: HttpFetch) -> str:
    verb = "GET" if step.body is None else "POST"
    where = f"http://{display(step.host)}{display(mask(step.target))}"
    return f"{verb} {where} at {hostport(step.address, step.port)}"


def _http_answer(exchange: HttpExchange) -> str:
    status = f"{exchange.status} {display(exchange.reason, 60)}".rstrip()
    return f"HTTP {status}, {count(exchange.size, 'byte')}"


def _http_stages(exchange: HttpExchange, outcome: str) -> Iterable[str]:
    yield f"TCP: connected in {seconds(exchange.connect_s)}"
    yield f"HTTP: {outcome}"


def _roots(found: TrustRoots) -> str:
    public = _store(found.public_source, found.public_date)
    system = _store(found.system_source, found.system_date)
    return (
        f"{len(found.public)} in the public list{public}, {len(found.system)} in the system's store{system}"
    )


#: Every kind of question. The list is written by hand.
KIND_TEXTS: tuple[KindText[Any, Any], ...] = (
    KindText(
        kind=local_host.KIND,
        question=lambda _: "this host's routes, resolvers, proxy settings, account",
        answer=_host_read,
    ),
    KindText(kind=dns_chain.KIND, question=_dns_question, answer=_dns),
    KindText(
        kind=os_lookup.KIND,
        question=lambda step: f"the operating system's own resolution of {display(step.name)}",
        answer=_os_answer,
    ),
    KindText(
        kind=tcp_connect.KIND,
        question=lambda step: f"TCP connect to {hostport(step.address, step.port)}",
        answer=lambda _: "connected",
    ),
    KindText(
        kind=tls_handshake.KIND,
        question=_tls_question,
        answer=tls_words,
        heading=_hello,
        stages=_tls_stages,
        remains=_tls_remains,
        headers=lambda facts: facts.http_headers,
    ),
    KindText(
        kind=http_fetch.KIND,
        question=_http_question,
        answer=_http_answer,
        stages=_http_stages,
        headers=lambda exchange: exchange.headers,
    ),
    KindText(
        kind=trust_store.KIND,
        question=lambda _: "a root certificate in the stores of this host",
        answer=_roots,
    ),
)
_OF_STEP: Mapping[type[Step], KindText[Any, Any]] = {texts.kind.step: texts for texts in KIND_TEXTS}


def text_of_kind(step: Step) -> KindText[Any, Any]:
    """The texts for the kind of a step."""
    return _OF_STEP[type(step)]


def heading(step: Step) -> str:
    """The question of a step, for a place where its address is shown above."""
    texts = text_of_kind(step)
    return texts.heading(step) + _again(step) if texts.heading is not None else step_text(step)


def _again(step: Step) -> str:
    return f" (attempt {step.attempt})" if step.attempt > 1 else ""
