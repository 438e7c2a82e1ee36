"""Safe HTML: only `escaped` turns text into markup, and only `tag` makes elements.

`tag` takes `Markup` as it is and escapes every other text, so a forgotten escape does no harm. `link` makes links
only to the appliance's own pages and to anchors of the page, so no text becomes an address. `source_link` leads to the
page that a rule set cites, if its address has no other form than that of a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from html import escape

from exporters.terminal.audit import WORDS
from rules.files.report_json import to_rfc3339
from rules.model.verdict import Status
from rules.text.display import SHOWN, display

SENTENCE = 1024  #: maximum of characters of a sentence
#: The allowed targets of links, besides the page's own anchors.
PAGES = frozenset({"/metrics", "/report.json", "/config", "/targets", "/?refresh=0", "/?refresh=30"})
_PLAIN = re.compile(r"[A-Za-z0-9 .,:;/_()+=#-]*")
_ANCHOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,300}")
_SHOWN_TEXT = re.compile(">[^<]+")  # `escaped` leaves no ">" in an attribute
_SOURCE = re.compile(r"https://[a-z0-9][a-z0-9.-]{0,250}(?:/[A-Za-z0-9._~/%=?&#+-]{0,400})?")
_LAST = 253402300799.0  # the last second that RFC 3339 can write


class Markup(str):
    """HTML that is safe to insert into a page."""

    __slots__ = ()


def escaped(text: object, limit: int = SHOWN) -> Markup:
    """Any text as markup for an element or a quoted attribute: harmless by `display`, at most `limit` characters."""
    shown = str(text)
    if len(shown) <= limit and _PLAIN.fullmatch(shown):
        return Markup(shown)  # `display` and `escape` would not change it; true for nearly all of a page
    return Markup(escape(display(shown, limit)))


def sentence_text(text: str) -> Markup:
    """One of our sentences, which may quote a peer. It is cut only when it is longer than a screen."""
    return escaped(text, SENTENCE)


def name(text: str, limit: int = SHOWN) -> Markup:
    """A DNS name: a line may break before each dot, and nowhere else."""
    return Markup(escaped(text, limit).replace(".", "<wbr>."))


def tag(element: str, *content: str, **attributes: str | int) -> Markup:
    """`<element attributes>content</element>`; `class_` is written `class`, `aria_label` `aria-label`, "" left out."""
    opened = element
    for key, value in attributes.items():
        if value != "":
            opened += f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
    inside = "".join([part if type(part) is Markup else sentence_text(part) for part in content])
    return Markup(f"<{opened}>{inside}</{element}>")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """The parts, separated by `between`; every part that is not markup is escaped."""
    glue = between if isinstance(between, Markup) else escaped(between)
    return Markup(glue.join([part if type(part) is Markup else sentence_text(part) for part in parts]))


def link(target: str, *content: str) -> Markup:
    """A link to one of `PAGES` or to an anchor of this page ("#name"); ValueError for any other target."""
    if target not in PAGES and not (target.startswith("#") and _ANCHOR.fullmatch(target[1:])):
        raise ValueError(
            f"a link of the status page leads to its own anchors and pages only, not to {target!a}"
        )
    return tag("a", *content, href=target)


def source_link(url: str, *content: str) -> Markup:
    """A link to the page that a rule set cites; only its text where `url` is no plain https address."""
    return tag("a", *content, href=url, rel="noreferrer") if _SOURCE.fullmatch(url) else joined(content)


def statement(status: Status, words: str = "") -> Markup:
    """A status as a word with its sign and colour; `words` replaces the status's own word."""
    word, tone = WORDS[status]
    return tag("b", words or word, class_=f"s {tone} {status.value}")


def section(name: str, title: str, *content: str) -> Markup:
    """A part of the page under its heading; `name` is the id of both."""
    heading = tag("h2", title, id=name)
    return tag("section", heading, *content, aria_labelledby=name)


def rows(pairs: Iterable[tuple[str, str]], **classes: str) -> Markup:
    """Labels and their values; empty values are left out. `classes`: label to class."""
    made = (
        tag("div", tag("dt", label), tag("dd", value), class_=classes.get(label, ""))
        for label, value in pairs
        if value
    )
    return tag("dl", *made, class_="rows")


def beyond(left: int, what: str) -> Markup:
    """`12 more targets are in the report`; nothing where a bounded list left nothing out."""
    if left <= 0:
        return Markup()
    return tag("p", f"{left} more {what} are in ", link("/report.json", "the report"), ".", class_="soft")


def folded(summary: str, *content: str, **attributes: str) -> Markup:
    """Content that the reader can unfold."""
    return tag("details", tag("summary", summary), *content, **attributes)


def without(tenant: str, page: Markup) -> Markup:
    """The page with "{tenant}" in the place of the tenant's id, in what is shown and not in ids and addresses."""
    if not tenant:
        return page
    return Markup(_SHOWN_TEXT.sub(lambda found: found[0].replace(tenant, "{tenant}"), page))


def anchor(name: str) -> str:
    """The id of a target: its name, so dashboards can link to "/#login.windows.net:443"; a hash if it is not a valid
    id."""
    if ":" in name and _ANCHOR.fullmatch(name):
        return name
    return "t-" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def moment(at: float | None, text: str = "") -> Markup:
    """A time (Unix) as `<time>`: "2026-11-02 09:14:05 UTC", or `text` instead; "unknown" outside the calendar."""
    written = _written(at)
    if not written:
        return escaped("unknown")
    shown = text or f"{written.replace('T', ' ')} UTC"
    return tag("time", shown, datetime=f"{written}Z")


def local_moment(at: float | None, utc_offset: int | None) -> Markup:
    """A time in the host's local time and in UTC: "2026-11-02 10:14:05 (UTC+01:00), 09:14:05 UTC".

    `utc_offset`: seconds ahead of UTC; with None or 0 only UTC.
    """
    local = "" if at is None or not utc_offset else _written(at + utc_offset)
    if not local or not _written(at) or utc_offset is None:
        return moment(at)
    sign, minutes = "-" if utc_offset < 0 else "+", abs(utc_offset) // 60
    zone = f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}"
    return joined((moment(at, f"{local.replace('T', ' ')} ({zone})"), ", ", time_of_day(at or 0.0)))


def day(at: float | None) -> Markup:
    """The date of a time in UTC."""
    return moment(at, _written(at)[:10])


def time_of_day(at: float) -> Markup:
    """The time of day in UTC: "09:14:05 UTC"."""
    return moment(at, f"{_written(at)[11:]} UTC")


def _written(at: float | None) -> str:
    """RFC 3339 to the second; "" for a time that it cannot express."""
    return "" if at is None or not 0 <= at < _LAST else to_rfc3339(at)[:19]


def span(seconds: float) -> str:
    """A duration in its two largest units: "41 s", "4 min", "3 h 12 min", "5 d 3 h"."""
    whole = int(max(0.0, min(_LAST, seconds)))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172_800:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86_400, "d", whole % 86_400 // 3600, "h")


def ago(at: float | None, now: float) -> Markup:
    """The time before `now`, as `<time>`: "3 h 12 min ago", "in 41 s"."""
    if at is None:
        return escaped("unknown")
    return moment(at, f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}")


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit}" + (f" {small} {smaller}" if small else "")
