"""Chains of which one link fails, and resolvers that say what ails their answers."""

from __future__ import annotations

from typing import Any

from tests.lab.plan import SECOND_RESOLVER, UPSTREAM, Plan, Resolver
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import APP_PROXY, BOOTSTRAP, LOGIN, REGISTRATION, RELAY, SERVICE_BUS
from tests.lab.scenarios.resolution import PORTAL, hostile

LAST_ZONE = "appproxy.trafficmanager.net"
PRIVATE_ZONE = "privatelink.servicebus.windows.net"


def _link_refused(plan: Plan) -> None:
    """A filter refuses the last link, and the whole name because of it, without saying which link it was."""
    hostile(
        plan,
        {"under": f".{LAST_ZONE}", "do": "rcode", "rcode": "REFUSED"},
        {"under": BOOTSTRAP, "types": ["A", "AAAA"], "do": "rcode", "rcode": "REFUSED"},
        {"under": REGISTRATION, "types": ["A", "AAAA"], "do": "rcode", "rcode": "REFUSED"},
    )


def _link_hidden(plan: Plan) -> None:
    """A filter that looks into chains answers NXDOMAIN for the whole name."""
    gone = {"do": "rcode", "rcode": "NXDOMAIN"}
    hostile(
        plan,
        {"under": plan.world.hosts[BOOTSTRAP].via[-1], **gone},
        {"under": BOOTSTRAP, "types": ["A", "AAAA"], **gone},
    )


def _link_silent(plan: Plan) -> None:
    """The servers of the last zone say nothing, and the resolver waits for them longer than anybody waits for it."""
    plan.world.hostile_zones = [LAST_ZONE]
    plan.world.hostile_rules = [{"do": "silent"}]


def _loop_behind_resolver(plan: Plan) -> None:
    host = plan.world.hosts[BOOTSTRAP]
    host.via, host.v4, host.v6 = [f"{n}.traffic.contoso.example" for n in "aba"], [], []


def _long_behind_resolver(plan: Plan) -> None:
    host = plan.world.hosts[BOOTSTRAP]
    host.via = [f"hop{n}.traffic.contoso.example" for n in range(14)]


def _blocked(plan: Plan, under: str, rcode: str = "NXDOMAIN", code: int = 15) -> None:
    rule: dict[str, Any] = {"do": "rcode", "rcode": rcode, "ede": [[code, "by the policy of this network"]]}
    hostile(plan, {"under": under, **rule})


def _relay_blocked(plan: Plan) -> None:
    _blocked(plan, ".servicebus.windows.net")


def _relay_filtered_without_data(plan: Plan) -> None:
    _blocked(plan, ".servicebus.windows.net", "NOERROR", 17)


def _all_blocked(plan: Plan) -> None:
    _blocked(plan, "")


def _host_not_served(plan: Plan) -> None:
    _blocked(plan, "", "REFUSED", 18)


def _forged(plan: Plan) -> None:
    forged = {"do": "address", "addresses": [PORTAL], "ede": [[4, ""]]}
    hostile(plan, {"under": ".servicebus.windows.net", **forged})


def _annotated(plan: Plan) -> None:
    hostile(plan, {"do": "annotate", "ede": [[3, "served from a cache"], [22, ""], [49_152, "of our own"]]})


def _private_zone(plan: Plan) -> None:
    lacks = {"do": "rcode", "rcode": "NXDOMAIN", "zone": PRIVATE_ZONE}
    hostile(plan, {"under": ".servicebus.windows.net", **lacks})


def _private_zone_without_address(plan: Plan) -> None:
    lacks = {"do": "rcode", "rcode": "NOERROR", "zone": PRIVATE_ZONE}
    hostile(plan, {"under": ".servicebus.windows.net", **lacks})


def _no_question(plan: Plan) -> None:
    hostile(plan, {"do": "no-question"})


def _no_question_for_one_zone(plan: Plan) -> None:
    hostile(plan, {"under": ".msappproxy.net", "do": "no-question"})


def _from_elsewhere(plan: Plan) -> None:
    plan.resolvers = [Resolver(behaviour={"rules": [], "answer_from": UPSTREAM})]


def _first_dead(plan: Plan) -> None:
    plan.resolvers = [Resolver(SECOND_RESOLVER, dead=True), Resolver()]


def _no(name: str, title: str, spoil: Any, *wants: Want, also: tuple[str, ...] = (), **more: Any) -> Scenario:
    return Scenario(name, title, "no", 2, spoil, wants, also=also, never=("tls.intercepted", "tcp.*"), **more)


SCENARIOS = (
    _no(
        "link-refused",
        "a filter refuses the last link of the service's chains",
        _link_refused,
        Want("dns.chain-broken", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.chain-broken", (APP_PROXY,), only=True),
    ),
    _no(
        "link-hidden",
        "a filter hides bootstrap because of the last link of its chain",
        _link_hidden,
        Want("dns.chain-broken", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "link-silent",
        "the servers of the last zone of the service's chains are silent",
        _link_silent,
        Want("dns.chain-broken", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.chain-broken", (APP_PROXY,), only=True),
        seconds=60,
    ),
    _no(
        "cname-loop-behind-resolver",
        "bootstrap leads in a circle, and the resolver says SERVFAIL",
        _loop_behind_resolver,
        Want("dns.chain-loop", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "long-chain-behind-resolver",
        "a chain of 14 names, at which the resolver gives up",
        _long_behind_resolver,
        Want("dns.chain-too-long", (BOOTSTRAP,), "fail", only=True),
    ),
    _no(
        "relay-blocked-by-word",
        "the resolver says that it blocks the relay (extended error 15)",
        _relay_blocked,
        Want("dns.sinkholed", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "relay-filtered-by-word",
        "the relay has no address, and the resolver says that it filters (extended error 17)",
        _relay_filtered_without_data,
        Want("dns.sinkholed", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "all-blocked-by-word",
        "the resolver says of every name that it blocks it",
        _all_blocked,
        Want("dns.sinkholed", (BOOTSTRAP, RELAY, LOGIN), "fail"),
    ),
    _no(
        "host-not-served",
        "the resolver refuses every name and says that it does not serve this host (extended error 18)",
        _host_not_served,
        Want("dns.refused", (BOOTSTRAP, RELAY, LOGIN), "fail"),
    ),
    _no(
        "forged-by-word",
        "the resolver gives its own address for the relay and says so (extended error 4)",
        _forged,
        Want("dns.sinkholed", (SERVICE_BUS,), "fail", only=True),
    ),
    Scenario(
        "answers-with-remarks",
        "extended errors that are no fault stand on every answer",
        "yes",
        0,
        _annotated,
        never=("dns.*", "tcp.*", "tls.*", "http.*"),
    ),
    _no(
        "private-zone-without-record",
        "a private zone for the relay is linked and lacks its names",
        _private_zone,
        Want("dns.chain-broken", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "private-zone-without-address",
        "a private zone for the relay has its names without an address",
        _private_zone_without_address,
        Want("dns.no-address", (SERVICE_BUS,), "fail", only=True),
    ),
    _no(
        "no-question",
        "the forwarder repeats no question in its answers",
        _no_question,
        Want("dns.malformed", (BOOTSTRAP, RELAY, LOGIN), "fail"),
    ),
    _no(
        "no-question-for-one-zone",
        "answers about the service's zone repeat no question",
        _no_question_for_one_zone,
        Want("dns.malformed", (BOOTSTRAP, REGISTRATION), "fail"),
        Want("dns.malformed", (APP_PROXY,), only=True),
    ),
    _no(
        "answered-from-elsewhere",
        "the resolver answers from another of its addresses",
        _from_elsewhere,
        Want("dns.wrong-source", (BOOTSTRAP, RELAY, LOGIN), "fail"),
    ),
    Scenario(
        "first-resolver-dead",
        "the first of two resolvers never answers",
        "yes",
        1,
        _first_dead,
        (Want("dns.timeout", (SECOND_RESOLVER,), "warn", only=True),),
    ),
)
