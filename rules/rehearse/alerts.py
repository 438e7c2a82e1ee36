"""Which alerts would fire if the state of one connector stayed as it is, and after how long.

The alerts are those of `dashboards/alerts.py`. Prometheus evaluates them over time and over a fleet; here one connector stays
in one state, so each is a function of that state. `tests/dashboards/test_rehearsal.py` holds the two equal, with promtool.

Times are those of the rule (`for`). They count from the moment at which the service sees the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import urlsplit

from rules.model.ruleset import Group
from rules.model.verdict import Answer
from rules.watch.state import OFF_LIST, Key, SourceState, State, TargetState

DAY = 86_400.0
THIS = "this connector"
#: A service name counts as intercepted above this share of its last handshakes: two of three are enough. The alerts of
#: `dashboards/` have it from here.
INTERCEPTED_SHARE = 0.66
_MOST_FAILING = 0.25  # share of the service's addresses

#: What an alert is about in this state: "this connector", names, lists. None of them: it does not fire.
Subjects: TypeAlias = Callable[[State, "AlertRule"], Iterator[str]]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert as the rules file has it. `pending`: seconds that its condition has to hold.

    `spares_interception`: it leaves a connector out whose only fault is interception.
    """

    name: str
    severity: str
    pending: float
    spares_interception: bool = False


@dataclass(frozen=True, slots=True)
class Fires:
    """An alert that fires. `condition`: what must be so at other connectors as well; "" for none."""

    rule: AlertRule
    subjects: tuple[str, ...]
    condition: str = ""


def firing(state: State, known: Mapping[str, AlertRule]) -> tuple[Fires, ...]:
    """The alerts that fire, the most urgent first, and then those that depend on other connectors."""
    found = [
        Fires(rule, tuple(dict.fromkeys(subjects(state, rule))), condition)
        for name, (subjects, condition) in ALERTS.items()
        if (rule := known.get(name)) is not None
    ]
    order = {"page": 0, "ticket": 1}  # then reminders
    return tuple(
        sorted(
            (one for one in found if one.subjects),
            key=lambda one: (
                bool(one.condition),
                order.get(one.rule.severity, 2),
                one.rule.pending,
                one.rule.name,
            ),
        )
    )


# --- what the alerts ask ------------------------------------------------------------------------------------------------


def _able(state: State) -> bool:
    """Not proven counts as able, except where the host itself is at fault."""
    proven = state.answer is not Answer.NOT_PROVEN
    return state.answer in (Answer.YES, Answer.DEGRADED) or (not proven and not state.host_faults)


def _of(state: State, group: Group) -> dict[Key, TargetState]:
    """The targets of a rule group; of several rows for one name and port the heaviest."""
    found: dict[Key, TargetState] = {}
    for target in state.targets:
        known = found.get(target.key)
        if target.group == group and (known is None or target.status.rank > known.status.rank):
            found[target.key] = target
    return found


def _failing(state: State, group: Group) -> Iterator[TargetState]:
    failing = {
        target.key
        for target in state.targets
        if target.group == group and any(check.measured and not check.success for check in target.checks)
    }
    yield from (target for key, target in _of(state, group).items() if key in failing)


def _ratio(target: TargetState) -> float:
    return target.intercepted / target.handshakes if target.handshakes else 0.0


def _intercepted(state: State, _: AlertRule) -> Iterator[str]:
    yield from (t.name for t in _of(state, Group.SERVICE).values() if _ratio(t) > INTERCEPTED_SHARE)


def _down(state: State, rule: AlertRule) -> Iterator[str]:
    only_intercepted = any(_intercepted(state, rule)) and not any(
        _ratio(target) == 0 for target in _failing(state, Group.SERVICE)
    )
    if not _able(state) and not (rule.spares_interception and only_intercepted):
        yield THIS


def _unable(state: State, _: AlertRule) -> Iterator[str]:
    if not _able(state):
        yield THIS


def _name_down(state: State, _: AlertRule) -> Iterator[str]:
    if _able(state):
        yield from (t.name for t in _failing(state, Group.SERVICE) if _ratio(t) <= INTERCEPTED_SHARE)


def _not_proven(state: State, _: AlertRule) -> Iterator[str]:
    if state.answer is Answer.NOT_PROVEN and not state.host_faults:  # the alert about the host explains it
        yield THIS


def _addresses(state: State, _: AlertRule) -> Iterator[str]:
    tried = [a.ok for t in _of(state, Group.SERVICE).values() for a in t.addresses if a.ok is not None]
    if tried and tried.count(False) / len(tried) > _MOST_FAILING:
        yield THIS


def _sign_in(state: State, _: AlertRule) -> Iterator[str]:
    yield from (target.name for target in _failing(state, Group.SIGN_IN))


def _lists(state: State, _: AlertRule) -> Iterator[str]:
    crls = (source for source in state.sources if source.kind == "crl")
    yield from _hosts(one for one in crls if one.measured and not one.reachable)


def _lists_expire(state: State, _: AlertRule) -> Iterator[str]:
    crls = (source for source in state.sources if source.kind == "crl")
    yield from _hosts(
        one for one in crls if one.next_update is not None and one.next_update - state.now < DAY
    )


def _hosts(lists: Iterable[SourceState]) -> Iterator[str]:
    """The hosts of lists. Those that no rule names are one subject, as they have one series."""
    unlisted: dict[str, None] = {}
    for one in lists:
        if one.target == OFF_LIST:
            unlisted[urlsplit(one.url).hostname or OFF_LIST] = None
        else:
            yield one.target
    if unlisted:
        yield f"{' and '.join(unlisted)} (on no list, certificates name {'it' if len(unlisted) == 1 else 'them'})"


def _leaves_expire(state: State, _: AlertRule) -> Iterator[str]:
    for target in state.targets:
        left = target.expiry - state.now if target.expiry is not None else None
        if target.issuer_class == "expected" and left is not None and left < 3 * DAY:
            yield target.name


def _sets_old(state: State, _: AlertRule) -> Iterator[str]:
    for used in state.report.rulesets if state.report is not None else ():
        try:
            reviewed = datetime.fromisoformat(used.reviewed).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        if state.now - reviewed > 180 * DAY:
            yield used.name


def _host(state: State, _: AlertRule) -> Iterator[str]:
    if state.host_faults:
        yield THIS


def _fails_elsewhere_too(state: State, _: AlertRule) -> Iterator[str]:
    for group in Group:
        yield from (target.name for target in _failing(state, group) if _ratio(target) == 0)


#: Each alert that the state of one connector can fire, with what other connectors have to do with it.
ALERTS: Mapping[str, tuple[Subjects, str]] = {
    "WayclearServiceIntercepted": (_intercepted, ""),
    "WayclearConnectorDown": (_down, ""),
    "WayclearServiceNameDown": (_name_down, ""),
    "WayclearAnswerNotProven": (_not_proven, ""),
    "WayclearServiceAddressesFailing": (_addresses, ""),
    "WayclearSignInDown": (_sign_in, ""),
    "WayclearCrlUnreachable": (_lists, ""),
    "WayclearCrlExpiring": (_lists_expire, ""),
    "WayclearLeafExpiring": (_leaves_expire, ""),
    "WayclearRuleSetOld": (_sets_old, ""),
    "WayclearHostFault": (_host, ""),
    "WayclearGroupRedundancyLost": (_unable, "too few other connectors of its group work"),
    "WayclearSiteDown": (_unable, "another connector of its site does not work either"),
    "WayclearLikelyMicrosoft": (_fails_elsewhere_too, "it fails from two other sites as well"),
}
#: Alerts that no network of one connector fires: they are about a service that is silent, or send no message.
OTHERS = frozenset(
    {
        "WayclearProberStale",
        "WayclearConnectorSilent",
        "WayclearConnectorSharesFailure",
        "WayclearGroupTellsOfName",
    }
)
