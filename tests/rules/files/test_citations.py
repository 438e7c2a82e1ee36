"""The head of a file and its citations."""

from __future__ import annotations

import datetime

import pytest

from rules.files.citations import cite, names_of, read_citations, read_name
from rules.files.fields import Faults, Table

DAY = datetime.date(2026, 2, 4)


def head(**data: object) -> Table:
    return Table(data, "", Faults("my.toml"))


def test_the_head() -> None:
    top = head(name="my-rules", title="My rules", version="1", reviewed=DAY)
    assert read_name(top, "rule set") == ("my-rules", "My rules", "1", DAY)
    assert top.faults.found == []


def test_a_head_without_anything() -> None:
    top = head()
    read_name(top, "rule set")
    assert [fault.key_path for fault in top.faults.found] == ["name", "title", "version", "reviewed"]


@pytest.mark.parametrize(
    "url", ["ftp://x/", "https://user@x/", "https://", "javascript:alert(1)", "https://x/ y", "//x"]
)
def test_urls_that_are_none(url: str) -> None:
    top = head(citations={"page": {"title": "t", "url": url, "date": DAY}})
    read_citations(top)
    assert top.faults.found[0].key_path == "citations.page.url"


def test_citations_are_found_by_their_id() -> None:
    top = head(citations={"page": {"title": "t", "url": "https://x.example/y", "date": DAY}})
    citations = read_citations(top)
    found = cite(top, "citation", "page", citations)
    assert found is not None
    assert (found.id, found.title, found.url, found.date) == ("page", "t", "https://x.example/y", DAY)
    assert cite(top, "citation", "other", citations) is None
    assert top.faults.found[0].message == "'other' is no citation of this file (known: page)"


def test_loose_citations_need_a_title_only() -> None:
    top = head(citations={"page": {"title": "t"}, "none": {}})
    read_citations(top, loose=True)
    assert [fault.key_path for fault in top.faults.found] == ["citations.none.title"]


def test_every_name_once_and_in_order() -> None:
    assert names_of("banana") == ("b", "a", "n")
