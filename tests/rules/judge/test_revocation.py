"""Revocation sources of the certificates that were served: reachable, valid and revoked, kept apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step
from rules.model.verdict import Report, Status, Verdict
from tests import pki
from tests.lab.revocation_forms import forged_list
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CAS,
    CORPORATE,
    CRL_HOST,
    CRL_RULE,
    CRL_URL,
    ISSUING,
    OCSP_HOST,
    OCSP_RULE,
    PUBLIC_ROOT,
    QUIET,
    RELAYS,
    ROOT,
    SIGN_IN,
    SILENCE,
    UNAUTHORIZED,
    ZONE,
    Answer,
    Scripted,
    by,
    crl,
    healthy,
    judged,
    leaf,
    ocsp_answer,
    page,
    rows,
    rules_of,
    shown,
)

IMPOSTOR = pki.authority("Microsoft TLS Issuing CA 01", kind="rsa")
SERIAL = leaf(BOOTSTRAP).certificate.serial_number


def listed(answer: Scripted) -> Report:
    """Every fetch of the CRL is answered so."""
    return judged(healthy().when(HttpFetch, answer, host=CRL_HOST, target="/issuing.crl"), plan=QUIET)


def source(report: Report, check: str = "crl") -> Verdict:
    """The verdict on the source that certificates name (not on the host of the rule)."""
    (found,) = [v for v in rows(report, check=check) if v.endpoint and v.endpoint.address is None]
    return found


def decided(verdict: Verdict) -> tuple[str, Status]:
    return verdict.cause.word, verdict.status


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (SILENCE, "crl.unreachable"),
        (Failure(Stage.HTTP, Code.TIMEOUT), "http.timeout"),
        (Failure(Stage.HTTP, Code.RESET), "http.reset"),
        (page(302, location="http://crl3.digicert.com/elsewhere"), "http.redirected"),
        (page(200, b"\x1f\x8b\x08"), "http.compressed"),
        (crl(ISSUING, age=30), "crl.stale"),
        (crl(IMPOSTOR), "crl.bad-signature"),
        (BLOCKED, "crl.not-a-crl"),
        (page(200, b"\x30\x03junk"), "crl.not-a-crl"),
    ],
)
def test_a_list_that_is_not_what_the_ca_published(answer: Answer, cause: str) -> None:
    verdict = source(listed(answer))
    assert decided(verdict) == (cause, Status.FAIL)
    assert verdict.remedy
    assert verdict.evidence
    assert ("source", CRL_URL) in verdict.details


def test_a_revoked_certificate_is_revoked_and_its_list_is_not_blamed_on_the_firewall() -> None:
    report = listed(crl(ISSUING, (SERIAL,)))
    assert decided(source(report)) == ("crl.revoked", Status.FAIL)
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"tls.revoked"}
    others = {v.cause.word for v in rows(report, check="tls") if v.endpoint and v.endpoint.host != BOOTSTRAP}
    assert others == {"ok"}


def test_a_forged_list_revokes_nothing() -> None:
    report = listed(crl(IMPOSTOR, (SERIAL,)))
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"ok"}


def test_each_source_is_judged_once_however_many_certificates_name_it() -> None:
    verdict = source(judged(healthy(), plan=QUIET))
    assert dict(verdict.details)["named by"].count("servicebus") == 3


def test_a_doubtful_list_is_fetched_twice_and_the_good_one_counts() -> None:
    report = judged(
        healthy().when(HttpFetch, SILENCE, host=CRL_HOST, target="/issuing.crl", attempt=1), plan=QUIET
    )
    assert decided(source(report)) == ("ok", Status.PASS)


def documents(report: Report) -> set[tuple[str, Status]]:
    """What is said of the list that the rule's host is known to serve."""
    found = [v for v in rows(report, CRL_HOST, "crl") if v.endpoint and v.endpoint.address]
    assert not any("proof" in v.summary for v in found if v.status is not Status.PASS)
    return {decided(v) for v in found}


def test_a_document_is_proved_by_its_signature_and_by_nothing_less() -> None:
    assert documents(listed(crl(ISSUING))) == {("ok", Status.PASS)}
    assert documents(listed(page(200, forged_list()))) == {("crl.wrong-issuer", Status.FAIL)}
    assert documents(listed(crl(IMPOSTOR))) == {("crl.bad-signature", Status.FAIL)}


def test_a_document_of_a_ca_whose_key_is_not_at_hand_proves_nothing_and_is_no_alarm() -> None:
    """Its CA stands in the CA set by name and fingerprint only: no chain that was met shows its key."""
    alone = rules_of(CRL_RULE)
    report = judged(healthy(), alone, QUIET)
    assert documents(report) == {("crl.unverified", Status.INCONCLUSIVE)}
    forged = judged(healthy().when(HttpFetch, page(200, forged_list()), host=CRL_HOST), alone, QUIET)
    assert documents(forged) == {("crl.unverified", Status.INCONCLUSIVE)}


def test_the_stores_are_asked_for_the_ca_of_a_document_that_no_chain_names() -> None:
    report = judged(healthy().when(HttpFetch, crl(ROOT), host=CRL_HOST), rules_of(CRL_RULE), QUIET)
    assert documents(report) == {("ok", Status.PASS)}
    strange = healthy(public=(), system=()).when(HttpFetch, crl(ROOT), host=CRL_HOST)
    assert documents(judged(strange, rules_of(CRL_RULE), QUIET)) == {("crl.unverified", Status.INCONCLUSIVE)}
    corporate = healthy(public=(), system=(pki.der(CORPORATE.certificate),)).when(
        HttpFetch, crl(CORPORATE), host=CRL_HOST
    )
    assert documents(judged(corporate, rules_of(CRL_RULE), QUIET)) == {
        ("crl.unverified", Status.INCONCLUSIVE)
    }
    known = healthy(public=(), system=(pki.der(ROOT.certificate),)).when(HttpFetch, crl(ROOT), host=CRL_HOST)
    assert documents(judged(known, rules_of(CRL_RULE), QUIET)) == {("ok", Status.PASS)}, (
        "its key is in the CA set"
    )


def test_a_forged_list_hides_no_revocation() -> None:
    """A device on port 80 answers with one small list of an invented CA: never YES."""
    report = listed(page(200, forged_list()))
    assert report.answer == "degraded"
    assert source(report).cause.word == "crl.wrong-issuer"


def test_an_old_list_is_for_the_team_that_the_headers_name() -> None:
    old = crl(ISSUING, age=30)
    named = replace(old, headers=(("age", "2500000"), ("via", "1.1 gw.corp.example (squid)")))
    for answer, circumstance, owner in ((old, "late", "pki"), (named, "cached", "proxy")):
        report = listed(answer)
        assert source(report).circumstance == circumstance
        assert ("gw.corp.example" in source(report).summary) is (circumstance == "cached")
        (group,) = [c for c in report.causes if c.cause.word == "crl.stale" and c.status is Status.FAIL]
        assert group.owner == owner


def test_a_list_or_an_answer_from_the_future_is_no_cache_s_fault() -> None:
    early = listed(crl(ISSUING, age=-2))
    assert (source(early).circumstance, source(early).status) == ("early", Status.WARN)
    body = ISSUING.ocsp(leaf(BOOTSTRAP), age=-2 * pki._DAY).public_bytes(Encoding.DER)
    answer = source(
        judged(
            healthy().when(HttpFetch, page(200, body), purpose="ocsp"),
            rules_of(BOOTSTRAP_RULE, CRL_RULE),
            QUIET,
        ),
        "ocsp",
    )
    assert (answer.cause.word, answer.circumstance) == ("ocsp.stale", "early")
    for said in (source(early), answer):
        assert "clock" in said.remedy
        assert "cache" not in said.remedy


# --- OCSP --------------------------------------------------------------------------------------------------------


def asked(answer: Scripted, **where: object) -> Report:
    return judged(healthy().when(HttpFetch, answer, host=OCSP_HOST, purpose="ocsp", **where), plan=QUIET)


def saying(status: ocsp.OCSPCertStatus, signer: pki.Authority = ISSUING) -> Answer:
    return ocsp_answer(BOOTSTRAP, signer, status)


def test_get_and_post_are_both_asked_and_told_apart() -> None:
    assert "POST and GET" in source(judged(healthy(), plan=QUIET), "ocsp").summary

    def only_get(step: Step) -> Answer:
        assert isinstance(step, HttpFetch)
        return SILENCE if step.body else healthy().answer(step).evidence

    verdict = source(asked(only_get), "ocsp")
    assert verdict.status is Status.WARN
    assert "POST fails" in verdict.summary
    assert "GET works" in verdict.summary


def test_a_silent_responder_costs_time_only() -> None:
    assert decided(source(asked(SILENCE), "ocsp")) == ("ocsp.unreachable", Status.WARN)
    silent = source(asked(Failure(Stage.HTTP, Code.TIMEOUT)), "ocsp")
    assert decided(silent) == ("http.timeout", Status.WARN)
    assert "Allow port 80" not in silent.remedy


def test_a_responder_that_does_not_know_the_certificate_is_a_notice() -> None:
    assert decided(source(asked(page(200, UNAUTHORIZED)), "ocsp")) == ("ocsp.unauthorized", Status.NOTICE)


def test_a_revoked_certificate_by_the_responder_s_word() -> None:
    only = rules_of(BOOTSTRAP_RULE, CRL_RULE)
    revoked = saying(ocsp.OCSPCertStatus.REVOKED)
    report = judged(healthy().when(HttpFetch, revoked, purpose="ocsp"), only, QUIET)
    assert decided(source(report, "ocsp")) == ("ocsp.revoked", Status.FAIL)
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"tls.revoked"}


def test_a_forged_answer_revokes_nothing() -> None:
    only = rules_of(BOOTSTRAP_RULE, CRL_RULE)
    forged = saying(ocsp.OCSPCertStatus.REVOKED, CORPORATE)
    report = judged(healthy().when(HttpFetch, forged, purpose="ocsp"), only, QUIET)
    assert source(report, "ocsp").cause.word in ("ocsp.bad-signature", "ocsp.not-ocsp")
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"ok"}


def test_a_certificate_without_ocsp_is_no_finding() -> None:
    report = judged(healthy().when(TlsHandshake, by(pki.authority("x", ISSUING))), plan=QUIET)
    assert rows(report, check="ocsp") == []


@pytest.mark.parametrize("status", [ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED])
def test_an_answer_that_the_server_staples_is_judged_and_told(status: ocsp.OCSPCertStatus) -> None:
    """RFC 6066 section 8: under the issuer's signature it is worth as much as the responder's own."""
    body = ISSUING.ocsp(leaf(BOOTSTRAP), status).public_bytes(Encoding.DER)
    forged = ISSUING.ocsp(leaf(RELAYS[0]), ocsp.OCSPCertStatus.REVOKED).public_bytes(Encoding.DER)
    for staple, cause in (
        (body, "ok" if status is ocsp.OCSPCertStatus.GOOD else "tls.revoked"),
        (forged, "ok"),
    ):
        facts = shown(leaf(BOOTSTRAP).chain, staple=staple, http_status=403)
        report = judged(healthy().when(TlsHandshake, facts, server_name=BOOTSTRAP), plan=QUIET)
        found = rows(report, BOOTSTRAP, "tls")
        assert {v.cause.word for v in found} == {cause}
        told = "".join({dict(v.details)["stapled OCSP answer"] for v in found})
        assert ("another certificate" in told) is (staple is forged)


def test_every_responder_that_a_chain_names_is_asked_once() -> None:
    """A sign-in host's leaf, and the certificates of the CAs above, name responders that no service row names."""
    other = pki.authority("Other Issuing", PUBLIC_ROOT)
    access = x509.AccessDescription(Aia.OCSP, x509.UniformResourceIdentifier("http://ocsp.other.example"))
    made = other.leaf([SIGN_IN], extensions=[x509.AuthorityInformationAccess([access])])
    zone = {**ZONE, "ocsp.other.example": ("203.0.113.77",)}

    def says(status: ocsp.OCSPCertStatus) -> Report:
        said = page(200, other.ocsp(made, status).public_bytes(Encoding.DER))
        world = healthy(zone=zone).when(TlsHandshake, shown(made.chain), server_name=SIGN_IN)
        return judged(world.when(HttpFetch, said, host="ocsp.other.example"), plan=QUIET)

    good, bad = says(ocsp.OCSPCertStatus.GOOD), says(ocsp.OCSPCertStatus.REVOKED)
    asked = [
        s for s in good.observations if isinstance(s.step, HttpFetch) and s.step.host == "ocsp.other.example"
    ]
    assert len(asked) == 1
    assert {v.cause.word for v in rows(good, SIGN_IN, "tls")} == {"ok"}
    assert {v.cause.word for v in rows(bad, SIGN_IN, "tls")} == {"tls.revoked"}
    assert {v.cause.word for v in rows(bad, "ocsp.other.example", "ocsp")} == {"ocsp.revoked"}


def test_a_host_of_which_nothing_can_be_proved_says_so() -> None:
    report = judged(healthy(), rules_of(OCSP_RULE), QUIET)
    (found,) = rows(report, OCSP_HOST, "http")
    assert found.status is Status.PASS
    assert "no document of it is known to verify" in found.summary
    assert "known to verify" not in rows(judged(healthy(), plan=QUIET), OCSP_HOST, "http")[0].summary


# --- hosts -------------------------------------------------------------------------------------------------------


def test_a_source_on_no_rule_is_a_hole_in_the_allow_list_and_a_notice() -> None:
    report = judged(healthy(), rules_of(BOOTSTRAP_RULE), QUIET)
    holes = rows(report, cause="audit.not-on-list")
    assert {v.endpoint.host for v in holes if v.endpoint} == {CRL_HOST, OCSP_HOST}
    assert {v.status for v in holes} == {Status.NOTICE}
    assert report.exit_code == 0


def test_sources_of_a_certificate_that_is_not_genuine_are_not_fetched() -> None:
    report = judged(healthy().when(TlsHandshake, by(CORPORATE)), rules_of(BOOTSTRAP_RULE), QUIET)
    assert [s for s in report.observations if isinstance(s.step, HttpFetch)] == []


def test_a_source_at_a_private_address_is_not_fetched_and_said() -> None:
    zone = {BOOTSTRAP: ZONE[BOOTSTRAP], OCSP_HOST: ZONE[OCSP_HOST], CRL_HOST: ("10.0.0.9",)}
    report = judged(healthy(zone=zone), rules_of(BOOTSTRAP_RULE), QUIET)
    found = [v for v in rows(report, CRL_HOST, "crl") if v.cause.word == "crl.unreachable"]
    assert [v.status for v in found] == [Status.NOTICE]
    assert not [s for s in report.observations if isinstance(s.step, HttpFetch) and s.step.host == CRL_HOST]


def test_what_was_not_fetched_before_the_end_is_open() -> None:
    report = judged(healthy(), plan=QUIET, lost=lambda step: isinstance(step, HttpFetch))
    assert {v.status for v in rows(report, check="crl")} == {Status.INCONCLUSIVE}


def test_aia_is_fetched_only_from_hosts_that_a_rule_or_the_ca_set_names() -> None:
    alone = shown(leaf(BOOTSTRAP).chain[:1])
    for cas, fetched in ((CAS, True), (replace(CAS, pki_hosts=()), False)):
        world = healthy().when(TlsHandshake, alone, server_name=BOOTSTRAP)
        report = judged(world, rules_of(BOOTSTRAP_RULE, cas=cas), QUIET)
        aia = [s for s in report.observations if isinstance(s.step, HttpFetch) and s.step.purpose == "aia"]
        assert bool(aia) is fetched
        assert rows(report, BOOTSTRAP, "tls")[0].cause.word == ("ok" if fetched else "tls.incomplete-chain")
