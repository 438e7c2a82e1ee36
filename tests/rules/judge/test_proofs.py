"""Which names and addresses a signed document proves."""

from __future__ import annotations

import pytest

from rules.judge.proofs import proven_addresses
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from tests import pki
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    ISSUING,
    OCSP_HOST,
    QUIET,
    START,
    UNAUTHORIZED,
    Answer,
    crl,
    healthy,
    leaf,
    page,
    run,
    shown,
)

CRL, OCSP = (CRL_HOST, "203.0.113.41"), (OCSP_HOST, "203.0.113.42")


def test_lists_and_answers_of_a_healthy_network_prove_their_places() -> None:
    assert proven_addresses(run(healthy(), plan=QUIET), START) == {CRL, OCSP}


@pytest.mark.parametrize(
    "answer",
    [
        crl(CORPORATE),
        page(200, b"<html>"),
        page(404),
        page(200, b""),
        (Failure(Stage.HTTP, Code.EOF), crl()),
        Failure(Stage.TCP, Code.TIMEOUT),
    ],
)
def test_what_is_not_signed_or_not_whole_proves_nothing(answer: Answer) -> None:
    assert proven_addresses(run(healthy().when(HttpFetch, answer, purpose="crl"), plan=QUIET), START) == {
        OCSP
    }


def test_an_old_list_came_all_the_same() -> None:
    """Its signature is the CA's; that it is old is told of the list."""
    world = healthy().when(HttpFetch, crl(ISSUING, age=30), purpose="crl")
    assert CRL in proven_addresses(run(world, plan=QUIET), START)


@pytest.mark.parametrize("answer", [page(200, UNAUTHORIZED), page(200, b"junk"), page(503)])
def test_a_responder_that_says_nothing_signed_proves_nothing(answer: Answer) -> None:
    assert proven_addresses(run(healthy().when(HttpFetch, answer, host=OCSP_HOST), plan=QUIET), START) == {
        CRL
    }


def test_an_issuer_that_completes_a_chain_proves_where_it_came_from() -> None:
    """Relays omit their issuer's certificate; Windows fetches it over port 80, and so does the audit."""

    def lone(step: object) -> Answer:
        assert isinstance(step, TlsHandshake)
        return shown(leaf(step.server_name).chain[:1])

    world = healthy().when(TlsHandshake, lone, server_name=BOOTSTRAP)
    for purpose in ("crl", "ocsp"):
        world.when(HttpFetch, page(404), purpose=purpose)
    assert proven_addresses(run(world, plan=QUIET), START) == {CRL}
    other = page(200, pki.der(CORPORATE.certificate))
    assert proven_addresses(run(world.when(HttpFetch, other, purpose="aia"), plan=QUIET), START) == set()
