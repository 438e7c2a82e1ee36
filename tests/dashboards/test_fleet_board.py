"""The first panels of the fleet board: what each connector sees of each service name, and who must act."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboards.panel_queries import boards, queries
from tests.dashboards import promtool
from tests.dashboards.cases import fleet
from tests.dashboards.fleet import SERVICE, SIGN_IN, Connector, hold

QUERIES = {panel: expr for board, panel, expr in queries() if board == "wayclear-fleet"}


def caused(connector: Connector, target: str, cause: str, owner: str) -> None:
    connector.info(target, "ok", hold("stale"))
    connector.on(
        target, "wayclear_target_info", hold(1),
        check="tls", cause=cause, owner=owner, issuer_class="expected", tls_version="",
    )  # fmt: skip
    connector.on(target, "wayclear_target_since_timestamp_seconds", hold(60))


def broken() -> list[Connector]:
    """One fails, one in part, one could not be tested, one has a notice, one is fine."""
    found = fleet(4)
    found[0].fail(SERVICE)
    caused(found[0], SERVICE, "tcp.timeout", "Firewall team")
    caused(found[0], SIGN_IN, "dns.nxdomain", "DNS team")
    caused(found[1], SERVICE, "tcp.reset", "Firewall team")
    found[2].check(SERVICE, "tls", hold(0), measured=hold(0))
    caused(found[2], SERVICE, "audit.not-reached", "Whoever runs this audit")
    caused(found[3], SERVICE, "dns.chain-long", "")
    found.append(Connector("c5", site="Enns"))
    for number, connector in enumerate(found):
        connector.scraped_as(instance=f"10.0.0.{number}:19115", job="wayclear")
    return found


def values(
    directory: Path, expr: str, wanted: list[tuple[str, float]], connectors: Sequence[Connector] = ()
) -> None:
    """`promtool test rules` on one expression at minute 3, of the broken fleet or another."""
    test = {
        "interval": "1m",
        "input_series": [one for connector in connectors or broken() for one in connector.input_series(3)],
        "promql_expr_test": [
            {"expr": expr, "eval_time": "3m", "exp_samples": [{"labels": k, "value": v} for k, v in wanted]}
        ],
    }
    path = directory / "tests.yml"
    path.write_text(json.dumps({"rule_files": [], "tests": [test]}), "utf-8")
    done = promtool.run("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_matrix_says_the_state_and_the_heaviest_cause_of_each_name(tmp_path: Path) -> None:
    states = ("fails: tcp.timeout", "in part: tcp.reset", "not tested: audit.not-reached", "ok", "ok")
    wanted = [
        (f'{{connector="c{n}", endpoint="{SERVICE}:443", state="{state}"}}', 1.0)
        for n, state in enumerate(states, 1)
    ]
    values(tmp_path, QUERIES["Connectors by service names"], wanted)


def test_who_must_act_is_told_of_every_name_since_when_and_of_none_that_is_fine(tmp_path: Path) -> None:
    rows = (
        ("c1", "Vienna", "service", SERVICE, "tcp.timeout", "Firewall team"),
        ("c1", "Vienna", "sign-in", SIGN_IN, "dns.nxdomain", "DNS team"),
        ("c2", "Graz", "service", SERVICE, "tcp.reset", "Firewall team"),
        ("c3", "Linz", "service", SERVICE, "audit.not-reached", "Whoever runs this audit"),
    )
    wanted = [
        (f'{{connector="{who}", connector_group="vienna", site="{site}", rule_group="{group}", target="{target}", '
         f'port="443", cause="{cause}", owner="{owner}"}}', 60_000.0)
        for who, site, group, target, cause, owner in rows
    ]  # fmt: skip
    values(tmp_path, QUERIES["Who must act"], wanted)


def test_the_board_begins_with_them() -> None:
    (board,) = [board for board in boards() if board["uid"] == "wayclear-fleet"]
    panels = [panel for panel in board["panels"] if panel["type"] != "row"][:2]
    assert [panel["title"] for panel in panels] == ["Connectors by service names", "Who must act"]
    (change,) = panels[0]["transformations"]
    assert change["id"] == "groupingToMatrix"
    asked: dict[str, Any] = change["options"]
    assert (asked["rowField"], asked["columnField"], asked["valueField"]) == (
        "connector",
        "endpoint",
        "state",
    )
    patterns = [one["options"]["pattern"] for one in panels[0]["fieldConfig"]["defaults"]["mappings"]]
    assert patterns == ["^ok.*", "^fails.*", "^in part.*", "^not tested.*"]
