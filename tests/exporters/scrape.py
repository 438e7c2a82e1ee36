"""What a scrape reads from a page: prometheus_client's parser, and Debian's promtool."""

from __future__ import annotations

import subprocess
from typing import TypeAlias

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(page: str | bytes) -> Series:
    """Every series with its value. A series, or a family, that stands twice is an error, as it is for Prometheus."""
    text = page if isinstance(page, str) else page.decode()
    found: Series = {}
    families: set[str] = set()
    for family in text_string_to_metric_families(text):
        assert family.name not in families, f"{family.name} stands twice"
        assert family.documentation, f"{family.name} has no HELP"
        families.add(family.name)
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found, f"{key} stands twice"
            assert one.timestamp is None
            found[key] = one.value
    return found


def values(page: str | bytes, name: str, *shown: str) -> dict[tuple[str, ...], float]:
    """Values of the metric `name` by the values of the labels `shown`."""
    found = {}
    for (metric, labels), value in series(page).items():
        if metric == name:
            key = tuple(dict(labels).get(label, "") for label in shown)
            assert key not in found, f"{name} has more labels than {shown}"
            found[key] = value
    return found


def as_openmetrics(page: str) -> int:
    """How many samples the strict parser of OpenMetrics finds; it refuses families that are interleaved."""
    families = list(openmetrics(page + "# EOF\n"))  # type: ignore[no-untyped-call]
    return sum(len(family.samples) for family in families)


def promtool(page: str | bytes) -> str:
    """What `promtool check metrics` complains of; "" for nothing."""
    content = page.encode() if isinstance(page, str) else page
    run = subprocess.run(
        ["promtool", "check", "metrics"], input=content, capture_output=True, timeout=60, check=False
    )
    return "" if run.returncode == 0 else (run.stdout + run.stderr).decode()
