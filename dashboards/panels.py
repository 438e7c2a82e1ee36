"""Panels, variables and the frame of a dashboard, as this project wants them: small functions over Grafana's SDK.

In expressions `<S>` stands for the selection by the dashboard's variables, in the middle of braces:
`wayclear_connector_can_live{<S>}`; `<P>` leaves out the target, for series that have none. Every selection matches with
`=~`, so that `.*` means all, empty labels included.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from dashboards.blocks import BLOCKS
from dashboards.promql import rendered, written_out

SCHEMA_VERSION = 39
TAG = "wayclear"
DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
Builder: TypeAlias = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
#: Steps of thresholds: value from which on, colour; the first has no value.
Steps: TypeAlias = tuple[tuple[float | None, str], ...]

GOOD_AT_ONE: Steps = ((None, "red"), (1, "green"))
BAD_ABOVE_ZERO: Steps = ((None, "green"), (1, "red"))
NEUTRAL: Steps = ((None, "blue"),)
YES_NO = {"0": ("no", "red"), "1": ("yes", "green")}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel and its size: width of 24, height in Grafana's rows."""

    builder: Builder
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that lists the values of a label. `single`: one value at a time, and never all."""

    name: str
    label: str
    description: str
    metric: str = "wayclear_connector_can_live"
    single: bool = False


PLACE: tuple[Variable, ...] = (
    Variable("region", "Region", "Regions, as configured on the appliances."),
    Variable("site", "Site", "Sites of the selected regions."),
    Variable("connector_group", "Group", "Connector groups at the selected sites."),
    Variable("connector", "Connector", "Connectors of the selected groups."),
)


def selection(variables: Sequence[Variable]) -> str:
    """Matchers for all of them."""
    return ", ".join(f'{variable.name}=~"${variable.name}"' for variable in variables)


def steps(values: Steps) -> dashboard.ThresholdsConfig:
    """Thresholds by absolute value."""
    found = [models.Threshold(value=value, color=colour) for value, colour in values]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def mapping(words: dict[str, tuple[str, str]]) -> models.ValueMap:
    """Values to words and colours."""
    return models.ValueMap(
        {
            value: models.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )


def _filled(
    builder: Builder,
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    thresholds: Steps,
    words: dict[str, tuple[str, str]] | None,
    instant: bool,
) -> None:
    """What every panel has."""
    builder.title(title).description(description).datasource(DATASOURCE).unit(unit)
    builder.thresholds(steps(thresholds))
    if words:
        builder.mappings([mapping(words)])
    for letter, query in zip(string.ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(rendered(written_out(query.expr, BLOCKS)))
        target.datasource(DATASOURCE).legend_format(query.legend)
        target.instant() if instant else target.range()
        if isinstance(builder, table.Panel):
            target.format(prometheus_models.PromQueryFormat.TABLE)
        builder.with_target(target)


def number(
    title: str, description: str, expr: str, *, unit: str = "short", thresholds: Steps = NEUTRAL,
    words: dict[str, tuple[str, str]] | None = None, width: int = 4, height: int = 4, legend: str = "",
) -> Panel:  # fmt: skip
    """One number (or a few, when the expression gives several series), as it is now."""
    builder = stat.Panel()
    _filled(builder, title, description, [Query(expr, legend)], unit, thresholds, words, instant=True)
    builder.graph_mode(common_models.BigValueGraphMode.NONE)
    builder.color_mode(common_models.BigValueColorMode.BACKGROUND)
    builder.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    return Panel(builder, width, height)


def lines(
    title: str, description: str, *queries: Query, unit: str = "short", thresholds: Steps = NEUTRAL,
    width: int = 12, height: int = 8,
) -> Panel:  # fmt: skip
    """Values over time. With thresholds beyond one colour, a line is drawn at each of them."""
    builder = timeseries.Panel()
    _filled(builder, title, description, queries, unit, thresholds, None, instant=False)
    builder.fill_opacity(5).show_points(common_models.VisibilityMode.NEVER).axis_soft_min(0)
    if len(thresholds) > 1:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED)
        builder.thresholds_style(style)
    legend = common.VizLegendOptions().show_legend(True).calcs(["lastNotNull", "max"])
    legend.display_mode(common_models.LegendDisplayMode.TABLE).placement(common_models.LegendPlacement.BOTTOM)
    builder.legend(legend)
    builder.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    return Panel(builder, width, height)


def states(
    title: str, description: str, *queries: Query, words: dict[str, tuple[str, str]] = YES_NO,
    width: int = 24, height: int = 8,
) -> Panel:  # fmt: skip
    """States over time, a row for each series."""
    builder = statetimeline.Panel()
    _filled(builder, title, description, queries, "short", NEUTRAL, words, instant=False)
    builder.show_value(common_models.VisibilityMode.NEVER).merge_values(True)
    return Panel(builder, width, height)


def cause_words() -> list[models.RegexMap]:
    """Colours of a cell of `matrix`, by how its text begins."""
    beginnings = (("ok", "green"), ("fails", "red"), ("in part", "orange"), ("not tested", "blue"))
    return [
        models.RegexMap(
            models.DashboardRegexMapOptions(
                f"^{word}.*", models.ValueMappingResult(color=colour, index=index)
            )
        )
        for index, (word, colour) in enumerate(beginnings)
    ]


def matrix(
    title: str, description: str, query: str, row: str, column: str, cell: str, *, height: int = 9
) -> Panel:
    """A table with a row for each value of the label `row` and a column for each of `column`; `cell`: the label to show."""
    builder = table.Panel()
    _filled(builder, title, description, [Query(query)], "string", NEUTRAL, None, instant=True)
    builder.mappings(list(cause_words()))
    grouped = {"columnField": column, "rowField": row, "valueField": cell, "emptyValue": "empty"}
    builder.with_transformation(models.DataTransformerConfig(id_val="groupingToMatrix", options=grouped))
    coloured = {"type": "color-background", "mode": "basic"}
    cells = r"/^[^\\]+$/"  # the column of the rows' names is called `row\column`
    builder.override_by_regexp(cells, [models.DynamicConfigValue("custom.cellOptions", coloured)])
    return Panel(builder, 24, height)


def _order(column: str, down: bool) -> common.TableSortByFieldState:
    """Order of a table."""
    return common.TableSortByFieldState().display_name(column).desc(down)


def rows(
    title: str, description: str, query: str, value: str, *, sort_down: bool = False, unit: str = "short",
    thresholds: Steps = NEUTRAL, words: dict[str, tuple[str, str]] | None = None,
    hidden: Sequence[str] = (), link: tuple[str, str, str] | None = None, width: int = 12, height: int = 8,
) -> Panel:  # fmt: skip
    """A table, worst first: the value's column is called `value`. `link`: column, title and address of a link in it."""
    builder = table.Panel()
    _filled(builder, title, description, [Query(query)], unit, thresholds, words, instant=True)
    organize = {"excludeByName": dict.fromkeys(("Time", *hidden), True), "renameByName": {"Value": value}}
    builder.with_transformation(models.DataTransformerConfig(id_val="organize", options=organize))
    builder.sort_by([_order(value, sort_down)])
    coloured = {"type": "color-background", "mode": "basic"}
    builder.override_by_name(value, [models.DynamicConfigValue("custom.cellOptions", coloured)])
    if link:
        column, text, url = link
        target = {"title": text, "url": url}
        builder.override_by_name(column, [models.DynamicConfigValue("links", [target])])
    return Panel(builder, width, height)


def to_act_on(labels: str) -> str:
    """Targets that need a look, by these labels: since when, in milliseconds since 1970."""
    joined = "on (connector, target, port, rule_group)"
    kept = labels if labels.startswith("connector,") else f"connector, {labels}"
    return (
        f'1000 * max by ({labels}) (max by ({kept}) (wayclear_target_info{{<S>, owner!=""}}) '
        f"* {joined} group_left () "
        "max by (connector, target, port, rule_group) (wayclear_target_since_timestamp_seconds{<S>}))"
    )


def to_connector(column: str = "connector") -> tuple[str, str, str]:
    """A link from a table's row to the dashboard of its connector."""
    url = "/d/wayclear-connector?var-connector=${__data.fields.connector}&${datasource:queryparam}&${__url_time_range}"
    return column, "This connector", url


def to_endpoint(column: str = "target") -> tuple[str, str, str]:
    """A link from a table's row to the dashboard of its endpoint."""
    url = (
        "/d/wayclear-endpoint?var-target=${__data.fields.target}&${datasource:queryparam}&${__url_time_range}"
    )
    return column, "This endpoint", url


def to_appliance() -> Panel:
    """The way to the appliances' own pages, where names, addresses and issuers are: they are never in a metric."""
    return rows(
        "The appliances' own pages",
        "Names, addresses, chains, issuers and the last changes are on the page of each appliance (follow the link on "
        "its address). Behind a textfile collector the address is that of the collector and the page is only on the host.",
        "max by (connector, instance, scheme) (wayclear_page_info{<P>})",
        "reports",
        words=YES_NO,
        link=("instance", "Its page", "${__data.fields.scheme}://${__data.fields.instance}/"),
        width=12,
        height=6,
    )


def _variable(variable: Variable, above: Sequence[Variable]) -> dashboard.QueryVariable:
    narrowed = f"{{{selection(above)}}}" if above else ""
    query = f"label_values({variable.metric}{narrowed}, {variable.name})"
    found = dashboard.QueryVariable(variable.name).label(variable.label).description(variable.description)
    found.datasource(DATASOURCE).query({"query": query, "refId": f"variable-{variable.name}"})
    found.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    if not variable.single:
        found.multi(True).include_all(True).all_value(".*")
        found.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return found


def _frame_variables(board: dashboard.Dashboard, variables: Sequence[Variable]) -> None:
    source = dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source")
    source.current(models.VariableOption(selected=True, text="Prometheus", value="wayclear-prometheus"))
    board.with_variable(source)
    for index, variable in enumerate(variables):
        board.with_variable(_variable(variable, variables[:index]))


#: Name, colour, whether it is shown at first, expression, title and text of each annotation.
ANNOTATIONS: tuple[tuple[str, str, bool, str, str, str], ...] = (
    (
        "Alerts", "red", True,
        'ALERTS{alertname=~"Wayclear.+", alertstate="firing", severity=~"page|ticket", connector=~"$connector"}',
        "{{alertname}}", "{{connector}} {{target}}",
    ),
    (
        "Transitions", "orange", True,
        "changes(wayclear_transitions_total{<S>}[$__rate_interval]) > 0",
        "A verdict changed", "{{connector}}: see its page or `wayclear history`",
    ),
    (
        "Drift", "blue", False,
        "changes(wayclear_drift_events_total{<S>}[$__rate_interval]) > 0",
        "Something new was seen", "{{connector}}: see its page or `wayclear history`",
    ),
)  # fmt: skip


def _annotated(content: dict[str, Any], place: str) -> None:
    """Annotations of a Prometheus data source have fields that the SDK does not know."""
    content["annotations"] = {
        "list": [
            {
                "name": name, "enable": shown, "hide": False, "iconColor": colour,
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "expr": expr.replace("<S>", place), "titleFormat": title, "textFormat": text,
                "tagKeys": "connector,severity", "step": "60s", "useValueForTime": False,
            }
            for name, colour, shown, expr, title, text in ANNOTATIONS
        ]
    }  # fmt: skip


def _placed(board: dashboard.Dashboard, sections: Sequence[tuple[str, Sequence[Panel]]]) -> None:
    """Panels from left to right, line by line, under the row of their section; ids in that order."""
    y, identity = 0, 0
    for title, panels in sections:
        identity += 1
        row = dashboard.Row(title).id(identity).grid_pos(models.GridPos(h=1, w=24, x=0, y=y))
        board.with_row(row)
        y, x, height = y + 1, 0, 0
        for panel in panels:
            if x + panel.width > 24:
                y, x, height = y + height, 0, 0
            identity += 1
            panel.builder.id(identity)
            panel.builder.grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
            board.with_panel(panel.builder)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Variable],
    sections: Sequence[tuple[str, Sequence[Panel]]],
    span: str = "now-6h",
) -> dict[str, Any]:
    """A dashboard as a JSON tree. `sections`: rows with their panels. `span`: how far back it looks at first."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    made.time(span, "now").refresh("1m").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    _frame_variables(made, variables)
    link = dashboard.DashboardLink("wayclear").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    made.link(link.as_dropdown(True).include_vars(True).keep_time(True))
    _placed(made, sections)
    content: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    content["schemaVersion"], content["id"], content["version"] = SCHEMA_VERSION, None, 1
    everything, place = selection(variables), selection([v for v in variables if v.name != "target"])
    for target in (target for panel in content["panels"] for target in panel.get("targets", ())):
        target["expr"] = target["expr"].replace("<S>", everything).replace("<P>", place)
    _annotated(content, place)
    return content
