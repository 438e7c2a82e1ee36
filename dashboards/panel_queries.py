"""Every query that the committed dashboards ask, as Prometheus takes it: for tests that run them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BOARDS = Path(__file__).resolve().parent / "grafana" / "dashboards"
#: Grafana's own variables; every other one matches everything.
BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "6h"}


def boards() -> Iterator[dict[str, Any]]:
    """The dashboards of this tree, as JSON trees."""
    for path in sorted(BOARDS.glob("*.json")):
        yield json.loads(path.read_text("utf-8"))


def filled(expr: str, rate: str = BUILT_IN["__rate_interval"]) -> str:
    """An expression with Grafana's variables replaced; `rate` stands for `$__rate_interval`. `$1` is PromQL's own."""
    values = BUILT_IN | {"__rate_interval": rate}
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))", lambda m: values.get(m[1] or m[2], ".*"), expr)


def queries(rate: str = BUILT_IN["__rate_interval"]) -> Iterator[tuple[str, str, str]]:
    """Dashboard (its uid), panel (its title) and expression, of every query of every panel.

    `rate`: what stands for `$__rate_interval`; at least four scrape intervals, or a rate has nothing to go by.
    """
    for board in boards():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield board["uid"], panel["title"], filled(target["expr"], rate)


def variable_queries() -> Iterator[tuple[str, str, str, str]]:
    """Dashboard, variable, selector and label, of every variable that lists the values of a label."""
    for board in boards():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                assert match, variable["query"]
                yield board["uid"], variable["name"], filled(match[1]), match[2]


def annotation_queries(rate: str = BUILT_IN["__rate_interval"]) -> Iterator[tuple[str, str, str]]:
    """Dashboard, annotation and expression; these give something only where something happened."""
    for board in boards():
        for annotation in board["annotations"]["list"]:
            yield board["uid"], annotation["name"], filled(annotation["expr"], rate)
