"""A real Alertmanager with the shipped configuration: what is held back, by what, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.alertmanager import Alertmanager, Labels, alertmanager, firing, named
from tests.dashboards.fleet import CRL, SERVICE, SIGN_IN

C1 = {"connector": "c1", "connector_group": "g", "site": "Vienna", "region": "eu"}
C2 = {"connector": "c2", "connector_group": "g", "site": "Vienna", "region": "eu"}
C3 = {"connector": "c3", "connector_group": "g", "site": "Graz", "region": "eu"}
NOWHERE = {"connector": "c4", "connector_group": "g"}
NAME = {"target": SERVICE, "port": "443", "rule_group": "service"}
LOGIN = {"target": SIGN_IN, "port": "443", "rule_group": "sign-in"}
C5 = {"connector": "c5", "connector_group": "g", "site": "Vienna", "region": "eu"}
GROUP = firing("WayclearGroupRedundancyLost", connector_group="another")
OWN_GROUP = firing("WayclearGroupRedundancyLost", connector_group="g")

#: What it is about, alerts that are held back, alerts that are not.
SITUATIONS: dict[str, tuple[list[Labels], list[Labels]]] = {
    "a fault of the host over all of that host": (
        [
            firing("WayclearConnectorDown", **C1),
            firing("WayclearServiceIntercepted", **C1, **NAME),
            firing("WayclearServiceNameDown", **C1, **NAME),
            firing("WayclearAnswerNotProven", **C1),
            firing("WayclearServiceAddressesFailing", **C1),
            firing("WayclearSignInDown", **C1, **LOGIN),
            firing("WayclearCrlUnreachable", **C1, target=CRL),
            firing("WayclearCrlExpiring", **C1, target=CRL),
        ],
        [
            firing("WayclearHostFault", **C1),
            firing("WayclearProberStale", **C1),
            firing("WayclearConnectorSilent", connector="c1"),
            GROUP,
        ],
    ),
    "a fault of a host over no other host, and over nothing of the fleet": (
        [],
        [
            firing("WayclearHostFault", **C1),
            firing("WayclearConnectorDown", **C2),
            firing("WayclearSignInDown", **C3, **LOGIN),
            firing("WayclearSiteDown", site="Graz"),
            firing("WayclearLeafExpiring", **NAME),
            firing("WayclearRuleSetOld", ruleset="entra", kind="rules"),
            GROUP,
        ],
    ),
    "two connectors of a site over each of them": (
        [firing("WayclearConnectorDown", **C1), firing("WayclearConnectorDown", **C2)],
        [firing("WayclearSiteDown", site="Vienna"), GROUP],
    ),
    "a site over no other site, over none without a site, over no other ticket": (
        [],
        [
            firing("WayclearSiteDown", site="Vienna"),
            firing("WayclearConnectorDown", **C3),
            firing("WayclearConnectorDown", **NOWHERE),
            firing("WayclearHostFault", **C2),
            firing("WayclearSignInDown", **C5, **LOGIN),
            firing("WayclearServiceIntercepted", **C1, **NAME),
            GROUP,
        ],
    ),
    "a service name that fails from three sites over the connectors that are down with it": (
        [
            *(firing("WayclearConnectorDown", **who) for who in (C1, C2, C3)),
            firing("WayclearServiceAddressesFailing", **C1),
        ],
        [
            *(firing("WayclearConnectorSharesFailure", **who, **NAME) for who in (C1, C2, C3)),
            firing("WayclearLikelyMicrosoft", **NAME),
            GROUP,
        ],
    ),
    "a connector that is down for another reason is told": (
        [firing("WayclearConnectorDown", **C1)],
        [
            firing("WayclearConnectorSharesFailure", **C1, **NAME),
            firing("WayclearLikelyMicrosoft", **NAME),
            firing("WayclearConnectorDown", **C2),
            firing("WayclearServiceIntercepted", **C1, **NAME),
            firing("WayclearSiteDown", site="Graz"),
        ],
    ),
    "the same target from three sites over each connector's ticket about it": (
        [
            firing("WayclearSignInDown", **C1, **LOGIN),
            firing("WayclearSignInDown", **C3, **LOGIN),
        ],
        [
            firing("WayclearLikelyMicrosoft", **LOGIN),
            firing("WayclearCrlUnreachable", **C1, target=CRL),
            firing("WayclearConnectorDown", **C2),
            firing("WayclearServiceIntercepted", **C1, **NAME),
            GROUP,
        ],
    ),
    "a CRL that three sites cannot fetch": (
        [
            firing("WayclearCrlUnreachable", **C1, target=CRL),
            firing("WayclearCrlUnreachable", **C3, target=CRL),
        ],
        [
            firing("WayclearLikelyMicrosoft", target=CRL, port="80", rule_group="cert-validation"),
            firing("WayclearSignInDown", **C1, **LOGIN),
            firing("WayclearCrlUnreachable", **C2, target="off-list"),
        ],
    ),
    "a group that is paged over what its page names, and over no other group and no other ticket": (
        [
            firing("WayclearConnectorDown", **C1),
            firing("WayclearServiceIntercepted", **C2, **NAME),
            firing("WayclearHostFault", **C3),
            firing("WayclearConnectorSilent", **NOWHERE),
            firing("WayclearProberStale", **C5),
        ],
        [
            OWN_GROUP,
            firing("WayclearConnectorDown", connector="c9", connector_group="another"),
            firing("WayclearSignInDown", **C5, **LOGIN),
            firing("WayclearAnswerNotProven", **C5),
            firing("WayclearServiceNameDown", **C5, **NAME),
            firing("WayclearLikelyMicrosoft", **LOGIN | {"target": "other.example"}),
            firing("WayclearSiteDown", site="Linz"),
        ],
    ),
    "a group that is paged over the name that fails at it from three sites": (
        [firing("WayclearLikelyMicrosoft", **NAME)],
        [
            OWN_GROUP,
            firing("WayclearGroupTellsOfName", **NAME),
            firing(
                "WayclearServiceNameDown",
                **C5,
                target="other.servicebus.windows.net",
                port="443",
                rule_group="service",
            ),
        ],
    ),
    "a connector that does not work over its names, and over no other connector's": (
        [
            firing("WayclearServiceNameDown", **C1, **NAME),
            firing("WayclearServiceAddressesFailing", **C1),
            firing("WayclearSignInDown", **C1, **LOGIN),
            firing("WayclearCrlUnreachable", **C1, target=CRL),
        ],
        [
            firing("WayclearConnectorDown", **C1),
            firing("WayclearAnswerNotProven", **C1),
            firing("WayclearCrlExpiring", **C1, target=CRL),
            firing("WayclearServiceNameDown", **C2, **NAME),
            firing("WayclearSignInDown", **C3, **LOGIN),
        ],
    ),
    "an interception over the names that fail with it": (
        [
            firing("WayclearServiceNameDown", **C1, **NAME),
            firing("WayclearServiceAddressesFailing", **C1),
            firing("WayclearSignInDown", **C1, **LOGIN),
        ],
        [
            firing("WayclearServiceIntercepted", **C1, **NAME),
            firing("WayclearCrlUnreachable", **C1, target=CRL),
            firing("WayclearSignInDown", **C2, **LOGIN),
        ],
    ),
    "a service name that is down over the share of addresses": (
        [firing("WayclearServiceAddressesFailing", **C1)],
        [firing("WayclearServiceNameDown", **C1, **NAME), firing("WayclearServiceAddressesFailing", **C2)],
    ),
    "a service name that fails from three sites over each connector's ticket about it": (
        [firing("WayclearServiceNameDown", **C1, **NAME), firing("WayclearServiceNameDown", **C3, **NAME)],
        [firing("WayclearLikelyMicrosoft", **NAME), firing("WayclearSignInDown", **C2, **LOGIN)],
    ),
    "nothing over nothing": (
        [],
        [
            firing("WayclearConnectorDown", **C1),
            firing("WayclearConnectorDown", **C2),
            firing("WayclearSignInDown", **C5, **LOGIN),
            GROUP,
        ],
    ),
}


# Told last, in every situation: once its ticket is held back, every source before it has taken effect.
CANARY = [firing(f"Wayclear{name}", connector="canary") for name in ("ConnectorDown", "HostFault")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager")) as started:
        yield started


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_held_back_and_what_is_not(name: str, running: Alertmanager) -> None:
    held, told = SITUATIONS[name]
    words = [named(labels) for labels in (*held, *told)]
    assert len(set(words)) == len(words), "two alerts of one name would hide each other"
    wanted = {named(x): True for x in (*held, CANARY[0])} | {named(x): False for x in (*told, CANARY[1])}
    running.tell([*held, *told, *CANARY])
    try:
        running.settles_at(wanted)
    finally:
        running.tell([*held, *told, *CANARY], resolved=True)
    running.settles_at({})


def test_a_page_goes_to_the_pager_a_ticket_to_the_queue_a_reminder_to_its_list_and_a_source_to_nobody(
    running: Alertmanager,
) -> None:
    shared = firing("WayclearConnectorSharesFailure", **C1, **NAME)
    old = firing("WayclearRuleSetOld", ruleset="entra", kind="rules", site="s")
    told = [GROUP, firing("WayclearConnectorDown", **C3), shared, old]
    running.tell(told)
    try:
        running.settles_at({named(labels): False for labels in told})
        assert running.receivers() == {
            named(GROUP): ["page"],
            "ConnectorDown c3": ["ticket"],
            "ConnectorSharesFailure c1": ["nobody"],
            "RuleSetOld s": ["reminder"],
        }
    finally:
        running.tell(told, resolved=True)
