"""Verdicts on addresses: TCP and what stands on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.failure import Code, Failure, Icmp, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tcp_connect import TcpConnect, TcpFacts
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.ruleset import Group
from rules.model.verdict import Report, Status, Verdict
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    OCSP_HOST,
    OCSP_RULE,
    PLAN,
    QUIET,
    REFUSED,
    SILENCE,
    UNAUTHORIZED,
    Answer,
    World,
    crl,
    healthy,
    judged,
    leaf,
    only,
    page,
    rows,
    rule,
    rules_of,
    shown,
    wanting,
)

FIRST = "203.0.113.1"


def with_(answer: Answer, **where: object) -> Report:
    return judged(healthy().when(TlsHandshake, answer, **({"server_name": BOOTSTRAP} | where)), plan=QUIET)


def tcp(failure: Failure) -> Verdict:
    return only(with_(failure), BOOTSTRAP, "tcp", FIRST)


@pytest.mark.parametrize(
    ("failure", "cause", "words"),
    [
        (SILENCE, "tcp.timeout", "drops it silently"),
        (REFUSED, "tcp.reset", "refused with a reset"),
        (Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 13, "203.0.113.254")), "tcp.unreachable", "sent by 203.0.113.254"),
        (Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(1, 1, None)), "tcp.unreachable", "administratively prohibited)"),
        (Failure(Stage.TCP, Code.UNREACHABLE, "", Icmp(3, 1, None)), "tcp.unreachable", "ICMP type 3 code 1"),
        (Failure(Stage.TCP, Code.NO_ROUTE), "tcp.unreachable", "no way there"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_a_connection(failure: Failure, cause: str, words: str) -> None:
    verdict = tcp(failure)
    assert (verdict.cause.word, verdict.status) == (cause, Status.FAIL)
    assert words in verdict.summary
    assert verdict.remedy
    assert len(verdict.evidence) == (1 if failure.code is Code.NO_ROUTE else 2)


@pytest.mark.parametrize(
    ("code", "cause", "status"),
    [
        (Code.NO_DESCRIPTORS, "local.no-descriptors", Status.INCONCLUSIVE),
        (Code.NO_PORTS, "local.no-descriptors", Status.INCONCLUSIVE),
        (Code.STARVED, "local.starved", Status.INCONCLUSIVE),
        (Code.DENIED, "local.denied", Status.INCONCLUSIVE),
        (Code.NOT_REACHED, "audit.not-reached", Status.INCONCLUSIVE),
        (Code.NOT_RECORDED, "audit.not-recorded", Status.INCONCLUSIVE),
        (Code.BUG, "audit.bug", Status.BROKEN),
    ],
)
def test_a_fault_of_this_host_is_never_called_blocked(code: Code, cause: str, status: Status) -> None:
    verdict = tcp(Failure(Stage.LOCAL, code))
    assert (verdict.cause.word, verdict.status) == (cause, status)


@pytest.mark.parametrize("failure", [SILENCE, REFUSED, Failure(Stage.LOCAL, Code.STARVED)])
def test_nothing_is_said_of_tls_where_no_connection_opened(failure: Failure) -> None:
    assert {v.check for v in rows(with_(failure), BOOTSTRAP, address=FIRST)} == {"tcp"}


def test_a_connection_that_opened_passes_whatever_tls_makes_of_it() -> None:
    report = with_(Failure(Stage.TLS, Code.RESET))
    assert only(report, BOOTSTRAP, "tcp", FIRST).status is Status.PASS
    assert only(report, BOOTSTRAP, "tls", FIRST).status is Status.FAIL


def test_a_connection_that_opened_at_the_second_try_is_a_notice() -> None:
    verdict = only(with_(SILENCE, attempt=1), BOOTSTRAP, "tcp", FIRST)
    assert (verdict.status, "second try" in verdict.summary) == (Status.NOTICE, True)


def test_the_flow_is_told_for_the_firewall_s_log() -> None:
    assert ("from", "198.51.100.5:50123, 198.51.100.5:50123") in tcp(SILENCE).details


# --- inside the session ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 404, 500, 503])
def test_any_status_inside_a_genuine_session_proves_the_way(status: int) -> None:
    verdict = only(with_(shown(leaf(BOOTSTRAP).chain, http_status=status)), BOOTSTRAP, "http", FIRST)
    assert verdict.status is Status.PASS
    assert ("normal answer" in verdict.summary) is (status == 403)


@pytest.mark.parametrize("how", ["timeout", "reset"])
def test_a_session_that_is_cut_before_an_answer_is_a_warning(how: str) -> None:
    verdict = only(with_(shown(leaf(BOOTSTRAP).chain, http_failure=how)), BOOTSTRAP, "http", FIRST)
    assert (verdict.status, verdict.cause.word) == (Status.WARN, f"http.{how}")


@pytest.mark.parametrize("how", ["eof", "alert 116"])
def test_a_server_that_ends_the_session_without_a_client_certificate_is_reached(how: str) -> None:
    facts = shown(leaf(BOOTSTRAP).chain, http_failure=how, client_certificate_asked=True)
    verdict = only(with_(facts), BOOTSTRAP, "http", FIRST)
    assert (verdict.status, verdict.cause.word) == (Status.PASS, "ok")
    assert "asked for the client certificate" in verdict.summary


@pytest.mark.parametrize("how", ["eof", "alert 80", "malformed"])
def test_a_session_that_ends_although_no_certificate_was_asked_for_is_not_explained_by_one(how: str) -> None:
    verdict = only(with_(shown(leaf(BOOTSTRAP).chain, http_failure=how)), BOOTSTRAP, "http", FIRST)
    assert (verdict.status, verdict.cause.word) == (Status.NOTICE, "ok")
    assert "certificate" not in verdict.summary


@pytest.mark.parametrize("alert", [40, 116, 0])
def test_nothing_is_asked_inside_where_the_handshake_ends_for_want_of_a_client_certificate(
    alert: int,
) -> None:
    report = with_(wanting(leaf(BOOTSTRAP).chain, alert))
    found = [v for v in rows(report, BOOTSTRAP) if v.endpoint is not None and v.endpoint.address == FIRST]
    assert [(v.check, v.status, v.cause.word) for v in found] == [
        ("tcp", Status.PASS, "ok"),
        ("tls", Status.PASS, "ok"),
        ("http", Status.NOT_APPLICABLE, "ok"),
    ]
    assert "client certificate before any request" in found[-1].summary


def test_nothing_is_told_of_a_request_inside_where_the_handshake_failed() -> None:
    assert rows(with_(wanting(leaf(BOOTSTRAP).chain, 80)), BOOTSTRAP, "http") == []


def test_a_status_inside_somebody_else_s_session_proves_nothing() -> None:
    report = with_(shown(leaf("other.example").chain, http_status=200))
    assert rows(report, BOOTSTRAP, "http") == []


# --- port 80 -----------------------------------------------------------------------------------------------------


def web(answer: Answer, host: str = OCSP_HOST) -> Verdict:
    """The row of a host that proves nothing: its responder does not know the certificates."""
    world: World = healthy().when(HttpFetch, answer, host=host, purpose="reach")
    world.when(HttpFetch, page(200, UNAUTHORIZED), host=host, purpose="ocsp")
    return only(judged(world, plan=QUIET), host, "http")


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 500])
def test_any_answer_of_a_host_without_a_document_is_reachable(status: int) -> None:
    assert web(page(status)).status is Status.PASS


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (BLOCKED, "http.block-page"),
        (page(302, location="http://portal.corp.example/login"), "http.block-page"),
        (page(302, location="http://elsewhere.example/"), "http.redirected"),
        (page(407, proxy_authenticate="Basic"), "proxy.auth-required"),
        (page(470), "http.block-page"),
        (page(503, b"<html><title>Web Page Blocked</title>"), "http.block-page"),
        (page(502, server="Zscaler/6.2"), "http.block-page"),
        (Failure(Stage.HTTP, Code.TIMEOUT), "http.timeout"),
        (Failure(Stage.HTTP, Code.RESET), "http.reset"),
        (Failure(Stage.HTTP, Code.MALFORMED), "http.malformed"),
    ],
)
def test_what_answers_in_the_place_of_a_host(answer: Answer, cause: str) -> None:
    verdict = web(answer)
    assert (verdict.cause.word, verdict.status) == (cause, Status.FAIL)
    assert verdict.remedy


SAME = page(200, b"<html>Welcome</html>", content_type="text/html")
OTHER = "crl.other.example"
TWO = rules_of(BOOTSTRAP_RULE, OCSP_RULE, rule("other", OTHER, Group.VALIDATION, 80))


def welcome() -> World:
    """A network in which two hosts that have nothing to do with each other give one page."""
    world = healthy().when(HttpFetch, SAME, purpose="reach")
    world.zone[OTHER] = ("203.0.113.45",)
    return world


def test_the_same_web_page_at_unrelated_hosts_proves_nothing() -> None:
    world = welcome().when(HttpFetch, page(200, UNAUTHORIZED), purpose="ocsp")
    found = rows(judged(world, TWO, QUIET), check="http", address="203.0.113.42")
    assert {(v.cause.word, v.status) for v in found} == {("http.same-page", Status.NOTICE)}
    assert OTHER in found[0].summary
    assert not found[0].remedy
    assert web(SAME).status is Status.PASS


def test_a_signed_document_proves_its_own_name_and_no_other() -> None:
    report = judged(welcome(), TWO, QUIET)
    proved, unproved = only(report, OCSP_HOST, "http"), only(report, OTHER, "http")
    assert (proved.cause.word, proved.status) == ("ok", Status.PASS)
    assert (unproved.cause.word, unproved.status) == ("http.same-page", Status.NOTICE)
    shared = welcome()
    shared.zone[OTHER] = shared.zone[OCSP_HOST]  # another name at the very address
    assert only(judged(shared, TWO, QUIET), OTHER, "http").cause.word == "http.same-page"


@pytest.mark.parametrize("answer", [BLOCKED, page(470), Failure(Stage.HTTP, Code.TIMEOUT)])
def test_no_sign_overrules_a_signed_document_from_the_same_place(answer: Answer) -> None:
    world = healthy().when(HttpFetch, answer, host=OCSP_HOST, purpose="reach")
    verdict = only(judged(world, plan=QUIET), OCSP_HOST, "http")
    assert verdict.status is Status.NOTICE
    assert verdict.cause.word.startswith("http.")
    assert "a signed document came from here" in verdict.summary
    assert not verdict.remedy


CANARY = replace(PLAN, canary_address="192.0.2.77:443")


def accepting(answer: Answer) -> World:
    """A device accepts every connection and answers so for the address where nothing is."""
    world = (
        welcome().when(TcpConnect, TcpFacts(0.01)).when(HttpFetch, page(200, UNAUTHORIZED), purpose="ocsp")
    )
    return world.when(HttpFetch, answer, address="192.0.2.77")


def test_the_page_of_an_address_where_nothing_is_was_written_by_a_device_on_the_way() -> None:
    report = judged(accepting(SAME), TWO, CANARY)
    found = only(report, OTHER, "http")
    assert (found.cause.word, found.status) == ("http.block-page", Status.FAIL)
    assert "192.0.2.77, an unused address" in found.summary
    assert found.remedy


@pytest.mark.parametrize(
    "answer", [page(200, b"<html>Other</html>"), page(404), Failure(Stage.HTTP, Code.TIMEOUT), SILENCE]
)
def test_another_page_from_there_says_nothing_of_the_hosts(answer: Answer) -> None:
    found = only(judged(accepting(answer), TWO, CANARY), OTHER, "http")
    assert (found.cause.word, found.status) == ("http.same-page", Status.NOTICE)


def test_an_odd_header_of_a_host_without_a_document_is_a_notice() -> None:
    verdict = web(replace(page(404), repaired=("a blank before the colon",)))
    assert (verdict.cause.word, verdict.status) == ("http.odd-header", Status.NOTICE)
    assert "a blank before the colon" in verdict.summary


def test_the_document_of_a_host_on_the_list_is_verified() -> None:
    good = only(judged(healthy(), plan=QUIET), "crl3.digicert.com", "crl", "203.0.113.41")
    assert "signed by it" in good.summary
    stale = healthy().when(HttpFetch, crl(age=30), host="crl3.digicert.com")
    assert (
        only(judged(stale, plan=QUIET), "crl3.digicert.com", "crl", "203.0.113.41").cause.word == "crl.stale"
    )
