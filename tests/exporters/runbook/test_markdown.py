"""Our Markdown as HTML, and nothing of it as markup that it should not be."""

from __future__ import annotations

import pytest

from exporters.runbook.markdown import anchor, html, inline


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("### WayclearSiteDown", '<h3 id="wayclearsitedown">WayclearSiteDown</h3>'),
        ("a\nb\n\nc", "<p>a b</p><p>c</p>"),
        ("<!-- a\nb -->\nc", "<p>c</p>"),
        ("- a\n  b\n- c", "<ul><li><p>a b</p></li><li><p>c</p></li></ul>"),
        ("- a:\n  1. b\n\n     ```promql\n     up == 1\n       and x\n     ```\n\n  2. c\n- d",
         "<ul><li><p>a:</p><ol><li><p>b</p><pre><code>up == 1\n  and x</code></pre></li><li><p>c</p></li></ol></li>"
         "<li><p>d</p></li></ul>"),
        ("| a | b |\n| --- | --- |\n| `c` | d |",
         '<table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead><tbody><tr><td><code>c</code></td>'
         "<td>d</td></tr></tbody></table>"),
        ("```console\n$ a", "<pre><code>$ a</code></pre>"),
        ("text\n- a", "<p>text</p><ul><li><p>a</p></li></ul>"),
        ("", ""),
    ],
)  # fmt: skip
def test_blocks(text: str, wanted: str) -> None:
    assert html(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a `b` **c** *d*", "a <code>b</code> <b>c</b> <em>d</em>"),
        ("[a](#b-c)", '<a href="#b-c">a</a>'),
        ("[a](causes.md) [b](https://evil.example/)", "a b"),
        ("[`a`](javascript:alert(1))", "<code>a</code>)"),
        ("<script>&\"'", "&lt;script&gt;&amp;&quot;&#x27;"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
    ],
)
def test_lines(text: str, wanted: str) -> None:
    assert inline(text) == wanted


def test_long_text_is_not_cut() -> None:
    assert html("x " * 4000).count("x") == 4000


def test_an_anchor_is_that_of_github() -> None:
    assert anchor("Alerts and what to do!") == "alerts-and-what-to-do"
