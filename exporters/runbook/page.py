"""The page `/runbook`: what each alert means and what to do, with an anchor for each alert."""

from __future__ import annotations

from exporters.page.markup import Markup, escaped, tag
from exporters.page.policy import source_of
from exporters.page.stylesheet import STYLE as PAGE_STYLE
from exporters.runbook.markdown import html

_OWN = (
    "main{max-width:60rem}h1{font-size:1.5rem;margin:1rem 0 .6rem}p{margin:.4rem 0}"
    "ul,ol{padding-left:1.4rem}ul{list-style:disc}ol{list-style:decimal}"
    "pre{margin:.4rem 0;padding:.5rem .7rem;background:var(--quiet-g);overflow-x:auto}"
    "th,td{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}"
    "h3:target{outline:3px solid var(--link);outline-offset:4px}"
)
STYLE = PAGE_STYLE + _OWN

#: The value of the page's `Content-Security-Policy`: it allows the style, by hash, and nothing else.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {source_of(STYLE)}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def render(text: str, connector: str) -> str:
    """The page as HTML5 text. `text`: the runbooks as Markdown; `connector`: whose page it is."""
    meta = Markup(
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    )
    head = tag("head", meta, tag("title", f"Runbook - {connector} - wayclear"), tag("style", Markup(STYLE)))
    header = tag(
        "header",
        tag("b", escaped(connector)),
        tag("span", tag("a", "status", href="/")),
        tag("span", "wayclear"),
    )
    body = tag("body", header, tag("main", html(text), id="main"))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
