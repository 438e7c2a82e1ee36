"""The page in a real browser: fits, can be read, keeps its policy, runs nothing, needs no mouse.

One browser for the module. That the browser would complain, run and fetch if it were given reason to is shown as well.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporters.page.page import render
from exporters.page.policy import CONTENT_SECURITY_POLICY
from exporters.page.stylesheet import AGED_AFTER, STYLE
from rules.model.verdict import Answer, Status
from tests.exporters import samples, states
from tests.exporters.browser import Browser, Site
from tests.exporters.hostile import HUGE, hostile

NOW = states.NOW + 12
EVERY_STATUS = tuple(states.target(f"{s.value}.example", status=s, cause="tls.timeout") for s in Status)
STATES = {
    "healthy": states.state(),
    "degraded": states.broken(),
    "broken": states.broken(
        report=samples.report(), answer=Answer.NO, host_faults=("local.no-route",), targets=EVERY_STATUS
    ),
    "starting": states.starting(),
    "stale": states.state(states.target(measured=NOW - 3600)),
    "hostile": hostile(),
    "huge": hostile(HUGE),
}
PAGES = {name: render(state, NOW, refresh=None) for name, state in STATES.items()}
#: The least contrast of any text with what lies under it (WCAG 2.2, 1.4.3), with the text that has it.
CONTRAST = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
const parts = text => text.match(/[\\d.]+/g).map(Number);
let least = [99, '', 0], count = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  let under = element, ground;
  do { ground = parts(getComputedStyle(under).backgroundColor); under = under.parentElement; }
  while (ground.length === 4 && ground[3] === 0);
  const pair = [light(parts(getComputedStyle(element).color)), light(ground)].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  count += 1;
  if (ratio < least[0]) least = [ratio, walker.currentNode.data.slice(0, 60), 0];
}
least[2] = count;
return least;
"""
OPEN_ALL = "for (const fold of document.querySelectorAll('details')) fold.open = true"
ACTIVE = "const e = document.activeElement; return [e.tagName, e.textContent, e.parentElement.open ?? null]"


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    """Each test begins on a desktop in daylight, with a server that nobody has asked."""
    site: Site = request.getfixturevalue("site")
    browser: Browser = request.getfixturevalue("browser")
    browser.look(1280)
    browser.open("about:blank")
    site.asked.clear()


def show(browser: Browser, site: Site, name: str, policy: str | None = CONTENT_SECURITY_POLICY) -> None:
    browser.open(site.put("/", PAGES[name], policy))


# --- fits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 360, 1040, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_scrolls_sideways_opened_or_not(browser: Browser, site: Site, name: str, width: int) -> None:
    browser.look(width)
    show(browser, site, name)
    widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert browser.run(widths) == [width, width]
    browser.run(OPEN_ALL)
    assert browser.run(widths) == [width, width]
    beyond = browser.run(
        "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.matches('.hidden, .skip, "
        ".hidden *, thead, thead *') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))"
    )
    assert beyond == [], "nothing is cut off either"


def test_a_phone_shows_the_answer_without_scrolling(browser: Browser, site: Site) -> None:
    browser.look(360, 640)
    show(browser, site, "broken")
    word, facts = browser.run(
        "return [...document.querySelectorAll('.word, .facts')].map(e => e.getBoundingClientRect().bottom)"
    )
    assert word < 200
    assert facts < 640


def test_a_table_stays_a_table_where_it_looks_like_cards(browser: Browser, site: Site) -> None:
    browser.look(360)
    show(browser, site, "broken")
    roles = {}
    for selector in (
        ".targets",
        ".targets .row",
        ".targets .row > th",
        ".targets .row > td",
        ".targets caption",
    ):
        found = browser.ask("POST", "/element", {"using": "css selector", "value": selector})
        roles[selector] = browser.ask("GET", f"/element/{next(iter(found.values()))}/computedrole")
    assert roles == {
        ".targets": "table", ".targets .row": "row", ".targets .row > th": "rowheader",
        ".targets .row > td": "cell", ".targets caption": "caption",
    }  # fmt: skip


def test_on_paper_everything_is_opened_and_nothing_is_tinted(browser: Browser, site: Site) -> None:
    browser.look(800, dark=True, media="print")
    show(browser, site, "degraded")
    hidden = "return [...document.querySelectorAll('.more')].filter(e => !e.checkVisibility()).length"
    assert browser.run(hidden) == 0
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.look(800)
    assert browser.run(hidden) > 0, "on a screen they are closed"


# --- can be read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media", ["light", "dark", "print"])
@pytest.mark.parametrize("name", ["healthy", "degraded", "broken", "starting", "stale"])
def test_every_text_has_the_contrast_that_wcag_asks(
    browser: Browser, site: Site, name: str, media: str
) -> None:
    browser.look(1280, dark=media == "dark", media="print" if media == "print" else "screen")
    show(browser, site, name)
    browser.run(OPEN_ALL)
    ratio, text, count = browser.run(CONTRAST)
    assert ratio >= 4.5, f"{text!r} has {ratio:.2f} : 1"
    assert count > 20


def test_the_contrast_is_really_measured(browser: Browser, site: Site) -> None:
    faint = '<body style="background:#fff"><p style="color:#999">faint</p><p>clear</p>'
    browser.open(site.put("/faint", faint))
    ratio, text, count = browser.run(CONTRAST)
    assert (round(ratio, 1), text, count) == (2.8, "faint", 2)


def test_each_status_has_a_sign_of_its_own(browser: Browser, site: Site) -> None:
    show(browser, site, "broken")
    signs = browser.run(
        "return [...document.querySelectorAll('.row .s')].map(e => [e.className, getComputedStyle(e, '::before').content])"
    )
    found = {classes.split()[-1]: re.findall(r'"([^"]+)"', content)[0] for classes, content in signs}
    assert set(found) == {s.value for s in Status}
    assert len(set(found.values())) == len(Status)


# --- runs nothing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_is_kept_and_the_console_is_silent(browser: Browser, site: Site, name: str) -> None:
    show(browser, site, name)
    assert browser.console() == []
    assert (
        browser.run("return getComputedStyle(document.querySelector('.answer')).borderLeftWidth") != "0px"
    ), "the style is used"
    assert site.asked == ["/"]


def test_the_browser_would_complain(browser: Browser, site: Site) -> None:
    bad = f"<style>{STYLE} </style><script>window.hostile = 1</script><img src=/stolen>"
    browser.open(site.put("/bad", bad, CONTENT_SECURITY_POLICY))
    said = "\n".join(browser.console())
    assert "style-src" in said
    assert "script-src" in said
    assert "img-src" in said
    assert browser.run("return window.hostile ?? null") is None


@pytest.mark.parametrize("policy", [CONTENT_SECURITY_POLICY, None])
@pytest.mark.parametrize("name", ["hostile", "huge"])
def test_hostile_text_does_nothing_with_and_without_the_policy(
    browser: Browser, site: Site, name: str, policy: str | None
) -> None:
    show(browser, site, name, policy)
    browser.run(OPEN_ALL)
    assert browser.run("return window.hostile ?? null") is None
    assert (
        browser.run("return document.querySelectorAll('body script, img, svg, iframe, link, base').length")
        == 0
    )
    assert site.asked == ["/"], "nothing was fetched"
    assert browser.run("return location.pathname") == "/"
    assert (
        "<script>window.hostile=1</script>" in browser.run("return document.body.innerText") or name == "huge"
    )


def test_the_browser_would_run_it(browser: Browser, site: Site) -> None:
    browser.open(site.put("/open", "<script>window.hostile = 1</script><img src=/stolen>"))
    assert browser.run("return window.hostile") == 1
    assert "/stolen" in site.asked


def test_without_scripts_the_page_looks_the_same(browser: Browser, site: Site) -> None:
    control = site.put("/control", "<p>without</p><script>document.body.textContent = 'with'</script>")
    show(browser, site, "degraded")
    usual = browser.picture((0, 0, 1280, 2000))
    browser.scripts(False)
    try:
        browser.open(control)
        assert browser.run("return document.body.innerText.trim()") == "without"
        show(browser, site, "degraded")
        assert browser.picture((0, 0, 1280, 2000)) == usual
    finally:
        browser.scripts(True)
    browser.open(control)
    assert browser.run("return document.body.innerText.trim()") == "with"


# --- needs no mouse, stays honest with time ------------------------------------------------------------------------


def tab_to(browser: Browser, wanted: str) -> Any:  # noqa: ANN401
    """Press Tab until an element with this name has the focus; what was met."""
    for _ in range(60):
        browser.press("Tab")
        if (met := browser.run(ACTIVE))[0] == wanted:
            return met
    raise AssertionError(f"no {wanted} is reached by keyboard")


def test_the_first_key_leads_past_the_head_of_the_page(browser: Browser, site: Site) -> None:
    show(browser, site, "degraded")
    assert tab_to(browser, "A")[1] == "Skip to the answer"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") == 0
    browser.press("Enter")
    assert browser.run("return location.hash") == "#main"


def test_rows_are_opened_and_closed_by_keyboard_and_show_the_focus(browser: Browser, site: Site) -> None:
    show(browser, site, "healthy")
    assert tab_to(browser, "SUMMARY")[2] is False
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter")
    assert browser.run(ACTIVE)[2] is True
    browser.press("Enter")
    assert browser.run(ACTIVE)[2] is False


def test_a_link_to_a_target_opens_its_row(browser: Browser, site: Site) -> None:
    url = site.put("/", PAGES["broken"], CONTENT_SECURITY_POLICY)
    browser.open(f"{url}#fail.example:443")
    assert browser.run("return document.getElementById('fail.example:443').closest('details').open") is True
    assert browser.run("return document.getElementById('pass.example:443').closest('details').open") is False


def test_a_page_that_stands_too_long_says_so_by_itself(browser: Browser, site: Site) -> None:
    show(browser, site, "healthy")
    seen = """
      const line = document.querySelector('.aged');
      for (const a of line.getAnimations()) { a.pause(); a.currentTime = arguments[0] * 1000; }
      const style = getComputedStyle(line);
      return [style.visibility, line.getBoundingClientRect().height > 20, line.getAnimations().length]
    """
    assert browser.run(seen, AGED_AFTER - 1) == ["hidden", False, 1]
    assert browser.run(seen, AGED_AFTER + 1) == ["visible", True, 1]
