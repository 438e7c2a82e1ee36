"""Resolvers that fail, lie or differ."""

from __future__ import annotations

from typing import Any

from tests.lab import pki
from tests.lab.plan import SECOND_RESOLVER, Plan, Resolver
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import APP_PROXY, BOOTSTRAP, LOGIN, REGISTRATION, RELAY, SERVICE_BUS
from tests.lab.world import Host

PORTAL = "13.107.250.80"


def hostile(plan: Plan, *rules: dict[str, Any]) -> None:
    """A resolver that spoils what these rules name."""
    plan.resolvers = [Resolver(behaviour={"rules": list(rules)})]


def _unbound(plan: Plan, *lines: str) -> None:
    plan.resolvers = [Resolver(lines=list(lines))]


def _resolver_dead(plan: Plan) -> None:
    plan.resolvers = [Resolver(dead=True)]


def _knows_nothing(plan: Plan) -> None:
    _unbound(plan, 'local-zone: "." static')


def _one_of_two_dead(plan: Plan) -> None:
    plan.resolvers = [Resolver(), Resolver(SECOND_RESOLVER, dead=True)]
    plan.resolv_conf = [plan.resolvers[0].address]


def _refused(plan: Plan) -> None:
    _unbound(plan, 'local-zone: "msappproxy.net" refuse')


def _servfail(plan: Plan) -> None:
    hostile(plan, {"under": ".servicebus.windows.net", "do": "rcode", "rcode": "SERVFAIL"})


def _sinkholed(plan: Plan) -> None:
    _unbound(plan, 'local-zone: "msappproxy.net" redirect', 'local-data: "msappproxy.net A 0.0.0.0"')


def _synthetic(plan: Plan) -> None:
    _unbound(
        plan,
        'local-zone: "servicebus.windows.net" redirect',
        'local-data: "servicebus.windows.net A 100.64.7.9"',
    )


def _private_dead_end(plan: Plan) -> None:
    _unbound(
        plan,
        'local-zone: "servicebus.windows.net" redirect',
        'local-data: "servicebus.windows.net A 10.99.1.1"',
    )


def _split_horizon(plan: Plan) -> None:
    _unbound(plan, 'local-zone: "servicebus.windows.net" static')


def _resolvers_disagree(plan: Plan) -> None:
    hidden = Resolver(SECOND_RESOLVER, lines=['local-zone: "servicebus.windows.net" static'])
    plan.resolvers = [Resolver(), hidden]
    plan.resolv_conf = [plan.resolvers[0].address]


def _second_refuses(plan: Plan) -> None:
    refuses = {"rules": [{"do": "rcode", "rcode": "REFUSED"}]}
    plan.resolvers = [Resolver(), Resolver(SECOND_RESOLVER, behaviour=refuses)]


def _second_knows_nothing(plan: Plan) -> None:
    plan.resolvers = [Resolver(), Resolver(SECOND_RESOLVER, lines=['local-zone: "." static'])]


def _portal(plan: Plan) -> None:
    plan.world.hosts["portal.hotel.example"] = Host(
        "portal.hotel.example", v4=[PORTAL], ports=[80, 443], issuer=pki.X1_ISSUING, port80="redirect"
    )


def _wildcard_everything(plan: Plan) -> None:
    _portal(plan)
    hostile(plan, {"do": "address", "addresses": [PORTAL]})


def _invented_names_exist(plan: Plan) -> None:
    _portal(plan)
    known = [h.name for h in plan.world.hosts.values()] + [
        n for h in plan.world.hosts.values() for n in h.via
    ]
    hostile(
        plan,
        *({"under": f"={name}", "do": "honest"} for name in known),
        {"do": "address", "addresses": [PORTAL]},
    )


def _loop(plan: Plan) -> None:
    loop = {"do": "loop", "zone": "traffic.contoso.example"}
    hostile(plan, {"under": BOOTSTRAP, **loop}, {"under": ".traffic.contoso.example", **loop})


def _endless(plan: Plan) -> None:
    chain = {"do": "long-chain", "zone": "hops.contoso.example", "links": 24}
    hostile(plan, {"under": BOOTSTRAP, **chain}, {"under": ".hops.contoso.example", **chain})


def _broken_link(plan: Plan) -> None:
    via = plan.world.hosts[BOOTSTRAP].via
    hostile(
        plan,
        {"under": via[0], "do": "rcode", "rcode": "NXDOMAIN"},
        {"under": BOOTSTRAP, "do": "cut", "links": 1},
    )


def _refused_link(plan: Plan) -> None:
    """The chain's last zone is blocked at the resolver's upstream; the whole name fails there."""
    plan.world.hostile_zones = ["trafficmanager.net"]
    plan.world.hostile_rules = [{"do": "rcode", "rcode": "REFUSED"}]


def _tcp_blocked(plan: Plan) -> None:
    hostile(plan, {"under": ".msappproxy.net", "transport": "udp", "do": "truncate"})
    plan.inbound = ["iifname inside tcp dport 53 drop"]


def _truncated(plan: Plan) -> None:
    hostile(plan, {"transport": "udp", "do": "truncate"})


def _silent_zone(plan: Plan) -> None:
    hostile(plan, {"under": ".servicebus.windows.net", "do": "silent"})


def _late_zone(plan: Plan) -> None:
    hostile(plan, {"under": ".servicebus.windows.net", "do": "late", "seconds": 20.0})


def _malformed(plan: Plan) -> None:
    hostile(plan, {"under": BOOTSTRAP, "do": "malformed"})


def _nodata(plan: Plan) -> None:
    plan.world.hosts[REGISTRATION].v4 = []
    plan.world.records.append(f"{plan.world.hosts[REGISTRATION].via[-1]}. TXT lab")


def _no(name: str, title: str, spoil: Any, *wants: Want, also: tuple[str, ...] = (), **more: Any) -> Scenario:
    return Scenario(name, title, "no", 2, spoil, wants, also=also, never=("tls.intercepted", "tcp.*"), **more)


NOTHING_ELSE = ("tcp.*", "tls.*", "http.*")

SCENARIOS = (
    Scenario(
        "resolver-dead",
        "the only resolver answers nothing",
        "not-proven",
        3,
        _resolver_dead,
        (Want("local.no-resolver"),),
        never=NOTHING_ELSE,
        seconds=15,
    ),
    Scenario(
        "resolver-knows-no-public-name",
        "a resolver that answers and knows no public name",
        "not-proven",
        3,
        _knows_nothing,
        (Want("local.no-resolver"),),
        never=NOTHING_ELSE,
        seconds=15,
    ),
    Scenario(
        "one-of-two-resolvers-dead",
        "the second resolver never answers",
        "yes",
        1,
        _one_of_two_dead,
        (Want("dns.timeout", (SECOND_RESOLVER,), "warn", only=True),),
    ),
    Scenario(
        "second-resolver-refuses-everything",
        "the second resolver answers and refuses every name",
        "yes",
        1,
        _second_refuses,
        (Want("dns.refused", (SECOND_RESOLVER,), "warn", only=True),),
        never=("dns.resolvers-disagree", *NOTHING_ELSE),
    ),
    Scenario(
        "second-resolver-knows-no-public-name",
        "the second resolver answers and knows no public name",
        "yes",
        1,
        _second_knows_nothing,
        (Want("dns.nxdomain", (SECOND_RESOLVER,), "warn", only=True),),
        never=("dns.resolvers-disagree", *NOTHING_ELSE),
    ),
    _no(
        "zone-refused",
        "the resolver refuses the service's zone",
        _refused,
        Want("dns.refused", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.refused", (APP_PROXY,), only=True),
    ),
    _no(
        "zone-servfail",
        "the relay's zone fails",
        _servfail,
        Want("dns.servfail", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "sinkholed",
        "a DNS filter answers 0.0.0.0",
        _sinkholed,
        Want("dns.sinkholed", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.sinkholed", (APP_PROXY,), only=True),
    ),
    Scenario(
        "synthetic-answers",
        "an agent answers with 100.64.0.0/10 and nothing is behind it",
        "no",
        2,
        _synthetic,
        (Want("dns.synthetic", (RELAY,), "fail"), Want("dns.synthetic", (SERVICE_BUS,), only=True)),
        also=("tcp.timeout",),
        never=("tls.intercepted",),
    ),
    Scenario(
        "split-horizon-private",
        "an internal zone gives the relay a private address where nothing is",
        "no",
        2,
        _private_dead_end,
        (
            Want("dns.private-address", (RELAY,), "fail"),
            Want("dns.private-address", (SERVICE_BUS,), only=True),
        ),
        also=("tcp.timeout",),
        never=("tls.intercepted",),
    ),
    Scenario(
        "split-horizon-empty",
        "an internal zone of the relay's name hides all of it",
        "not-proven",
        3,
        _split_horizon,
        (Want("dns.nxdomain", (SERVICE_BUS,), only=True),),
        never=("tls.intercepted", "tcp.*"),
    ),
    Scenario(
        "resolvers-disagree",
        "one of two resolvers hides the relay's zone",
        "yes",
        1,
        _resolvers_disagree,
        (
            Want("dns.resolvers-disagree", (RELAY,), "warn"),
            Want("dns.resolvers-disagree", (SERVICE_BUS,), only=True),
        ),
        never=("tls.intercepted", "tcp.*", "dns.nxdomain"),
    ),
    Scenario(
        "wildcard-everything",
        "a captive portal's resolver gives one address for every name",
        "no",
        2,
        _wildcard_everything,
        (Want("dns.wildcarded", (BOOTSTRAP, RELAY, LOGIN)),),
        also=("tls.name-mismatch", "tls.issuer-unexpected", "http.redirected", "http.block-page"),
        never=("tls.intercepted",),
    ),
    Scenario(
        "invented-names-exist",
        "a resolver that gives names which nobody has a search page",
        "yes",
        1,
        _invented_names_exist,
        (Want("dns.wildcarded", ("10.0.0.53",), "warn", only=True),),
        never=("tls.*", "tcp.*"),
    ),
    _no(
        "cname-loop",
        "bootstrap leads in a circle",
        _loop,
        Want("dns.chain-loop", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "endless-chain",
        "a chain of 24 names",
        _endless,
        Want("dns.chain-too-long", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "chain-broken-later",
        "the second name of bootstrap's chain does not exist",
        _broken_link,
        Want("dns.chain-broken", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "last-zone-refused",
        "the zone at the end of the service's chains refuses the resolver",
        _refused_link,
        Want("dns.chain-broken", (BOOTSTRAP, REGISTRATION), "fail"),
    ),
    _no(
        "tcp53-blocked",
        "truncated answers, and TCP port 53 is closed",
        _tcp_blocked,
        Want("dns.tcp-blocked", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.tcp-blocked", (APP_PROXY,), only=True),
    ),
    Scenario(
        "truncated",
        "every answer must be fetched over TCP",
        "yes",
        0,
        _truncated,
        never=("dns.*", *NOTHING_ELSE),
    ),
    _no(
        "zone-never-answered",
        "no question about the relay is answered",
        _silent_zone,
        Want("dns.timeout", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "zone-answered-late",
        "answers about the relay come after 20 s",
        _late_zone,
        Want("dns.timeout", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "malformed-answer",
        "garbage for bootstrap",
        _malformed,
        Want("dns.malformed", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "name-without-address",
        "registration exists and has no address",
        _nodata,
        Want("dns.no-address", (REGISTRATION,), "fail", only=True),
    ),
)
