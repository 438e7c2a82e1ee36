"""The handshake as a question: what makes two of them one, and what it feeds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import (
    CERTIFICATE_ALERTS,
    KIND,
    Hello,
    TlsFacts,
    TlsHandshake,
    wants_certificate,
)
from tests.rules.script import BOOTSTRAP, QUIET, SIGN_IN, healthy, judged, leaf, rows, shown


def test_the_judging_hello_is_the_connector_s() -> None:
    assert TlsHandshake("203.0.113.1", 443, SIGN_IN).hello == "connector"
    assert set(get_args(Hello)) == {"connector", "tls13", "large"}
    assert KIND.connects


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


# --- the end of a handshake for want of a client certificate -------------------------------------------------------

WHOLE = TlsFacts(0.01, version="TLSv1.2", chain=(b"x",), client_certificate_asked=True, key_proven=True,
                 certificate_sent=True)  # fmt: skip


def test_the_alerts_are_those_that_answer_a_missing_certificate() -> None:
    assert {40, 42, 46, 49, 116} == CERTIFICATE_ALERTS  # RFC 5246 section 7.2.2, RFC 8446 section 6.2


@given(number=st.integers(0, 255))
def test_any_other_alert_is_what_it_was(number: int) -> None:
    end = Failure(Stage.TLS, Code.ALERT, alert=number)
    assert wants_certificate(WHOLE, end) is (number in (40, 42, 46, 49, 116))


@given(code=st.sampled_from(Code), stage=st.sampled_from(Stage))
def test_an_orderly_close_answers_as_well_and_nothing_else_does(code: Code, stage: Stage) -> None:
    assert wants_certificate(WHOLE, Failure(stage, code)) is ((stage, code) == (Stage.TLS, Code.EOF))


def test_all_of_it_must_have_been_seen() -> None:
    end = Failure(Stage.TLS, Code.ALERT, alert=40)
    for asked, proven, sent in product((False, True), repeat=3):
        facts = replace(WHOLE, client_certificate_asked=asked, key_proven=proven, certificate_sent=sent)
        assert wants_certificate(facts, end) is (asked and proven and sent)


def test_a_handshake_that_is_done_needs_no_excuse_and_an_old_recording_has_none() -> None:
    assert not wants_certificate(WHOLE, None)
    old = TlsFacts(0.01, version="TLSv1.2", chain=(b"x",), client_certificate_asked=True)
    assert not wants_certificate(old, Failure(Stage.TLS, Code.ALERT, alert=40))
