"""Recorded networks on a phone, in a real browser: the answer first, little to scroll, targets that a finger meets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.page.page import render
from exporters.page.policy import CONTENT_SECURITY_POLICY
from rules.watch.state import State
from tests.exporters import samples, states
from tests.exporters.browser import Browser, Site
from tests.exporters.recorded import recorded

WIDTH, HEIGHT = 390, 844
BROKEN = ("service-dropped", "intercepted-by-squid", "one-region-dropped", "all-443-dropped")
#: Whatever a finger can hit, with the height and width of each of its boxes; folded ones are not there.
FINGER = """return [...document.querySelectorAll('a, summary')].filter(e => e.checkVisibility() && !e.matches('.skip'))
    .map(e => [...e.getClientRects()].filter(r => r.width).map(
        r => [e.textContent.slice(0, 40), Math.round(r.height), Math.round(r.width)])).flat()"""


def show(browser: Browser, site: Site, state: State) -> None:
    browser.look(WIDTH, HEIGHT)
    browser.open(site.put("/", render(state, state.now + 21), CONTENT_SECURITY_POLICY))


@pytest.mark.parametrize("name", BROKEN)
def test_the_first_screen_has_the_answer_the_owner_and_the_causes(
    browser: Browser, site: Site, name: str
) -> None:
    state = recorded(name)
    show(browser, site, state)
    bottoms = browser.run(
        "return ['.word', '.digest li:last-child'].map(s => document.querySelector(s).getBoundingClientRect().bottom)"
    )
    assert all(0 < bottom < HEIGHT for bottom in bottoms)
    assert state.report is not None
    digest = browser.run("return document.querySelector('.digest').innerText")
    assert "team" in digest
    roots = [c for c in state.report.causes if not c.because and c.status.value in ("fail", "warn")]
    assert digest.count("1. ") == 1
    assert len(digest.splitlines()) >= len(roots[:4])
    assert browser.console() == []


def test_many_findings_still_fit(browser: Browser, site: Site) -> None:
    long = (
        "TCP is silently dropped on the way to 13 endpoints of the service and of sign-in, at all addresses"
    )
    many = tuple(replace(samples.SILENT, id=str(n), summary=long) for n in range(1, 12))
    show(browser, site, states.broken(report=samples.report(causes=many)))
    bottom = browser.run("return document.querySelector('.digest').getBoundingClientRect().bottom")
    assert bottom < HEIGHT


def test_a_healthy_page_is_at_most_three_screens(browser: Browser, site: Site) -> None:
    show(browser, site, recorded("healthy"))
    assert browser.run("return document.documentElement.scrollHeight") <= 3 * HEIGHT
    changed = states.broken(report=samples.healthy()).transitions * 10
    show(browser, site, replace(recorded("healthy"), transitions=changed, drifts=states.broken().drifts * 10))
    assert browser.run("return document.documentElement.scrollHeight") <= 3 * HEIGHT, (
        "also after many changes"
    )


@pytest.mark.parametrize("name", ["healthy", *BROKEN])
@pytest.mark.parametrize("opened", [False, True])
def test_everything_that_can_be_touched_is_24_px_high_and_wide(
    browser: Browser, site: Site, name: str, opened: bool
) -> None:
    show(browser, site, recorded(name))
    if opened:
        browser.run("for (const fold of document.querySelectorAll('details')) fold.open = true")
    found = browser.run(FINGER)
    assert len(found) > 8
    assert [one for one in found if one[1] < 24 or one[2] < 24] == []


def test_a_small_target_would_be_seen(browser: Browser, site: Site) -> None:
    browser.look(WIDTH, HEIGHT)
    browser.open(site.put("/small", "<a href=# style='font-size:10px'>small</a>"))
    assert browser.run(FINGER)[0][1] < 24


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, site: Site, name: str) -> None:
    show(browser, site, recorded(name))
    browser.run("for (const fold of document.querySelectorAll('details')) fold.open = true")
    assert browser.run("return document.documentElement.scrollWidth") == WIDTH
