"""Which headers prove a cache, and whose fault an old document is by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.kinds.http_cache import cache_seen, late_by
from rules.kinds.http_fetch import HttpExchange

NOW = 1_793_534_400.0  # Sun, 01 Nov 2026 12:00:00 GMT
NOW_TEXT = "Sun, 01 Nov 2026 12:00:00 GMT"
DAY = 86_400.0


def answer(**headers: str) -> HttpExchange:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpExchange(0.01, 0.02, 200, "", pairs, b"", 0)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"age": "60"}, ""),
        ({"x_cache": "HIT from gw.corp.example"}, "gw.corp.example"),
        ({"x_cache": "TCP_HIT from a23.deploy.example (AkamaiGHost/11)"}, "a23.deploy.example (AkamaiGHost/11)"),
        ({"cache_status": "OriginCache; hit; ttl=1100, \"Proxy\"; hit"}, "Proxy"),
        ({"cf_cache_status": "HIT", "via": "1.1 near"}, "near"),
        ({"warning": '110 gw "Response is Stale"'}, ""),
        ({"date": "Sun, 25 Oct 2026 12:00:00 GMT", "via": "1.1 far, 1.0 near (squid)"}, "near (squid)"),
    ],
)  # fmt: skip
def test_a_cache_is_proved_and_named_as_it_names_itself(headers: dict[str, str], name: str) -> None:
    seen = cache_seen(answer(**headers), NOW)
    assert seen is not None
    assert seen.name == name


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"age": "0", "date": NOW_TEXT, "cache_control": "no-store"},
        {"via": "1.1 gw.corp.example (squid/5.7)", "date": NOW_TEXT},  # a proxy that passed it on
        {"x_cache": "MISS from gw.corp.example"},
        {"cache_status": "Proxy; fwd=miss"},
        {"age": "-5"}, {"age": "soon"}, {"age": "\u0663"},
        {"date": "yesterday"}, {"date": "Sun, 25 Oct 2026 12:00:00 XYZ"},
    ],
)  # fmt: skip
def test_nothing_is_proved_by_less(headers: dict[str, str]) -> None:
    assert cache_seen(answer(**headers), NOW) is None
    assert late_by(answer(**headers), NOW - DAY, NOW) == ("late", "no header shows a cache")


def test_who_kept_it_past_its_end_follows_from_when_it_left_its_origin() -> None:
    ran_out = NOW - 2 * DAY
    assert late_by(answer(age=str(8 * 86_400)), ran_out, NOW)[0] == "cached"
    assert late_by(answer(date="Sun, 25 Oct 2026 12:00:00 GMT"), ran_out, NOW)[0] == "cached"
    by, clause = late_by(answer(age=str(86_400), via="1.1 gw"), ran_out, NOW)
    assert (by, "gw" in clause, "had run out already" in clause) == ("late", True, True)
    assert late_by(answer(x_cache="HIT from gw"), ran_out, NOW)[0] == "cached"


def test_a_publisher_s_delivery_network_is_a_cache_too() -> None:
    hit = answer(age=str(8 * 86_400), x_cache="TCP_HIT from a23-55-1-41.deploy.akamaitechnologies.com")
    assert late_by(hit, NOW - 2 * DAY, NOW)[0] == "cached-by-publisher"


@given(
    st.dictionaries(st.sampled_from(["age", "date", "via", "x_cache", "cache_status", "warning"]), st.text())
)
def test_any_headers_have_an_answer(headers: dict[str, str]) -> None:
    by, clause = late_by(answer(**headers), NOW - DAY, NOW)
    assert by in ("late", "cached", "cached-by-publisher")
    assert clause.isprintable()
