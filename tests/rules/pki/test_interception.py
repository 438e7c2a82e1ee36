from __future__ import annotations

import fnmatch

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from rules.model.ruleset import Interceptor
from rules.pki.certificate import facts
from rules.pki.interception import Handshake, claims, judge_handshakes, product_of
from rules.pki.trust import judge_chain
from rules.text.pattern import matches as glob
from tests.lab.pki import CORPORATE, OCSP02, PRIVATE
from tests.rules.certs import CAS, NOW, PKI, PUBLIC, ca, chain, der, impostor, make, stores

ROOTS = PUBLIC | stores(system=[ca(CORPORATE)])
BOOT, LOGIN, CONTROL = "t.bootstrap.msappproxy.net", "login.microsoftonline.com", "www.example.com"


def shake(
    host: str, issuer: str = OCSP02, address: str = "20.1.1.1", attempt: int = 1, root: bool = False
) -> Handshake:
    served = (*chain(issuer, host), *((ca(issuer),) if root else ()))
    return of(served, host, address, attempt)


def of(served: tuple[bytes, ...], host: str, address: str = "20.1.1.1", attempt: int = 1) -> Handshake:
    judged = judge_chain(served, (), ROOTS, CAS, NOW)
    name = f"{host} {address} {attempt}"
    return Handshake(name, host, address, host, attempt, judged, served[0], control=host == CONTROL)


def private(host: str, address: str = "20.1.1.1") -> Handshake:
    return shake(host, PRIVATE, address, root=True)


def test_nothing_is_found_where_all_is_genuine() -> None:
    assert judge_handshakes((shake(BOOT), shake(LOGIN)), cas=CAS) == ()
    assert judge_handshakes(()) == ()


def test_one_unknown_key_above_two_unrelated_names_is_interception() -> None:
    (found,) = judge_handshakes((private(BOOT), private(LOGIN, "20.2.2.2")), cas=CAS)
    assert found.upgraded == found.handshakes == (f"{BOOT} 20.1.1.1 1", f"{LOGIN} 20.2.2.2 1")
    assert (found.names, found.addresses, found.reach) == (
        (BOOT, LOGIN),
        ("20.1.1.1", "20.2.2.2"),
        "everything",
    )
    assert (found.confidence, found.forged, found.every) == ("proven", False, True)
    assert found.issuing_key == facts(ca(PRIVATE)).spki_sha256
    assert found.issuer == PRIVATE
    assert "unrelated names" in found.sentence


def test_an_issuer_that_is_only_named_is_likely_and_not_proven() -> None:
    """The leaves alone, without the CA that signed them: the same name and key id is no signature."""
    (found,) = judge_handshakes((shake(BOOT, PRIVATE), shake(LOGIN, PRIVATE)), cas=CAS)
    assert found.confidence == "likely"
    assert found.issuing_key.startswith("name:")
    assert found.reason.startswith("one unknown issuer")
    assert "key that differs" not in dict(found.details)


def test_a_control_name_counts_only_when_the_certificate_is_made_out_to_it() -> None:
    own = shake(BOOT, PRIVATE, root=True)
    served = (chain(PRIVATE, BOOT)[0], ca(PRIVATE))
    assert judge_handshakes((own, of(served, CONTROL)), cas=CAS) == ()
    assert judge_handshakes((own, private(CONTROL)), cas=CAS)[0].controls == (CONTROL,)


def pinned(names: list[str], issuer: str = PRIVATE) -> tuple[bytes, ...]:
    """One certificate for these names, shown to everybody."""
    leaf = PKI.leaf(names, issuer)
    return (der(leaf.cert), *map(der, leaf.chain), ca(issuer))


@pytest.mark.parametrize("issuer", [PRIVATE, CORPORATE])
def test_a_certificate_that_does_not_claim_the_name_asked_for_was_not_issued_for_it(issuer: str) -> None:
    own = pinned(["block.filter.example"], issuer)
    assert judge_handshakes((of(own, BOOT), of(own, LOGIN), of(own, CONTROL)), cas=CAS) == ()
    brand = (make("x", "Microsoft Filter", names=[x509.DNSName("block.filter.example")]),)
    assert judge_handshakes((of(brand, BOOT), of(brand, LOGIN)), cas=CAS) == ()


def test_a_certificate_that_claims_one_of_two_names_is_issued_for_that_one() -> None:
    own = pinned(["block.filter.example", LOGIN])
    assert judge_handshakes((of(own, BOOT), of(own, LOGIN)), cas=CAS) == ()
    (found,) = judge_handshakes((of(own, BOOT), of(own, LOGIN), private("a.other.example")), cas=CAS)
    assert found.names == (LOGIN, "a.other.example")


@pytest.mark.parametrize(
    ("names", "subject", "host", "claimed"),
    [
        ([BOOT], "x", BOOT, True),
        (["*.bootstrap.msappproxy.net"], "x", BOOT, True),
        (["*.msappproxy.net"], "x", BOOT, True),
        (["msappproxy.net", "*.example.com"], "x", BOOT, False),
        ([], BOOT, BOOT.upper(), True),
        ([], "*.msappproxy.net", BOOT + ".", True),
        ([], "*", BOOT, False),
        (["*"], "x", BOOT, False),
        (["block.filter.example"], BOOT, BOOT, False),
    ],
)
def test_what_claims_a_name(names: list[str], subject: str, host: str, claimed: bool) -> None:
    made = facts(make(subject, PRIVATE, names=[x509.DNSName(name) for name in names]))
    assert claims(made, host) is claimed


def test_one_unknown_key_above_one_zone_stays_untrusted() -> None:
    assert judge_handshakes((private(BOOT), private("other.msappproxy.net")), cas=CAS) == ()


def test_an_unknown_ca_with_a_brand_is_likely_interception() -> None:
    root = make("Microsoft Cloud Guard", "Microsoft Cloud Guard", is_ca=True)
    one = of((make(BOOT, "Microsoft Cloud Guard", names=[x509.DNSName(BOOT)]), root), BOOT)
    (found,) = judge_handshakes((one,), cas=CAS)
    assert (found.upgraded, found.confidence) == ((one.id,), "likely")
    assert found.reason == "an unknown CA calls itself Microsoft"
    assert found.reach == "single"


def test_a_root_of_this_host_only_needs_no_second_name() -> None:
    (found,) = judge_handshakes((shake(BOOT, CORPORATE),), cas=CAS)
    assert (found.upgraded, found.confidence, found.anchor_kind) == ((), "proven", "system")
    assert dict(found.details)["key that differs"].endswith(facts(ca(CORPORATE)).spki_sha256 or "?")


def test_a_forged_issuer_says_whose_name_it_bears() -> None:
    served = (chain(OCSP02, BOOT, impostor(OCSP02, "squid"))[0], ca(OCSP02))
    (found,) = judge_handshakes((of(served, BOOT),), cas=CAS)
    assert found.forged
    assert dict(found.details)["expected"] == f"{OCSP02}, with its own key"


def test_interception_is_mapped_by_name() -> None:
    seen = (shake(BOOT, CORPORATE), shake(CONTROL), shake(LOGIN, address="20.2.2.2"))
    (found,) = judge_handshakes(seen, cas=CAS)
    assert (found.reach, found.controls) == ("by-name", ())
    assert "depends on the server name" in found.sentence


def test_interception_is_mapped_by_address() -> None:
    control = shake(CONTROL, CORPORATE)
    (found,) = judge_handshakes((shake(BOOT, CORPORATE), control, shake(LOGIN, address="20.2.2.2")), cas=CAS)
    assert (found.reach, found.controls, found.names) == ("by-address", (CONTROL,), (BOOT,))
    elsewhere = (shake(BOOT, CORPORATE), shake(BOOT, address="20.3.3.3"))
    assert judge_handshakes(elsewhere, cas=CAS)[0].reach == "by-address"


def test_interception_of_some_handshakes_only() -> None:
    (found,) = judge_handshakes((shake(BOOT, CORPORATE), shake(BOOT, attempt=2)), cas=CAS)
    assert (found.every, found.genuine_too) == (False, (f"{BOOT} 20.1.1.1 2",))
    assert "not every handshake is intercepted" in found.sentence


def test_issuing_keys_that_rotate_under_one_root_are_one_interceptor() -> None:
    root = make("Corp Root", "Corp Root", is_ca=True)
    seen = []
    for number, host in enumerate((BOOT, LOGIN)):
        issuing = make(f"Corp {number}", "Corp Root", is_ca=True)
        leaf = make(host, f"Corp {number}", names=[x509.DNSName(host)])
        seen.append(of((leaf, issuing, root), host))
    (found,) = judge_handshakes(seen, cas=CAS)
    assert len(found.handshakes) == 2


def test_the_larger_finding_comes_first() -> None:
    seen = (private(BOOT), private(LOGIN), shake("a.b.example", CORPORATE))
    assert [len(f.handshakes) for f in judge_handshakes(seen, cas=CAS)] == [2, 1]


def test_trap_18_a_product_is_a_label_only() -> None:
    known = (Interceptor("Contoso Box", cn="contoso * ca"), Interceptor("Other", o="fabrikam*"))
    (found,) = judge_handshakes((shake(BOOT, CORPORATE),), interceptors=known)
    assert found.product == "Contoso Box"
    assert "looks like Contoso Box" in found.sentence
    assert judge_handshakes((shake(BOOT),), interceptors=(Interceptor("Liar", cn="*"),)) == ()


def test_trap_18_texts_are_trimmed_and_all_patterns_must_match() -> None:
    zscaler = facts(make("a", "Zscaler Intermediate Root CA (zscalertwo.net) (t) "))
    known = Interceptor("Zscaler", cn="zscaler intermediate root ca (zscaler*.net)*")
    assert product_of([zscaler], (known,)) == "Zscaler"
    assert product_of([zscaler], (Interceptor("No", cn="zscaler*", o="other"),)) == ""
    assert product_of([zscaler], (Interceptor("Empty"),)) == ""


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("abc", "abc", True), ("abc", "abcd", False), ("", "", True), ("", "a", False), ("*", "", True),
        ("a*c", "abbbc", True), ("a*c", "abbb", False), ("*b*", "abc", True), ("a?c", "abc", True), ("a?c", "ac", False),
        ("fg??????????*", "fg6h0ftb22903890", True), ("a**b", "ab", True), ("[a]", "a", False),
    ],
)  # fmt: skip
def test_globs(pattern: str, text: str, matches: bool) -> None:
    assert glob(pattern, text) is matches


def test_a_hostile_text_costs_a_glob_no_time() -> None:
    """A matcher that tries every `*` again would not come back from this."""
    assert not glob("*a*a*a*a*a*a*a*a*a*a*b", "a" * 1024)


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=8))
def test_globs_agree_with_the_standard_library(pattern: str, text: str) -> None:
    assert glob(pattern, text) == fnmatch.fnmatchcase(text, pattern)


def test_hostile_texts_are_made_harmless() -> None:
    hostile = "\x1b[2J\u202eevil\n"
    root = make(hostile, hostile, is_ca=True)
    seen = [of((make(h, hostile, names=[x509.DNSName(h)]), root), h) for h in (BOOT, LOGIN)]
    (found,) = judge_handshakes(seen, cas=CAS)
    assert all(text.isprintable() for text in (found.sentence, found.issuer, *(v for _, v in found.details)))
