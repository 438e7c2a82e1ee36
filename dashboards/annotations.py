"""The text of an alert: what Prometheus looks up when it tells it, and the links.

In `summary` and `description` of an alert a word in angle brackets stands for something that is looked up: `<cause>`,
`<since>`, `<down in group>`. Each begins with a space, and is nothing at all where its series is absent: an alert must
never lose its text because of a lookup. Each lookup is over three minutes, so a lost scrape costs no text. Grafana's
templates cannot look anything up, so there they are left out.

A link is made of a connector's own page: the label `instance` is its address. Where no page is known, the link is the
path in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dashboards.alert import About, Alert
from dashboards.blocks import ABLE, MUTED, SHARED

#: Where the runbooks are when no connector's page is known; `dashboards/build.py --docs` names another place.
DOCS = "docs/alerts.md"
#: At most so many connectors are named in one message.
NAMED = 5

_MINUTE = '"2006-01-02 15:04"'  # how Go writes a layout


def _looked_up(query: str, labels: tuple[str, ...], then: str, otherwise: str = "") -> str:
    """A template that runs `query` and renders `then` with its first sample; `otherwise` if there is none.

    `%q` in `query` stands for the value of each of `labels`, in order, with quotes. In `then`, `.` is the sample.
    """
    escaped = query.replace('"', r"\"")
    values = " ".join(f"$labels.{label}" for label in labels)
    asked = f'printf "{escaped}" {values} | query' if labels else f'query "{escaped}"'
    end = f"{{{{ else }}}}{otherwise}{{{{ end }}}}" if otherwise else "{{ end }}"
    return f"{{{{ with {asked} }}}}{{{{ with . | first }}}}{then}{{{{ end }}}}{end}"


def _moment(words: str) -> str:
    """A sample's value as a moment, after `words`."""
    return f" {words} {{{{ (.Value | toTime).UTC.Format {_MINUTE} }}}} UTC"


def _newest(selector: str) -> str:
    """Of the series of the last three minutes the one that was scraped last; its value is when."""
    return f"topk(1, max_over_time(timestamp({selector})[3m:30s]))"


def _since(query: str, *labels: str) -> str:
    return _looked_up(query, labels, _moment("since"))


def _active(alert: str, *labels: str) -> str:
    """Since when Prometheus has seen what the alert is about."""
    return _since(
        f'ALERTS_FOR_STATE{{alertname="{alert}", {", ".join(f"{name}=%q" for name in labels)}}}', *labels
    )


_CAUSE = (
    '{{ if ne .Labels.cause "ok" }} Cause: {{ .Labels.cause }}.{{ end }}'
    "{{ with .Labels.owner }} Who acts: {{ . }}.{{ end }}"
)


def _down(label: str) -> str:
    """The connectors that do not work, with cause, who acts and since when. One that reports nothing is one of them."""
    members = f"group by (connector, site) (last_over_time(wayclear_connector_can_live{{{label}=%q}}[1d]))"
    able = f"last_over_time({ABLE}[3m]) == 1"
    query = f"topk({NAMED}, {members} unless on (connector) ({able}) unless on (connector) {MUTED})"
    known = _newest(r"wayclear_connector_cause_info{connector=%q, cause!=\"ok\"}")
    cause = (
        f'{{{{ with printf "{known}" $name | query }}}}{{{{ with . | first }}}}'
        "{{ .Labels.cause }}{{ with .Labels.owner }}, who acts: {{ . }}{{ end }}{{ end }}"
        "{{ else }}no recent report{{ end }}"
    )
    since = (
        '{{ with printf "last_over_time(wayclear_connector_answer_since_timestamp_seconds{connector=%q}[3m])" $name | query }}'
        f"{{{{ with . | first }}}},{_moment('since')}{{{{ end }}}}{{{{ end }}}}"
    )
    one = f"{{{{ $name := .Labels.connector }}}} {{{{ $name }}}} ({cause}{since})."
    return f'{{{{ range printf "{query}" $labels.{label} | query | sortByLabel "connector" }}}}{one}{{{{ end }}}}'


#: What stands for each word. Series that are looked up, and what is said of them.
LOOKUPS: Mapping[str, str] = {
    "<since>": _since(
        "last_over_time(wayclear_connector_answer_since_timestamp_seconds{connector=%q}[3m])", "connector"
    ),
    "<since of target>": _since(
        "last_over_time(wayclear_target_since_timestamp_seconds{connector=%q, target=%q, port=%q}[3m])",
        "connector", "target", "port",
    ),
    "<since anywhere>": _since(
        "min(last_over_time(wayclear_target_since_timestamp_seconds{target=%q, port=%q}[3m]))", "target", "port"
    ),
    "<since of addresses>": _active("WayclearServiceAddressesFailing", "connector"),
    "<since of list>": _active("WayclearCrlUnreachable", "connector", "target"),
    "<since of host>": _active("WayclearHostFault", "connector"),
    "<last round>": _looked_up(
        "max(wayclear_last_cycle_timestamp_seconds{connector=%q} > 0)",
        ("connector",), _moment("It ended") + ".",
    ),
    "<last heard>": _looked_up(
        "max(max_over_time(timestamp(wayclear_connector_can_live{connector=%q})[1d:1m]))",
        ("connector",), _moment("It was last heard") + ".",
    ),
    "<cause>": _looked_up(_newest("wayclear_connector_cause_info{connector=%q}"), ("connector",), _CAUSE),
    "<cause of host>": _looked_up(
        _newest('wayclear_connector_cause_info{connector=%q, cause=~"local.+"}'), ("connector",), _CAUSE,
        " Who acts: Administrator of this host.",
    ),
    "<cause of target>": _looked_up(
        _newest("wayclear_target_info{connector=%q, target=%q, port=%q}"),
        ("connector", "target", "port"), _CAUSE,
    ),
    "<cause of addresses>": _looked_up(
        'topk(1, count by (cause, owner) (last_over_time('
        'wayclear_target_info{connector=%q, rule_group="service", cause!="ok"}[3m])))',
        ("connector",), _CAUSE,
    ),
    "<cause of list>": _looked_up(
        _newest('wayclear_target_info{connector=%q, target=%q, port="80"}'), ("connector", "target"), _CAUSE
    ),
    "<down in group>": _down("connector_group"),
    "<down at site>": _down("site"),
    "<shared>": _looked_up(
        f"last_over_time({SHARED}{{connector_group=%q}}[3m])", ("connector_group",),
        " {{ .Labels.target }} fails from three sites or more, so it is likely Microsoft's side: look at the service's "
        "health first.",
    ),
}  # fmt: skip
_WORD = re.compile(r"<[a-z ]+>")
_ADDRESS = "{{ .Labels.scheme }}://{{ .Labels.instance }}"
_ANY_PAGE = _newest('wayclear_page_info{instance!=""}')


def looked_up(text: str) -> str:
    """The text as Prometheus takes it. An unknown word is a `KeyError`."""
    return _WORD.sub(lambda match: LOOKUPS[match[0]], text)


def bare(text: str) -> str:
    """The text without anything that has to be looked up."""
    return _WORD.sub("", text)


def _page(about: About, path: str, otherwise: str = "") -> str:
    """A link to a connector's own page."""
    if not about:
        return otherwise
    pages = f'wayclear_page_info{{{about}=%q, instance!=""}}'
    if about == "connector":
        return _looked_up(_newest(pages), (about,), _ADDRESS + path, otherwise)
    seen = f"max_over_time(timestamp({pages})[3m:30s])"
    worst = f"topk(1, 2 * ({seen} and on (connector) (last_over_time({ABLE}[3m]) == 0)) or {seen})"
    return _looked_up(worst, (about, about), _ADDRESS + path, otherwise)


def links(alert: Alert, docs: str = "") -> dict[str, str]:
    """Absolute links as templates of Prometheus: the runbook, and the page with the details where there is one.

    `docs`: address of a copy of the runbooks, which is then linked instead of a connector's page.
    """
    runbook = f"/runbook#{alert.anchor}"
    anywhere = _looked_up(_ANY_PAGE, (), _ADDRESS + runbook, f"{DOCS}#{alert.anchor}")
    found = {"runbook_url": f"{docs}#{alert.anchor}" if docs else _page(alert.about, runbook, anywhere)}
    if alert.about:
        target = "#{{ $labels.target }}:{{ $labels.port }}" if "$labels.port" in alert.summary else ""
        found["details_url"] = _page(alert.about, f"/{target}")
    return found
