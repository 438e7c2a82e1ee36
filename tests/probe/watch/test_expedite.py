"""What a change waits for is asked sooner: which targets and documents, and which are left alone."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from probe.watch.judgement import AWAITED, expedite
from rules.model.verdict import Answer, Status
from rules.watch.confirmation import Inquiry, Settled
from rules.watch.state import Key, TargetState
from tests.rules.script import START

HOST: Key = ("crl.test", 80)
TARGET = TargetState(*HOST, "app/crl", "cert-validation", True, Status.WARN, "crl.unreachable", "crl", "", ())
SETTLED = Settled(1, (TARGET,), Answer.YES, START, ())
BAD, GOOD = ("crl", "crl.test", "/bad.crl"), ("crl", "crl.test", "/good.crl")
EXTRA = ("large", "crl.test", 443)
PROBES: list[Hashable] = [("document", BAD), ("document", GOOD), ("extra", EXTRA)]
ASKED = {HOST: Inquiry(1, whole=True)}


def test_of_a_target_s_documents_those_at_fault_are_asked_and_no_good_one() -> None:
    faulty = replace(SETTLED, targets=(replace(TARGET, documents=(BAD, EXTRA)),), inquiries=ASKED)
    assert expedite(faulty, PROBES) == (HOST, ("document", BAD), ("extra", EXTRA))


def test_where_an_address_is_at_fault_no_document_is_asked() -> None:
    assert expedite(replace(SETTLED, inquiries=ASKED), PROBES) == (HOST,)


def test_the_documents_of_a_target_for_which_nothing_waits_are_left_alone() -> None:
    assert expedite(replace(SETTLED, targets=(replace(TARGET, documents=(BAD,)),)), PROBES) == ()


def test_a_document_of_no_target_is_asked_when_the_answer_waits_for_it() -> None:
    settled = replace(SETTLED, targets=(), documents=frozenset({BAD}))
    assert expedite(settled, PROBES) == (("document", BAD),)
    assert expedite(settled, ()) == (), "nothing is scheduled for it any more"


def test_what_only_the_answer_waits_for_is_asked_a_few_at_a_time() -> None:
    awaited = {(f"n{n:02}.test", 443) for n in range(3 * AWAITED)}
    differing = {(f"differs{n:02}.test", 443): Inquiry(1, whole=False) for n in range(3 * AWAITED)}
    settled = replace(SETTLED, inquiries=differing, awaited=frozenset(awaited | differing.keys()))
    assert expedite(settled, ()) == (*differing, *sorted(awaited)[:AWAITED])
