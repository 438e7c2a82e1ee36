"""What rule sets, CA sets and interceptors share: a name, a version, a review date and citations."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping

from rules.files.fields import Table
from rules.model.ruleset import Citation
from rules.text.hostname import shown

GRADES = (
    "[ABC]"  #: A Microsoft's documentation, B official code or a vendor's text, C third party; never a guess
)
#: A placeholder for a file without citations; never returned.
NOBODY = Citation("", "", "", datetime.date.min)
_URL = re.compile(r"https?://[^\s/?#@:]+(:\d{1,5})?(/[^\s]*)?\Z")


def read_name(top: Table, what: str) -> tuple[str, str, str, datetime.date | None]:
    """`name`, `title`, `version` and `reviewed` at the top of a file."""
    name = top.matched(
        "name",
        r"[a-z0-9]+([.-][a-z0-9]+)*",
        "lower-case words joined by hyphens",
        'name = "my-rules"',
        required=True,
    )
    title = top.text("title", f'title = "My {what}"', required=True, most=200)
    version = top.text("version", 'version = "2026.11"', required=True, most=40)
    reviewed = top.date("reviewed", "reviewed = 2026-11-23", required=True)
    return name, title, version, reviewed


def read_citations(top: Table, *, loose: bool = False) -> dict[str, Citation]:
    """The tables `[citations.<id>]`: source, place and date. `loose`: a title is enough."""
    found: dict[str, Citation] = {}
    for key, table in top.named_tables("citations", "[citations.page]"):
        title = table.text("title", 'title = "Configure connectors"', required=True, most=300)
        url = table.text("url", 'url = "https://learn.microsoft.com/..."', required=not loose, most=1000)
        if url and not _URL.match(url):
            table.fault(
                "url", f"{shown(url)} is not an http or https URL", 'url = "https://learn.microsoft.com/..."'
            )
        date = table.date("date", "date = 2026-02-04", required=not loose)
        table.finish()
        found[key] = Citation(key, title, url, date or NOBODY.date)
    return found


def cite(table: Table, key: str, wanted: str, citations: Mapping[str, Citation]) -> Citation | None:
    """The citation with the id `wanted`; a fault at `key` if the file has none."""
    if wanted not in citations:
        known = ", ".join(shown(one)[1:-1] for one in citations) or "none"
        table.fault(key, f"{shown(wanted)} is no citation of this file (known: {known})", "[citations.page]")
        return None
    return citations[wanted]


def names_of(items: Iterable[str]) -> tuple[str, ...]:
    """Every item once, in order."""
    return tuple(dict.fromkeys(items))
