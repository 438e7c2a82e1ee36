"""The fleet: which connectors work, where redundancy is left, worst first."""

from __future__ import annotations

from typing import Any

from dashboards.blocks import ABLE, MUTED, sites_where_failing
from dashboards.panels import (
    BAD_ABOVE_ZERO,
    GOOD_AT_ONE,
    PLACE,
    YES_NO,
    Query,
    board,
    lines,
    matrix,
    number,
    rows,
    states,
    to_act_on,
    to_appliance,
    to_connector,
    to_endpoint,
)

UID = "wayclear-fleet"
#: What each connector sees of each service name, in a word and with the heaviest cause. The first that is true counts.
_NAME = "on (connector, target, port)"
_INFO = 'max by (connector, target, port, cause) (wayclear_target_info{<S>, rule_group="service"<MORE>})'
_CHECKS = '{<S>, rule_group="service"}'


def _cell(word: str, more: str = "", where: str = "") -> str:
    """Service names where something is true, with the label `state`: the word and the cause."""
    found = _INFO.replace("<MORE>", more)
    return f'label_replace({found}{where}, "state", "{word}: $1", "cause", "(.+)")'


_MATRIX = f"""
max by (connector, endpoint, state) (label_join(
  {_cell("fails", ', owner!=""', f" and {_NAME} (wayclear_check_success{_CHECKS} == 0 and wayclear_check_measured{_CHECKS} == 1)")}
  or {_NAME} {_cell("not tested", ', owner!=""', f" and {_NAME} (wayclear_check_measured{_CHECKS} == 0)")}
  or {_NAME} {_cell("in part", ', owner!=""')}
  or {_NAME} label_replace({_INFO.replace("<MORE>", "")}, "state", "ok", "", "")
, "endpoint", ":", "target", "port"))
""".strip()
_HERE = "on (connector) wayclear_connector_can_live{<S>}"
_SELECTED_ABLE = f"{ABLE} and {_HERE}"


def dashboard() -> dict[str, Any]:
    """The dashboard as a JSON tree."""
    first = [
        matrix(
            "Connectors by service names",
            "A row for each connector and a column for each name of the service: ok; fails (at all its addresses, or it is "
            "intercepted); in part (it warns, or some of its addresses fail); not tested. Behind the word is the heaviest cause.",
            _MATRIX,
            "connector",
            "endpoint",
            "state",
        ),
        rows(
            "Who must act",
            "Every name that fails, warns or could not be tested, at every connector: the heaviest cause, who "
            "must act, and since when. What a cause means is in docs/causes.md.",
            to_act_on("connector, connector_group, site, rule_group, target, port, cause, owner"),
            "since",
            unit="dateTimeFromNow",
            link=to_endpoint(),
            width=24,
            height=9,
        ),
    ]
    now = [
        number(
            "Working", "Connectors that work, or of which nothing that was measured says otherwise.",
            f"count(({_SELECTED_ABLE}) == 1) or vector(0)", thresholds=((None, "red"), (1, "yellow"), (2, "green")),
        ),
        number(
            "Cannot live", "Connectors whose answer is no, or whose host cannot measure. Maintenance is counted too.",
            f"count(({_SELECTED_ABLE}) == 0) or vector(0)", thresholds=BAD_ABOVE_ZERO,
        ),
        number(
            "Degraded", "Connectors that live while something that they or their users need fails.",
            "sum(max by (connector) (wayclear_connector_degraded{<S>})) or vector(0)",
            thresholds=((None, "green"), (1, "yellow")),
        ),
        number(
            "Not proven", "Connectors that could not be measured enough for an answer; most often no tenant is configured.",
            "sum(max by (connector) (wayclear_connector_not_proven{<S>})) or vector(0)",
            thresholds=((None, "green"), (1, "yellow")),
        ),
        number(
            "In maintenance", "Connectors with an open maintenance window; their alerts are silent.",
            f"count({MUTED} and {_HERE}) or vector(0)",
        ),
        number(
            "In the inventory and silent", "Connectors of the inventory of which no series arrive.",
            'count(max by (connector) (label_join(wayclear_inventory_member{<S>}, "connector", "", "member")) '
            "unless on (connector) wayclear_connector_can_live) or vector(0)",
            thresholds=BAD_ABOVE_ZERO,
        ),
    ]  # fmt: skip
    redundancy = [
        rows(
            "Groups: connectors that work",
            "How many connectors of each group work now, fewest first. Below its minimum (min_connectors, two if it is "
            "not configured) Alertmanager pages the person on call.",
            f"count by (connector_group) (({_SELECTED_ABLE}) == 1) "
            "or 0 * group by (connector_group) (wayclear_connector_can_live{<S>})",
            "working", thresholds=((None, "red"), (1, "orange"), (2, "green")), width=8,
        ),
        rows(
            "Sites: connectors that do not work", "Connectors that do not work, by site, most first.",
            f"count by (site) (({_SELECTED_ABLE}) == 0) or 0 * group by (site) (wayclear_connector_can_live{{<S>}})",
            "not working", sort_down=True, thresholds=((None, "green"), (1, "orange"), (2, "red")), width=8,
        ),
        rows(
            "Failing from how many sites",
            "Names that fail, by the number of sites they fail from. From three on it is likely Microsoft's side. Zero "
            "stands for all names that fail nowhere.",
            sites_where_failing("<S>, ") + "\nor vector(0)", "sites", sort_down=True,
            thresholds=((None, "green"), (1, "orange"), (3, "red")), link=to_endpoint(), width=8,
        ),
    ]  # fmt: skip
    worst = [
        rows(
            "Connectors, worst first", "Every connector and whether it works; follow the link on its name.",
            _SELECTED_ABLE, "working", thresholds=GOOD_AT_ONE, words=YES_NO, link=to_connector(), height=9,
        ),
        rows(
            "Failing checks of each connector", "Number of checks that were measured and failed, most first.",
            "sum by (connector, connector_group, site) "
            "(wayclear_check_measured{<S>} * (1 - wayclear_check_success{<S>}))",
            "failing checks", sort_down=True, thresholds=BAD_ABOVE_ZERO, link=to_connector(), height=9,
        ),
    ]  # fmt: skip
    time = [
        states(
            "Who could live", "Each connector over time.", Query(_SELECTED_ABLE, "{{connector}}"), height=9
        ),
        lines(
            "Answers",
            "How many connectors have each answer.",
            Query(
                "sum by (answer) (max by (connector, answer) (wayclear_connector_answer{<S>}))", "{{answer}}"
            ),
        ),
        lines(
            "Connectors that work, by group",
            "The number that the page watches, and the minimum below which it pages.",
            Query(f"count by (connector_group) (({_SELECTED_ABLE}) == 1)", "{{connector_group}}"),
            Query(
                "max by (connector_group) (wayclear_group_min_connectors{<S>})", "{{connector_group}} minimum"
            ),
        ),
        to_appliance(),
    ]
    return board(
        UID, "wayclear: fleet", "Which connector works, where redundancy is left, worst first.", PLACE,
        [("What is wrong", first), ("Now", now), ("Redundancy", redundancy), ("Worst first", worst), ("Over time", time)],
    )  # fmt: skip
