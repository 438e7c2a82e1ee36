from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer import links, page
from rules.http_answer.page import (
    content_coding,
    failure_cause,
    failure_text,
    header,
    is_html,
    judge_reach,
    looks_like_block_page,
    oddities,
    page_cause,
    page_text,
)
from rules.judge.report import replay
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import BlockPage, HttpExchange
from tests.rules import goldens
from tests.rules.http_answer.answers_on_80 import DEVICES, META, ORIGINS, Answer, made
from tests.rules.http_answer.answers_on_80 import HOST as ASKED

HOST = "crl3.digicert.com"
HOME = b"<!DOCTYPE html><html><head><title>Home</title></head></html>"
PAGE = b"<!DOCTYPE html><html><head><title> Web page\n blocked </title></head></html>"


def answer(status: int = 200, body: bytes = b"", **headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, status, "", pairs, body, len(body))


def kind(exchange: HttpExchange, host: str = HOST) -> str | None:
    page = looks_like_block_page(exchange, host)
    return page.kind if page is not None else None


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (answer(200, b"\x30\x82", content_type="application/pkix-crl"), None),
        (answer(200, b"\x30\x82", content_type="text/html"), None),  # the type is noted, not trusted
        (answer(200, PAGE), "page"),
        (answer(200, b"\xef\xbb\xbf \r\n<HTML>"), "page"),
        (answer(200, b'<?xml version="1.0"?><html xmlns="x">'), "page"),
        (answer(200, b"", content_type="text/html; charset=utf-8"), "page"),
        (answer(200, b"<html><title>Guest WiFi portal</title>"), "portal"),
        (answer(403, PAGE), "refused"),
        (answer(451), "refused"),
        (answer(511, PAGE), "portal"),
        (answer(407), "proxy"),
        (answer(404, PAGE), "refused"),  # its title says blocked
        (answer(503, PAGE), "refused"),
        (answer(503, HOME), None),
        (answer(403, HOME), "refused"),  # a page where none was asked for, see BlockPage.evidence
        (answer(403), None),
        (answer(403, b"<html><head><title>403 Forbidden</title></head><center>nginx</center>"), None),
        (answer(403, HOME, server="AkamaiGHost"), None),  # the origin's CDN refuses
        (answer(470), "refused"),
        (answer(502, server="Zscaler/6.2"), "refused"),
        (answer(502, HOME, via="1.1 gw (squid/5.7)"), None),
        (answer(302, location="https://www.digicert.com/"), None),
        (answer(302, location="/elsewhere"), None),
        (answer(302), None),
        (answer(302, location="http://blocked.contoso.example/?u=x"), "redirect"),
        (answer(302, location="http://10.0.0.1/captive"), "portal"),
        (answer(302, location="http://www.digicert.com.other.example/"), "redirect"),
        (answer(302, location="file:///etc/passwd"), "redirect"),
        (answer(302, location="http://[broken"), "redirect"),
    ],
)
def test_block_pages_are_told_apart(exchange: HttpExchange, expected: str | None) -> None:
    assert kind(exchange) == expected


def test_a_redirect_is_to_another_host_only_where_the_host_is_known() -> None:
    assert kind(answer(302, location="http://other.example/"), "") is None


def test_vendors_are_labels_with_their_marks() -> None:
    page = looks_like_block_page(
        answer(403, PAGE, via="1.1 proxy (squid/5.7)", x_squid_error="ERR_ACCESS_DENIED 0")
    )
    assert page == BlockPage(
        "refused",
        "Squid",
        "Web page blocked",
        "",
        ("via: 1.1 proxy (squid/5.7)", "x-squid-error: ERR_ACCESS_DENIED 0"),
        "the header x-squid-error: ERR_ACCESS_DENIED 0",
    )
    page = looks_like_block_page(answer(200, b"<html><title>x</title>FortiGuard Intrusion Prevention"))
    assert page is not None
    assert (page.vendor, page.marks) == ("Fortinet", ())
    assert looks_like_block_page(answer(200, b"\x30\x82", via="1.1 squid")) is None


def test_a_page_cannot_write_to_the_terminal() -> None:
    page = looks_like_block_page(
        answer(200, b"<html><title>\x1b[2J\xff\xe2\x80\xae" + b"x" * 999 + b"</title>", server="squid\x1b")
    )
    assert page is not None
    assert page_text(page, 200).isprintable()
    assert all(mark.isprintable() for mark in page.marks)
    assert len(page.title) < 200


def test_a_title_that_never_ends_is_none() -> None:
    page = looks_like_block_page(answer(200, b"<html><title>" + b"a" * 100_000))
    assert page is not None
    assert page.title == ""


@pytest.mark.parametrize("status", [200, 204, 301, 400, 403, 404, 500, 503])
def test_any_answer_of_its_own_reaches_a_host(status: int) -> None:
    found = judge_reach(answer(status, PAGE.replace(b"blocked", b"home")), None, HOST)
    assert (found.cause.word, found.reachable, found.page) == ("ok", True, None)


@pytest.mark.parametrize(
    ("exchange", "cause"),
    [
        (answer(200, PAGE), "http.block-page"),
        (answer(403, b"no", server="FortiGate"), "http.block-page"),
        (answer(470, b"Action: Deny. Reason: No rule matched."), "http.block-page"),
        (answer(503, PAGE), "http.block-page"),
        (answer(504, b"<html>", x_squid_error="ERR_CONNECT_FAIL 110"), "http.block-page"),
        (answer(511), "http.block-page"),
        (answer(302, location="http://blocked.example/"), "http.redirected"),
        (answer(407), "proxy.auth-required"),
    ],
)
def test_pages_of_somebody_on_the_way_are_findings(exchange: HttpExchange, cause: str) -> None:
    found = judge_reach(exchange, None, HOST)
    assert (found.cause.word, found.reachable) == (cause, True)
    assert found.page is not None
    assert page_cause(found.page).word == cause
    assert found.summary.startswith(f"{HOST}: ")


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Failure(Stage.TCP, Code.TIMEOUT), "tcp.timeout"),
        (Failure(Stage.TCP, Code.REFUSED), "tcp.reset"),
        (Failure(Stage.TCP, Code.UNREACHABLE), "tcp.unreachable"),
        (Failure(Stage.HTTP, Code.TIMEOUT), "http.timeout"),
        (Failure(Stage.HTTP, Code.EOF), "http.reset"),
        (Failure(Stage.HTTP, Code.TOO_LARGE), "http.malformed"),
        (Failure(Stage.LOCAL, Code.NO_ROUTE), "local.no-route"),
        (None, "http.malformed"),
    ],
)
def test_failures_have_the_vocabularys_words(failure: Failure | None, cause: str) -> None:
    assert failure_cause(failure).word == cause
    found = judge_reach(None, failure, HOST)
    assert (found.cause.word, found.reachable) == (cause, False)


@pytest.mark.parametrize(
    "exchange",
    [
        answer(502, b"<html><title>Bad gateway</title>", via="1.1 varnish, 1.1 gw (squid/5.7)"),
        answer(503, b"<html><title>Error</title>", x_cache="Error from cloudfront", x_amz_cf_id="a"),
        answer(504, b"<html>", server="AkamaiGHost"),
        answer(403, b"<html><title>Request blocked</title>", x_azure_ref="0a"),
        answer(502, b"<html>", x_cache="MISS from squid.origin.example"),
        answer(520, b"<html><title>520: Web server is returning an unknown error", server="cloudflare"),
        answer(401, b"<html>", www_authenticate="Negotiate"),
        answer(404, b"<html>Umbrellas made in Palo Alto, next to the barracuda</html>"),
        answer(200, b"<html><title>Home</title>", via="1.1 gw (squid/5.7)"),
        answer(200, b"<html><title>Home</title>", set_cookie="BNI__BARRACUDA_LB_COOKIE=x"),
        answer(299),
        answer(310),
    ],
)
def test_what_an_origin_or_its_cdn_says_is_its_own(exchange: HttpExchange) -> None:
    found = judge_reach(exchange, None, HOST)
    assert (found.cause.word, found.page) == ("ok", None)


def test_a_refusal_shows_the_sentence_of_the_device() -> None:
    said = b"HTTP request from 10.1.0.4:51000 to x:80. Action: Deny. Reason: No rule matched."
    found = judge_reach(answer(470, said, content_type="text/plain"), None, HOST)
    assert 'saying "HTTP request from 10.1.0.4:51000 to x:80. Action: Deny.' in found.summary
    assert "looks like Azure Firewall" in found.summary
    assert "the status 470, which no web server is known to give" in found.summary


def test_a_portal_under_the_same_public_suffix_is_another_zone() -> None:
    for tail in ("com", "co.uk", "com.au"):
        portal = answer(302, location=f"http://portal.isp.{tail}/login")
        assert judge_reach(portal, None, f"crl.contoso.{tail}").cause.word == "http.block-page"
        own = answer(302, location=f"http://www.contoso.{tail}/login")
        assert judge_reach(own, None, f"crl.contoso.{tail}").cause.word == "ok"
    relay = answer(302, location="http://b.servicebus.windows.net/")
    assert judge_reach(relay, None, "a.servicebus.windows.net").cause.word == "ok"


def test_a_coding_is_told_by_the_body_first() -> None:
    assert content_coding(answer(200, b"\x1f\x8b\x08")) == "gzip"
    assert content_coding(answer(200, b"\x0b\x05", content_encoding="br")) == "br"
    assert content_coding(answer(200, b"0\x82", content_encoding="gzip")) == ""
    assert content_coding(answer(200, b"", content_encoding="gzip")) == ""
    assert content_coding(answer(200, b"0\x82", content_encoding="identity")) == ""
    assert is_html(answer(200, b"\x1f\x8b\x08", content_type="text/html"))
    assert "labelled gzip and not compressed" in oddities(answer(200, b"0\x82", content_encoding="gzip"))
    odd = replace(answer(200, b"0\x82"), repaired=("a line without a colon",))
    assert oddities(odd) == "the answer's header is odd: a line without a colon"
    assert oddities(answer()) == ""


@pytest.mark.parametrize("told", [*DEVICES, *ORIGINS], ids=lambda a: a.name)
def test_who_wrote_an_answer(told: Answer) -> None:
    found = judge_reach(told.exchange, None, ASKED)
    assert found.cause.word == told.reach, found.summary
    assert (found.page is None) is (told.reach == "ok")
    assert found.circumstance == ("" if told.circumstance == "page" else told.circumstance)
    assert found.summary.isprintable()


def test_a_page_says_where_it_sends_its_reader() -> None:
    found = judge_reach(made(200, META), None, ASKED)
    assert (
        "a web page sends its reader elsewhere, to http://gate.corp.example/block?u=1 (HTTP 200)"
        in found.summary
    )
    assert (
        judge_reach(made(200, META), None, "www.corp.example").cause.word == "ok"
    )  # its own zone: its own affair
    assert kind(made(200, META), "") == "page"  # without a host nothing is elsewhere
    signed = looks_like_block_page(made(403, META, ("server", "Zscaler/6.2")), ASKED)
    assert signed is not None
    assert (signed.kind, signed.location) == ("refused", "http://gate.corp.example/block?u=1")


def test_a_document_sends_nobody_on() -> None:
    for body in (b"0\x82\x01\x00", b"0\x82<html>"):
        assert (
            judge_reach(
                made(200, body, ("refresh", "0;url=http://gate.corp.example/")), None, ASKED
            ).cause.word
            == "ok"
        )


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_page_in_a_wide_coding_is_a_page(coding: str) -> None:
    assert is_html(made(200, HOME.decode().encode(coding), ("content-type", "application/pkix-crl")))
    assert not is_html(made(200, "no page".encode(coding), ("content-type", "text/plain")))


def test_an_answer_is_judged_once_for_each_host_and_a_changed_copy_anew() -> None:
    blocked = answer(503, PAGE)
    assert looks_like_block_page(blocked, HOST) is looks_like_block_page(blocked, HOST) is not None
    assert looks_like_block_page(replace(blocked, status=200, body=b"0\x82"), HOST) is None
    moved = answer(302, location="https://www.digicert.com/")
    assert looks_like_block_page(moved, HOST) is None
    assert kind(moved, "crl.contoso.example") == "redirect"
    assert answer(503, PAGE) == blocked
    assert hash(answer(503, PAGE)) == hash(blocked)


@pytest.mark.parametrize("status", [200, 403, 503])
@pytest.mark.parametrize("piece", [b"try{", b"location={", b"){"])
def test_a_report_over_hostile_pages_costs_little_more_than_one_over_plain_ones(
    monkeypatch: pytest.MonkeyPatch, status: int, piece: bytes
) -> None:
    body = b"<html><script>" + piece * 4090 + b"location"
    recorded = goldens.recorded("healthy")
    spoilt = tuple(
        replace(seen, evidence=replace(seen.evidence, status=status, body=body, digest=None, sha256="0" * 64))
        if isinstance(seen.evidence, HttpExchange)
        else seen
        for seen in recorded.observations
    )
    judged: Counter[tuple[int, str]] = Counter()
    steps: Counter[str] = Counter()
    judge, runs = page._page, links._runs_on_load

    def counted(exchange: HttpExchange, host: str) -> BlockPage | None:
        judged[id(exchange), host] += 1
        return judge(exchange, host)

    def stepped(before: str) -> bool:
        steps["all"] += 1
        return runs(before)

    monkeypatch.setattr(page, "_page", counted)
    monkeypatch.setattr(links, "_runs_on_load", stepped)
    replay(replace(recorded, observations=spoilt), goldens.rules())
    assert len(judged) > 10
    assert set(judged.values()) == {1}
    assert steps["all"] <= len(judged) * links.STEPS


def test_failures_in_words() -> None:
    assert failure_text(Failure(Stage.TCP, Code.TIMEOUT, "after 5 s")) == "tcp timeout (after 5 s)"
    assert failure_text(None) == "the answer is no HTTP"


def test_headers() -> None:
    assert header(answer(server="a"), "server") == "a"
    assert header(answer(), "server") == ""
    assert not is_html(answer())


@given(st.integers(100, 599), st.binary(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_whatever_comes_has_a_judgement(status: int, body: bytes, location: str, server: str) -> None:
    found = judge_reach(answer(status, body, location=location, server=server), None, HOST)
    assert found.reachable
    assert found.summary.isprintable()
