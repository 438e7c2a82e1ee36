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


MADE = NOW - 9 * DAY
WEEK_AGO = "Sun, 25 Oct 2026 12:00:00 GMT"
SQUID = "gw.corp.example (squid/5.7)"


def lines(*pairs: tuple[str, str]) -> HttpExchange:
    return HttpExchange(0.01, 0.02, 200, "", pairs, b"", 0)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"age": "60"}, ""),
        ({"x_cache": "HIT from gw.corp.example"}, "gw.corp.example"),
        ({"x_cache": "TCP_HIT from a23.deploy.example (AkamaiGHost/11)"}, "a23.deploy.example (AkamaiGHost/11)"),
        ({"cache_status": "OriginCache; hit; ttl=1100, \"Proxy\"; hit"}, "Proxy"),
        ({"cache_status": "OriginCache; hit; ttl=1100, \"Proxy\"; fwd=miss"}, "OriginCache"),
        ({"cf_cache_status": "HIT", "via": "1.1 near"}, "near"),
        ({"warning": '110 gw "Response is Stale"'}, ""),
        ({"age": "60", "via": "1.1 far, 1.0 near (squid)"}, "near (squid)"),
        ({"x_cache": "HIT from far", "via": "1.1 far (squid/5.7), 1.1 near"}, "far (squid/5.7)"),
        ({"age": "60", "x_cache": "MISS from near", "via": "1.1 near"}, ""),  # a cache behind it had the document
    ],
)  # fmt: skip
def test_a_cache_is_proved_and_named_as_it_names_itself(headers: dict[str, str], name: str) -> None:
    seen = cache_seen(answer(**headers), MADE, NOW)
    assert seen is not None
    assert seen.name == name


def test_each_cache_adds_a_line_of_its_own() -> None:
    both = lines(
        ("x-cache", "HIT from far"), ("via", "1.1 far"), ("x-cache", "MISS from near"), ("via", "1.1 near")
    )
    seen = cache_seen(both, MADE, NOW)
    assert seen is not None
    assert seen.name == "far"
    several = lines(("age", "60"), ("age", "soon"))
    assert cache_seen(several, MADE, NOW) is not None
    assert cache_seen(lines(("age", "soon"), ("age", "60")), MADE, NOW) is None, "the first one counts"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"age": "0", "date": NOW_TEXT, "cache_control": "no-store"},
        {"via": "1.1 gw.corp.example (squid/5.7)", "date": NOW_TEXT},  # a proxy that passed it on
        {"x_cache": "MISS from gw.corp.example"},
        {"x_cache": "MISS from gw", "x_cache_lookup": "HIT from gw:3128"},  # it had the document, and got it anew
        {"cache_status": "Proxy; fwd=miss"},
        {"age": "-5"}, {"age": "soon"}, {"age": "\u0663"},
        {"date": "yesterday"}, {"date": "Sun, 25 Oct 2026 12:00:00 XYZ"},
        {"date": "Sun, 01 Nov 2026 12:04:00 GMT"}, {"date": "Sun, 08 Nov 2026 12:00:00 GMT"},  # a clock that is ahead
    ],
)  # fmt: skip
def test_nothing_is_proved_by_less(headers: dict[str, str]) -> None:
    assert cache_seen(answer(**headers), MADE, NOW) is None
    assert late_by(answer(**headers), MADE, NOW - DAY, NOW) == ("late", "no header shows a cache")


def test_who_kept_it_past_its_end_follows_from_when_it_left_its_origin() -> None:
    ran_out = NOW - 2 * DAY
    kept = late_by(answer(age=str(8 * 86_400), via=f"1.1 {SQUID}"), MADE, ran_out, NOW)
    assert kept == ("cached", f"the cache that calls itself {SQUID} has kept it for 8 days (age: 691200)")
    by, clause = late_by(answer(age=str(86_400), via="1.1 gw"), MADE, ran_out, NOW)
    assert (by, "gw" in clause, "had run out already" in clause) == ("late", True, True)
    assert late_by(answer(x_cache="HIT from gw"), MADE, ran_out, NOW)[0] == "cached"
    assert late_by(answer(x_cache="HIT from gw", date=WEEK_AGO), MADE, ran_out, NOW)[0] == "cached"
    fresh = late_by(answer(x_cache="HIT from gw", age="0"), MADE, ran_out, NOW)
    assert fresh[0] == "late", "the cache got it now, and it had run out"


def test_a_cache_without_a_name_is_not_called_one_that_the_answer_names() -> None:
    for headers in ({"age": "691200"}, {"cf_status": "", "warning": "110 - stale"}):
        by, clause = late_by(answer(**headers), MADE, NOW - 2 * DAY, NOW)
        assert (by, "does not tell its name" in clause) == ("cached-unnamed", True)


def test_a_date_alone_is_no_proof_of_a_cache() -> None:
    """A server's own clock may be wrong: neither a cache nor a late publisher is accused."""
    for more in ({}, {"age": "0"}, {"via": f"1.1 {SQUID}"}, {"x_cache": "MISS from gw"}):
        by, clause = late_by(answer(date=WEEK_AGO, **more), MADE, NOW - 2 * DAY, NOW)
        assert (by, "or its server's clock is wrong" in clause) == ("", True)
    left = late_by(answer(date=WEEK_AGO), MADE, NOW - 8 * DAY, NOW)
    assert left == ("late", "by its Date it left its server 7 days ago, when it had run out already")


def test_what_is_older_than_the_document_says_nothing_of_a_cache() -> None:
    """Neither a Date nor an Age can reach back behind the moment at which the list was made."""
    made = NOW - 3 * DAY
    for headers in (
        {"date": WEEK_AGO},
        {"age": "691200"},
        {"age": "691200", "date": WEEK_AGO, "via": "1.1 gw"},
    ):
        assert cache_seen(answer(**headers), made, NOW) is None
        by, clause = late_by(answer(**headers), made, NOW - DAY, NOW)
        assert (by, "proves nothing" in clause) == ("", True)
    hit = late_by(answer(x_cache="HIT from gw", age="691200", date=WEEK_AGO), made, NOW - DAY, NOW)
    assert hit == ("cached", "the cache that calls itself gw gave it (x-cache: HIT from gw)")
    just = late_by(answer(age=str(3 * 86_400 + 200)), made, NOW - DAY, NOW)
    assert just[0] == "cached-unnamed", "clocks differ a little"


def test_an_age_and_a_date_that_contradict_each_other_accuse_nobody() -> None:
    by, clause = late_by(answer(age="60", date=WEEK_AGO, via="1.1 gw"), MADE, NOW - 2 * DAY, NOW)
    assert (by, "contradict" in clause) == ("", True)


def test_a_publisher_s_delivery_network_is_a_cache_too() -> None:
    for more in (
        {"x_cache": "TCP_HIT from a23-55-1-41.deploy.akamaitechnologies.com"},
        {"server": "ECAcc (frb/6711)"},
        {"cf_cache_status": "HIT"},
        {"via": "1.1 abc.cloudfront.net (CloudFront)"},
    ):
        assert late_by(answer(age="691200", **more), MADE, NOW - 2 * DAY, NOW)[0] == "cached-by-publisher"
    assert late_by(answer(age="60", server="ECAcc"), MADE, NOW - 2 * DAY, NOW)[0] == "late"


@given(
    st.dictionaries(st.sampled_from(["age", "date", "via", "x_cache", "cache_status", "warning"]), st.text()),
    st.floats(0, 2 * NOW),
)
def test_any_headers_have_an_answer(headers: dict[str, str], made: float) -> None:
    by, clause = late_by(answer(**headers), made, NOW - DAY, NOW)
    assert by in ("late", "cached", "cached-unnamed", "cached-by-publisher", "")
    assert clause.isprintable()
