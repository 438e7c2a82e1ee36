"""Revocation sources of the certificates that were served: reachable, valid and revoked, kept apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.x509 import ocsp

from rules.failure import Code, Failure, Stage
from rules.kinds.http_fetch import HttpFetch
from rules.kinds.tls_handshake import TlsHandshake
from rules.observation import Step
from rules.verdict import Report, Status, Verdict
from tests import pki
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
    QUIET,
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
    return verdict.cause, verdict.status


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
    assert {v.cause for v in rows(report, BOOTSTRAP, "tls")} == {"tls.revoked"}
    others = {v.cause for v in rows(report, check="tls") if v.endpoint and v.endpoint.host != BOOTSTRAP}
    assert others == {"ok"}


def test_a_forged_list_revokes_nothing() -> None:
    report = listed(crl(IMPOSTOR, (SERIAL,)))
    assert {v.cause for v in rows(report, BOOTSTRAP, "tls")} == {"ok"}


def test_each_source_is_judged_once_however_many_certificates_name_it() -> None:
    verdict = source(judged(healthy(), plan=QUIET))
    assert dict(verdict.details)["named by"].count("servicebus") == 3


def test_a_doubtful_list_is_fetched_twice_and_the_good_one_counts() -> None:
    report = judged(
        healthy().when(HttpFetch, SILENCE, host=CRL_HOST, target="/issuing.crl", attempt=1), plan=QUIET
    )
    assert decided(source(report)) == ("ok", Status.PASS)


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
    assert {v.cause for v in rows(report, BOOTSTRAP, "tls")} == {"tls.revoked"}


def test_a_forged_answer_revokes_nothing() -> None:
    only = rules_of(BOOTSTRAP_RULE, CRL_RULE)
    forged = saying(ocsp.OCSPCertStatus.REVOKED, CORPORATE)
    report = judged(healthy().when(HttpFetch, forged, purpose="ocsp"), only, QUIET)
    assert source(report, "ocsp").cause in ("ocsp.bad-signature", "ocsp.not-ocsp")
    assert {v.cause for v in rows(report, BOOTSTRAP, "tls")} == {"ok"}


def test_a_certificate_without_ocsp_is_no_finding() -> None:
    report = judged(healthy().when(TlsHandshake, by(pki.authority("x", ISSUING))), plan=QUIET)
    assert rows(report, check="ocsp") == []


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
    found = [v for v in rows(report, CRL_HOST, "crl") if v.cause == "crl.unreachable"]
    assert [v.status for v in found] == [Status.NOTICE]
    assert not [s for s in report.observations if isinstance(s.step, HttpFetch) and s.step.host == CRL_HOST]


def test_what_was_not_fetched_before_the_end_is_open() -> None:
    report = judged(healthy(), plan=QUIET, lost=lambda step: isinstance(step, HttpFetch))
    assert {v.status for v in rows(report, check="crl")} == {Status.INCONCLUSIVE}


def test_aia_is_fetched_only_from_hosts_that_a_rule_or_the_ca_set_names() -> None:
    from tests.rules.script import shown

    alone = shown(leaf(BOOTSTRAP).chain[:1])
    for cas, fetched in ((CAS, True), (replace(CAS, pki_hosts=()), False)):
        world = healthy().when(TlsHandshake, alone, server_name=BOOTSTRAP)
        report = judged(world, rules_of(BOOTSTRAP_RULE, cas=cas), QUIET)
        aia = [s for s in report.observations if isinstance(s.step, HttpFetch) and s.step.purpose == "aia"]
        assert bool(aia) is fetched
        assert rows(report, BOOTSTRAP, "tls")[0].cause == ("ok" if fetched else "tls.incomplete-chain")
