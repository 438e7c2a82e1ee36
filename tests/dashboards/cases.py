"""What makes each alert fire, what does not, and what happens when the cause or the thing itself flaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.dashboards.fleet import CRL, DAY, SERVICE, SIGN_IN, Connector, Values, flap, hold
from tests.dashboards.promtool import Firing

Kind: TypeAlias = Literal["fires", "quiet", "cause flaps", "flaps"]
KINDS: tuple[Kind, ...] = ("fires", "quiet", "cause flaps", "flaps")
Spoil: TypeAlias = Callable[[list[Connector], Values], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A fleet, spoiled, and what fires at which minute: labels of each alert, and nothing else."""

    alert: str
    kind: Kind
    connectors: tuple[Connector, ...]
    fires: tuple[tuple[int, tuple[Firing, ...]], ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an alert comes about, from which its cases are made.

    `spoil(fleet, bad)` makes the fleet bad where `bad` gives 0; `at`: minutes at which it must fire; `not_before`: at
    which it may not yet. `where`: labels of each alert that then fires.
    """

    alert: str
    spoil: Spoil
    not_before: int
    at: int
    where: tuple[dict[str, str], ...]
    also: tuple[Firing, ...] = ()
    cause_at: str = SERVICE  # the target whose cause flaps


def fleet(size: int = 3) -> list[Connector]:
    """Healthy connectors of one group at as many sites, so that no group is at stake unless a case wants it."""
    sites = ("Vienna", "Graz", "Linz", "Wels")
    return [Connector(f"c{n + 1}", site=sites[n]) for n in range(size)]


def of(connector: int, **more: str) -> dict[str, str]:
    """Labels of a connector of `fleet()`."""
    site = ("Vienna", "Graz", "Linz", "Wels")[connector - 1]
    place = {"connector": f"c{connector}", "connector_group": "vienna", "site": site, "region": "eu"}
    return place | more


def at_target(target: str) -> dict[str, str]:
    """Labels of a target."""
    groups = {SERVICE: ("443", "service"), SIGN_IN: ("443", "sign-in"), CRL: ("80", "cert-validation")}
    port, group = groups[target]
    return {"target": target, "port": port, "rule_group": group}


def instead(bad: Values, value: float, else_: float) -> Values:
    """`value` in minutes in which `bad` gives 0."""
    return lambda minute: str(value if bad(minute) == "0" else else_)


def _two_die(found: list[Connector], bad: Values) -> None:
    found[0].die(bad)
    found[1].die(bad)


def _intercepted(found: list[Connector], bad: Values) -> None:
    found[0].on(SERVICE, "wayclear_interception_ratio", instead(bad, 2 / 3, 1 / 3))


def _one_dies(found: list[Connector], bad: Values) -> None:
    found[0].die(bad)


def _name(found: list[Connector], bad: Values) -> None:
    found[0].fail(SERVICE, bad)


def _not_proven(found: list[Connector], bad: Values) -> None:
    """It was proven for the first ten minutes."""

    def known(minute: int) -> str:
        return "1" if minute < 10 or bad(minute) != "0" else "0"

    found[0].answers("yes", known, "not-proven")
    found[0].put("wayclear_connector_can_live", known)
    found[0].put("wayclear_connector_not_proven", lambda minute: str(1 - int(known(minute))))


def _addresses(found: list[Connector], bad: Values) -> None:
    for state, some, else_ in (("ok", 5, 6), ("failed", 3, 2)):
        found[0].put(
            "wayclear_addresses", instead(bad, some, else_), rule_group="service", family="ipv4", state=state
        )


def _sign_in(found: list[Connector], bad: Values) -> None:
    found[0].fail(SIGN_IN, bad)


def _crl(found: list[Connector], bad: Values) -> None:
    found[0].put("wayclear_revocation_source_reachable", bad, target=CRL, kind="crl")


def _crl_late(found: list[Connector], bad: Values) -> None:
    found[0].put("wayclear_crl_next_update_timestamp_seconds", instead(bad, DAY, 7 * DAY), target=CRL)


def _stale(found: list[Connector], bad: Values) -> None:
    def ended(minute: int) -> str:
        return str(0.5 if bad(minute) == "0" else minute * 60)

    found[0].put("wayclear_last_cycle_timestamp_seconds", ended, kind="service")


def _silent(found: list[Connector], bad: Values) -> None:
    found[1].inventory("c1", "c2", "c3", "c4")

    fourth = Connector("c4", site="Wels")
    fourth.every(lambda values: lambda minute: values(minute) if bad(minute) != "0" else "stale")
    if bad(0) != "0" or bad(1) != "0":
        found.append(fourth)


def _old(found: list[Connector], bad: Values) -> None:
    found[0].put(
        "wayclear_ruleset_reviewed_timestamp_seconds",
        instead(bad, -180 * DAY, -170 * DAY), ruleset="entra", kind="rules",
    )  # fmt: skip


def _leaf(found: list[Connector], bad: Values) -> None:
    found[0].on(
        SERVICE, "wayclear_tls_earliest_cert_expiry_timestamp_seconds", instead(bad, 3 * DAY, 90 * DAY)
    )


def _host(found: list[Connector], bad: Values) -> None:
    found[0].put("wayclear_connector_host_fault", instead(bad, 1, 0))


def _site(found: list[Connector], bad: Values) -> None:
    found[1].site = "Vienna"
    found[1].series.clear()
    found[1].__post_init__()
    for connector in found:
        connector.put("wayclear_group_min_connectors", hold(1))
    _two_die(found, bad)


def _everywhere(found: list[Connector], bad: Values) -> None:
    for connector in found[:3]:
        connector.fail(SIGN_IN, bad)


def _together(found: list[Connector], bad: Values) -> None:
    for connector in found[:3]:
        connector.die(bad)


_VIENNA = {"connector_group": "vienna"}


def _tells_of(target: str) -> Firing:
    return ("WayclearGroupTellsOfName", at_target(target))


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "WayclearGroupRedundancyLost", _two_die, 4, 6, (_VIENNA,),
        (_tells_of(SERVICE),),
    ),
    Recipe("WayclearServiceIntercepted", _intercepted, 9, 12, (of(1, **at_target(SERVICE)),)),
    Recipe("WayclearConnectorDown", _one_dies, 6, 9, (of(1),)),
    Recipe("WayclearServiceNameDown", _name, 14, 17, (of(1, **at_target(SERVICE)),)),
    Recipe("WayclearAnswerNotProven", _not_proven, 24, 27, (of(1),)),
    Recipe("WayclearServiceAddressesFailing", _addresses, 29, 32, (of(1),)),
    Recipe("WayclearSignInDown", _sign_in, 59, 67, (of(1, **at_target(SIGN_IN)),), cause_at=SIGN_IN),
    Recipe("WayclearCrlUnreachable", _crl, 359, 367, (of(1, target=CRL),)),
    Recipe("WayclearCrlExpiring", _crl_late, 29, 37, (of(1, target=CRL),)),
    Recipe("WayclearProberStale", _stale, 10, 13, (of(1),)),
    Recipe("WayclearConnectorSilent", _silent, 11, 14, ({"connector": "c4"},)),
    Recipe("WayclearRuleSetOld", _old, 59, 67, ({"ruleset": "entra", "kind": "rules"},)),
    Recipe("WayclearLeafExpiring", _leaf, 59, 67, (at_target(SERVICE),)),
    Recipe("WayclearHostFault", _host, 5, 7, (of(1),)),
    Recipe(
        "WayclearSiteDown", _site, 5, 9, ({"site": "Vienna"},),
        (
            ("WayclearConnectorDown", of(1)),
            ("WayclearConnectorDown", of(2) | {"site": "Vienna"}),
        ),
    ),
    Recipe("WayclearLikelyMicrosoft", _everywhere, 5, 8, (at_target(SIGN_IN),), cause_at=SIGN_IN),
    Recipe(
        "WayclearConnectorSharesFailure", _together, 4, 9,
        tuple(of(n, **at_target(SERVICE)) for n in (1, 2, 3)),
        (
            ("WayclearLikelyMicrosoft", at_target(SERVICE)),
            ("WayclearGroupRedundancyLost", _VIENNA),
            _tells_of(SERVICE),
            *(("WayclearConnectorDown", of(n)) for n in (1, 2, 3)),
        ),
    ),
    Recipe(
        "WayclearGroupTellsOfName", _two_die, 4, 6, (at_target(SERVICE),),
        (("WayclearGroupRedundancyLost", _VIENNA),),
    ),
)  # fmt: skip


def made(recipe: Recipe, bad: Values, flapping_cause: bool = False) -> tuple[Connector, ...]:
    """A fleet spoiled as the recipe says."""
    found = fleet()
    recipe.spoil(found, bad)
    if flapping_cause:
        for connector in found:
            connector.flapping_cause(recipe.cause_at)
    return tuple(found)


def cases_of(recipe: Recipe) -> tuple[Case, ...]:
    """Fires when it lasts, not when it does not, also while its cause flaps, and not while it flaps itself."""
    firing = tuple((recipe.alert, where) for where in recipe.where) + recipe.also
    always, never, early = hold(0), hold(1), recipe.not_before
    lasting = ((early, ()), (recipe.at, firing))
    quiet = tuple((minute, ()) for minute in (early, recipe.at, recipe.at + 1))
    return (
        Case(recipe.alert, "fires", made(recipe, always), lasting),
        Case(recipe.alert, "quiet", made(recipe, never), quiet),
        Case(recipe.alert, "cause flaps", made(recipe, always, flapping_cause=True), lasting),
        Case(recipe.alert, "flaps", made(recipe, flap(0, 1)), quiet),
    )


CASES: tuple[Case, ...] = tuple(case for recipe in RECIPES for case in cases_of(recipe))
