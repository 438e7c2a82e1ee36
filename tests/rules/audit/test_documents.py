"""Documents that certificates point at: once each, two tries at most, at public addresses only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.documents import DocumentRequest, Fetches, has_document
from rules.model.failure import Failure
from rules.model.kinds.http_fetch import BODY_KEPT, CRL_CAP, HttpExchange, HttpFetch
from rules.model.observation import Evidence, Observation
from tests.rules.script import BLOCKED, CRL_HOST, CRL_URL, SILENCE, crl, page

CRL = DocumentRequest(CRL_URL, "crl")
ADDRESSES = ("203.0.113.41", "203.0.113.42")


def told(step: HttpFetch, answer: Evidence | Failure) -> Observation:
    failed = isinstance(answer, Failure)
    return Observation(step, 0.0, 0.1, answer if failed else None, None if failed else answer)  # type: ignore[arg-type]


def begun(addresses: tuple[str, ...] = ADDRESSES, wanted: DocumentRequest = CRL) -> tuple[Fetches, HttpFetch]:
    fetches = Fetches()
    assert fetches.want(wanted) == wanted.host
    (first,), lost = fetches.resolved(wanted.host or "", addresses)
    assert lost == ()
    return fetches, first


def test_a_document_is_asked_for_once() -> None:
    fetches, first = begun()
    assert (first.address, first.port, first.host, first.target) == (
        "203.0.113.41",
        80,
        CRL_HOST,
        "/issuing.crl",
    )
    assert fetches.want(CRL) is None
    assert fetches.resolved(CRL_HOST, ADDRESSES) == ((), ())


def test_a_list_may_be_large_and_nothing_else() -> None:
    assert begun()[1].cap == CRL_CAP
    assert begun(wanted=DocumentRequest(CRL_URL, "aia"))[1].cap == BODY_KEPT


def test_a_good_answer_settles_it() -> None:
    fetches, first = begun()
    assert fetches.record(told(first, crl())) == ((), (CRL,))
    assert CRL in fetches.settled
    assert fetches.best(CRL) == told(first, crl())


@pytest.mark.parametrize(
    ("addresses", "second"), [(ADDRESSES, ("203.0.113.42", 1)), (ADDRESSES[:1], ("203.0.113.41", 2))]
)
def test_a_doubtful_answer_is_tried_at_another_address_or_once_more(
    addresses: tuple[str, ...], second: tuple[str, int]
) -> None:
    fetches, first = begun(addresses)
    (again,), settled = fetches.record(told(first, SILENCE))
    assert ((again.address, again.attempt), settled) == (second, ())
    assert CRL not in fetches.settled, "it is still under way"
    assert fetches.record(told(again, SILENCE)) == ((), (CRL,))
    assert CRL in fetches.settled


def test_the_try_that_got_the_document_counts_else_the_last() -> None:
    fetches, first = begun()
    (again,), _ = fetches.record(told(first, BLOCKED))
    assert fetches.best(CRL) == told(first, BLOCKED)
    fetches.record(told(again, SILENCE))
    assert fetches.best(CRL) == told(again, SILENCE)
    other, one = begun()
    (two,), _ = other.record(told(one, BLOCKED))
    other.record(told(two, crl()))
    assert other.best(CRL) == told(two, crl())


def test_a_host_without_a_public_address_loses_its_documents() -> None:
    fetches = Fetches()
    fetches.want(CRL)
    assert fetches.resolved(CRL_HOST, ()) == ((), (CRL,))
    assert CRL in fetches.lost
    assert fetches.best(CRL) is None


@pytest.mark.parametrize(
    "url", ["ldap:///CN=x", "https://crl.example/x", "http://10.0.0.1/x", "file:///etc/passwd", ""]
)
def test_what_is_no_plain_http_to_a_named_host_is_never_fetched(url: str) -> None:
    fetches = Fetches()
    assert fetches.want(DocumentRequest(url, "crl")) is None
    assert fetches.tries == {}


def test_answers_to_what_was_not_wanted_change_nothing() -> None:
    fetches, _ = begun()
    assert fetches.record(told(HttpFetch("203.0.113.9", 80, "x.example", "/"), crl())) == ((), ())
    assert fetches.best(CRL) is None


@pytest.mark.parametrize(
    ("answer", "fine"),
    [
        (crl(), True),
        (page(200, b"x"), True),
        (BLOCKED, False),
        (page(404), False),
        (page(302), False),
        (SILENCE, False),
    ],
)
def test_what_counts_as_a_document(answer: Evidence | Failure, fine: bool) -> None:
    assert has_document(told(begun()[1], answer)) is fine


@given(st.lists(st.sampled_from([SILENCE, BLOCKED, crl()]), min_size=2, max_size=6), st.integers(1, 4))
def test_two_tries_at_most_whatever_comes(answers: list[HttpExchange | Failure], count: int) -> None:
    fetches, step = begun(tuple(f"203.0.113.{n}" for n in range(count)))
    made, waiting = 1, [step]
    for answer in answers:
        if not waiting:
            break
        more, _ = fetches.record(told(waiting.pop(), answer))
        made += len(more)
        waiting += more
    assert made <= 2
    assert waiting == []
    assert CRL in fetches.settled
