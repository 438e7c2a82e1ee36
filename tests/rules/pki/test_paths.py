from __future__ import annotations

import datetime
import random
from dataclasses import replace

from cryptography import x509

from rules.pki.certificate import facts
from rules.pki.paths import MAX_CHECKS, MAX_STEPS, CaSetIdentity, find_paths, key_index, known_keys
from tests.lab.pki import G2, OCSP02, TLSG2, X1, X1_ISSUING
from tests.rules.certs import CAS, HOST, PKI, PUBLIC, ca, chain, expected, leaf_of, make, stores

KNOWN = known_keys(CAS)
NOBODY = known_keys(())


def test_known_keys_go_by_key_and_by_folded_name() -> None:
    day = datetime.date(2026, 8, 25)
    dated = replace(expected(G2), name=f"{G2} (cross)", not_before=day, not_after=day)
    nameless = replace(expected(OCSP02), name="Only  A Name", spki_sha256=None)
    known = known_keys((replace(CAS[0], cas=(dated, nameless)),))
    key = facts(ca(G2)).spki_sha256
    assert known.names == {key: f"{G2} (cross)"}
    assert known.keys == {G2.casefold(): frozenset({key}), "only a name": frozenset()}
    begins = datetime.datetime(2026, 8, 25, tzinfo=datetime.UTC).timestamp()
    assert known.validity == {key: ((begins, begins + 86400),)}
    assert known.brands == ("Microsoft", "DigiCert")


def test_the_index_is_kept_for_the_same_sets_and_not_for_equal_ones() -> None:
    copy = replace(CAS[0])
    assert key_index((CaSetIdentity(CAS[0]),)) is key_index((CaSetIdentity(CAS[0]),))
    assert key_index((CaSetIdentity(CAS[0]),)) is not key_index((CaSetIdentity(copy),))


def test_every_way_up_is_found() -> None:
    served = chain(OCSP02)
    walked = find_paths(served, (), PUBLIC | stores(system=[ca(TLSG2)]), KNOWN)
    ends = {(p.ending, len(p.certs), p.genuine) for p in walked.paths}
    assert ends == {("system", 3, True), ("public", 4, True)}
    assert {p.known_at for p in walked.paths} == {1}


def test_the_names_on_the_way_are_what_the_stores_are_asked_for() -> None:
    walked = find_paths(chain(X1_ISSUING), (), {}, NOBODY)
    assert walked.wanted == (facts(ca(X1_ISSUING)).subject, facts(ca(X1)).subject)
    assert [p.missing for p in walked.paths] == [(facts(ca(X1)).subject, facts(ca(X1_ISSUING)).aia_urls)]


def test_a_fetched_certificate_is_marked_where_it_was_needed() -> None:
    leaf, issuing = chain(X1_ISSUING)
    assert [p.fetched_at for p in find_paths((leaf,), (issuing,), PUBLIC, NOBODY).paths] == [1]
    assert [p.fetched_at for p in find_paths((leaf, issuing), (issuing,), PUBLIC, NOBODY).paths] == [None]


def test_a_signature_that_cannot_be_checked_is_unproven_and_convicts_nobody() -> None:
    real = leaf_of("root")
    inner = real.replace(
        bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    )  # no such OID
    walked = find_paths((inner, make("root", "root", is_ca=True)), (), {}, NOBODY)
    assert [p.ending for p in walked.paths] == ["unproven"]
    assert walked.notes == (f"the signature on CN={HOST} cannot be checked",)


def test_names_are_compared_without_case_and_spacing() -> None:
    root = make("Some  Root", "Some  Root", key="r", signer="r", is_ca=True)
    walked = find_paths((leaf_of("some root", signer="r"), root), (), {}, NOBODY)
    assert [(p.ending, len(p.certs)) for p in walked.paths] == [("unknown", 2)]


def test_a_loop_of_cas_ends() -> None:
    loop = (make("a", "b", is_ca=True), make("b", "c", is_ca=True), make("c", "a", is_ca=True))
    walked = find_paths((leaf_of("a"), *loop), (), {}, NOBODY)
    assert [(p.ending, len(p.certs)) for p in walked.paths] == [("missing", 4)]


def test_a_hundred_candidate_parents() -> None:
    served = [leaf_of("root", signer="key 99")]
    served += [make("root", "root", key=f"key {n}", signer=f"key {n}", is_ca=True) for n in range(100)]
    walked = find_paths(tuple(served), (), {}, NOBODY)
    assert [(p.ending, len(p.certs)) for p in walked.paths] == [("unknown", 2)]
    assert walked.notes == ()


def test_everybody_signs_everybody() -> None:
    """Fourteen CAs that all cross-sign each other: too many paths to follow, no verdict by exhaustion."""
    cas = [
        make(f"ca{a}", f"ca{b}", is_ca=True, serial=1 + a * 20 + b)
        for a in range(14)
        for b in range(14)
        if a != b
    ]
    random.Random(4).shuffle(cas)
    walked = find_paths((leaf_of("ca0"), *cas), (), {}, NOBODY)
    assert any("too complex" in note for note in walked.notes)
    assert {p.ending for p in walked.paths} <= {"unproven", "missing"}
    assert len(walked.paths) <= MAX_CHECKS + MAX_STEPS


def test_a_long_line_of_cas_ends() -> None:
    line = tuple(make(f"ca{n}", f"ca{n + 1}", is_ca=True) for n in range(30))
    walked = find_paths((leaf_of("ca0"), *line), (), {}, NOBODY)
    assert [p.ending for p in walked.paths] == ["unproven"]
    assert walked.notes == ("a path is longer than 10 certificates",)


def test_a_leaf_never_issues_another() -> None:
    genuine = chain(OCSP02)
    below = make(
        "evil.example",
        x509.load_der_x509_certificate(genuine[0]).subject,
        signer=PKI.leaf([HOST], OCSP02).key,
    )
    walked = find_paths((below, *genuine), (), PUBLIC, KNOWN)
    assert [(p.ending, p.genuine) for p in walked.paths] == [("missing", False)]
    assert walked.notes == (f"CN={HOST} is named as an issuer and is no CA",)


def test_a_path_length_of_zero_ends_the_line() -> None:
    root = make("root", "root", is_ca=True)
    top = make("top", "root", is_ca=True, path_length=0)
    sub = make("sub", "top", is_ca=True)
    assert [p.ending for p in find_paths((leaf_of("sub"), sub, top), (), stores([root]), KNOWN).paths] == [
        "missing"
    ]
    assert [p.ending for p in find_paths((leaf_of("top"), top), (), stores([root]), KNOWN).paths] == [
        "public"
    ]


def test_a_self_signed_leaf_in_the_system_store_was_put_there() -> None:
    leaf = leaf_of(HOST)
    assert [p.ending for p in find_paths((leaf,), (), {}, NOBODY).paths] == ["unknown"]
    assert [p.ending for p in find_paths((leaf,), (), stores(system=[leaf]), NOBODY).paths] == ["system"]
