"""The picture of a judgement: every check's two answers, sources, and what exporters make of every scenario."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.metrics.exposition import from_state
from exporters.page.page import render
from rules.judge.report import make_report
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.ruleset import Rules
from rules.model.verdict import Plan, Status
from rules.pki.revocation import expires
from rules.watch.ledger import entries
from rules.watch.state import CheckName, SourceState, State, TargetState
from tests import pki
from tests.exporters.html_reader import read
from tests.lab.live import sampled
from tests.rules import goldens
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    CRL_RULE,
    CRL_URL,
    CUT,
    HOST,
    ISSUING,
    NO_ANSWER,
    NOBODY,
    OCSP_HOST,
    PLAN,
    PUBLIC,
    RELAYS,
    RESOLVERS,
    ROOT,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    SILENCE,
    START,
    UNAUTHORIZED,
    ZONE,
    World,
    by,
    crl,
    healthy,
    leaf,
    page,
    rules_of,
    run,
    shown,
    without,
)

LOCAL = Failure(Stage.LOCAL, Code.STARVED)
TWO = "203.0.113.43"


def of(world: World, rules: Rules = RULES, plan: Plan = PLAN) -> State:
    audit = run(world, rules, plan)
    return goldens.pictured(audit, make_report(audit, START, START + 60, "0"))


def target(state: State, host: str = BOOTSTRAP) -> TargetState:
    (found,) = [t for t in state.targets if t.host == host]
    return found


def source(state: State, kind: str = "crl") -> SourceState:
    (found,) = [s for s in state.sources if s.kind == kind]
    return found


# --- checks ----------------------------------------------------------------------------------------------------------------


def checked(world: World, host: str, name: CheckName) -> tuple[bool, bool, str]:
    (found,) = [c for c in target(of(world), host).checks if c.check == name]
    return found.success, found.measured, found.cause


#: What happens, then (success, measured, cause) of one check of one target.
CHECKS: dict[str, tuple[World, str, CheckName, tuple[bool, bool, str]]] = {
    "pass": (healthy(), BOOTSTRAP, "tls", (True, True, "ok")),
    "pass by name": (healthy(), BOOTSTRAP, "dns", (True, True, "ok")),
    "pass of a list": (healthy(), CRL_HOST, "crl", (True, True, "ok")),
    "pass over port 80": (healthy(), OCSP_HOST, "http", (True, True, "ok")),
    "fail": (healthy().when(TlsHandshake, SILENCE), BOOTSTRAP, "tls", (False, True, "tcp.timeout")),
    "fail at one of two": (
        healthy().when(TlsHandshake, SILENCE, address=ZONE[BOOTSTRAP][0]), BOOTSTRAP, "tls", (True, True, "tcp.timeout"),
    ),
    "cut": (healthy().when(TlsHandshake, CUT), BOOTSTRAP, "tls", (False, True, "tls.reset")),
    "another public CA": (healthy().when(TlsHandshake, by(PUBLIC)), BOOTSTRAP, "tls", (True, True, "tls.issuer-unexpected")),
    "intercepted at one of two": (
        healthy().when(TlsHandshake, by(CORPORATE), address=ZONE[BOOTSTRAP][0]), BOOTSTRAP, "tls", (False, True, "tls.intercepted"),
    ),
    "nothing measured": (healthy().when(TlsHandshake, LOCAL), BOOTSTRAP, "tls", (False, False, "local.starved")),
    "nothing resolved": (without(BOOTSTRAP), BOOTSTRAP, "dns", (False, True, "dns.nxdomain")),
    "nothing to connect to": (without(BOOTSTRAP), BOOTSTRAP, "tls", (False, False, "audit.not-reached")),
    "no list to connect to": (without(CRL_HOST), CRL_HOST, "crl", (False, False, "audit.not-reached")),
    "no list": (healthy().when(HttpFetch, BLOCKED), CRL_HOST, "crl", (False, True, "crl.not-a-crl")),
    "no resolver": (healthy().when((DnsQuestion, OsLookup), NO_ANSWER), BOOTSTRAP, "dns", (False, False, "local.no-resolver")),
    "no route": (healthy(facts=replace(HOST, route_v4=False)), BOOTSTRAP, "dns", (False, False, "local.no-route")),
    "our own bug": (healthy().when(TlsHandshake, Failure(Stage.LOCAL, Code.BUG)), BOOTSTRAP, "tls", (False, False, "audit.bug")),
    "a web page": (healthy().when(HttpFetch, BLOCKED, host=OCSP_HOST), OCSP_HOST, "http", (False, True, "http.block-page")),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKS)
def test_success_and_measured(case: str) -> None:
    world, host, name, expected = CHECKS[case]
    assert checked(world, host, name) == expected


def test_the_heaviest_cause_and_where_it_was_met() -> None:
    resolved = of(without(SIGN_IN).when(TlsHandshake, SILENCE, server_name=BOOTSTRAP))
    by_host = {t.host: (t.status, t.cause, t.check) for t in resolved.targets}
    assert by_host[SIGN_IN] == (Status.FAIL, "dns.nxdomain", "dns")
    assert by_host[BOOTSTRAP] == (Status.FAIL, "tcp.timeout", "tls")
    assert by_host[CRL_HOST] == (Status.PASS, "ok", "dns")


def test_addresses_that_nobody_has_been_to_weigh_nothing_beside_one_that_passes() -> None:
    """One address in rotation, others each time."""
    memory = goldens.of_world(healthy())
    memory.drop([s for s in memory.known if isinstance(s, TlsHandshake) and s.address == ZONE[BOOTSTRAP][1]])
    audit = goldens.scripted(memory)
    state = goldens.pictured(audit, make_report(audit, START, START, "0"))
    assert (target(state).status, target(state).cause) == (Status.PASS, "ok")
    assert target(state).checks[1].success


def test_a_target_that_was_never_asked_for() -> None:
    audit = run(healthy(), lost=lambda step: isinstance(step, DnsQuestion | OsLookup))
    state = goldens.pictured(audit, make_report(audit, START, START, "0"))
    assert {t.status for t in state.targets} == {Status.INCONCLUSIVE}
    assert not any(c.measured for t in state.targets for c in t.checks)


# --- what is told of names and certificates ---------------------------------------------------------------------------------


def test_a_chain_as_it_was_followed() -> None:
    names = ("a.azure.test", "b.azure.test")
    world = healthy(
        aliases={BOOTSTRAP: names[0], names[0]: names[1]}, zone={**ZONE, names[1]: ZONE[BOOTSTRAP]}
    )
    state = target(of(world))
    assert state.chain == names
    assert state.ttl == 60.0
    assert target(of(healthy())).chain == ()
    assert target(of(without(BOOTSTRAP))).ttl is None


def test_resolvers_that_agree_and_that_do_not() -> None:
    other = DnsAnswer("NXDOMAIN")
    assert target(of(healthy())).resolvers_agree is True
    differs = healthy().when(DnsQuestion, other, resolver=RESOLVERS[1], name=BOOTSTRAP)
    assert target(of(differs)).resolvers_agree is False
    dead = healthy().when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[1]).when(OsLookup, LOCAL)
    assert target(of(dead)).resolvers_agree is None


@pytest.mark.parametrize(
    ("world", "issuer", "kind", "root"),
    [
        (healthy(), "Microsoft TLS Issuing CA 01", "expected", "DigiCert Global Root G2"),
        (healthy().when(TlsHandshake, by(PUBLIC)), "Example Public Issuing", "public", "Example Public Root"),
        (healthy().when(TlsHandshake, by(CORPORATE)), "Contoso Inspection CA", "intercepted", ""),
        (healthy().when(TlsHandshake, SILENCE), "", "", ""),
    ],
)
def test_who_issued(world: World, issuer: str, kind: str, root: str) -> None:
    state = target(of(world))
    assert (state.issuer, state.issuer_class) == (issuer, kind)
    assert state.root == root or kind == "intercepted"


def test_issuers_that_differ_by_address() -> None:
    world = healthy().when(TlsHandshake, by(PUBLIC), address=ZONE[BOOTSTRAP][0])
    state = target(of(world))
    assert state.issuer_class == "mixed"
    assert set(state.issuer.split(", ")) == {"Microsoft TLS Issuing CA 01", "Example Public Issuing"}
    assert set(state.root.split(", ")) == {"DigiCert Global Root G2", "Example Public Root"}


def test_one_stranger_is_untrusted_and_no_interceptor() -> None:
    world = healthy().when(TlsHandshake, by(NOBODY), server_name=RELAYS[0])
    assert target(of(world, plan=replace(PLAN, control_name="")), RELAYS[0]).issuer_class == "untrusted"


def test_another_servers_certificate_is_no_interceptors_although_this_host_trusts_its_root() -> None:
    chain = (*CORPORATE.leaf(["block.contoso.example"]).chain, pki.der(CORPORATE.certificate))
    world = healthy(system=(*healthy().system, pki.der(CORPORATE.certificate)))
    assert target(of(world.when(TlsHandshake, shown(chain)))).issuer_class == "untrusted"


def test_the_earliest_expiry_and_the_lowest_version() -> None:
    first, _second = ZONE[BOOTSTRAP]
    soon = leaf(BOOTSTRAP, ISSUING, 2)
    world = healthy().when(
        TlsHandshake, shown(soon.chain, version="TLSv1.3"), address=first, server_name=BOOTSTRAP
    )
    state = target(of(world))
    assert state.expiry == soon.certificate.not_valid_after_utc.timestamp()
    assert state.tls_version == "TLSv1.2"
    assert target(of(world), CRL_HOST).expiry is None


# --- sources ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (healthy(), (True, True, True, "ok")),
        (healthy().when(HttpFetch, SILENCE), (False, False, True, "crl.unreachable")),
        (healthy().when(HttpFetch, BLOCKED), (True, False, True, "crl.not-a-crl")),
        (healthy().when(HttpFetch, crl(age=30)), (True, False, True, "crl.stale")),
        (healthy().when(HttpFetch, LOCAL), (False, False, False, "local.starved")),
    ],
)
def test_a_list_that_certificates_name(world: World, expected: tuple[bool, bool, bool, str]) -> None:
    found = source(of(world))
    assert (found.reachable, found.valid, found.measured, found.cause) == expected
    assert (found.target, found.url) == (CRL_HOST, CRL_URL)
    assert found.endpoints == tuple(sorted(f"{host}:443" for host in (BOOTSTRAP, *RELAYS)))


def test_the_next_update_of_a_list() -> None:
    assert source(of(healthy())).next_update == expires(crl())
    assert source(of(healthy().when(HttpFetch, SILENCE))).next_update is None


def test_an_answer_of_a_responder() -> None:
    assert source(of(healthy()), "ocsp").valid
    refused = source(of(healthy().when(HttpFetch, page(200, UNAUTHORIZED), host=OCSP_HOST)), "ocsp")
    assert (refused.reachable, refused.cause) == (True, "ocsp.unauthorized")


LISTS = rules_of(CRL_RULE, SIGN_IN_RULE)
ROOT_LIST = crl(ROOT)  # of a root that the stores hold: no chain names this list
SECOND = healthy(zone={**ZONE, CRL_HOST: (*ZONE[CRL_HOST], TWO)}).when(HttpFetch, ROOT_LIST)


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (healthy().when(HttpFetch, ROOT_LIST), (True, True, True, "ok")),
        (healthy(), (False, False, False, "crl.unverified")),
        (healthy().when(HttpFetch, SILENCE), (False, False, True, "tcp.timeout")),
        (healthy().when(HttpFetch, BLOCKED), (True, False, True, "crl.not-a-crl")),
        (without(CRL_HOST), (False, False, True, "dns.nxdomain")),
        (SECOND, (True, True, True, "ok")),
        (
            replace(SECOND, script=[*SECOND.script]).when(HttpFetch, SILENCE, address=TWO),
            (True, True, True, "ok"),
        ),
    ],
)
def test_a_list_that_only_a_rule_names(world: World, expected: tuple[bool, bool, bool, str]) -> None:
    """It is told in every case: a source that vanishes with its network would alert nobody."""
    found = source(of(world, LISTS))
    assert (found.reachable, found.valid, found.measured, found.cause) == expected
    assert (found.target, found.url, found.endpoints) == (CRL_HOST, CRL_URL, ())
    assert (found.next_update is not None) == (found.valid or found.cause == "crl.unverified")


def test_a_source_that_no_rule_holds_has_a_bounded_label() -> None:
    rules = rules_of(*[r for r in RULES.rules if r is not CRL_RULE])
    assert source(of(healthy(), rules)).target == "off-list"


# --- every scenario ----------------------------------------------------------------------------------------------------------


@sampled(goldens.NAMES)
def test_exporters_tell_every_scenario(name: str) -> None:
    state = goldens.state(name)
    families = {f.name: f for f in text_string_to_metric_families(from_state(state))}
    live = families["wayclear_connector_can_live"].samples[0]
    assert live.value == (state.answer.value in ("yes", "degraded"))
    assert live.labels["connector"] == "connector01"
    assert len(families["wayclear_check_success"].samples) == 2 * len(
        {(t.rule, t.name) for t in state.targets}
    )
    page = render(state, state.now)
    assert page.startswith("<!DOCTYPE html>")
    assert all(t.host in page for t in state.targets)
    found = entries(state)
    assert len({(e.endpoint, e.kind, e.value) for e in found}) == len(found)
    assert {e.endpoint for e in found if e.kind == "issuer"} <= {t.name for t in state.targets}


@pytest.mark.parametrize("name", goldens.NAMES[::10])
def test_the_page_of_a_scenario_is_sound(name: str) -> None:
    document = read(render(goldens.state(name), START))
    assert document.one("main").one("h1").text


def test_the_root_of_the_script_is_what_the_picture_calls_it() -> None:
    assert ROOT.certificate.subject.rfc4514_string() == "CN=DigiCert Global Root G2"
