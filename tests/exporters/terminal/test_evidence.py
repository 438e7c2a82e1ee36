"""Observations in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.terminal.evidence import (
    FAILED,
    KIND_TEXTS,
    connection_text,
    failure_text,
    hostport,
    mask,
    outcome_text,
    step_text,
    without_repeats,
)
from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import KINDS, Observation
from tests.exporters import samples
from tests.rules.script import wanting


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_has_words(code: Code) -> None:
    assert FAILED[code]
    assert FAILED[code] in failure_text(Failure(Stage.TCP, code))


def test_every_kind_has_its_texts() -> None:
    assert [texts.kind for texts in KIND_TEXTS] == list(KINDS)


@pytest.mark.parametrize("seen", samples.observations(), ids=lambda seen: type(seen.step).__name__)
def test_every_kind_has_words(seen: Observation) -> None:
    for text in (step_text(seen.step), outcome_text(seen), connection_text(seen)):
        assert text
        assert text.isprintable()


def test_a_flow_is_what_a_firewall_log_holds() -> None:
    assert connection_text(samples.observations()[6]) == (
        "10.20.0.5:53213 → 20.190.0.2:443 (login.microsoftonline.com) at 2026-11-02 09:14:12.020 UTC, TCP: unreachable (ICMP), "
        "ICMP type 3 code 13 (administratively prohibited) from 10.20.0.1 after 13 ms"
    )


def test_failures_name_alert_and_icmp() -> None:
    assert failure_text(Failure(Stage.TLS, Code.ALERT, alert=49)) == "TLS: TLS alert, alert 49 access_denied"
    assert failure_text(Failure(Stage.TLS, Code.ALERT, alert=250)) == "TLS: TLS alert, alert 250"
    assert "ICMP type 9 code 9" in failure_text(Failure(Stage.TCP, Code.UNREACHABLE, icmp=Icmp(9, 9, None)))


def test_steps_say_how_they_differ() -> None:
    large = TlsHandshake("2001:db8::1", 443, "a.example", "large", "/x", 2)
    assert step_text(large) == "TLS to [2001:db8::1]:443 as a.example with a large hello, GET /x (attempt 2)"
    assert step_text(HttpFetch("192.0.2.1", 80, "a.example", "/", body=b"x")).startswith(
        "POST http://a.example/"
    )


def test_dns_answers_tell_what_was_odd() -> None:
    answer = DnsAnswer(
        "NOERROR",
        (),
        truncated=True,
        transport="tcp",
        edns=False,
        junk=3,
        ede="15 Blocked",
        tcp_failure="refused",
    )
    shown = outcome_text(Observation(DnsQuestion("192.0.2.53", "a.example", "A"), 0, 0.1, None, answer))
    for part in (
        "0 records",
        "over TCP",
        "truncated, refused",
        "without EDNS only",
        "3 junk datagrams ignored",
        "15 Blocked",
    ):
        assert part in shown


def test_tls_answers_tell_what_was_seen() -> None:
    facts = TlsFacts(0.1, client_certificate_asked=True, http_status=403)
    step = TlsHandshake("192.0.2.1", 443, "a.example")
    assert "client certificate asked for, HTTP 403 inside" in outcome_text(
        Observation(step, 0, 0.1, None, facts)
    )
    late = outcome_text(Observation(step, 0, 0.1, None, TlsFacts(0.1, http_failure="timeout"), stale=True))
    assert "HTTP inside: timeout" in late
    assert "an earlier observation" in late


def test_a_server_that_wants_a_client_certificate_is_no_failure_in_words() -> None:
    failure, facts = wanting((b"x",))
    seen = Observation(TlsHandshake("192.0.2.1", 443, "a.example"), 0, 0.1, failure, facts)
    assert (
        "client certificate asked for, ended by the server as none was sent (alert 40 handshake_failure)"
        in outcome_text(seen)
    )
    closed = Observation(seen.step, 0, 0.1, *wanting((b"x",), alert=0))
    assert "client certificate asked for, closed by the server as none was sent" in outcome_text(closed)
    cut = Observation(seen.step, 0, 0.1, failure, replace(facts, key_proven=False))
    assert outcome_text(cut).startswith("TLS: ")


def test_a_failed_lookup_names_its_error() -> None:
    assert "EAI_NONAME" in outcome_text(
        Observation(OsLookup("a.example"), 0, 0.1, None, OsAnswer((), "EAI_NONAME"))
    )


def test_secrets_of_urls_are_masked() -> None:
    assert mask("via http://user:pass@proxy:8080/") == "via http://***@proxy:8080/"
    assert mask("http://a.example/x@y") == "http://a.example/x@y"


def test_addresses_and_ports() -> None:
    assert hostport("2001:db8::1", 443) == "[2001:db8::1]:443"
    assert hostport("192.0.2.1", 80) == "192.0.2.1:80"


def test_what_two_lines_tell_is_told_once() -> None:
    key = "88a804f511632b07eeab2286c2e8ce662f1f8ac1"
    found = [
        ("key that differs", f"SHA-256 {key}"),
        ("issuing key", key),
        ("by", "name"),
        ("also by", "name"),
    ]
    assert without_repeats(found) == [found[0], *found[2:]]
    assert without_repeats([("expected", key), ("served", key)]) == [("expected", key), ("served", key)]
    assert without_repeats([("source", key), ("from", key)]) == [("source", key)]
    assert without_repeats([found[0], found[0]]) == [found[0]]


def test_where_the_roots_were_read_and_how_old_they_are() -> None:
    roots = TrustRoots((b"a",), (), 1_780_000_000.0, 1e300, "certifi", "/etc/ssl/certs")
    text = outcome_text(Observation(TrustLookup(b"0"), 0.0, 0.1, None, roots))
    assert text.startswith(
        "1 in the public list (certifi, of 2026-05-28), 0 in the system's store (/etc/ssl/certs)"
    )


def test_what_else_was_seen_of_a_host_an_answer_and_a_handshake() -> None:
    assert "validated" in outcome_text(
        Observation(
            DnsQuestion("192.0.2.53", "a.example", "A"), 0.0, 0.1, None, DnsAnswer("NOERROR", ad=True)
        )
    )
    shake = TlsHandshake("192.0.2.1", 443, "a.example")
    assert "stapled OCSP answer of 5 bytes" in outcome_text(
        Observation(shake, 0.0, 0.1, None, TlsFacts(0.1, version="TLSv1.2", staple=b"12345"))
    )
