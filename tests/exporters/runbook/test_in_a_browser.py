"""The runbook in Chromium: its style applies, nothing is refused, an alert's link leads to its part, a phone can read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporters.runbook.page import CONTENT_SECURITY_POLICY, render
from tests.exporters.browser import Browser, browsing, serving
from tests.exporters.runbook.test_page import TEXT

AT = "wayclearservicenamedown"


@pytest.fixture(scope="module")
def shown() -> Iterator[Browser]:
    with serving() as site, browsing() as browser:
        browser.look(390)
        browser.open(site.put("/runbook", render(TEXT, "conn-dub-1"), CONTENT_SECURITY_POLICY) + f"#{AT}")
        yield browser


def test_the_policy_refuses_nothing_that_the_page_has(shown: Browser) -> None:
    assert [line for line in shown.console() if "favicon" not in line] == []
    assert shown.run("return getComputedStyle(document.querySelector('ol')).listStyleType") == "decimal"


def test_the_link_of_an_alert_leads_to_its_part(shown: Browser) -> None:
    top = shown.run(f"return document.getElementById('{AT}').getBoundingClientRect().top")
    assert 0 <= top < 200


def test_a_phone_need_not_scroll_sideways(shown: Browser) -> None:
    assert shown.run("return document.documentElement.scrollWidth") <= 390
