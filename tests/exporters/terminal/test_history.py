"""The history for people and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporters.terminal.history import moment, render, to_json
from exporters.terminal.style import Style
from rules.watch.events import Drift, HistoryExtract, LedgerEntry, Transition

AT = 1_795_597_923.0  # 2026-11-25 09:12:03 UTC
X = "login.windows.net:443"
FAILED = Transition(AT, X, "pass", "fail", "ok", "tcp.timeout", "No answer to SYN from 20.190.1.1.", 3)
FIRST = Transition(AT - 86400, X, "", "pass", "", "ok", "as it should be", 1)
NEWS = Drift(
    AT - 60,
    "login.windows.net",
    "cname",
    "b.azurefd.example",
    "a new suffix in the chain of X: azurefd.example",
    2,
)
LEDGER = (
    LedgerEntry("login.windows.net", "address", "20.190.1.1", AT - 86400, AT),
    LedgerEntry("login.windows.net", "address", "20.190.1.2", AT - 86400, AT - 60),
    LedgerEntry("login.windows.net", "cname", "b.azurefd.example", AT - 60, AT),
    LedgerEntry(X, "issuer", "CN=Microsoft Azure RSA TLS Issuing CA 04 [expected]", AT, AT, "expected"),
)  # fmt: skip
WHOLE = HistoryExtract((FAILED, FIRST), (NEWS,), LEDGER, X)


def test_events_are_lines_the_newest_first() -> None:
    assert render(HistoryExtract((FAILED, FIRST), (NEWS,)), Style(200)).splitlines() == [
        "2026-11-25 09:12:03 UTC  login.windows.net:443  pass -> fail  tcp.timeout  No answer to SYN from 20.190.1.1.",
        "2026-11-25 09:11:03 UTC  login.windows.net      new  a new suffix in the chain of X: azurefd.example",
        "2026-11-24 09:12:03 UTC  login.windows.net:443  is pass  as it should be",
    ]


def test_with_an_endpoint_comes_what_it_ever_showed() -> None:
    text = render(WHOLE, Style(120))
    assert text.partition("\n\n")[2].splitlines() == [
        "Ever seen of login.windows.net:443:",
        "  names in the chain (1 entry), first and last time:",
        "    2026-11-25 09:11:03 UTC  2026-11-25 09:12:03 UTC  b.azurefd.example",
        "  addresses (2 entries), first and last time:",
        "    2026-11-24 09:12:03 UTC  2026-11-25 09:12:03 UTC  20.190.1.1",
        "    2026-11-24 09:12:03 UTC  2026-11-25 09:11:03 UTC  20.190.1.2",
        "  issuers (1 entry), first and last time:",
        "    2026-11-25 09:12:03 UTC  2026-11-25 09:12:03 UTC  CN=Microsoft Azure RSA TLS Issuing CA 04 [expected]",
    ]


def test_a_narrow_terminal_wraps_behind_the_time() -> None:
    lines = render(HistoryExtract((FAILED,)), Style(60)).splitlines()
    assert len(lines) > 1
    assert all(line.startswith(" " * 25) and len(line) <= 60 for line in lines[1:])


def test_nothing_is_a_sentence() -> None:
    assert render(HistoryExtract(), Style()) == "The history has no change.\n"
    assert render(HistoryExtract(endpoint=X, since=AT), Style()) == (
        f"The history has no change about {X} since 2026-11-25 09:12:03 UTC.\n"
    )


def test_what_was_cut_off_is_said() -> None:
    assert "Only the newest 1 are shown: --since" in render(HistoryExtract((FAILED,), more=True), Style())


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\x9b2J", "a\nb", "\u202eltr", "\ud800", "=1+1\0"])
def test_nothing_that_a_peer_wrote_acts_on_a_terminal_or_breaks_the_json(text: str) -> None:
    hostile = HistoryExtract(
        (Transition(AT, text, text, text, text, text, text, 1),),
        (Drift(AT, text, "cname", text, text, 2),),
        (LedgerEntry(text, "cname", text, AT, AT, text),),
        endpoint=text,
    )
    shown = render(hostile, Style())
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.encode()
    told = to_json(hostile)
    assert told.isascii()
    assert all(line.isprintable() for line in told.split("\n"))
    assert json.loads(told)["ledger"][0]["value"] == text


def test_the_json_has_everything() -> None:
    told = json.loads(to_json(WHOLE))
    assert {key: told[key] for key in ("schema", "endpoint", "since", "more")} == {
        "schema": "wayclear.history/1", "endpoint": X, "since": None, "more": False,
    }  # fmt: skip
    assert told["events"][0] == {
        "type": "transition", "id": 3, "at": "2026-11-25T09:12:03.000Z", "subject": X, "before": "pass", "after": "fail",
        "cause_before": "ok", "cause": "tcp.timeout", "summary": "No answer to SYN from 20.190.1.1.",
    }  # fmt: skip
    assert told["events"][1] == {
        "type": "drift", "id": 2, "at": "2026-11-25T09:11:03.000Z", "endpoint": "login.windows.net", "kind": "cname",
        "value": "b.azurefd.example", "text": NEWS.text,
    }  # fmt: skip
    assert told["ledger"][3] == {
        "endpoint": X, "kind": "issuer", "value": "CN=Microsoft Azure RSA TLS Issuing CA 04 [expected]",
        "first": "2026-11-25T09:12:03.000Z", "last": "2026-11-25T09:12:03.000Z",
    }  # fmt: skip
    assert json.loads(to_json(HistoryExtract(since=AT)))["since"] == "2026-11-25T09:12:03.000Z"


@pytest.mark.parametrize("at", [1e30, -1e30, 9e18])
def test_a_time_that_no_calendar_holds_is_shown_as_a_number(at: float) -> None:
    assert moment(at) == f"{at:.0f}"
    assert (
        json.loads(to_json(HistoryExtract((Transition(at, "a", "", "", "", "", ""),))))["events"][0]["at"]
        is None
    )


# --- the documentation ---------------------------------------------------------------------------------------------

HOST = "login.windows.net"
DIGICERT = "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc [expected]"
CORP = "CN=Corp Inspection CA [intercepted]"
EVENING, WEEK = AT - 41_521, AT - 616_312
DRIFTS = (
    Drift(AT, X, "issuer", CORP, f"issuer of {X} now of another class, intercepted: {CORP}", 6),
    Drift(EVENING, HOST, "address", "13.107.213.40", f"{HOST} now has addresses in 13.107.0.0/16", 3),
    Drift(
        EVENING, HOST, "cname", "login.azurefd.net", f"a new suffix in the chain of {HOST}: azurefd.net", 2
    ),
)
CONNECTOR = Transition(
    AT, "connector", "yes", "degraded", "ok", "tls.intercepted", "Users cannot sign in.", 5
)
SIGN_IN = Transition(
    AT, X, "pass", "fail", "ok", "tls.intercepted", "A device on the way answers in its place.", 4
)
SEEN = (
    LedgerEntry(HOST, "address", "13.107.213.40", EVENING, AT),
    LedgerEntry(HOST, "address", "20.190.160.20", WEEK, WEEK),
    LedgerEntry(HOST, "cname", "login.azurefd.net", EVENING, EVENING),
    LedgerEntry(HOST, "cname", "www.tm.aadg.akadns.net", WEEK, WEEK),
    LedgerEntry(X, "issuer", CORP, AT, AT),
    LedgerEntry(X, "issuer", DIGICERT, WEEK, WEEK),
)


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("--since 7d", HistoryExtract((CONNECTOR, SIGN_IN), DRIFTS)),
        (f"{X} --since 1h", HistoryExtract((SIGN_IN,), DRIFTS[:1], SEEN, X)),
    ],
)
def test_the_page_shows_what_is_printed(command: str, found: HistoryExtract) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/history.md").read_text("utf-8")
    assert f"$ wayclear history {command}\n{render(found, Style(100))}```\n" in page


def test_the_page_s_json_is_what_is_printed() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/history.md").read_text("utf-8")
    found = HistoryExtract((SIGN_IN,), (), SEEN[4:5], X, AT - 723)
    assert f"```json\n{to_json(found)}```\n" in page


def test_one_break_of_many_names_is_one_line_with_the_names_below() -> None:
    broken = tuple(
        Transition(AT + n, f"h{n}.example:443", "pass", "fail", "ok", "tcp.timeout", f"No answer to h{n}.", n)
        for n in range(13)
    )
    head, *below = render(HistoryExtract(broken[::-1]), Style(200)).splitlines()
    assert "13 names" in head
    assert "pass -> fail  tcp.timeout" in head
    assert [line.split()[0] for line in below] == [f"h{n}.example:443" for n in reversed(range(13))]
