"""The page renews itself in a real browser: what the reader opened stays open, and they stay where they are."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from exporters.page.page import render
from exporters.page.policy import CONTENT_SECURITY_POLICY
from probe.web.app import HttpServer
from probe.web.messages import Request, Response
from rules.model.verdict import Answer, Status
from rules.watch.state import State
from tests.exporters import samples, states
from tests.exporters.browser import Browser, Site

NOW = states.NOW + 12
FIRST = replace(samples.INTERCEPTED, id="1")
SECOND = replace(samples.SILENT, id="2", details=(("tries", "2"),))
MANY = tuple(states.target(f"n{i:02}.example", status=Status.FAIL, cause="tcp.timeout") for i in range(40))
BEFORE = states.broken(
    report=samples.report(causes=(FIRST, SECOND)), answer=Answer.NO, targets=(*MANY, states.target())
)
#: The heavier finding is gone, the other has its number; three targets are well again, one is new and stands above.
AFTER = replace(
    BEFORE,
    report=samples.report(causes=(replace(SECOND, id="1"),)),
    answer=Answer.DEGRADED,
    headline="DEGRADED: sign-in is slow.",
    targets=(
        states.target("a-new.example", status=Status.BROKEN),
        *(replace(one, status=Status.PASS, cause="ok") for one in MANY[:3]),
        *MANY[3:],
        states.target(),
    ),
)
OPEN = """return [...document.querySelectorAll('details')].filter(e => e.open).map(
    e => e.closest('[data-key]')?.dataset.key + ' / ' + e.querySelector('summary').textContent.slice(0, 30))"""
WORD = "return document.querySelector('.word').textContent"


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    site: Site = request.getfixturevalue("site")
    browser: Browser = request.getfixturevalue("browser")
    browser.look(1280)
    browser.open("about:blank")
    site.asked.clear()


def show(browser: Browser, site: Site, state: State, refresh: int | None = 1) -> None:
    browser.open(site.put("/", render(state, NOW, refresh), CONTENT_SECURITY_POLICY))
    browser.run("window.kept = true")  # gone after any load


def renew(browser: Browser, site: Site, state: State, now: float = NOW + 30) -> None:
    """The server has another page; wait until the browser has taken it."""
    site.put("/", render(state, now, 1), CONTENT_SECURITY_POLICY)
    asked = len(site.asked)
    assert site.wait_for(asked + 2), "the second request comes after the first answer was used"
    assert browser.run("return window.kept ?? null") is True, "in place, without a load"


def open_fold(browser: Browser, within: str, fold: str = "details") -> None:
    found = browser.run(
        "const e = document.querySelector(arguments[0])?.querySelector(arguments[1]); if (e) e.open = true; return !!e",
        within, fold,
    )  # fmt: skip
    assert found, (within, fold)


def test_what_is_open_stays_open_although_numbers_and_places_change(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    open_fold(browser, '[data-key="tcp.timeout 1"]')
    open_fold(browser, '[data-key="n20.example:443"]')
    opened = browser.run(OPEN)
    assert len(opened) == 2
    renew(browser, site, AFTER)
    assert browser.run(WORD).startswith("DEGRADED")
    assert browser.run(OPEN) == opened
    assert (
        browser.run("return document.querySelector('[data-key=\"tcp.timeout 1\"] h4').textContent[0]") == "1"
    )
    assert browser.run("return document.querySelectorAll('article').length") == 1
    assert browser.run("return document.title").startswith("DEGRADED"), "the tab says it too"
    assert browser.console() == []


def test_the_renewed_page_is_the_page_that_a_load_shows(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    renew(browser, site, AFTER)
    renewed = browser.run("return document.querySelector('main').innerHTML")
    browser.open(site.put("/", render(AFTER, NOW + 30, None), CONTENT_SECURITY_POLICY))
    assert _without_links(browser.run("return document.querySelector('main').innerHTML")) == _without_links(
        renewed
    )


def _without_links(page: str) -> str:
    """Without the sentence about renewing, which says what this page does."""
    start = page.index("<dt>Page made</dt>")
    return page[:start] + page[page.index("</dl>", start) :]


def test_the_reader_stays_where_they_are(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    place = """const e = document.querySelector('[data-key="n20.example:443"]');
        if (arguments[0]) e.scrollIntoView({block: 'start'});
        return Math.round(e.getBoundingClientRect().top)"""
    before = browser.run(place, True)
    browser.run("scrollBy(0, -150)")
    before = browser.run(place, False)
    height = browser.run("return document.documentElement.scrollHeight")
    renew(browser, site, AFTER)
    assert browser.run("return document.documentElement.scrollHeight") != height, "the page above is another"
    assert abs(browser.run(place, False) - before) <= 1


def test_at_the_top_the_reader_sees_the_answer_change(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    renew(browser, site, AFTER)
    assert browser.run("return scrollY") == 0


def test_focus_and_a_selected_text_stay(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    browser.run("""document.querySelector('[data-key="n20.example:443"] summary').focus();
        const range = document.createRange();
        range.selectNodeContents(document.querySelector('[data-key="tcp.timeout 1"] .do dd'));
        getSelection().removeAllRanges(); getSelection().addRange(range)""")
    selected = browser.run("return getSelection().toString()")
    assert selected == samples.SILENT.remedy
    renew(browser, site, AFTER)
    assert browser.run("return getSelection().toString()") == selected
    focus = "return document.activeElement.closest('[data-key]')?.dataset.key ?? null"
    assert browser.run(focus) == "n20.example:443"


def test_the_line_that_says_how_old_the_page_is_begins_anew(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    browser.run(
        "const old = document.querySelector('.aged'); old.id = 'old'; old.getAnimations()[0].currentTime = 1e9"
    )
    renew(browser, site, BEFORE)
    assert browser.run("return document.querySelectorAll('.aged').length") == 1
    assert browser.run("return document.querySelector('.aged').id") == ""
    age = browser.run("return document.querySelector('.aged').getAnimations()[0].currentTime")
    assert age < 1e9


def test_an_answer_that_is_no_page_changes_nothing_and_it_asks_again(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    for page in ("<p>Please sign in</p>", "", "not html"):
        site.put("/", page, CONTENT_SECURITY_POLICY)
        assert site.wait_for(len(site.asked) + 2)
        assert browser.run(WORD).startswith("NO")
    site.pages.pop("/")
    assert site.wait_for(len(site.asked) + 2), "a 404"
    assert browser.run(WORD).startswith("NO")
    renew(browser, site, AFTER)
    assert browser.run(WORD).startswith("DEGRADED")


def test_it_is_renewed_through_the_program_s_own_server(browser: Browser) -> None:
    """With its access control and its headers: a request of a script is refused if it changes anything."""
    shown, asked = [BEFORE], threading.Semaphore(0)

    async def answer(request: Request) -> Response:
        asked.release()
        policy = (("Content-Security-Policy", CONTENT_SECURITY_POLICY),)
        return Response(200, render(shown[0], NOW, 1).encode(), "text/html; charset=utf-8", policy)

    def browse(url: str) -> None:
        browser.open(url)
        browser.run("window.kept = true")
        open_fold(browser, '[data-key="n20.example:443"]')
        shown[0] = AFTER
        while asked.acquire(blocking=False):
            pass
        assert asked.acquire(timeout=25)
        assert asked.acquire(timeout=25)
        assert asked.acquire(timeout=25), "the page after the change was taken"
        assert browser.run(WORD).startswith("DEGRADED")
        assert browser.run("return window.kept") is True
        assert len(browser.run(OPEN)) == 1
        assert browser.console() == []

    async def serve() -> None:
        server = HttpServer(answer, ("127.0.0.1:0",))
        await server.start()
        try:
            await asyncio.to_thread(browse, f"http://{server.addresses[0]}/")
        finally:
            await server.stop()

    asyncio.run(serve())


def test_a_page_of_another_version_is_loaded_as_a_whole(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE)
    other = render(AFTER, NOW, None).replace("<style>", "<style>/**/")
    site.put("/", other)
    assert site.wait_for(len(site.asked) + 2)
    browser.ask("POST", "/timeouts", {"implicit": 5000})
    browser.ask("POST", "/element", {"using": "css selector", "value": ".word.degraded"})
    browser.ask("POST", "/timeouts", {"implicit": 0})
    assert browser.run("return window.kept ?? null") is None


def test_a_page_that_shall_not_renew_itself_asks_for_nothing(browser: Browser, site: Site) -> None:
    show(browser, site, BEFORE, refresh=None)
    # Timers of the same length fire in the order in which they were set: 1.1 s is later than any renewal of 1 s.
    done = "const done = arguments[0]; setTimeout(() => done(true), 1100)"
    assert browser.ask("POST", "/execute/async", {"script": done, "args": []}) is True
    assert site.asked == ["/"]


def test_without_scripts_the_page_loads_itself_again(browser: Browser, site: Site) -> None:
    browser.scripts(False)
    try:
        browser.open(site.put("/", render(BEFORE, NOW, 1), CONTENT_SECURITY_POLICY))
        assert site.wait_for(2), "the browser has asked again"
        assert set(site.asked) == {"/"}
    finally:
        browser.scripts(True)
