"""Names of which some addresses are closed while others get through."""

from __future__ import annotations

from tests.lab import plan as plans
from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, Want
from tests.lab.scenarios.names import BOOTSTRAP, LOGIN, REGISTRATION

NEVER = ("tls.*", "dns.*", "path.*")


def _one_of_three_prohibited(plan: Plan) -> None:
    plan.forward = [plans.prohibit(to=plan.world.hosts[REGISTRATION].v4[1:2])]


def _one_range(plan: Plan) -> None:
    """Both names have an address in a range that a rule closes."""
    plan.world.hosts[BOOTSTRAP].v4[0], plan.world.hosts[REGISTRATION].v4[0] = "40.84.200.1", "40.84.201.1"
    plan.forward = [plans.drop(to=["40.84.200.0/23"])]


def _ipv6_of_sign_in(plan: Plan) -> None:
    plan.forward = [plans.drop(to=plan.world.hosts[LOGIN].v6)]


SCENARIOS = (
    Scenario(
        "one-of-three-prohibited",
        "a firewall says of one of registration's three addresses that it is prohibited",
        "degraded",
        1,
        _one_of_three_prohibited,
        (Want("tcp.unreachable", (REGISTRATION,), "warn", only=True),),
        never=NEVER,
    ),
    Scenario(
        "one-range-dropped",
        "one address range is dropped, in which two names have one of their addresses each",
        "degraded",
        1,
        _one_range,
        (Want("tcp.timeout", (BOOTSTRAP, REGISTRATION), "warn", only=True),),
        never=NEVER,
    ),
    Scenario(
        "ipv6-of-sign-in-dropped",
        "the IPv6 addresses of one sign-in name are dropped, its IPv4 addresses pass",
        "yes",
        1,
        _ipv6_of_sign_in,
        (Want("tcp.timeout", (LOGIN,), "warn", only=True),),
        never=NEVER,
    ),
)
