"""The page as a whole: what a reader, a phone, a screen reader and an enemy meet."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from exporters.page import changes, findings
from exporters.page import targets as page_targets
from exporters.page.answer import STALE_AFTER
from exporters.page.markup import PAGES
from exporters.page.page import CONTENT_SECURITY_POLICY, render
from exporters.page.script import SCRIPT
from exporters.page.stylesheet import AGED_AFTER, STYLE
from exporters.terminal.audit import FOLD
from rules.audit.first_check import FirstCheck
from rules.model.verdict import Answer, Endpoint, Status
from rules.watch.state import State
from tests.exporters import samples, states
from tests.exporters.hostile import HUGE, PAYLOADS, hostile, texts
from tests.exporters.html_reader import Node, read
from tests.rules import goldens

ROOT = Path(__file__).resolve().parents[3]
NOW = states.NOW + 12
STATES = {
    "healthy": states.state(),
    "degraded": states.broken(),
    "broken": states.broken(report=samples.report(), answer=Answer.NO),
    "behind proxy": states.state(report=samples.behind_proxy(), answer=Answer.NOT_PROVEN),
    "starting": states.starting(first=FirstCheck(7, 39, 41.0, ("a.example",), ("b.example",))),
    "starting with targets": states.starting(targets=(states.target(status=Status.INCONCLUSIVE),)),
    "hostile": hostile(),
}
#: Elements that show text, the one style and the one script; whatever else fetches, runs, sends or embeds is not among them.
ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        "html head title style meta body header main footer section nav article h1 h2 h3 h4 p dl dt dd div ul ol li "
        "span b small code time a wbr table caption thead tbody tr th td details summary "
        "script noscript",
    )
)
ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        "lang charset name content http-equiv class id href datetime scope colspan rowspan aria-label aria-labelledby "
        "data-key data-refresh rel",
    )
)


def shown(state: State, refresh: int | None = 30) -> Node:
    return read(render(state, NOW, refresh))


@pytest.fixture(params=STATES)
def page(request: pytest.FixtureRequest) -> Node:
    return shown(STATES[request.param])


def test_the_page_is_well_formed_and_holds_nothing_that_acts(page: Node) -> None:
    for node in page.all():
        assert node.name in ELEMENTS
        assert set(node.attributes) <= ATTRIBUTES
    assert page.one("style").text == " ".join(STYLE.split())
    assert page.one("script").text == " ".join(SCRIPT.split())
    assert page.one("script").attributes == {}


def test_landmarks_and_headings_are_in_order(page: Node) -> None:
    for landmark in ("header", "main", "h1", "title"):
        page.one(landmark)
    assert page.one("html").attributes["lang"] == "en"
    levels = [int(n.name[1]) for n in page.all() if re.fullmatch("h[1-6]", n.name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_every_heading_its_scope(page: Node) -> None:
    for table in page.all("table"):
        assert next(table.all("caption")).text
        assert all(cell.attributes["scope"] in ("row", "col") for cell in table.all("th"))


def test_ids_are_unique_and_every_link_leads_somewhere(page: Node) -> None:
    ids = [n.attributes["id"] for n in page.all() if "id" in n.attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        target = link.attributes["href"]
        assert target in PAGES or target[1:] in ids
    labelled = {n.attributes["aria-labelledby"] for n in page.all() if "aria-labelledby" in n.attributes}
    assert labelled <= set(ids)


def test_the_order_is_the_one_of_a_reader_in_a_hurry() -> None:
    headings = [n.text for n in shown(STATES["broken"]).all() if n.name in ("h1", "h2")]
    assert headings[1:] == [
        "Who must act", "What could not be tested, and why", "What changed lately", "Targets",
        "Revocation sources", "Worth knowing", "Where and by what it was measured",
    ]  # fmt: skip


def test_the_connector_and_its_place_are_named() -> None:
    header = shown(states.state()).one("header")
    parts = [node.text for node in header.all() if node.name in ("b", "span")]
    assert parts == ["connector01", "group vienna", "site Vienna", "region eu", "wayclear"]
    bare = states.state(place=replace(states.PLACE, connector_group="", site="", region=""))
    assert shown(bare).one("header").text == "connector01wayclear"


@pytest.mark.parametrize(("refresh", "renews"), [(30, ["30"]), (5, ["5"]), (None, []), (0, [])])
def test_the_page_renews_itself_unless_told_not_to(refresh: int | None, renews: list[str]) -> None:
    page = shown(states.state(), refresh)
    found = [m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes]
    assert found == renews
    assert [m.attributes["content"] for n in page.all("noscript") for m in n.all("meta")] == renews
    assert page.one("html").attributes.get("data-refresh", "") == "".join(renews)
    assert "/?refresh=0" in [a.attributes["href"] for a in page.all("a")] or not renews


def test_before_the_first_sweep_the_page_says_so_and_shows_what_is_known() -> None:
    page = shown(STATES["starting with targets"])
    assert "First check still running" in page.one("h1").text
    assert "NOT TESTED" in page.one("table", class_="targets").text
    assert "Who must act" not in page.text


def test_the_tenants_id_is_shown_once_and_links_to_its_names_still_work() -> None:
    report = goldens.golden("service-dropped")
    tenant = report.vantage.tenant
    assert tenant is not None
    page = render(goldens.state("service-dropped"), report.finished)
    shown = re.sub(r"<[^>]*>", "", page.partition("<body")[2])
    assert shown.count(tenant) == 1
    assert "{tenant}.bootstrap.msappproxy.net" in shown
    assert f'id="{tenant}.bootstrap.msappproxy.net:443"' in page


def test_the_policy_allows_the_one_style_the_one_script_and_nothing_else() -> None:
    directives = CONTENT_SECURITY_POLICY.split("; ")
    assert directives[0] == "default-src 'none'"
    assert re.fullmatch(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", directives[1])
    assert re.fullmatch(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", directives[2])
    assert directives[3:] == [
        "connect-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]  # fmt: skip


def test_the_script_ends_where_it_should_and_turns_no_text_into_html() -> None:
    for word in (
        "</",
        "<!--",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "Function(",
    ):
        assert word not in SCRIPT
    assert SCRIPT.isascii()


# --- hostile inputs ------------------------------------------------------------------------------------------------


def test_the_enemy_writes_every_text_that_the_page_shows() -> None:
    kept = {t for t in texts(STATES["hostile"]) if t not in PAYLOADS}
    assert kept <= set(texts(STATES["broken"]))
    assert all(re.fullmatch(r"[a-z0-9._-]{0,20}", t, re.IGNORECASE) for t in kept), (
        "words of an enumeration only"
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_text_of_a_peer_stays_text_in_every_place(payload: str) -> None:
    page = shown(hostile((payload,)))
    assert {n.name for n in page.all()} <= ELEMENTS
    assert {key for n in page.all() for key in n.attributes} <= ATTRIBUTES
    assert {a.attributes["href"] for a in page.all("a") if not a.attributes["href"].startswith("#")} <= PAGES


@pytest.mark.parametrize("payload", PAYLOADS)
def test_control_bidi_and_lone_surrogates_are_shown_as_escapes(payload: str) -> None:
    page = render(hostile((payload,)), NOW)
    assert page.encode("utf-8").decode("utf-8") == page
    assert [c for c in page if not c.isprintable() and c != "\n"] == []
    assert page.count("\n") == 2 + SCRIPT.count("\n"), "a text has no line of its own"


@pytest.mark.parametrize("payload", HUGE)
def test_a_megabyte_in_every_text_is_cut_with_its_hash(payload: str) -> None:
    page = render(hostile((payload,)), NOW)
    assert len(page) < 300_000
    assert page.count("sha256 ") > 100
    read(page)


def test_figures_without_a_meaning_break_nothing() -> None:
    for odd in (float("nan"), float("inf"), -float("inf"), 1e300, -1.0):
        odd_target = states.target(
            measured=odd, since=odd, expiry=odd, ttl=odd, stages=(("dns", odd),),
            addresses=(states.address(tried=odd),),
        )  # fmt: skip
        state = states.state(
            odd_target, answer_since=odd, started=odd, sources=(states.source(next_update=odd),),
            transitions=(replace(states.broken().transitions[0], at=odd),),
        )  # fmt: skip
        assert "unknown" in shown(state).text


# --- size ----------------------------------------------------------------------------------------------------------


def test_two_thousand_targets_make_a_page_of_bounded_size() -> None:
    page = render(states.many(2000), NOW)
    assert len(page.encode()) < 1_000_000
    twice = render(states.many(4000), NOW)
    assert len(twice) - len(page) < 1000, "beyond the cap a target costs nothing"


def test_a_network_that_fails_everywhere_costs_no_more_than_in_proportion() -> None:
    hosts = [f"cwap-region{i:05}.servicebus.windows.net" for i in range(2000)]
    endpoints = tuple(Endpoint(host, 443, f"52.112.{i // 250}.{i % 250}") for i, host in enumerate(hosts))
    verdicts = tuple(
        samples.verdict(h, "tls", Status.FAIL, "tls.intercepted") for h in hosts for _ in range(4)
    )
    report = samples.report(causes=(replace(samples.INTERCEPTED, endpoints=endpoints),), verdicts=verdicts)
    state = states.state(*(states.failing(host) for host in hosts), report=report, answer=Answer.NO)
    began = time.process_time()
    page = render(state, NOW)
    assert time.process_time() - began < 1.5, (
        "a tenth of it is usual; a square of the targets takes far longer"
    )
    assert len(page) < 1_200_000


# --- the page of the documentation ---------------------------------------------------------------------------------


def test_the_documentation_has_the_figures_of_the_page() -> None:
    text = " ".join((ROOT / "docs/status-page.md").read_text("utf-8").split())
    card = re.search(r"max-width:([\d.]+)rem\)\{\.targets,", STYLE)
    assert card is not None
    for told in (
        f"The worst {page_targets.WHOLE} targets can be opened, the next {page_targets.LINES} have a line",
        f"{findings.CAUSES} causes of each kind, {FOLD + findings.UNFOLDED} endpoints of a cause",
        f"{changes.SHOWN + changes.UNFOLDED} changes, {page_targets.ADDRESSES} addresses",
        f"cards below {float(card[1]) * 16:,.0f} px",
    ):
        assert told in text
    assert (STALE_AFTER, AGED_AFTER) == (5 * 60, 2.5 * 60), "five minutes, two and a half minutes"
