"""Why an exchange brought no document, for lists and responders alike."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judge.remedies import in_circumstance, remedy
from rules.model.failure import LOCAL_CODES, Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.document import Fault, answered
from tests.rules.http_answer.answers_on_80 import DEVICES, ORIGINS, Answer
from tests.rules.http_answer.answers_on_80 import HOST as ASKED

HOST = "crl.contoso.co.uk"
OPENED = HttpExchange(0.01)


def answer(status: int = 200, body: bytes | None = b"0\x03\x02\x01\x01", **headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, status, "", pairs, body, len(body or b""))


def why(
    exchange: HttpExchange | None, failure: Failure | None = None, check: str = "crl", host: str = HOST
) -> Fault:
    found = answered(exchange, failure, host, check, "CRL")
    assert isinstance(found, Fault)
    return found


def test_what_came_whole_is_handed_on() -> None:
    assert answered(answer(), None, HOST, "crl", "CRL") == answer()
    labelled = answer(content_encoding="gzip")
    assert answered(labelled, None, HOST, "ocsp", "OCSP answer") is labelled


@pytest.mark.parametrize("check", ["crl", "ocsp"])
@pytest.mark.parametrize(
    ("exchange", "failure", "cause", "reachable"),
    [
        (None, Failure(Stage.TCP, Code.TIMEOUT), "{}.unreachable", False),
        (None, Failure(Stage.TCP, Code.REFUSED), "{}.unreachable", False),
        (None, Failure(Stage.TCP, Code.UNREACHABLE), "{}.unreachable", False),
        (None, None, "{}.unreachable", False),
        (OPENED, Failure(Stage.HTTP, Code.TIMEOUT), "http.timeout", False),
        (OPENED, Failure(Stage.HTTP, Code.RESET), "http.reset", False),
        (OPENED, Failure(Stage.HTTP, Code.EOF), "http.reset", False),
        (OPENED, Failure(Stage.HTTP, Code.MALFORMED), "http.malformed", False),
        (OPENED, Failure(Stage.HTTP, Code.TOO_LARGE), "http.malformed", False),
        (answer(), Failure(Stage.HTTP, Code.TIMEOUT), "http.timeout", True),
        (answer(), Failure(Stage.HTTP, Code.EOF), "http.reset", True),
        (answer(), Failure(Stage.HTTP, Code.MALFORMED), "http.malformed", True),
        (answer(404), None, "http.status", True),
        (answer(403), None, "http.status", True),
        (answer(504, via="1.1 varnish"), None, "http.status", True),
        (answer(504, x_squid_error="ERR_ACCESS_DENIED 0"), None, "http.block-page", True),
        (answer(470), None, "http.block-page", True),
        (answer(407), None, "proxy.auth-required", True),
        (answer(body=gzip.compress(b"x")), None, "http.compressed", True),
        (answer(body=b"\x0b\x01", content_encoding="br"), None, "http.compressed", True),
    ],
)
def test_causes(
    exchange: HttpExchange | None, failure: Failure | None, cause: str, reachable: bool, check: str
) -> None:
    found = why(exchange, failure, check)
    assert (found.cause.word, found.reachable, found.status) == (cause.format(check), reachable, Status.FAIL)
    cut = exchange is not None and exchange.status == 200 and failure is not None
    assert found.circumstance == ("cut" if cut else "")


def test_an_error_that_nothing_ascribes_to_a_device_has_neutral_words() -> None:
    for status in (403, 451):
        found = why(answer(status, b"<html><title>Web App - Unavailable</title>", content_type="text/html"))
        assert (found.cause.word, found.circumstance) == ("http.status", "")
        assert remedy(found.cause, found.circumstance).startswith("Ask for the same address from another")
        assert found.page is not None  # what stood there is shown all the same
        assert found.page.title == "Web App - Unavailable"


def test_a_proxy_that_fails_refuses_nothing() -> None:
    found = why(answer(503, b"<html>", x_squid_error="ERR_DNS_FAIL 0"))
    assert (found.cause.word, found.circumstance) == ("http.block-page", "proxy-failed")
    assert "exempt" not in remedy(found.cause, found.circumstance).lower()
    assert in_circumstance(found.cause, found.circumstance).owner == "proxy"


@pytest.mark.parametrize("told", [*DEVICES, *ORIGINS], ids=lambda a: a.name)
def test_who_wrote_an_answer(told: Answer) -> None:
    found = why(told.exchange, host=ASKED)
    assert (found.cause.word, found.circumstance) == (told.document, told.circumstance), found.summary
    ocsp = why(told.exchange, check="ocsp", host=ASKED)
    assert ocsp.cause.word == told.document.replace("crl.not-a-crl", "ocsp.not-ocsp")


def test_a_page_in_its_place_is_the_documents_own_cause() -> None:
    page = answer(200, b"<html><title>Welcome</title>")
    assert (why(page).cause.word, why(page).circumstance) == ("crl.not-a-crl", "page")
    assert why(page, check="ocsp").cause.word == "ocsp.not-ocsp"
    packed = answer(200, gzip.compress(b"<html>"), content_type="text/html", content_encoding="gzip")
    assert why(packed).cause.word == "crl.not-a-crl"


@pytest.mark.parametrize(
    ("location", "cause", "circumstance"),
    [
        (f"https://{HOST}/x.crl", "http.redirected", "host-redirects"),
        ("http://cdn.contoso.co.uk/x.crl", "http.redirected", "host-redirects"),
        ("/elsewhere", "http.redirected", "host-redirects"),
        ("http://cdn.isp.co.uk/x.crl", "http.redirected", "other-zone"),
        ("http://10.0.0.1/x.crl", "http.redirected", "other-zone"),
        ("ldap://contoso.co.uk/", "http.redirected", "other-zone"),
        ("http://portal.isp.co.uk/login", "http.block-page", ""),
    ],
)
def test_a_redirect_is_the_hosts_own_or_leads_elsewhere(location: str, cause: str, circumstance: str) -> None:
    found = why(answer(301, location=location))
    assert (found.cause.word, found.circumstance) == (cause, circumstance)
    assert location in found.summary or cause == "http.block-page"
    secure = location.startswith("https")
    assert ("its server's certificate has to be checked first" in found.summary) is secure


def test_without_a_host_a_redirect_accuses_nobody() -> None:
    assert (why(answer(302, location="http://x.test/"), host="").circumstance) == ""


@pytest.mark.parametrize("code", LOCAL_CODES)
def test_a_fault_of_this_host_blocks_nothing(code: Code) -> None:
    for exchange in (None, answer()):
        found = why(exchange, Failure(Stage.LOCAL, code))
        assert (found.cause, found.status) == (LOCAL_CODES[code][0], Status.INCONCLUSIVE)


def test_what_is_larger_than_what_is_read() -> None:
    cut = replace(answer(), size=2**25)
    assert (why(cut).cause.word, why(cut).status) == ("crl.too-large", Status.INCONCLUSIVE)
    assert why(answer(), Failure(Stage.HTTP, Code.TOO_LARGE)).cause.word == "crl.too-large"
    assert why(cut, check="ocsp").cause.word == "ocsp.not-ocsp"


@given(st.integers(100, 999), st.binary(max_size=200), st.text(max_size=60), st.text(max_size=30))
def test_whatever_comes_is_an_exchange_or_a_fault(
    status: int, body: bytes, location: str, coding: str
) -> None:
    exchange = answer(status, body, location=location, content_encoding=coding)
    found = answered(exchange, None, HOST, "crl", "CRL")
    assert not isinstance(found, Fault) or found.summary.isprintable()
