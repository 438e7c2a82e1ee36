"""Chains on their way to a judgement: roots looked up, missing issuers fetched, each chain judged once."""

from __future__ import annotations

from rules.audit.chains import Chains
from rules.model.kinds.trust_store import TrustRoots
from rules.pki.certificate import facts
from tests import pki
from tests.rules.script import AIA_URL, BOOTSTRAP, CAS, CORPORATE, ISSUING, PUBLIC, RELAYS, ROOT, START, leaf

WHOLE = leaf(BOOTSTRAP).chain
ALONE = WHOLE[:1]
ISSUER = pki.der(ISSUING.certificate)
ROOTS = TrustRoots((pki.der(ROOT.certificate),), (pki.der(ROOT.certificate),))


def chains() -> Chains:
    return Chains((CAS,))


def settle(
    known: Chains, chain: tuple[bytes, ...], roots: TrustRoots | None = None
) -> tuple[list[str], list[tuple[bytes, ...]]]:
    """Look up everything that is wanted, in order; the addresses that are wanted after that, and the chains settled."""
    wants = known.add(chain)
    urls, settled = list(wants.urls), list(wants.settled)
    waiting = list(wants.lookups)
    while waiting:
        subject = waiting.pop(0)
        mine = roots if roots and facts(roots.public[0]).subject == subject else None
        wants = known.looked_up(subject, mine)
        urls += wants.urls
        settled += wants.settled
        waiting += wants.lookups
    return urls, settled


def test_a_chain_wants_its_roots_looked_up_before_it_is_judged() -> None:
    known = chains()
    wants = known.add(WHOLE)
    assert wants.lookups
    assert not wants.urls
    assert not wants.settled
    assert not known.settled(WHOLE)


def test_the_stores_answer_and_it_is_settled() -> None:
    known = chains()
    assert settle(known, WHOLE, ROOTS) == ([], [WHOLE])
    assert known.settled(WHOLE)
    assert known.judge(WHOLE, START).verdict == "genuine"


def test_a_chain_that_is_known_wants_nothing_again() -> None:
    known = chains()
    settle(known, WHOLE, ROOTS)
    again = known.add(WHOLE)
    assert (again.lookups, again.urls, again.settled) == ((), (), (WHOLE,))


def test_a_name_is_looked_up_once_however_many_chains_need_it() -> None:
    known, other = chains(), leaf(RELAYS[0]).chain
    first = known.add(WHOLE)
    assert first.lookups
    second = known.add(other)
    assert not second.lookups
    assert not second.settled
    waiting = list(first.lookups)
    settled: list[tuple[bytes, ...]] = []
    while waiting:
        wants = known.looked_up(waiting.pop(0), ROOTS)
        waiting += wants.lookups
        settled += wants.settled
    assert set(settled) == {WHOLE, other}, "both waited for it"


def test_an_issuer_that_was_not_served_is_fetched_and_completes_the_chain() -> None:
    known = chains()
    assert settle(known, ALONE) == ([AIA_URL], [])
    assert not known.settled(ALONE)
    wants = known.fetched(AIA_URL, ISSUER)
    for subject in wants.lookups:
        known.looked_up(subject, None)
    assert known.settled(ALONE)
    assert known.judge(ALONE, START).verdict == "genuine"


def test_an_issuer_that_is_nowhere_leaves_the_chain_incomplete_and_settled() -> None:
    known = chains()
    settle(known, ALONE)
    assert known.fetched(AIA_URL, None).settled == (ALONE,)
    assert known.judge(ALONE, START).verdict == "incomplete-chain"


def test_junk_from_an_aia_address_completes_nothing() -> None:
    known = chains()
    settle(known, ALONE)
    known.fetched(AIA_URL, b"<html>blocked</html>")
    assert known.judge(ALONE, START).verdict != "genuine"


def test_somebody_else_s_certificate_from_an_aia_address_completes_nothing() -> None:
    known = chains()
    settle(known, ALONE)
    known.fetched(AIA_URL, pki.der(CORPORATE.certificate))
    assert known.judge(ALONE, START).verdict == "incomplete-chain"


def test_stores_that_did_not_answer_prove_nothing_and_block_nothing() -> None:
    known = chains()
    public = leaf(BOOTSTRAP, PUBLIC).chain
    settle(known, public)
    assert known.settled(public)
    assert known.judge(public, START).verdict not in ("genuine", "issuer-unexpected")


def test_a_chain_that_was_never_served_is_unknown() -> None:
    known = chains()
    assert not known.settled(WHOLE)
    assert list(known.known()) == []
