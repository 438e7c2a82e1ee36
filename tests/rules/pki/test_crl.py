"""What a list proves for the certificates that name it."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from rules.model.kinds.http_fetch import HttpExchange
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.crl import CrlSubject, digest_crl, issuer_name
from rules.pki.der import tlv
from rules.pki.revocation import CrlJudgement, judge_crl
from tests.lab.pki import AUTHORITIES, G2, OCSP02, derived_key
from tests.lab.revocation import Flaws, crl
from tests.lab.revocation_forms import ECDSA_SHA256, EXTENSIONS, UNHEARD_OF, forged_list, formed, point
from tests.lab.revocation_forms import tlv as element
from tests.rules.certs import DAY, NOW, PKI, WHEN, ca, chain, make, rsa_key

LEAF = chain(OCSP02)[0]
SERIAL = facts(LEAF).serial
NUMBER = int(SERIAL, 16)
URL, SECOND_URL = AUTHORITIES[OCSP02].sources.crls
ISSUER = ca(OCSP02)
HELD = CrlSubject((LEAF,), URL)
REASON = x509.ReasonFlags


def fetched(body: bytes, **headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, 200, "", pairs, body, len(body))


def judge(
    body: bytes, held: CrlSubject = HELD, issuers: tuple[bytes, ...] = (ISSUER,), **headers: str
) -> CrlJudgement:
    """The judgement, which a recording without the body must share."""
    live = judge_crl(fetched(body, **headers), None, issuers, (SERIAL,), NOW, "", held)
    kept = replace(fetched(body, **headers), body=None, digest=digest_crl(body, issuers, (SERIAL,)))
    if kept.digest is not None:
        assert judge_crl(kept, None, issuers, (SERIAL,), NOW, "", held) == live
    return live


def made(
    *extensions: tuple[x509.ExtensionType, bool],
    revoked: tuple[tuple[int, tuple[tuple[x509.ExtensionType, bool], ...]], ...] = (),
    issuer: x509.Name | None = None,
    key: str = OCSP02,
    ends: datetime.datetime = WHEN + 7 * DAY,
) -> bytes:
    """A list of OCSP02's with these extensions and entries."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer or AUTHORITIES[OCSP02].subject)
        .last_update(WHEN - DAY)
        .next_update(ends)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for serial, about in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(WHEN - DAY)
        for extension, critical in about:
            entry = entry.add_extension(extension, critical)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(derived_key(key), hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_list_of_the_partition_that_the_certificate_names_is_healthy() -> None:
    for url in (URL, SECOND_URL, URL.replace("http://www", "HTTP://WWW"), URL.replace("%20", " ")):
        found = judge(made((point(url, only_contains_user_certs=True), True)))
        assert (found.cause.word, found.status, found.valid) == ("ok", Status.PASS, True)


@pytest.mark.parametrize("form", sorted(set(EXTENSIONS) - {"indirect", "only-user"}))
def test_a_list_out_of_scope_is_never_good(form: str) -> None:
    found = judge(made((EXTENSIONS[form](URL), True)))
    expected = {"other-partition": "partition"}.get(form, form)
    assert (found.cause.word, found.circumstance) == ("crl.out-of-scope", expected)
    assert (found.status, found.valid) == (Status.FAIL, False)
    assert OCSP02 in found.summary, "whose list it is"


def test_a_delta_indicator_that_is_not_critical_is_a_delta_all_the_same() -> None:
    assert judge(made((x509.DeltaCRLIndicator(8), False))).circumstance == "delta"
    assert judge(made((UNHEARD_OF, False))).cause.word == "ok", "what is not critical may be ignored"
    assert judge(made((x509.CRLNumber(9), True))).cause.word == "ok", "what is known may be critical"


def test_a_list_for_servers_says_nothing_of_a_ca_and_the_other_way_round() -> None:
    between = CrlSubject((ca(OCSP02),), "")
    servers, cas = (point(only_contains_user_certs=True), True), (point(only_contains_ca_certs=True), True)
    assert judge(made(servers)).cause.word == "ok"
    assert judge(made(servers), between).circumstance == "only-user"
    assert judge(made(cas), between).cause.word == "ok"
    assert judge(made(cas), CrlSubject((LEAF, ca(OCSP02)))).circumstance == "only-ca", (
        "one of two is not covered"
    )


def test_a_partition_is_not_judged_where_nobody_knows_what_the_certificates_name() -> None:
    body = made((point(URL), True))
    found = judge(body, CrlSubject())
    assert (found.cause.word, found.status, found.valid) == ("crl.unverified", Status.INCONCLUSIVE, None)
    assert judge(body, CrlSubject(url=URL, bound=False)).cause.word == "ok", (
        "at the very address that it names"
    )
    elsewhere = judge(body, CrlSubject(url=SECOND_URL, bound=False))
    assert (elsewhere.cause.word, elsewhere.status) == ("crl.unverified", Status.INCONCLUSIVE), (
        "no certificate says no"
    )
    assert elsewhere.circumstance == "partition-unknown"
    assert judge(body, CrlSubject((LEAF,), SECOND_URL)).cause.word == "ok", "the certificate names it"


@pytest.mark.parametrize("form", ["{0}:80/{1}", "{0}:/{1}", "{0}./{1}", "{0}.:80/{1}"])
def test_the_plain_form_of_an_address_is_the_same_point(form: str) -> None:
    scheme, rest = URL.split("://")
    host, _, path = rest.partition("/")
    body = made((point(f"{scheme}://{form.format(host, path)}"), True))
    assert judge(body, CrlSubject((LEAF,), URL)).cause.word == "ok"
    assert judge(body, CrlSubject(url=URL, bound=False)).cause.word == "ok"
    other = made((point(f"{scheme}://{host}:8080/{path}"), True))
    assert judge(other, CrlSubject((LEAF,), URL)).circumstance == "partition"


def test_of_many_points_ours_is_found_wherever_it_stands() -> None:
    def judged_with(*urls: str) -> CrlJudgement:
        names = [x509.UniformResourceIdentifier(url) for url in urls]
        return judge(made((point(full_name=names), True)), CrlSubject((LEAF,), URL))

    many = [f"http://a{n}.example/x.crl" for n in range(40)]
    assert judged_with(*many, URL).cause.word == "ok"
    assert judged_with(*many).circumstance == "partition"
    for beyond in (many * 10, [f"{url}?{n}" for n in range(10) for url in many]):
        assert judged_with(*beyond, URL).circumstance == "partition-unknown", "nobody reads them all"


def test_what_a_list_with_a_good_signature_lists_is_revoked_whatever_else_it_leaves_out() -> None:
    """A serial number is a CA's once only: where the CA says "revoked", another limit of the list changes nothing."""
    entry = ((NUMBER, ()),)
    for form in ("delta", "other-partition", "only-ca", "some-reasons"):
        assert judge(made((EXTENSIONS[form](URL), True), revoked=entry)).cause.word == "crl.revoked"
    for form in ("critical", "only-attribute"):
        found = judge(made((EXTENSIONS[form](URL), True), revoked=entry))
        assert (found.cause.word, found.revoked) == ("crl.out-of-scope", ())


@pytest.mark.parametrize("reason", [REASON.certificate_hold, REASON.superseded, REASON.key_compromise])
def test_every_reason_revokes_also_a_hold(reason: x509.ReasonFlags) -> None:
    found = judge(made(revoked=((NUMBER, ((x509.CRLReason(reason), False),)),)))
    assert (found.cause.word, found.revoked) == ("crl.revoked", (SERIAL,))


def test_an_entry_that_takes_a_certificate_off_a_delta_revokes_nothing() -> None:
    removed = ((x509.CRLReason(REASON.remove_from_crl), False),)
    found = judge(made((x509.DeltaCRLIndicator(8), True), revoked=((NUMBER, removed),)))
    assert (found.cause.word, found.revoked) == ("crl.out-of-scope", ())


@pytest.mark.parametrize("critical", [True, False])
def test_a_complete_list_that_takes_a_certificate_back_contradicts_itself(critical: bool) -> None:
    """RFC 5280 section 5.3.1: removeFromCRL stands on delta lists only."""
    back = ((x509.CRLReason(REASON.remove_from_crl), critical),)
    own = judge(made(revoked=((NUMBER, back),)))
    assert (own.cause.word, own.circumstance, own.status) == (
        "crl.unverified",
        "removed",
        Status.INCONCLUSIVE,
    )
    assert (own.valid, own.revoked, "removeFromCRL" in own.summary) == (None, (), True)
    other = judge(made(revoked=((5, back),)))
    assert (other.cause.word, other.circumstance, other.status) == ("crl.form", "removes", Status.NOTICE)
    assert (other.valid, other.revoked) == (True, ())
    for both in (((NUMBER, back), (NUMBER, ())), ((NUMBER, ()), (NUMBER, back))):
        assert judge(made(revoked=both)).cause.word == "crl.revoked", "a revocation is not taken back by it"
    stale = judge(made(revoked=((NUMBER, back),), ends=WHEN - DAY / 2))
    assert stale.cause.word == "crl.stale", "what fails for another reason fails"


def test_an_entry_of_another_ca_that_is_taken_back_leaves_this_one_s_certificate_alone() -> None:
    other = x509.CertificateIssuer([x509.DirectoryName(AUTHORITIES[G2].subject)])
    back = ((other, True), (x509.CRLReason(REASON.remove_from_crl), False))
    found = judge(made((point(indirect_crl=True), True), revoked=((NUMBER, back),)))
    assert (found.cause.word, found.circumstance) == ("crl.form", "removes")


@pytest.mark.parametrize("critical", [True, False])
def test_an_entry_about_another_ca_revokes_nothing(critical: bool) -> None:
    """RFC 5280 section 5.3.3: an entry without certificateIssuer is about the CA of the one before it."""
    other = x509.CertificateIssuer([x509.DirectoryName(AUTHORITIES[G2].subject)])
    own = x509.CertificateIssuer([x509.DirectoryName(AUTHORITIES[OCSP02].subject)])
    indirect = (point(indirect_crl=True), True)
    about_other = ((5, ((other, critical),)), (NUMBER, ()))
    assert judge(made(indirect, revoked=about_other)).cause.word == "ok"
    assert judge(made(revoked=about_other)).cause.word == "ok"
    about_both = (*about_other, (6, ((own, critical),)), (NUMBER, ()))
    assert judge(made(indirect, revoked=about_both)).cause.word == "crl.revoked"
    assert (
        judge(made(indirect, revoked=((NUMBER, ()), (5, ((other, critical),))))).cause.word == "crl.revoked"
    )


def test_an_entry_with_an_unknown_critical_extension_makes_the_list_useless() -> None:
    found = judge(made(revoked=((5, ((UNHEARD_OF, True),)),)))
    assert (found.cause.word, found.circumstance) == ("crl.out-of-scope", "critical")
    assert "1.3.6.1.4.1.55555.1" in found.summary
    assert judge(made(revoked=((5, ((UNHEARD_OF, False),)),))).cause.word == "ok"


def test_a_name_is_compared_by_its_text_and_told_where_its_bytes_differ() -> None:
    body = crl(PKI, AUTHORITIES[OCSP02], URL, Flaws(form="name", formed=(OCSP02,)))
    found = judge(body)
    assert (found.cause.word, found.circumstance, found.status, found.valid) == (
        "crl.form",
        "name",
        Status.NOTICE,
        True,
    )
    revoked = crl(PKI, AUTHORITIES[OCSP02], URL, Flaws(form="name", formed=(OCSP02,), revoked=(NUMBER,)))
    assert judge(revoked).cause.word == "crl.revoked"


def test_a_list_without_an_end() -> None:
    tbs = x509.load_der_x509_crl(made()).tbs_certlist_bytes
    begins = tlv(tbs, 0)[1]
    at = tbs.rindex(b"\x17\x0d")  # nextUpdate
    cut = element(0x30, tbs[begins:at] + tbs[at + 15 :])
    value = derived_key(OCSP02).sign(cut, ec.ECDSA(hashes.SHA256()))
    found = judge(element(0x30, cut + ECDSA_SHA256 + element(3, b"\0" + value)))
    assert (found.cause.word, found.circumstance, found.status) == ("crl.form", "no-end", Status.NOTICE)
    assert found.next_update is None


# --- whose list it is -------------------------------------------------------------------------------------------------


def test_a_forged_list_of_an_invented_ca_never_passes() -> None:
    found = judge(forged_list())
    assert (found.cause.word, found.status, found.valid) == ("crl.wrong-issuer", Status.FAIL, False)
    assert "CN=x" in found.summary
    for issuers in ((), (ISSUER, ca(G2))):
        unbound = judge(forged_list(), CrlSubject(url=URL, bound=False), issuers)
        assert (unbound.cause.word, unbound.status, unbound.valid) == (
            "crl.unverified",
            Status.INCONCLUSIVE,
            None,
        )


def test_a_genuine_list_of_another_ca_at_this_address_is_another_ca_s() -> None:
    other = made(issuer=AUTHORITIES[G2].subject, key=G2, revoked=((NUMBER, ()),))
    found = judge(other)
    assert (found.cause.word, found.revoked) == ("crl.wrong-issuer", ())


def test_a_list_that_the_certificate_leaves_to_another_issuer_is_no_accusation() -> None:
    """cRLIssuer of RFC 5280 section 4.2.1.13; the other issuer's certificate is not at hand."""
    where = [x509.UniformResourceIdentifier(URL)]
    left = x509.DistributionPoint(where, None, None, [x509.DirectoryName(AUTHORITIES[G2].subject)])
    leaf = make("a", "b", extensions=[x509.CRLDistributionPoints([left])])
    found = judge(made(issuer=AUTHORITIES[G2].subject, key=G2), CrlSubject((leaf,), URL))
    assert (found.cause.word, found.status) == ("crl.unverified", Status.INCONCLUSIVE)


def test_another_key_of_the_same_ca_is_told_from_a_forgery() -> None:
    new = derived_key("new key").public_key()
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(new)
    rolled = judge(made((aki, False), key="new key"))
    assert (rolled.cause.word, rolled.circumstance) == ("crl.bad-signature", "other-key")
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(derived_key(OCSP02).public_key())
    forged = judge(made((own, False), key="new key"))
    assert (forged.cause.word, forged.circumstance) == ("crl.bad-signature", "")


def test_a_ca_that_may_not_sign_lists() -> None:
    usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    issuer = make(AUTHORITIES[OCSP02].subject, "x", key=OCSP02, is_ca=True, extensions=[usage])
    found = judge(made(), issuers=(issuer,))
    assert (found.cause.word, found.circumstance, found.valid) == ("crl.bad-signature", "may-not-sign", False)
    assert judge(made(), issuers=(issuer, ISSUER)).cause.word == "ok", (
        "another certificate of the same key allows it"
    )


def test_a_signature_that_nothing_here_can_check_is_no_accusation() -> None:
    body = made()
    odd = body.replace(bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f"))
    found = judge(odd)
    assert (found.cause.word, found.circumstance) == ("crl.unverified", "algorithm")
    assert (found.status, found.valid) == (Status.INCONCLUSIVE, None)


# --- whose fault it is that a list is old ----------------------------------------------------------------------------


def test_an_old_list_is_a_cache_s_or_the_publisher_s_by_its_headers() -> None:
    old = crl(PKI, AUTHORITIES[OCSP02], URL, Flaws(stale=(OCSP02,)))
    kept = judge(old, age="691200", x_cache="HIT from gw.corp.example", via="1.1 gw.corp.example (squid/5.7)")
    late = judge(old, age="0", date="Sun, 01 Nov 2026 12:00:00 GMT")
    assert (kept.cause.word, kept.circumstance) == ("crl.stale", "cached")
    assert "gw.corp.example (squid/5.7)" in kept.summary
    assert (late.cause.word, late.circumstance) == ("crl.stale", "late")
    assert "no header shows a cache" in late.summary
    assert judge(made(ends=WHEN - DAY / 2)).circumstance == "late"
    dated = judge(old, date="Mon, 26 Oct 2026 12:00:00 GMT")
    assert (dated.cause.word, dated.circumstance) == ("crl.stale", "")
    assert judge(old, age="691200").circumstance == "cached-unnamed"


def test_an_old_recording_that_does_not_tell_the_scope_is_a_notice() -> None:
    digest = digest_crl(made(), (ISSUER,), (SERIAL,))
    assert digest is not None
    kept = replace(fetched(b""), body=None, digest=replace(digest, scope=None))
    found = judge_crl(kept, None, (ISSUER,), (SERIAL,), NOW, "", HELD)
    assert (found.cause.word, found.status) == ("audit.not-recorded", Status.NOTICE)


def test_the_issuer_s_name_of_what_came() -> None:
    body = made()
    assert issuer_name(fetched(body)) == facts(ISSUER).subject
    assert (
        issuer_name(replace(fetched(body), body=None, digest=digest_crl(body, (), ())))
        == facts(ISSUER).subject
    )
    for other in (fetched(b"junk"), replace(fetched(body), status=404), replace(fetched(body), body=None)):
        assert issuer_name(other) is None


def test_a_list_signed_with_rsassa_pss() -> None:
    issuer = make("pss", "pss", key=rsa_key(), signer=rsa_key(), is_ca=True)
    builder = x509.CertificateRevocationListBuilder().issuer_name(
        x509.Name.from_bytes(facts(issuer).subject or b"")
    )
    builder = builder.last_update(WHEN - DAY).next_update(WHEN + DAY)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    body = builder.sign(rsa_key(), hashes.SHA256(), rsa_padding=scheme).public_bytes(Encoding.DER)
    assert judge(body, issuers=(issuer,)).cause.word == "ok"


def test_every_form_of_the_lab_is_one_of_these() -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(AUTHORITIES[OCSP02].subject)
    builder = builder.last_update(WHEN - DAY).next_update(WHEN + DAY)
    for form in EXTENSIONS:
        body = formed(builder, form, URL, (NUMBER,)).sign(derived_key(OCSP02), hashes.SHA256())
        assert judge(body.public_bytes(Encoding.DER)).cause.word in ("ok", "crl.out-of-scope")


def test_a_serial_below_zero_is_looked_for_and_spoils_no_list() -> None:
    body = made(revoked=((NUMBER, ()),))
    found = judge_crl(fetched(body), None, (ISSUER,), ("-5", SERIAL), NOW, "", HELD)
    assert (found.cause.word, found.revoked) == ("crl.revoked", (SERIAL,))
