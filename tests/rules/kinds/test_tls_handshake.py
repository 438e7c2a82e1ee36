"""The handshake as a question: what makes two of them one, and what it feeds."""

from __future__ import annotations

from typing import get_args

import pytest

from rules.kinds.tls_handshake import Hello, TlsFacts, TlsHandshake
from rules.observation import CONNECTIONS
from tests.rules.script import BOOTSTRAP, QUIET, SIGN_IN, healthy, judged, leaf, rows, shown


def test_the_judging_hello_is_the_connector_s() -> None:
    assert TlsHandshake("203.0.113.1", 443, SIGN_IN).hello == "connector"
    assert set(get_args(Hello)) == {"connector", "tls13", "large"}
    assert TlsHandshake in CONNECTIONS


def test_everything_that_is_asked_is_part_of_the_key() -> None:
    steps = {
        TlsHandshake("203.0.113.1", 443, SIGN_IN),
        TlsHandshake("203.0.113.2", 443, SIGN_IN),
        TlsHandshake("203.0.113.1", 8443, SIGN_IN),
        TlsHandshake("203.0.113.1", 443, BOOTSTRAP),
        TlsHandshake("203.0.113.1", 443, SIGN_IN, "large"),
        TlsHandshake("203.0.113.1", 443, SIGN_IN, path="/"),
        TlsHandshake("203.0.113.1", 443, SIGN_IN, attempt=2),
    }
    assert len(steps) == 7
    assert TlsHandshake("203.0.113.1", 443, SIGN_IN) in steps


def test_what_was_not_seen_is_empty_and_not_invented() -> None:
    facts = TlsFacts(0.01)
    assert (facts.chain, facts.version, facts.http_status, facts.staple) == ((), None, None, None)


def test_one_handshake_feeds_the_tcp_the_tls_and_the_http_check() -> None:
    report = judged(healthy(), plan=QUIET)
    found = rows(report, BOOTSTRAP, address="203.0.113.1")
    assert [v.check for v in found] == ["tcp", "tls", "http"]
    assert len({v.evidence for v in found}) == 1


@pytest.mark.parametrize("asked", [True, False])
def test_whether_a_client_certificate_was_asked_for_is_told_and_never_a_fault(asked: bool) -> None:
    facts = shown(leaf(BOOTSTRAP).chain, http_status=403, client_certificate_asked=asked)
    report = judged(healthy().when(TlsHandshake, facts, server_name=BOOTSTRAP), plan=QUIET)
    tls = rows(report, BOOTSTRAP, "tls")[0]
    assert tls.status.value == "pass"
    assert (("client certificate", "asked for, as the service does") in tls.details) is asked
