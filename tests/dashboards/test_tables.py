"""The tables of the boards: which column each hides, what the last one is called, and what *Inconclusive* lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dashboards.panel_queries import boards, queries
from tests.dashboards.cases import fleet
from tests.dashboards.fleet import SERVICE, SIGN_IN, hold
from tests.dashboards.test_fleet_board import values

PAGES = "The appliances' own pages"
#: The name of each table's column of values: "since" and the others are what a reader looks for. Only the time of the query is
#: hidden, which is the same in every row.
VALUES: Mapping[str, Mapping[str, str]] = {
    "wayclear-connector": {
        "Why, and who acts": "holds",
        "Checks, failing first": "passes",
        "Causes": "since",
        "Inconclusive": "measured",
        PAGES: "reports",
    },
    "wayclear-endpoint": {"From where it passes": "passes", PAGES: "reports"},
    "wayclear-fleet": {
        "Who must act": "since",
        "Groups: connectors that work": "working",
        "Sites: connectors that do not work": "not working",
        "Failing from how many sites": "sites",
        "Connectors, worst first": "working",
        "Failing checks of each connector": "failing checks",
        PAGES: "reports",
    },
    "wayclear-prober": {"Versions": "runs", "Started": "started", PAGES: "reports"},
    "wayclear-tls": {
        "Intercepted handshakes": "intercepted",
        "Certificates: time to expiry": "left",
        "CRL and OCSP sources": "reachable",
        "CRL and OCSP answers": "valid",
        "CRLs: time to the next update": "left",
        PAGES: "reports",
        "Age of rule sets and CA sets": "age",
    },
}
MATRIX = "Connectors by service names"


def test_each_table_hides_the_time_of_the_query_and_nothing_else() -> None:
    found = {
        board["uid"]: {
            panel["title"]: panel["transformations"]
            for panel in board["panels"]
            if panel["type"] == "table" and panel["title"] != MATRIX
        }
        for board in boards()
    }
    assert found == {
        board: {
            title: [
                {
                    "id": "organize",
                    "options": {"excludeByName": {"Time": True}, "renameByName": {"Value": value}},
                }
            ]
            for title, value in tables.items()
        }
        for board, tables in VALUES.items()
    }


def test_inconclusive_lists_what_was_not_measured_and_nothing_else(tmp_path: Path) -> None:
    (expr,) = [expr for _, panel, expr in queries() if panel == "Inconclusive"]
    found = fleet(3)
    found[0].fail(SERVICE)
    found[1].check(SIGN_IN, "tls", hold(0), measured=hold(0))
    wanted = f'{{target="{SIGN_IN}", port="443", rule_group="sign-in", check="tls"}}'
    values(tmp_path, expr, [(wanted, 0.0)], found)
