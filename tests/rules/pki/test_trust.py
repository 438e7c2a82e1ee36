from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.model.kinds.trust_store import TrustRoots
from rules.model.ruleset import CaSet
from rules.pki.certificate import facts
from rules.pki.trust import ChainJudgement, judge_chain, missing_pieces, name_id
from tests.lab.pki import (
    AUTHORITIES,
    AZURE03,
    CORPORATE,
    G2,
    OCSP02,
    OCSP98,
    PRIVATE,
    RSA2017,
    TLSG2,
    X1,
    X1_ISSUING,
    X2,
)
from tests.rules.certs import (
    CAS,
    DAY,
    HOST,
    NOW,
    PKI,
    PUBLIC,
    WHEN,
    ca,
    chain,
    der,
    expected,
    impostor,
    leaf_of,
    make,
    rsa_key,
    stores,
    with_weak_hash,
)


def judge(
    served: tuple[bytes, ...],
    fetched: tuple[bytes, ...] = (),
    roots: Mapping[bytes, TrustRoots] = PUBLIC,
    cas: tuple[CaSet, ...] = CAS,
    now: float = NOW,
) -> ChainJudgement:
    return judge_chain(served, fetched, roots, cas, now)


# -- genuine ----------------------------------------------------------------------------------------------------


def test_a_signature_up_to_an_expected_key_is_genuine() -> None:
    judged = judge(chain(OCSP02))
    assert (judged.verdict, judged.anchor_kind, judged.anchor_name) == ("genuine", "expected", G2)
    assert judged.issuing_key == facts(ca(OCSP02)).spki_sha256
    assert judged.path == (*chain(OCSP02), ca(G2))
    assert (judged.forged, judged.new_issuing_ca, judged.used_fetched) == (False, False, False)
    assert judged.expired == judged.notes == ()


def test_trap_14_either_path_of_a_cross_sign_is_genuine() -> None:
    leaf, issuing, cross = chain(OCSP02)
    assert judge((leaf, issuing, cross)).verdict == "genuine"
    assert judge((leaf, issuing), roots=stores(system=[ca(TLSG2)])).verdict == "genuine"
    assert judge((leaf, issuing), roots={}).verdict == "genuine"
    assert judge((leaf, issuing), roots={}).missing_issuer is None


def test_an_expected_root_that_only_the_system_store_has_is_no_interception() -> None:
    new = chain(OCSP98)[:2]
    judged = judge(new, roots=stores(system=[ca(TLSG2)]))
    assert (judged.verdict, judged.new_issuing_ca) == ("genuine", True)


def test_a_new_issuing_ca_under_an_expected_root_is_noted() -> None:
    judged = judge(chain(OCSP98))
    assert (judged.verdict, judged.new_issuing_ca) == ("genuine", True)
    assert not judge(chain(AZURE03)).new_issuing_ca


def test_a_missing_intermediate_that_was_fetched_completes_the_chain() -> None:
    leaf = chain(OCSP98)[0]
    assert judge((leaf,)).verdict == "incomplete-chain"
    judged = judge((leaf,), fetched=(ca(OCSP98), ca(TLSG2, G2)))
    assert (judged.verdict, judged.used_fetched, judged.new_issuing_ca) == ("genuine", True, True)


# -- other anchors ----------------------------------------------------------------------------------------------


def test_a_public_root_is_unexpected() -> None:
    judged = judge(chain(X1_ISSUING))
    assert (judged.verdict, judged.anchor_kind, judged.anchor_name) == ("issuer-unexpected", "public", X1)
    assert judge(chain(X1_ISSUING), roots=stores([ca(X1)], [ca(X1)])) == judged


def test_a_root_only_in_the_system_store_is_interception() -> None:
    judged = judge(chain(CORPORATE), roots=PUBLIC | stores(system=[ca(CORPORATE)]))
    assert (judged.verdict, judged.anchor_kind, judged.forged) == ("intercepted", "system", False)
    assert judged.anchor_name == CORPORATE
    assert judged.issuing_key == facts(ca(CORPORATE)).spki_sha256


def test_a_complete_chain_to_an_unknown_root_is_untrusted() -> None:
    judged = judge((*chain(PRIVATE), ca(PRIVATE)))
    assert (judged.verdict, judged.anchor_kind, judged.anchor_name) == ("untrusted", "unknown", PRIVATE)
    assert judged.brand == ""


def test_a_brand_in_an_unknown_issuer_is_told_and_not_judged() -> None:
    root = make("Microsoft Edge Guard CA", "Microsoft Edge Guard CA", is_ca=True)
    judged = judge((leaf_of("Microsoft Edge Guard CA"), root))
    assert (judged.verdict, judged.brand, judged.forged) == ("untrusted", "Microsoft", False)


def test_missing_intermediate_is_incomplete() -> None:
    leaf = chain(X1_ISSUING)[0]
    judged = judge((leaf,))
    assert judged.verdict == "incomplete-chain"
    assert judged.missing_issuer == (facts(leaf).issuer, facts(leaf).aia_urls)
    assert judged.issuing_key == name_id(facts(leaf))


def test_an_issuer_that_is_nowhere_and_names_no_address_is_nobodys() -> None:
    judged = judge((leaf_of("Somebody"),))
    assert (judged.verdict, judged.anchor_kind) == ("untrusted", "unknown")
    assert (judged.issuing_key or "").startswith("name:")


def test_lone_self_signed_leaf() -> None:
    judged = judge((leaf_of(HOST),))
    assert (judged.verdict, judged.anchor_kind) == ("self-signed", "unknown")
    assert judged.issuing_key == facts(leaf_of(HOST)).spki_sha256


def test_a_leaf_with_the_ca_flag_is_judged_and_noted() -> None:
    leaf = leaf_of("root", is_ca=True)
    judged = judge((leaf, make("root", "root", is_ca=True)))
    assert judged.verdict == "untrusted"
    assert "the server's certificate is itself a CA certificate" in judged.notes


def test_no_chain_at_all() -> None:
    assert judge(()).verdict == "malformed"
    assert missing_pieces((), (), {}) == ((), ())


# -- forgeries ----------------------------------------------------------------------------------------------------


def forged_leaf(known: str = OCSP02) -> bytes:
    return chain(known, authority=impostor(known, "squid"))[0]


def forged_ca(known: str = OCSP02) -> bytes:
    fake = impostor(known, "squid")
    return der(PKI.sign_ca(fake, replace(fake, issuer=known)))


@pytest.mark.parametrize("known", [OCSP02, AZURE03, G2])
def test_copied_issuer_on_another_key_is_forged(known: str) -> None:
    """However much of the real chain is served along with it."""
    leaf = forged_leaf(known)
    for served in [(leaf, ca(known)), (leaf, ca(known), ca(TLSG2, G2)), (leaf, forged_ca(known))]:
        judged = judge(served)
        assert (judged.verdict, judged.forged, judged.forged_name) == ("intercepted", True, known)
    assert judge((make(known, known, key="squid", signer="squid"),)).forged


def test_the_genuine_issuer_from_its_aia_address_convicts_the_copy() -> None:
    leaf = forged_leaf()
    assert judge((leaf,)).verdict == "incomplete-chain"
    judged = judge((leaf,), fetched=(ca(OCSP02),))
    assert (judged.verdict, judged.forged) == ("intercepted", True)


def test_a_copied_root_in_the_system_store_does_not_excuse() -> None:
    judged = judge((forged_leaf(),), roots=PUBLIC | stores(system=[forged_ca()]))
    assert (judged.verdict, judged.forged, judged.anchor_kind) == ("intercepted", True, "system")


def test_a_known_name_that_a_public_root_signed_is_not_called_forged() -> None:
    fake = impostor(OCSP02, "re-keyed")
    issuing = der(PKI.sign_ca(fake, AUTHORITIES[X1]))
    judged = judge((chain(OCSP02, authority=fake)[0], issuing))
    assert (judged.verdict, judged.forged) == ("issuer-unexpected", False)


def test_a_renewed_key_under_an_expected_root_is_genuine() -> None:
    fake = impostor(OCSP02, "re-keyed")
    issuing = der(PKI.sign_ca(fake, AUTHORITIES[TLSG2]))
    judged = judge((chain(OCSP02, authority=fake)[0], issuing, ca(TLSG2, G2)))
    assert (judged.verdict, judged.new_issuing_ca) == ("genuine", True)


def test_one_of_two_known_keys_of_a_name_convicts_nobody() -> None:
    other = replace(expected(OCSP02), spki_sha256="ab" * 32)
    cas = (replace(CAS[0], cas=(*CAS[0].cas, other)),)
    assert judge((forged_leaf(), ca(OCSP02)), cas=cas).verdict == "incomplete-chain"


def test_a_ca_known_by_name_only_completes_nothing() -> None:
    nameless = (replace(CAS[0], cas=tuple(replace(c, spki_sha256=None) for c in CAS[0].cas)),)
    assert judge(chain(OCSP02), cas=nameless).verdict == "issuer-unexpected"
    assert judge((forged_leaf(), forged_ca()), cas=nameless).verdict == "untrusted"


def test_a_copied_public_key_without_its_signature_is_worth_nothing() -> None:
    """A certificate around the genuine CA's key, made by somebody else, above a leaf that the key never signed."""
    wrapped = make(OCSP02, "squid", key=OCSP02, signer="squid", is_ca=True)
    leaf = make(HOST, OCSP02, signer="squid", names=[x509.DNSName(HOST)])
    judged = judge((leaf, wrapped))
    assert (judged.verdict, judged.forged) == ("intercepted", True)


# -- hostile shapes -----------------------------------------------------------------------------------------------


def test_reordered_and_duplicate_certificates() -> None:
    leaf, issuing, cross = chain(OCSP02)
    for served in [(leaf, cross, issuing), (leaf, leaf, cross, cross, issuing, ca(X1), issuing)]:
        assert judge(served).verdict == "genuine"


def test_an_expired_cross_sign_gives_way_to_the_other_path() -> None:
    leaf, issuing, _ = chain(OCSP98)
    old = AUTHORITIES[TLSG2]
    expired_cross = make(
        old.subject,
        AUTHORITIES[G2].subject,
        key=TLSG2,
        signer=G2,
        is_ca=True,
        starts=WHEN - 90 * DAY,
        ends=WHEN - DAY,
    )
    judged = judge((leaf, issuing, expired_cross))
    assert judged.verdict == "genuine"
    assert judged.expired == (facts(expired_cross).subject_text,)
    judged = judge((leaf, issuing, expired_cross), roots=PUBLIC | stores(system=[ca(TLSG2)]))
    assert (judged.verdict, judged.expired) == ("genuine", ())


def test_trap_13_the_ca_set_excuses_an_expired_variant_of_a_key_that_lives_on() -> None:
    real = AUTHORITIES[AZURE03]
    xsign = make(
        real.subject,
        AUTHORITIES[G2].subject,
        key=AZURE03,
        signer=G2,
        is_ca=True,
        starts=WHEN - 90 * DAY,
        ends=WHEN - DAY,
    )
    served = (chain(AZURE03)[0], xsign)
    assert judge(served).expired == (facts(xsign).subject_text,)
    until = (WHEN + 300 * DAY).date()
    cas = (replace(CAS[0], cas=tuple(replace(c, not_after=until) for c in CAS[0].cas)),)
    assert judge(served, cas=cas).expired == ()
    assert judge(served, cas=cas, now=NOW + 400 * 86400).expired == (facts(xsign).subject_text,)


def test_the_same_chain_is_judged_anew_when_a_date_passes() -> None:
    served = (leaf_of("sub"), make("sub", "root", is_ca=True, ends=WHEN + DAY))
    roots = stores([make("root", "root", is_ca=True)])
    ends = (WHEN + DAY).timestamp()
    assert [judge(served, roots=roots, now=t).expired for t in (NOW, ends, ends + 0.5, NOW)] == [
        (), (), ("CN=sub",), (),
    ]  # fmt: skip


@pytest.mark.parametrize("weak", [hashes.SHA1(), hashes.MD5()])
def test_a_weak_hash_proves_nothing(weak: hashes.SHA1 | hashes.MD5) -> None:
    root = make("old", "old", key=rsa_key(), signer=rsa_key(), is_ca=True)
    leaf = with_weak_hash(make(HOST, "old", signer=rsa_key()), rsa_key(), weak)
    known = replace(CAS[0].cas[0], name="old", spki_sha256=facts(root).spki_sha256)
    for roots, cas in ((stores([root]), ()), ({}, (replace(CAS[0], cas=(known,)),))):
        judged = judge((leaf, root), roots=roots, cas=cas)
        assert judged.verdict == "unverified"
        assert any(weak.name in note for note in judged.notes)


def test_an_interceptor_with_a_weak_hash_is_still_an_interceptor() -> None:
    root = make("old", "old", key=rsa_key(), signer=rsa_key(), is_ca=True)
    leaf = with_weak_hash(make(HOST, "old", signer=rsa_key()), rsa_key(), hashes.SHA1())
    assert judge((leaf,), roots=stores(system=[root])).verdict == "intercepted"
    assert judge((leaf, root)).verdict == "untrusted"


def test_a_leaf_that_cannot_be_read_is_malformed() -> None:
    for junk in (b"", b"\x30", b"<html>", chain(OCSP02)[0][:-1], b"\x31" + chain(OCSP02)[0][1:]):
        assert judge((junk, *chain(OCSP02)[1:])).verdict == "malformed"


def test_an_intermediate_that_cannot_be_read_is_a_missing_one() -> None:
    assert judge((chain(OCSP98)[0], b"\x30\x03\x02\x01\x01")).verdict == "incomplete-chain"


# -- what is lacking ------------------------------------------------------------------------------------------------


def test_needs_asks_the_stores_first_and_the_aia_address_then() -> None:
    leaf = chain(X1_ISSUING)[0]
    issuer = facts(leaf).issuer
    assert issuer is not None
    assert missing_pieces((leaf,), (), {}) == ((issuer,), ())
    asked = stores()
    asked[issuer] = TrustRoots()
    assert missing_pieces((leaf,), (), asked) == ((), facts(leaf).aia_urls)
    subjects, urls = missing_pieces((leaf,), (ca(X1_ISSUING),), asked)
    assert (subjects, urls) == ((facts(ca(X1)).subject,), ())
    assert missing_pieces((leaf,), (ca(X1_ISSUING),), asked | stores([ca(X1)])) == ((), ())


def test_needs_fetches_nothing_for_a_chain_that_an_expected_key_vouches_for() -> None:
    served = chain(OCSP02)[:2]
    subjects, _ = missing_pieces(served, (), {}, CAS)
    assert missing_pieces(served, (), {s: TrustRoots() for s in subjects}, CAS) == ((), ())


# -- properties -----------------------------------------------------------------------------------------------------


GENUINE = {issuer: chain(issuer) for issuer in (OCSP02, OCSP98, AZURE03)}
OTHERS = (ca(X1), ca(X2), ca(CORPORATE), ca(RSA2017), forged_ca(), *chain(X1_ISSUING))


@given(st.sampled_from(sorted(GENUINE)), st.lists(st.sampled_from(OTHERS), max_size=4), st.randoms())
def test_order_and_company_never_change_a_genuine_verdict(
    issuer: str, others: list[bytes], dice: random.Random
) -> None:
    leaf, *rest = GENUINE[issuer]
    above = [*rest, *dice.choices(rest, k=2), *others]
    dice.shuffle(above)
    assert judge((leaf, *above)).verdict == "genuine"


@settings(max_examples=300)
@given(st.data())
def test_a_changed_leaf_is_never_genuine_and_never_raises(data: st.DataObject) -> None:
    issuer = data.draw(st.sampled_from(sorted(GENUINE)))
    leaf, *rest = GENUINE[issuer]
    at = data.draw(st.integers(0, len(leaf) - 1))
    changed = bytearray(leaf)
    changed[at] ^= data.draw(st.integers(1, 255))
    judged = judge((bytes(changed), *rest))
    assert judged.verdict not in ("genuine", "issuer-unexpected")


@given(st.data())
def test_a_changed_ca_never_makes_a_foreign_leaf_genuine(data: st.DataObject) -> None:
    leaf, *rest = (forged_leaf(), ca(OCSP02), ca(TLSG2, G2))
    which = data.draw(st.integers(0, 1))
    changed = bytearray(rest[which])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    rest[which] = bytes(changed)
    assert judge((leaf, *rest)).verdict not in ("genuine", "issuer-unexpected")


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=3))
def test_any_bytes_have_a_verdict(leaf: bytes, rest: list[bytes]) -> None:
    assert judge((leaf, *rest)).verdict == "malformed"


NAMES = sorted(a.name for a in AUTHORITIES.values() if a.role != "foreign")


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans(), st.booleans())
def test_copied_names_are_never_genuine(issuing: str, root: str, system: bool, with_real: bool) -> None:
    """Leaf, CA and root with the names of real CAs, all on the interceptor's keys."""
    low, top = AUTHORITIES[issuing].subject, AUTHORITIES[root].subject
    fake_root = make(top, top, key="evil root", signer="evil root", is_ca=True)
    fake_ca = make(low, top, key="evil ca", signer="evil root", is_ca=True)
    leaf = make(HOST, low, signer="evil ca", names=[x509.DNSName(HOST)])
    served = (leaf, fake_ca, *((ca(issuing), ca(root)) if with_real else ()), fake_root)
    roots = PUBLIC | (stores(system=[fake_root]) if system else {})
    judged = judge(served, roots=roots)
    if {issuing, root} == {
        OCSP98
    }:  # the one whose name is in no list: a brand, and the store where it is in it
        assert (judged.verdict, judged.forged) == ("intercepted" if system else "untrusted", False)
        assert judged.brand == "Microsoft"
    else:
        assert (judged.verdict, judged.forged) == ("intercepted", True)
