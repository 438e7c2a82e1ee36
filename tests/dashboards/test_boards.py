"""The dashboards' JSON, by structure: Grafana itself is not to be had here."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dashboards.panel_queries import boards

BOARDS = list(boards())
PANELS = [(board, panel) for board in BOARDS for panel in board["panels"] if panel["type"] != "row"]
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])
each_panel = pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{board['uid']}: {panel['title']}" for board, panel in PANELS]
)
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_there_are_five_with_stable_uids_and_titles_of_their_own() -> None:
    assert {board["uid"] for board in BOARDS} == {
        f"wayclear-{name}" for name in ("fleet", "connector", "endpoint", "tls", "prober")
    }
    assert len({board["title"] for board in BOARDS}) == 5


@each_board
def test_the_frame_is_what_provisioning_takes(board: dict[str, Any]) -> None:
    assert board["id"] is None
    assert board["schemaVersion"] == 39
    assert "__inputs" not in board
    assert "__requires" not in board
    assert board["description"]
    (link,) = board["links"]
    assert (link["tags"], link["includeVars"], link["keepTime"]) == (["wayclear"], True, True)
    assert board["tags"] == ["wayclear"], "the link finds dashboards by it"


@each_board
def test_panels_have_ids_of_their_own_and_do_not_overlap(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, lines = (
            range(place["x"], place["x"] + place["w"]),
            range(place["y"], place["y"] + place["h"]),
        )
        mine = set(itertools.product(columns, lines))
        assert mine
        assert not mine & cells, f"{panel['title']} lies on another panel"
        cells |= mine


@each_board
def test_titles_are_unique_so_that_an_alert_finds_its_panel(board: dict[str, Any]) -> None:
    titles = [panel["title"] for panel in board["panels"]]
    assert all(titles)
    assert len(set(titles)) == len(titles)


@each_panel
def test_a_panel_explains_itself(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 10
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert panel["targets"]


@each_panel
def test_the_data_source_is_the_variable_everywhere(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)


@each_panel
def test_every_query_follows_the_variables(board: dict[str, Any], panel: dict[str, Any]) -> None:
    names = [v["name"] for v in board["templating"]["list"] if v["type"] == "query"]
    if panel["title"] == "The appliances' own pages":
        names = [name for name in names if name != "target"]  # versions belong to no target
    for target in panel["targets"]:
        missing = [name for name in names if f'{name}=~"${name}"' not in target["expr"]]
        assert missing == []


@each_board
def test_the_variables_are_those_of_the_place(board: dict[str, Any]) -> None:
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names[:5] == ["datasource", "region", "site", "connector_group", "connector"]
    assert ("target" in names) == (board["uid"] == "wayclear-endpoint")
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["datasource"] == SOURCE
            assert variable["includeAll"] == variable["multi"]
            assert not variable["multi"] or variable["allValue"] == ".*", (
                "an empty label has to match as well"
            )


@each_board
def test_alerts_and_transitions_are_annotated_and_drift_only_on_demand(board: dict[str, Any]) -> None:
    shown = {annotation["name"]: annotation["enable"] for annotation in board["annotations"]["list"]}
    assert shown == {"Alerts": True, "Transitions": True, "Drift": False}
    assert all(annotation["datasource"] == SOURCE for annotation in board["annotations"]["list"])


@each_board
def test_names_and_addresses_are_a_link_to_the_appliances_own_page(board: dict[str, Any]) -> None:
    (panel,) = [panel for panel in board["panels"] if panel["title"] == "The appliances' own pages"]
    (override,) = [o for o in panel["fieldConfig"]["overrides"] if o["matcher"]["options"] == "instance"]
    (link,) = override["properties"][0]["value"]
    assert link["url"] == "${__data.fields.scheme}://${__data.fields.instance}/"


def test_links_between_dashboards_lead_to_dashboards() -> None:
    uids = {board["uid"] for board in BOARDS}
    links = [
        link["url"]
        for _, panel in PANELS
        for override in panel["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "links"
        for link in entry["value"]
    ]
    inner = {url.removeprefix("/d/").partition("?")[0] for url in links if url.startswith("/d/")}
    assert inner == {"wayclear-connector", "wayclear-endpoint"}
    assert inner <= uids


def test_a_table_hides_its_time_and_nothing_that_says_who_must_act() -> None:
    hidden = {
        (board["uid"], panel["title"]): {one for one, out in made["options"]["excludeByName"].items() if out}
        for board, panel in PANELS
        for made in panel.get("transformations", ())
        if "excludeByName" in made.get("options", {})
    }
    assert len(hidden) > 5
    for place, columns in hidden.items():
        assert "Time" in columns, place
        assert not columns & {"owner", "cause", "connector", "target"}, place
