"""The appliance's status page: the answer, who must act, what changed, every target.

It renders one `State` as one HTML document, readable on a phone and on paper and without scripts, and judges nothing. It
shows when it was made. A warning about outdated data comes first, and an old page in a browser says that it is old. The
tenant's id stands once, with the facts about this host; names show "{tenant}" in its place.
"""

from __future__ import annotations

from exporters.page.about import about, footer, sources
from exporters.page.answer import answer, banners, title
from exporters.page.changes import changes
from exporters.page.findings import findings, notices
from exporters.page.markup import Markup, escaped, joined, moment, tag, without
from exporters.page.policy import CONTENT_SECURITY_POLICY
from exporters.page.script import SCRIPT
from exporters.page.stylesheet import AGED_AFTER, STYLE
from exporters.page.targets import Ranked, tables
from rules.watch.state import State

__all__ = ["CONTENT_SECURITY_POLICY", "render"]


def render(state: State, now: float, refresh: int | None = 30) -> str:
    """The page as HTML5 text, to be sent as UTF-8 with `CONTENT_SECURITY_POLICY`.

    `now` is Unix time. The page renews itself after `refresh` seconds; None or 0: never.
    """
    ranked = Ranked(state.targets)
    parts = [answer(state, now, refresh), banners(state)]
    if state.report is not None:
        parts.append(findings(state.report, ranked.anchors))
        parts.append(changes(state, now))
    if state.targets:
        parts.append(tables(state, ranked, now))
    parts += [sources(state, now), notices(state)]
    tenant = state.report.vantage.tenant if state.report is not None else None
    parts = [without(tenant or "", joined(parts)), about(state)]
    body = (
        tag("a", "Skip to the answer", href="#main", class_="skip"),
        _header(state),
        _aged(now),
        tag("main", *parts, id="main"),
        footer(),
    )
    page = tag(
        "html",
        _head(state, now, refresh),
        tag("body", *body),
        lang="en",
        data_refresh=int(refresh or 0) or "",
    )
    return f"<!DOCTYPE html>\n{page}\n"


def _head(state: State, now: float, refresh: int | None) -> Markup:
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    if refresh:  # with scripts, the script renews the page in place
        meta += f'<noscript><meta http-equiv="refresh" content="{int(refresh)}"></noscript>'
    parts = (tag("style", Markup(STYLE)), tag("script", Markup(SCRIPT)))
    return tag("head", Markup(meta), tag("title", title(state, now)), *parts)


def _header(state: State) -> Markup:
    """The connector's name."""
    place = state.place
    where = (("group", place.connector_group), ("site", place.site), ("region", place.region))
    named = (tag("span", f"{label} ", escaped(value)) for label, value in where if value)
    return tag("header", tag("b", escaped(place.connector)), *named, tag("span", "wayclear"))


def _aged(now: float) -> Markup:
    """A warning that the style shows after the page has stood in a browser for `AGED_AFTER` seconds."""
    sentence = f"This page is older than {AGED_AFTER} s and nothing has renewed it. It was made at "
    return tag("p", sentence, moment(now), ".", class_="banner doubt aged")
