"""Which revocation sources of a chain are fetched."""

from __future__ import annotations

from cryptography import x509

from rules.audit.documents import DocumentRequest, Revocations
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.pki.revocation import ocsp_request
from rules.pki.trust import ChainJudgement, ChainVerdict
from tests import pki
from tests.rules.script import (
    AIA_URL,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CAS,
    CRL_HOST,
    CRL_URL,
    ISSUING,
    OCSP_HOST,
    RELAYS,
    RULES,
    leaf,
    rules_of,
)

CHAIN = leaf(BOOTSTRAP).chain
STEP = TlsHandshake("203.0.113.1", 443, BOOTSTRAP)


def wanted(
    mine: Revocations, verdict: ChainVerdict = "genuine", *, strict: bool = True, ocsp: bool = True
) -> tuple[DocumentRequest, ...]:
    return mine.wanted(CHAIN, ChainJudgement(verdict, path=CHAIN), STEP, strict, ocsp)


def test_lists_first_then_the_responder_by_post_and_by_get() -> None:
    found = wanted(Revocations(RULES))
    assert [(w.purpose, w.host, w.body is not None) for w in found] == [
        ("crl", CRL_HOST, False), ("ocsp", OCSP_HOST, True), ("ocsp", OCSP_HOST, False)
    ]  # fmt: skip
    assert found[1].body == ocsp_request(CHAIN[0], CHAIN[1])


def test_the_responder_is_asked_for_few_leaves_only() -> None:
    assert [w.purpose for w in wanted(Revocations(RULES), ocsp=False)] == ["crl"]


def test_where_only_expected_keys_will_do_another_ca_s_sources_are_noted_and_not_fetched() -> None:
    mine = Revocations(RULES)
    assert wanted(mine, "issuer-unexpected") == ()
    assert mine.named_by[CRL_URL] == {BOOTSTRAP}
    assert wanted(Revocations(RULES), "issuer-unexpected", strict=False) != ()


def test_the_names_behind_a_source_are_collected() -> None:
    mine = Revocations(RULES)
    wanted(mine)
    other = leaf(RELAYS[0]).chain
    mine.wanted(
        other,
        ChainJudgement("genuine", path=other),
        TlsHandshake("203.0.113.11", 443, RELAYS[0]),
        True,
        False,
    )
    assert mine.named_by[CRL_URL] == {BOOTSTRAP, RELAYS[0]}
    assert mine.crls[CRL_URL] == {CHAIN, other}


def test_a_certificate_without_sources_wants_nothing() -> None:
    bare = pki.authority("Bare").leaf([BOOTSTRAP]).chain
    assert Revocations(RULES).wanted(bare, ChainJudgement("genuine", path=bare), STEP, True, True) == ()


def test_addresses_that_no_plain_fetch_reaches_are_left_alone() -> None:
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier(u) for u in ("ldap:///CN=x", "http://10.0.0.1/x.crl", "https://a.example/x")],
        None, None, None,
    )  # fmt: skip
    odd = ISSUING.leaf([BOOTSTRAP], extensions=[x509.CRLDistributionPoints([point])]).chain
    assert Revocations(RULES).wanted(odd, ChainJudgement("genuine", path=odd), STEP, True, True) == ()


def test_an_address_out_of_a_certificate_that_is_not_judged_yet_needs_a_known_host() -> None:
    aia = DocumentRequest(AIA_URL, "aia")
    assert Revocations(RULES).may_fetch(aia), "a rule names the host"
    assert Revocations(rules_of(BOOTSTRAP_RULE)).may_fetch(aia), "the CA set names it"
    assert not Revocations(rules_of(BOOTSTRAP_RULE)).may_fetch(
        DocumentRequest("http://evil.example/x", "aia")
    )
    assert not Revocations(RULES).may_fetch(DocumentRequest("file:///etc/passwd", "aia"))
    assert CAS.pki_hosts == (CRL_HOST,)


def test_a_host_is_on_a_rule_by_its_name_and_port_80() -> None:
    mine = Revocations(RULES)
    assert mine.on_rule(CRL_HOST)
    assert not mine.on_rule(BOOTSTRAP), "that rule is for port 443"
