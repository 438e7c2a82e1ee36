"""What a finding asks for and what was tested, apart."""

from __future__ import annotations

from dataclasses import replace

from exporters.page import request as on_page
from exporters.page.findings import findings
from exporters.page.request import PATTERNS, UNFOLDED, asked
from exporters.terminal.finding import WILDCARD, inspected_text, need_text
from rules.model import request
from rules.model.request import Request, RequestRow
from tests.exporters import samples
from tests.exporters.html_reader import Node, read

PAGE = "https://learn.microsoft.com/entra/global-secure-access/how-to-configure-connectors"
RELAY = RequestRow(
    "*.servicebus.windows.net", (443,), "never", "Relay", "Configure connectors", PAGE, "2026-10-01"
)
OWN = replace(RELAY, pattern="*.msappproxy.net", purpose="The service")
REQUEST = Request(
    "allow", (OWN.pattern, RELAY.pattern), (443,), "never", "Configure connectors, 2026-10-01", (OWN, RELAY)
)
TESTED = (
    request.TestedName(
        "cwap-eur1.servicebus.windows.net", 443, "example", RELAY.pattern, "eur", ("192.0.2.1", "192.0.2.2")
    ),
    request.TestedName("x.servicebus.windows.net", 443, "example", RELAY.pattern),
    request.TestedName("t.bootstrap.msappproxy.net", 443, "required", OWN.pattern),
    request.TestedName("old.example", 443, "optional", "old.example"),
    request.TestedName("crl.example", 80, "named", "crl.example"),
)


def values(contrast: str = "") -> dict[str, Node]:
    """The values of a finding with a request, by their labels."""
    cause = replace(samples.INTERCEPTED, request=REQUEST, tested=TESTED, contrast=contrast)
    article = next(read(findings(samples.report(causes=(cause,)), frozenset())).all("article"))
    rows = article.one("dl")
    return {d.text: v for d, v in zip(rows.all("dt"), rows.all("dd"), strict=True)}


def test_a_finding_says_apart_what_to_allow_and_what_was_tested() -> None:
    told = values(contrast="7 of 7 names fail; 23 others pass")
    assert list(told)[:4] == ["Do", "What to allow", "What was tested", "Compared"]
    assert [item.text for item in told["What to allow"].all("li")] == [
        "*.msappproxy.net TCP 443, never inspect TLS (The service)",
        "*.servicebus.windows.net TCP 443, never inspect TLS (Relay)",
    ]
    assert not list(told["What to allow"].all("details")), "what to allow is open"
    assert len(list(told["What was tested"].all("details"))) == 1, "the names are folded"
    assert told["Compared"].text == "7 of 7 names fail; 23 others pass"


def test_the_source_is_a_link_once_with_its_date() -> None:
    source = read(asked(REQUEST))
    assert [(a.text, a.attributes["href"]) for a in source.all("a")] == [("Configure connectors", PAGE)]
    assert [p.text for p in source.all("p")] == [WILDCARD, "Source: Configure connectors, 2026-10-01"]


def test_an_address_that_is_no_page_becomes_no_link() -> None:
    for url in (
        "",
        "javascript:alert(1)",
        "http://a.example/",
        'https://a.example/"x',
        "https://a@b.example/",
    ):
        row = replace(RELAY, url=url)
        made = read(asked(replace(REQUEST, rows=(row,), patterns=(row.pattern,))))
        assert list(made.all("a")) == []
        assert "Source: Configure connectors" in made.text


def test_each_name_says_why_it_was_tested() -> None:
    fold = read(on_page.tested(TESTED, frozenset({"old.example:443"})))
    assert fold.one("summary").text == "5 names: 1 required, 2 examples, 1 named by certificates, 1 optional"
    assert [item.text for item in fold.all("li")] == [
        "t.bootstrap.msappproxy.net:443 (required)",
        "cwap-eur1.servicebus.windows.net:443 (example of *.servicebus.windows.net, needed by connector groups in "
        "Europe) at 192.0.2.1, 192.0.2.2",
        "x.servicebus.windows.net:443 (example of *.servicebus.windows.net)",
        "crl.example:80 (named by certificates)",
        "old.example:443 (optional: not in Microsoft's table)",
    ]
    assert [a.attributes["href"] for a in fold.all("a")] == ["#old.example:443"]


def test_an_example_of_a_required_wildcard_is_never_called_not_required() -> None:
    for region in ("", "eur", "unknown"):
        assert "not required" not in need_text("example", "*.servicebus.windows.net", region)


def test_what_may_be_inspected_stands_apart_with_its_consequence() -> None:
    both = replace(REQUEST, action="exempt", may_inspect=("login.windows.net", "*.msauth.net"))
    text = inspected_text(both)
    assert text.startswith(
        "Microsoft does not forbid TLS inspection for login.windows.net, *.msauth.net; where it stays"
    )
    assert "signing in and installing fail" in text
    assert inspected_text(REQUEST) == ""


def test_what_must_resolve_names_no_port() -> None:
    resolve = replace(
        REQUEST, action="resolve", rows=(replace(RELAY, inspect="allowed"),), patterns=(RELAY.pattern,)
    )
    assert read(asked(resolve)).one("li").text == "*.servicebus.windows.net with the public records (Relay)"


def test_long_lists_are_bounded() -> None:
    many = tuple(replace(RELAY, pattern=f"n{i}.example") for i in range(500))
    page = read(asked(replace(REQUEST, patterns=tuple(row.pattern for row in many), rows=many)))
    assert len(list(page.all("li"))) == PATTERNS + UNFOLDED
    assert f"{500 - PATTERNS - UNFOLDED} more patterns are in the report" in page.text
    names = tuple(request.TestedName(f"n{i}.example", 443, "required", f"n{i}.example") for i in range(500))
    assert len(list(read(on_page.tested(names, frozenset())).all("li"))) == UNFOLDED
