"""What verdicts weigh together: proxies by scheme, zones that are hidden, sets that are asked in part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.local_host import ProxySetting
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Report, Status
from tests.rules import goldens
from tests.rules.goldens import CONNECTING, NAMING
from tests.rules.script import (
    BOOTSTRAP,
    CRL_HOST,
    HOST,
    PLAN,
    RELAYS,
    SIGN_IN,
    SILENCE,
    healthy,
    judged,
    only,
    rows,
)


@pytest.mark.parametrize(
    ("name", "secure", "plain"),
    [
        ("HTTPS_PROXY", "proxy.not-tested", "crl.unreachable"),
        ("http_proxy", "tcp.timeout", "proxy.not-tested"),
        ("ALL_PROXY", "proxy.not-tested", "proxy.not-tested"),
    ],
)
def test_a_proxy_counts_for_the_scheme_that_it_is_set_for(name: str, secure: str, plain: str) -> None:
    world = healthy()
    world.facts = replace(HOST, proxies=(ProxySetting(f"environment {name}", "http://proxy:8080"),))
    world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP).when(HttpFetch, SILENCE, host=CRL_HOST)
    report = judged(world)
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tcp") if v.status is not Status.PASS} == {secure}
    seen = {v.cause.word for v in report.verdicts if v.endpoint and v.endpoint.host == CRL_HOST}
    assert plain in seen or (plain == "crl.unreachable" and "tcp.timeout" in seen)


def test_what_fails_on_the_direct_way_is_told_beside_the_proxy() -> None:
    world = healthy()
    world.facts = replace(HOST, proxies=(ProxySetting("WinHTTP", "http://proxy:8080"),))
    report = judged(world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP))
    blocked = next(v for v in rows(report, BOOTSTRAP, "tcp") if v.cause.word == "proxy.not-tested")
    assert dict(blocked.details)["on the direct way"].startswith("tcp.timeout: ")


def test_a_part_of_the_list_proves_a_block_and_never_a_network() -> None:
    part = replace(PLAN, only="*.servicebus.windows.net")
    report = judged(healthy(), plan=part)
    assert report.answer is Answer.NOT_PROVEN
    assert part.only in report.answer_text
    silent = judged(healthy().when(TlsHandshake, SILENCE), plan=part)
    assert silent.answer is Answer.NO


def test_a_host_without_descriptors_accuses_no_resolver() -> None:
    report = judged(healthy().when(DnsQuestion, Failure(Stage.LOCAL, Code.NO_DESCRIPTORS)))
    assert not [v for v in report.verdicts if v.cause.word.startswith("dns.") and v.status is Status.FAIL]
    all_gone = judged(healthy().when((DnsQuestion, OsLookup), Failure(Stage.LOCAL, Code.NO_DESCRIPTORS)))
    assert all_gone.answer is Answer.NOT_PROVEN


def test_one_unknown_name_does_not_make_a_resolver_ignorant() -> None:
    world = healthy()
    world.zone = {name: addresses for name, addresses in world.zone.items() if name != BOOTSTRAP}
    report = judged(world, plan=replace(PLAN, only="*.bootstrap.msappproxy.net"))
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "dns")} == {"dns.nxdomain"}


def test_a_hidden_zone_says_nothing_against_the_tenant_id() -> None:
    world = healthy()
    world.zone = {
        SIGN_IN: world.zone[SIGN_IN],
        CRL_HOST: world.zone[CRL_HOST],
        **{r: world.zone[r] for r in RELAYS},
    }
    assert "tenant" in only(judged(world), BOOTSTRAP, "dns").remedy


def test_samples_without_an_address_are_not_called_unknown_names() -> None:
    world = healthy()
    for relay in RELAYS:
        world.when(DnsQuestion, DnsAnswer("NOERROR", (), negative=True), name=relay)
        world.when(OsLookup, OsAnswer((), "EAI_NODATA"), name=relay)
    causes = {v.cause.word for relay in RELAYS for v in rows(judged(world), relay, "dns")}
    assert causes == {"dns.no-address"}


# --- "the resolver is down" and "the path is down" are two findings ----------------------------------------------------------


def no_resolver(report: Report) -> bool:
    return [v.cause.word for v in report.verdicts if v.check == "host"] == ["local.no-resolver"]


def silent_path(report: Report) -> bool:
    return {v.cause.word for v in rows(report, BOOTSTRAP, "tcp")} == {"tcp.timeout"}


def test_the_resolver_is_down() -> None:
    report = goldens.told(goldens.began(SILENCE, *NAMING))
    assert no_resolver(report)
    assert not silent_path(report)
    assert {v.status for v in rows(report, BOOTSTRAP, "tls")} == {Status.PASS}
    assert {(v.status, v.cause.word) for v in rows(report, BOOTSTRAP, "dns")} == {
        (Status.INCONCLUSIVE, "local.no-resolver")
    }
    assert not [v for v in report.verdicts if v.status is Status.FAIL], "nothing that a firewall should open"
    assert report.answer is Answer.NOT_PROVEN


def test_the_path_is_down() -> None:
    report = goldens.told(goldens.began(SILENCE, *CONNECTING))
    assert silent_path(report)
    assert not no_resolver(report)
    assert {v.status for v in rows(report, check="dns", host=BOOTSTRAP)} == {Status.PASS}
    assert report.answer is Answer.NO


def test_both_are_down() -> None:
    report = goldens.told(goldens.began(SILENCE, *NAMING, *CONNECTING))
    assert no_resolver(report)
    assert silent_path(report)
    assert {"local.no-resolver", "tcp.timeout"} <= {group.cause.word for group in report.causes}
    assert report.answer is Answer.NO
