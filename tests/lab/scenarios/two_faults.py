"""Networks with two faults that have nothing to do with each other: two findings, each for its own owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from tests.lab.plan import Plan
from tests.lab.scenario import Scenario

#: Two scenarios of one fault each, and who must act on each.
PAIRS: tuple[tuple[str, str, tuple[str, str]], ...] = (
    ("sinkholed", "port-80-dropped", ("dns", "firewall")),
    ("service-dropped", "clock-an-hour-off", ("firewall", "host")),
    ("service-reset", "one-of-two-resolvers-dead", ("firewall", "dns")),
    ("not-http", "hosts-file-pin", ("firewall", "host")),
    ("one-region-dropped", "first-resolver-dead", ("firewall", "dns")),
    ("relay-blocked-by-word", "sign-in-dropped", ("dns", "firewall")),
    ("revoked", "sign-in-dropped", ("microsoft", "firewall")),
    ("proxy-on-80-fails", "one-region-dropped", ("proxy", "firewall")),
    ("split-horizon-private", "sign-in-expired", ("dns", "microsoft")),
    ("intercepted-at-one-address", "ipv6-black-hole", ("firewall", "host")),
)
_ANSWERS = ("yes", "degraded", "not-proven", "no")  # which one counts when two networks differ


def of(scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """The pairs, made of scenarios of one fault."""
    known = {scenario.name: scenario for scenario in scenarios}
    return tuple(_both(known[first], known[second], owners) for first, second, owners in PAIRS)


def _both(first: Scenario, second: Scenario, owners: tuple[str, str]) -> Scenario:
    heavier = max(first, second, key=lambda one: (_ANSWERS.index(one.answer), one.exit_code))
    return Scenario(
        f"{first.name}-and-{second.name}",
        f"{first.title}; besides, {second.title[:1].lower()}{second.title[1:]}",
        heavier.answer,
        heavier.exit_code,
        _spoilt_by(first.spoil, second.spoil),
        (*first.wants, *second.wants),
        (*first.also, *second.also),
        (*_still_never(first, second), *_still_never(second, first)),
        during=first.during or second.during,
        seconds=first.seconds + second.seconds,
        owners=owners,
    )


def _still_never(one: Scenario, other: Scenario) -> list[str]:
    """What no verdict of `one` may have, without what the other fault shows."""
    shown = (*(want.cause for want in other.wants), *other.also)
    return [never for never in one.never if not any(fnmatchcase(cause, never) for cause in shown)]


def _spoilt_by(*spoils: Callable[[Plan], None]) -> Callable[[Plan], None]:
    """Every change; rules of the firewall and devices of several are added up."""

    def spoil(plan: Plan) -> None:
        forward: list[str] = []
        for one in spoils:
            plan.forward = []
            one(plan)
            forward += plan.forward
        plan.forward = forward

    return spoil
