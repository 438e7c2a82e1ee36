"""A chain whose issuer is nowhere: what to do follows from what its address was seen to answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step
from rules.model.verdict import Status, Verdict
from tests import pki
from tests.rules.script import (
    AIA_URL,
    BLOCKED,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CRL_HOST,
    CRL_RULE,
    ISSUING,
    NOBODY,
    QUIET,
    REFUSED,
    SILENCE,
    ZONE,
    Scripted,
    World,
    healthy,
    judged,
    leaf,
    page,
    rows,
    rules_of,
    shown,
)

ALONE = shown(leaf(BOOTSTRAP).chain[:1])
RESET = Failure(Stage.HTTP, Code.RESET)
SLOW = Failure(Stage.HTTP, Code.TIMEOUT)


def lacking(issuer: Scripted, **fields: object) -> World:
    """A network in which bootstrap omits its issuer, whose address answers so."""
    world = healthy().when(TlsHandshake, ALONE, server_name=BOOTSTRAP)
    return world.when(HttpFetch, issuer, purpose="aia", **fields)


def verdict(world: World, lost: Callable[[Step], bool] = lambda step: False) -> Verdict:
    found = rows(judged(world, rules_of(BOOTSTRAP_RULE, CRL_RULE), QUIET, lost=lost), BOOTSTRAP, "tls")[0]
    assert (found.cause.word, found.status) == ("tls.incomplete-chain", Status.INCONCLUSIVE)
    return found


def asks_to_open(found: Verdict) -> bool:
    return "Allow" in found.remedy


@pytest.mark.parametrize(
    ("answer", "circumstance", "words"),
    [
        (BLOCKED, "page", "a web page comes"),
        (page(403, b"<html><title>Web page blocked</title>"), "page", "refused"),
        (page(403, b"<html><title>No</title>"), "answered", "refused"),  # nothing tells who refuses
        (page(503, b"<html>", x_squid_error="ERR_DNS_FAIL 0"), "answered", "cannot fetch"),
        (page(511, b"<html>sign in"), "page", "sign in"),
        (page(404), "answered", "HTTP 404"),
        (
            page(404, b"<html><title>404</title></html>"),
            "answered",
            "HTTP 404",
        ),  # the host's own, or nobody's
        (page(407), "answered", "password"),
        (page(301, location=f"https://{CRL_HOST}/issuing.crt"), "answered", "HTTP 301"),
        (page(302, location="http://portal.isp.example/login"), "answered", "sign in"),
        (page(302, location="http://other.example/"), "answered", "sent elsewhere"),
        (page(200, b"junk"), "answered", "no certificate of the issuer"),
        (page(200, pki.der(NOBODY.certificate)), "answered", "no certificate of the issuer"),
        ((RESET, HttpExchange(0.01)), "no-answer", "http reset"),
        (SLOW, "no-answer", "http timeout"),
        (Failure(Stage.HTTP, Code.MALFORMED), "no-answer", "http malformed"),
        ((RESET, page(200, b"0")), "no-answer", "HTTP 200, then http reset"),
    ],
)
def test_an_open_port_is_never_to_be_allowed(answer: Scripted, circumstance: str, words: str) -> None:
    found = verdict(lacking(answer))
    assert found.circumstance == circumstance
    assert not asks_to_open(found)
    told = [value for name, value in found.details if name == "issuer's address"]
    assert told
    assert told[0].startswith(AIA_URL)
    assert words in told[0]


@pytest.mark.parametrize("closed", [SILENCE, REFUSED])
def test_a_closed_port_is_to_be_allowed(closed: Failure) -> None:
    world = lacking(closed).when(HttpFetch, closed, host=CRL_HOST)
    found = verdict(world)
    assert (found.circumstance, asks_to_open(found)) == ("", True)


def test_a_port_that_opens_for_another_document_is_open() -> None:
    """The list comes from the same host: the try for the certificate met something else than a closed port."""
    found = verdict(lacking(SILENCE))
    assert (found.circumstance, asks_to_open(found)) == ("no-answer", False)


def test_of_two_addresses_the_more_telling_answer_counts() -> None:
    first, second = "203.0.113.41", "203.0.113.43"
    for one, other, circumstance in (
        (SILENCE, page(404), "answered"),
        (page(404), BLOCKED, "page"),
        (SLOW, page(404), "answered"),
    ):
        world = lacking(one, address=first).when(HttpFetch, other, purpose="aia", address=second)
        world.zone[CRL_HOST] = (first, second)
        assert verdict(world).circumstance == circumstance


def test_what_was_not_asked_for_says_nothing_of_a_port() -> None:
    unknown = lacking(page(404))
    unknown.zone = {name: found for name, found in ZONE.items() if name != CRL_HOST}
    found = verdict(unknown)
    assert (found.circumstance, [d for d in found.details if d[0] == "issuer's address"]) == ("", [])
    ended = verdict(lacking(page(404)), lambda step: isinstance(step, HttpFetch) and step.purpose == "aia")
    assert (ended.circumstance, asks_to_open(ended)) == ("not-asked", False)


def test_the_evidence_names_what_was_asked_and_another_cause_none_of_it() -> None:
    world = lacking(page(404))
    report = judged(world, rules_of(BOOTSTRAP_RULE, CRL_RULE), QUIET)
    asked = {
        f"o{n}" for n, seen in enumerate(report.observations, 1)
        if isinstance(seen.step, HttpFetch) and seen.step.purpose == "aia"
    }  # fmt: skip
    assert asked
    assert asked <= set(rows(report, BOOTSTRAP, "tls")[0].evidence)
    fine = page(200, ISSUING.certificate.public_bytes(Encoding.DER))
    genuine = rows(judged(lacking(fine), rules_of(BOOTSTRAP_RULE, CRL_RULE), QUIET), BOOTSTRAP, "tls")[0]
    assert (genuine.cause.word, asked & set(genuine.evidence)) == ("ok", set())
