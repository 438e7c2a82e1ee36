"""This host as it is asked and told: where the resolvers, the tenant and the account of an audit come from."""

from __future__ import annotations

from dataclasses import replace

from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.local_host import HostFacts, LocalHost, ProxySetting
from rules.model.kinds.tls_handshake import TlsHandshake
from tests.rules.script import HOST, PLAN, QUIET, RELAYS, RESOLVERS, healthy, judged, run


def test_one_question_whatever_the_audit() -> None:
    assert LocalHost() == LocalHost(attempt=1)
    assert sum(isinstance(step, LocalHost) for step in run(healthy()).seen) == 1


def test_what_the_platform_does_not_tell_is_optional() -> None:
    bare = HostFacts("h", "u", "o", (), (), (), (), True, False)
    assert (bare.proxies, bare.tenant, bare.descriptors) == ((), None, None)


def test_this_host_s_resolvers_are_asked_unless_others_are_given() -> None:
    def resolvers(plan_resolvers: tuple[str, ...]) -> set[str]:
        seen = run(healthy(), plan=replace(QUIET, resolvers=plan_resolvers)).seen
        return {step.resolver for step in seen if isinstance(step, DnsQuestion)}

    assert resolvers(()) == set(RESOLVERS)
    assert resolvers(("192.0.2.53",)) == {"192.0.2.53"}


def test_its_own_addresses_are_never_connected_to() -> None:
    mine = replace(HOST, addresses=("203.0.113.11",))
    seen = run(healthy(facts=mine)).seen
    assert not [s for s in seen if isinstance(s, TlsHandshake) and s.server_name == RELAYS[0]]


def test_a_proxy_is_shown_and_never_used_unasked() -> None:
    proxy = ProxySetting("WinHTTP", "http://proxy.corp.example:8080")
    report = judged(healthy(facts=replace(HOST, proxies=(proxy,))), plan=PLAN)
    assert report.vantage.proxies == (proxy,)
    assert report.exit_code == 0, "the direct way works"
