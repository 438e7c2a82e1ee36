"""Our own Markdown as HTML: what `docs/alerts.md` uses, and nothing else.

Headings with anchors as on GitHub, paragraphs, lists in lists, tables, code, bold and emphasis. A link leads to an anchor
of the page; any other target (a file beside it, another site) is not served here, so its text stays without a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from exporters.page.markup import Markup, escaped, joined, tag

_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(#{1,4}) (.+)")
_ITEM = re.compile(r"(- |\d{1,2}\. )")
_FENCE = "```"
_LONGEST = 20_000  # characters of a code block


def html(text: str) -> Markup:
    """A document. Comments are left out."""
    return joined(_blocks(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).splitlines()))


def anchor(heading: str) -> str:
    """The id of a heading: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-"))


def _blocks(lines: Sequence[str]) -> list[Markup]:
    found: list[Markup] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if not line.strip():
            pass
        elif heading := _HEADING.fullmatch(line):
            found.append(_heading(len(heading[1]), heading[2]))
        elif line.startswith(_FENCE):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith(_FENCE)), len(lines))
            code = "\n".join(lines[at + 1 : end])
            found.append(tag("pre", tag("code", escaped_lines(code))))
            end += 1
        elif line.startswith("|"):
            end = _while(lines, at, lambda one: one.startswith("|"))
            found.append(_table(lines[at:end]))
        elif marker := _ITEM.match(line):
            end, items = _items(lines, at, ordered=marker[1] != "- ")
            found.append(tag("ul" if marker[1] == "- " else "ol", *items))
        else:
            end = _while(lines, at, lambda one: bool(one.strip()) and not _starts(one))
            found.append(tag("p", inline(" ".join(one.strip() for one in lines[at:end]))))
        at = end
    return found


def _while(lines: Sequence[str], at: int, goes_on: Callable[[str], bool]) -> int:
    """The first line from `at` + 1 on that does not go on."""
    return next((n for n in range(at + 1, len(lines)) if not goes_on(lines[n])), len(lines))


def _belongs(width: int, line: str) -> bool:
    """Whether a line belongs to an item whose text begins at this column."""
    return not line.strip() or line.startswith(" " * width)


def _starts(line: str) -> bool:
    """Whether another block begins here, without a blank line before it."""
    return bool(_ITEM.match(line)) or line.startswith((_FENCE, "|")) or bool(_HEADING.fullmatch(line))


def _items(lines: Sequence[str], at: int, *, ordered: bool) -> tuple[int, list[Markup]]:
    """The items of a list, and the line behind it. What belongs to an item is set in as far as its text."""
    items: list[Markup] = []
    while at < len(lines) and (marker := _ITEM.match(lines[at])) and (marker[1] != "- ") == ordered:
        width = len(marker[1])
        end = _while(lines, at, partial(_belongs, width))
        inside = _blocks([line[width:] for line in lines[at:end]])
        items.append(tag("li", *inside))
        at = end
    return at, items


def _heading(level: int, text: str) -> Markup:
    return tag(f"h{level}", inline(text), id=anchor(text))


def _table(lines: Sequence[str]) -> Markup:
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head = tag("tr", *(tag("th", inline(cell), scope="col") for cell in cells[0]))
    body = (tag("tr", *(tag("td", inline(cell)) for cell in row)) for row in cells[2:])
    return tag("table", tag("thead", head), tag("tbody", *body))


def inline(text: str) -> Markup:
    """A line with its code, bold and emphasis; links to anchors of the page stay links."""
    parts: list[Markup] = []
    at = 0
    for match in _INLINE.finditer(text):
        parts.append(escaped(text[at : match.start()], _LONGEST))
        code, bold, emphasis, words, target = match.groups()
        if code:
            parts.append(tag("code", escaped(code, _LONGEST)))
        elif bold:
            parts.append(tag("b", inline(bold)))
        elif emphasis:
            parts.append(tag("em", inline(emphasis)))
        elif target.startswith("#"):
            parts.append(tag("a", inline(words), href=target))
        else:
            parts.append(inline(words))
        at = match.end()
    return joined([*parts, escaped(text[at:], _LONGEST)])


def escaped_lines(text: str) -> Markup:
    """Text of several lines: `escaped` makes one line of it."""
    return Markup("\n".join(escaped(line, _LONGEST) for line in text.splitlines()))
