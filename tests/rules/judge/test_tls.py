"""TLS, one cause per handshake: each line of the page of that name, through a whole audit."""

from __future__ import annotations

from itertools import product

import pytest

from rules.judge.remedies import remedy
from rules.model.failure import UNREAD_FORM, Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.verdict import Answer, Status, Verdict
from tests import pki
from tests.rules.script import (
    BOOTSTRAP,
    CONTROL,
    CORPORATE,
    CRL_HOST,
    CUT,
    ISSUING,
    NOBODY,
    PUBLIC,
    QUIET,
    RELAYS,
    ROOT,
    SIGN_IN,
    Scripted,
    World,
    by,
    crl,
    healthy,
    judged,
    leaf,
    page,
    rows,
    run,
    shown,
    wanting,
)

FORGER = pki.authority(
    "Microsoft TLS Issuing CA 01", kind="rsa"
)  # the name is the expected CA's, the key is not
SYSTEM = (*healthy().system, pki.der(CORPORATE.certificate))
EXPIRED = shown(leaf(BOOTSTRAP, ISSUING, days=-30).chain)
OTHER_NAME = shown(leaf("other.example").chain)


def bootstrap(answer: Scripted, world: World | None = None) -> Verdict:
    """The verdict on the bootstrap name's first address when every handshake with that name is answered so."""
    network = world or healthy()
    return rows(
        judged(network.when(TlsHandshake, answer, server_name=BOOTSTRAP), plan=QUIET), BOOTSTRAP, "tls"
    )[0]


def decided(verdict: Verdict) -> tuple[str, Status]:
    return verdict.cause.word, verdict.status


# --- by signature ------------------------------------------------------------------------------------------------


def test_up_to_an_expected_key_is_genuine() -> None:
    assert decided(bootstrap(shown(leaf(BOOTSTRAP).chain))) == ("ok", Status.PASS)


def test_up_to_a_public_root_is_an_unexpected_issuer_where_the_service_is_strict() -> None:
    assert decided(bootstrap(by(PUBLIC))) == ("tls.issuer-unexpected", Status.WARN)


def test_up_to_a_root_that_only_this_host_trusts_is_intercepted() -> None:
    verdict = bootstrap(by(CORPORATE), healthy(system=SYSTEM))
    assert decided(verdict) == ("tls.intercepted", Status.FAIL)
    assert "Exempt the patterns below" in verdict.remedy


def test_an_expected_name_on_another_key_is_forged() -> None:
    verdict = bootstrap(by(FORGER))
    assert decided(verdict) == ("tls.intercepted", Status.FAIL)
    assert "without that CA's key" in verdict.summary


def test_a_root_in_the_system_store_does_not_excuse_a_forgery() -> None:
    trusted = (*healthy().system, pki.der(FORGER.certificate))
    assert bootstrap(by(FORGER), healthy(system=trusted)).cause.word == "tls.intercepted"


def test_an_issuer_that_is_nowhere_is_inconclusive_and_never_green() -> None:
    alone = shown(leaf(BOOTSTRAP).chain[:1])
    nowhere = healthy().when(HttpFetch, page(404), target="/issuing.crt")
    assert decided(bootstrap(alone, nowhere)) == ("tls.incomplete-chain", Status.INCONCLUSIVE)


def test_an_issuer_that_was_not_served_is_fetched_as_windows_does() -> None:
    verdict = bootstrap(shown(leaf(BOOTSTRAP).chain[:1]))
    assert decided(verdict) == ("ok", Status.PASS)
    assert ("note", "an issuer was not served and was fetched from its AIA address") in verdict.details


def test_a_lone_self_signed_certificate() -> None:
    own = pki.authority(BOOTSTRAP)
    assert decided(bootstrap(shown((pki.der(own.certificate),)))) == ("tls.self-signed", Status.FAIL)


def test_a_chain_to_an_unknown_root_at_one_name_is_untrusted() -> None:
    assert decided(bootstrap(by(NOBODY))) == ("tls.untrusted", Status.FAIL)


def test_a_chain_to_an_unknown_root_at_unrelated_names_is_interception() -> None:
    world = healthy().when(TlsHandshake, by(NOBODY), server_name=SIGN_IN)
    verdict = bootstrap(by(NOBODY), world)
    assert decided(verdict) == ("tls.intercepted", Status.FAIL)
    assert "unrelated names" in verdict.summary


def test_an_unknown_root_that_calls_itself_microsoft_is_interception() -> None:
    assert bootstrap(by(pki.authority("Microsoft Azure Edge 7"))).cause.word == "tls.intercepted"


def test_a_new_issuing_ca_under_an_expected_root_is_a_notice() -> None:
    new = pki.authority("Microsoft TLS Issuing CA 98", ROOT)
    assert decided(bootstrap(by(new))) == ("tls.new-issuing-ca", Status.NOTICE)


# --- precedence --------------------------------------------------------------------------------------------------


def test_expired() -> None:
    assert decided(bootstrap(EXPIRED)) == ("tls.expired", Status.FAIL)


def test_name_mismatch() -> None:
    assert decided(bootstrap(OTHER_NAME)) == ("tls.name-mismatch", Status.FAIL)


def test_revoked_weighs_more_than_expired() -> None:
    gone = leaf(BOOTSTRAP, ISSUING, days=-30).certificate.serial_number
    world = healthy().when(HttpFetch, crl(ISSUING, (gone,)), host=CRL_HOST, target="/issuing.crl")
    assert decided(bootstrap(EXPIRED, world)) == ("tls.revoked", Status.FAIL)


def test_interception_weighs_more_than_expiry() -> None:
    stale = CORPORATE.leaf([BOOTSTRAP], starts=-pki._DAY * 300, ends=-pki._DAY * 30)
    chain = (*stale.chain, pki.der(CORPORATE.certificate))
    assert bootstrap(shown(chain), healthy(system=SYSTEM)).cause.word == "tls.intercepted"


def test_a_certificate_for_another_name_is_no_interception_although_this_host_trusts_its_root() -> None:
    page = CORPORATE.leaf(["block.contoso.example"])
    verdict = bootstrap(shown((*page.chain, pki.der(CORPORATE.certificate))), healthy(system=SYSTEM))
    assert decided(verdict) == ("tls.name-mismatch", Status.FAIL)
    assert "Contoso Inspection CA" in verdict.summary
    assert "block.contoso.example" in verdict.summary
    assert "intercept" not in verdict.summary + verdict.remedy


def test_expiry_weighs_more_than_a_wrong_name_and_that_more_than_an_unexpected_issuer() -> None:
    assert bootstrap(shown(leaf("other.example", ISSUING, days=-30).chain)).cause.word == "tls.expired"
    assert bootstrap(shown(leaf("other.example", PUBLIC).chain)).cause.word == "tls.name-mismatch"


# --- attempts ----------------------------------------------------------------------------------------------------


def test_a_failure_that_was_better_the_second_time_is_a_notice() -> None:
    world = healthy().when(TlsHandshake, CUT, server_name=BOOTSTRAP, attempt=1)
    report = judged(world, plan=QUIET)
    assert {decided(v) for v in rows(report, BOOTSTRAP, "tls")} == {("ok", Status.NOTICE)}
    assert report.answer is Answer.YES


def test_interception_of_one_handshake_in_two_stays_interception() -> None:
    world = healthy(system=SYSTEM).when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP, attempt=1)
    verdict = rows(judged(world, plan=QUIET), BOOTSTRAP, "tls")[0]
    assert decided(verdict) == ("tls.intercepted", Status.FAIL)
    assert "was genuine" in verdict.summary


def test_the_control_name_tells_whether_the_name_or_the_address_is_intercepted() -> None:
    by_name = bootstrap(by(CORPORATE), healthy(system=SYSTEM))
    assert ("by", "name") in by_name.details
    everywhere = healthy(system=SYSTEM).when(TlsHandshake, by(CORPORATE), server_name=CONTROL)
    assert ("by", "address") in bootstrap(by(CORPORATE), everywhere).details


def test_the_product_is_a_label_on_what_the_chain_proved() -> None:
    assert "looks like Contoso Box" in bootstrap(by(CORPORATE), healthy(system=SYSTEM)).summary
    harmless = pki.authority("Contoso Public Issuing", pki.authority("Example Public Root"))
    assert bootstrap(by(harmless)).cause.word == "tls.issuer-unexpected"


# --- handshakes without a certificate ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "cause", "status"),
    [
        (Failure(Stage.TLS, Code.TIMEOUT), "tls.timeout", Status.FAIL),
        (Failure(Stage.TLS, Code.RESET), "tls.reset", Status.FAIL),
        (Failure(Stage.TLS, Code.EOF), "tls.reset", Status.FAIL),
        (Failure(Stage.TLS, Code.ALERT, "unrecognized_name", alert=112), "tls.alert", Status.FAIL),
        (Failure(Stage.TLS, Code.NOT_TLS, "HTTP/1.1 400"), "tls.not-tls", Status.FAIL),
        (Failure(Stage.TLS, Code.MALFORMED, "record of 0 bytes"), "tls.malformed", Status.FAIL),
    ],
)
def test_how_a_handshake_ended(failure: Failure, cause: str, status: Status) -> None:
    verdict = bootstrap(failure)
    assert decided(verdict) == (cause, status)
    assert verdict.remedy
    assert len(verdict.evidence) == 2


SHORT = Failure(Stage.TLS, Code.MALFORMED, "utctime is too short", sign=UNREAD_FORM)


def test_a_certificate_that_only_our_tls_library_refuses_is_no_broken_answer() -> None:
    """OpenSSL 4 reads no time without seconds, and the server's key is not proved then: nothing is told either way."""
    verdict = bootstrap((SHORT, shown(leaf(BOOTSTRAP).chain)))
    assert decided(verdict) == ("tls.unverified", Status.INCONCLUSIVE)
    assert "utctime is too short" in verdict.summary
    assert "--verbose" not in verdict.remedy
    forged = bootstrap((SHORT, shown(leaf(BOOTSTRAP, FORGER).chain)))
    assert decided(forged) == ("tls.intercepted", Status.FAIL)
    assert decided(bootstrap(SHORT)) == ("tls.malformed", Status.FAIL)
    other = Failure(Stage.TLS, Code.MALFORMED, "bad signature")
    assert decided(bootstrap((other, shown(leaf(BOOTSTRAP).chain)))) == ("tls.malformed", Status.FAIL)


@pytest.mark.parametrize("name", [BOOTSTRAP, SIGN_IN])
def test_a_server_with_tls_1_3_only_fails_in_the_service_group_only(name: str) -> None:
    refused = Failure(Stage.TLS, Code.ALERT, "protocol version", alert=70)
    world = healthy().when(TlsHandshake, refused, server_name=name, hello="connector")
    verdict = rows(judged(world, plan=QUIET), name, "tls")[0]
    assert decided(verdict) == ("tls.version", Status.FAIL if name == BOOTSTRAP else Status.NOTICE)


def test_a_chain_that_was_seen_before_an_alert_is_judged() -> None:
    alert = Failure(Stage.TLS, Code.ALERT, "certificate required", alert=116)
    chain = shown(leaf(BOOTSTRAP, CORPORATE).chain)
    assert bootstrap((alert, chain), healthy(system=SYSTEM)).cause.word == "tls.intercepted"


def test_a_genuine_chain_before_a_failure_never_passes() -> None:
    alert = Failure(Stage.TLS, Code.ALERT, "handshake failure", alert=40)
    assert bootstrap((alert, shown(leaf(BOOTSTRAP).chain))).status is Status.FAIL


# --- a server that requires a client certificate -----------------------------------------------------------------

ENDS = {
    **{f"alert {n}": Failure(Stage.TLS, Code.ALERT, alert=n) for n in (40, 42, 46, 48, 49, 70, 80, 112, 116)},
    "close_notify": Failure(Stage.TLS, Code.EOF, alert=0),
    "fin": Failure(Stage.TLS, Code.EOF),
    "rst": CUT,
    "silence": Failure(Stage.TLS, Code.TIMEOUT),
}
ANSWERS = ("alert 40", "alert 42", "alert 46", "alert 49", "alert 116", "close_notify", "fin")
OTHERWISE = {"close_notify": "tls.reset", "fin": "tls.reset", "rst": "tls.reset", "silence": "tls.timeout"}


@pytest.mark.parametrize("newer", [True, False], ids=["1.3 answers", "no 1.3"])
@pytest.mark.parametrize("hello", [None, "TLSv1.2"], ids=["no ServerHello", "ServerHello"])
@pytest.mark.parametrize("end", ENDS)
def test_every_end_of_a_handshake_with_a_genuine_server(end: str, hello: str | None, newer: bool) -> None:
    """The table of version, request, proof of the key, our Certificate and end, to its cause."""
    for asked, proven, sent in product((False, True), repeat=3) if hello else ((False, False, False),):
        chain = leaf(BOOTSTRAP).chain if hello else ()
        facts = shown(
            chain,
            version=hello,
            handshake_s=None,
            client_certificate_asked=asked,
            key_proven=proven,
            certificate_sent=sent,
        )
        world = healthy()
        if not newer:
            world.when(TlsHandshake, Failure(Stage.TLS, Code.ALERT, alert=70), hello="tls13")
        world.when(TlsHandshake, (ENDS[end], facts), server_name=BOOTSTRAP, hello="connector")
        report = judged(world, plan=QUIET)
        verdict = rows(report, BOOTSTRAP, "tls")[0]
        about_version = end == "alert 70" or (hello is None and end in ("alert 40",))
        if asked and proven and sent and end in ANSWERS:
            assert decided(verdict) == ("ok", Status.PASS)
            assert "asks for a client certificate" in verdict.summary
            assert (verdict.remedy, report.answer) == ("", Answer.YES)
        elif newer and about_version:
            assert decided(verdict) == ("tls.version", Status.FAIL)
        else:
            assert decided(verdict) == (OTHERWISE.get(end, "tls.alert"), Status.FAIL)
            assert verdict.remedy


def test_a_request_that_the_rule_set_does_not_expect_is_a_notice() -> None:
    world = healthy().when(TlsHandshake, wanting(leaf(RELAYS[0]).chain), server_name=RELAYS[0])
    report = judged(world, plan=QUIET)
    verdict = rows(report, RELAYS[0], "tls")[0]
    assert decided(verdict) == ("ok", Status.NOTICE)
    assert "asks for a client certificate" in verdict.summary
    assert "does not expect" in verdict.summary
    assert report.answer is Answer.YES


def test_no_second_look_is_taken_at_a_server_that_was_reached() -> None:
    audit = run(
        healthy().when(TlsHandshake, wanting(leaf(BOOTSTRAP).chain), server_name=BOOTSTRAP), plan=QUIET
    )
    asked = [s for s in audit.seen if isinstance(s, TlsHandshake) and s.server_name == BOOTSTRAP]
    assert {(s.attempt, s.hello) for s in asked} == {(1, "connector")}


def test_a_forged_chain_before_an_alert_stays_interception() -> None:
    assert decided(bootstrap(wanting(leaf(BOOTSTRAP, FORGER).chain))) == ("tls.intercepted", Status.FAIL)
    corporate = wanting((*leaf(BOOTSTRAP, CORPORATE).chain, pki.der(CORPORATE.certificate)))
    assert bootstrap(corporate, healthy(system=SYSTEM)).cause.word == "tls.intercepted"


@pytest.mark.parametrize(
    ("chain", "cause"),
    [
        (leaf(BOOTSTRAP, ISSUING, days=-30).chain, "tls.expired"),
        (leaf("other.example").chain, "tls.name-mismatch"),
        (leaf(BOOTSTRAP, PUBLIC).chain, "tls.issuer-unexpected"),
        (leaf(BOOTSTRAP, NOBODY).chain, "tls.untrusted"),
    ],
)
def test_what_is_wrong_with_the_certificate_is_told_although_none_of_ours_was_sent(
    chain: tuple[bytes, ...], cause: str
) -> None:
    assert bootstrap(wanting(chain)).cause.word == cause


@pytest.mark.parametrize("authority", [pki.authority("Microsoft TLS Issuing CA 97", ROOT), PUBLIC])
@pytest.mark.parametrize(("end", "cause"), [("rst", "tls.reset"), ("alert 80", "tls.alert")])
def test_nothing_that_is_well_with_a_chain_excuses_a_handshake_that_failed(
    authority: pki.Authority, end: str, cause: str
) -> None:
    """A new issuing CA is a notice, an unexpected public one a warning: of a server that was reached."""
    answer = by(authority)(TlsHandshake("203.0.113.1", 443, BOOTSTRAP))
    assert isinstance(answer, TlsFacts)
    report = judged(healthy().when(TlsHandshake, (ENDS[end], answer), server_name=BOOTSTRAP), plan=QUIET)
    assert decided(rows(report, BOOTSTRAP, "tls")[0]) == (cause, Status.FAIL)
    assert report.answer is Answer.NO


def test_a_copied_chain_is_told_as_one() -> None:
    facts = shown(leaf(BOOTSTRAP).chain, handshake_s=None, client_certificate_asked=True, key_refuted=True)
    verdict = bootstrap((Failure(Stage.TLS, Code.MALFORMED, "bad signature"), facts))
    assert (*decided(verdict), verdict.circumstance) == ("tls.malformed", Status.FAIL, "key-refuted")
    assert "does not have its key" in verdict.summary


@pytest.mark.parametrize(
    ("facts", "circumstance"),
    [
        ({"version": None}, ""),
        ({"version": "TLSv1.2"}, "certificate-shown"),
        ({"client_certificate_asked": True, "certificate_sent": True}, "key-not-proved"),
        (
            {"client_certificate_asked": True, "certificate_sent": True, "key_proven": True},
            "certificate-asked",
        ),
    ],
)
@pytest.mark.parametrize("end", ["rst", "alert 80"])
def test_what_is_advised_follows_from_how_far_it_came(
    facts: dict[str, object], circumstance: str, end: str
) -> None:
    chain = leaf(BOOTSTRAP).chain if facts.get("version", "") is not None else ()
    world = healthy().when(TlsHandshake, ENDS["alert 70"], hello="tls13")
    verdict = bootstrap((ENDS[end], shown(chain, **facts)), world)
    assert verdict.circumstance == circumstance
    assert verdict.remedy == remedy(verdict.cause, circumstance) != ""


def test_reached_at_the_second_try_only_is_a_notice() -> None:
    world = healthy().when(TlsHandshake, wanting(leaf(BOOTSTRAP).chain), server_name=BOOTSTRAP, attempt=2)
    world.when(TlsHandshake, CUT, server_name=BOOTSTRAP, attempt=1)
    verdict = rows(judged(world, plan=QUIET), BOOTSTRAP, "tls")[0]
    assert decided(verdict) == ("ok", Status.NOTICE)
    assert "second try" in verdict.summary


def test_a_reset_where_tls_1_3_passes_is_a_reset_and_says_so() -> None:
    verdict = rows(
        judged(healthy().when(TlsHandshake, CUT, server_name=BOOTSTRAP, hello="connector"), plan=QUIET),
        BOOTSTRAP,
        "tls",
    )[0]
    assert decided(verdict) == ("tls.reset", Status.FAIL)
    assert ("TLS 1.3", "comes through at this address") in verdict.details


def test_a_verdict_shows_the_flow_for_a_search_in_the_firewall_s_log() -> None:
    assert ("from", "198.51.100.5 port 50123, 198.51.100.5 port 50123") in bootstrap(CUT).details
