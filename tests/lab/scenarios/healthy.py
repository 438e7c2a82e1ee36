"""Networks on which a connector lives, however odd they look: no false alarm may be raised."""

from __future__ import annotations

from tests.lab import pki
from tests.lab.plan import Plan, Resolver
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, CDN, RELAY, SERVICE_BUS


def _healthy(_plan: Plan) -> None:
    """Nothing is spoilt."""


def _no_ipv6(plan: Plan) -> None:
    plan.ipv6 = "absent"


def _dns64(plan: Plan) -> None:
    plan.dns64, plan.ipv4, plan.resolvers = True, "absent", [Resolver("2a02:810:53::53")]


def _edns_dropped(plan: Plan) -> None:
    plan.resolvers = [Resolver(behaviour={"rules": [{"edns": True, "do": "silent"}]})]


def _junk(plan: Plan) -> None:
    plan.resolvers = [
        Resolver(behaviour={"rules": [{"under": ".msappproxy.net", "transport": "udp", "do": "junk"}]})
    ]


def _retired_gone(plan: Plan) -> None:
    plan.world.remove("crl.microsoft.com", "ocsp.msocsp.com", "policykeyservice.dc.ad.msft.net")


def _private_genuine(plan: Plan) -> None:
    for number, host in enumerate(plan.world.matching(".servicebus.windows.net")):
        host.v4 = [f"10.20.0.{number + 1}"]


def _new_issuing_ca(plan: Plan) -> None:
    plan.world.hosts[BOOTSTRAP].issuer = pki.OCSP98


def _new_public_ca(plan: Plan) -> None:
    plan.world.hosts[CDN].issuer = pki.X2_ISSUING


def _incomplete_chain(plan: Plan) -> None:
    for host in plan.world.matching(".servicebus.windows.net"):
        host.cert = "no-chain"


def _large_hello(plan: Plan) -> None:
    plan.forward = ["iifname inside tcp dport 443 meta length > 1000 drop"]


def _signin_tls13(plan: Plan) -> None:
    for name in ("login.windows.net", "login.microsoftonline.com"):
        plan.world.hosts[name].tls = "tls13-only"


def _ttl_zero(plan: Plan) -> None:
    plan.world.hosts[RELAY].ttl = 0


NO_ALARM = ("tls.intercepted", "tls.untrusted", "tls.issuer-unexpected", "tcp.*", "local.*", "path.*")

SCENARIOS = (
    Scenario("healthy", "a network that lets everything through", "yes", 0, _healthy, never=NO_ALARM),
    Scenario("no-ipv6", "a host with IPv4 only", "yes", 0, _no_ipv6, never=NO_ALARM),
    Scenario("dns64", "a host with IPv6 only, behind DNS64 and NAT64", "yes", 0, _dns64, never=NO_ALARM),
    Scenario(
        "edns-dropped", "a middlebox drops questions with EDNS", "yes", 0, _edns_dropped, never=NO_ALARM
    ),
    Scenario("junk-datagrams", "junk arrives before the answers", "yes", 0, _junk, never=NO_ALARM),
    Scenario(
        "retired-rows-gone",
        "names that Microsoft retired no longer resolve",
        "yes",
        0,
        _retired_gone,
        never=NO_ALARM,
    ),
    Scenario(
        "private-genuine",
        "the relay is reached at private addresses and shows its own key",
        "yes",
        0,
        _private_genuine,
        (Want("dns.private-address", (SERVICE_BUS,), "notice"),),
        never=NO_ALARM,
    ),
    Scenario(
        "new-issuing-ca",
        "an issuing CA that no list knows yet, under the expected root",
        "yes",
        0,
        _new_issuing_ca,
        (Want("tls.new-issuing-ca", (BOOTSTRAP,), "notice", only=True),),
        never=NO_ALARM,
    ),
    Scenario(
        "new-public-ca-on-cdn", "a CDN name under another public CA", "yes", 0, _new_public_ca, never=NO_ALARM
    ),
    Scenario(
        "chain-completed-by-aia",
        "the relay omits its intermediates; they are found at their AIA addresses",
        "yes",
        0,
        _incomplete_chain,
        never=NO_ALARM,
    ),
    Scenario(
        "large-hello-dropped",
        "large ClientHellos vanish, a connector's small one gets through",
        "yes",
        0,
        _large_hello,
        (Want("tls.large-hello-blocked", (), "notice"),),
        never=("tls.timeout", "tls.reset", "tls.intercepted"),
    ),
    Scenario(
        "sign-in-tls13-only",
        "sign-in hosts that speak TLS 1.3 only",
        "yes",
        0,
        _signin_tls13,
        (Want("tls.version", ("login.windows.net", "login.microsoftonline.com"), "notice", only=True),),
        never=NO_ALARM,
    ),
    Scenario("ttl-zero", "a relay name with a TTL of zero", "yes", 0, _ttl_zero, never=NO_ALARM),
)
