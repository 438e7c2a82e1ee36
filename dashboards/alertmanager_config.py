"""Alertmanager's configuration: who is told, and what holds what back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboards.inhibitions import INHIBITIONS
from dashboards.yaml_text import document

HEAD = (
    "wayclear's routes and inhibitions for Alertmanager.",
    "Made by `python -m dashboards.build` from dashboards/inhibitions.py; the receivers are empty: fill them in, or take the",
    "routes and inhibit_rules over into your own configuration.",
    "",
    "page: calls the person on call. ticket: waits for office hours. reminder: once a week. The receiver `nobody` has no",
    "address: its alerts only hold others back. A week is longer than Alertmanager remembers by default: start it with",
    "--data.retention=192h.",
    "",
)


#: Tickets about what is asked seldom.
SELDOM = ("WayclearSignInDown", "WayclearCrlUnreachable", "WayclearCrlExpiring")


def _route(
    severity: str,
    receiver: str,
    group_by: list[str],
    wait: str,
    repeat: str,
    interval: str = "5m",
    only: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "matchers": [f'severity="{severity}"', *([f'alertname=~"{"|".join(only)}"'] if only else ())],
        "group_by": group_by,
        "group_wait": wait,
        "group_interval": interval,
        "repeat_interval": repeat,
    }


def configuration() -> dict[str, Any]:
    """The configuration as a tree."""
    routes = [
        _route("none", "nobody", ["alertname"], "30s", "24h"),
        # One message for all groups that lost their redundancy at the same moment: it is one event, which
        # connectors confirm a little apart.
        _route("page", "page", ["alertname"], "45s", "1h"),
        # What one site sees of one fault is one message, whatever the number of names. Names for sign-in are asked every
        # quarter of an hour and lists every few hours, so they come in one by one.
        _route("ticket", "ticket", ["alertname", "site"], "15m", "24h", interval="1h", only=SELDOM),
        _route("ticket", "ticket", ["alertname", "site"], "3m", "24h"),
        _route("reminder", "reminder", ["alertname"], "1m", "168h", interval="24h"),
    ]
    inhibitions = [
        {
            "source_matchers": [f'alertname="{inhibition.source}"'],
            "target_matchers": [f'alertname=~"{"|".join(inhibition.targets)}"'],
            "equal": list(inhibition.equal),
        }
        for inhibition in INHIBITIONS
    ]
    return {
        "route": {"receiver": "ticket", "group_by": ["alertname"], "routes": routes},
        "inhibit_rules": inhibitions,
        "receivers": [{"name": "page"}, {"name": "ticket"}, {"name": "reminder"}, {"name": "nobody"}],
    }


def configuration_file() -> str:
    """The configuration as text."""
    told = [f"{inhibition.why} ({inhibition.source})" for inhibition in INHIBITIONS]
    return document(configuration(), *HEAD, "What holds what back:", *(f"- {line}" for line in told))
