from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from exporters.runbook.page import CONTENT_SECURITY_POLICY, STYLE, render

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "exporters" / "runbook" / "alerts.md").read_text("utf-8")
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Balanced(HTMLParser):
    """Complains of elements that are not closed, and collects ids and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [value for name in ("id",) if (value := found.get(name))]
        self.links += [value for name in ("href", "src") if (value := found.get(name))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Balanced:
    found = Balanced()
    found.feed(page)
    assert found.open == []
    return found


def test_the_page_is_whole_and_each_link_leads_somewhere() -> None:
    found = read(render(TEXT, "c1"))
    assert len(set(found.ids)) == len(found.ids) > 20
    inner = [link.removeprefix("#") for link in found.links if link.startswith("#")]
    assert len(inner) > 20
    assert set(inner) <= set(found.ids)
    assert {link for link in found.links if not link.startswith("#")} == {"/"}


def test_everything_that_the_file_says_is_on_the_page() -> None:
    page = re.sub(r"<[^>]+>|\s+", "", render(TEXT, "c1"))
    for words in ("afterithasheldfor", "Userssee:", "min_connectors"):
        assert words in page
    assert page.count("Whoacts:") == TEXT.count("**Who acts:**")


def test_the_policy_allows_this_style_only_and_the_connector_is_escaped() -> None:
    assert "<script" not in render(TEXT, "<script>")
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert f"<style>{STYLE}</style>" in render(TEXT, "c1")


def test_the_policy_allows_the_style_of_the_page_by_its_hash() -> None:
    expected = b64encode(sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{expected}'" in CONTENT_SECURITY_POLICY
