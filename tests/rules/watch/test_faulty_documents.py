"""On which documents a status or the answer rests alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model import causes
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step
from rules.model.verdict import Check, Endpoint, Status, Verdict
from rules.watch.faulty_documents import of_no_target, of_target
from rules.watch.memory import document_of
from tests.rules.script import SILENCE, START, crl, healthy, judged

REPORT = judged(healthy())
HANDSHAKE = TlsHandshake("203.0.113.1", 443, "a.test", path=None)


def fetch(path: str) -> HttpFetch:
    return HttpFetch("203.0.113.1", 80, "a.test", path, purpose="crl")


def seen(*results: tuple[Step, bool]) -> tuple[Observation, ...]:
    return tuple(
        Observation(step, START, 0.1, None if good else SILENCE, crl() if good else None)
        for step, good in results
    )


def row(status: Status, *evidence: str, check: Check = "crl", address: str | None = None) -> Verdict:
    return Verdict(
        "app/a",
        "",
        Endpoint("a.test", 80, address),
        check,
        status,
        causes.CRL_UNREACHABLE,
        "",
        evidence=evidence,
    )


A, B, C = (document_of(fetch(path)) for path in ("/a", "/b", "/c"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), ()),
        ((row(Status.NOTICE, "o1"),), ()),  # no fault
        ((row(Status.WARN, "o1", "o2"),), (A,)),  # one of two works
        ((row(Status.WARN, "o1"), row(Status.WARN, "o3")), (A, C)),
        ((row(Status.FAIL, "o1"), row(Status.WARN, "o3")), (A,)),  # what weighs most
        ((row(Status.FAIL, "o2"),), (B,)),  # it came, and is at fault itself
        ((row(Status.FAIL, "o1"), row(Status.FAIL, "o4", check="tls")), ()),  # an address is at fault as well
        ((row(Status.WARN, "o1", "o5", check="tls"),), (A,)),  # a handshake that works stands by
        ((row(Status.FAIL, "o1", address="203.0.113.1"),), ()),  # it is asked with its address
        ((row(Status.WARN, "o1", check="dns"),), ()),
        ((row(Status.FAIL),), ()),
    ],
)
def test_the_documents_that_make_a_status_as_bad_as_it_is(
    rows: tuple[Verdict, ...], expected: tuple[object, ...]
) -> None:
    known = seen(
        (fetch("/a"), False),
        (fetch("/b"), True),
        (fetch("/c"), False),
        (HANDSHAKE, False),
        (replace(HANDSHAKE, address="203.0.113.2"), True),
    )
    assert of_target(rows, known) == expected


def test_documents_that_no_target_rests_on_and_that_make_the_answer_worse() -> None:
    rows = (row(Status.FAIL, "o1", "o2"), row(Status.WARN, "o3"), row(Status.FAIL, "o4", check="tls"))
    known = seen((fetch("/a"), False), (fetch("/b"), True), (fetch("/c"), False), (HANDSHAKE, False))
    report = replace(REPORT, verdicts=rows, observations=known)
    assert of_no_target(report, ()) == {A}
    assert of_no_target(report, [("app/a", ("a.test", 80))]) == frozenset(), "its target has it"
