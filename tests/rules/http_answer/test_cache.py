"""Which headers prove a cache, and whose fault an old document is by them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.cache import cache_seen, late_by
from rules.model.kinds.http_fetch import HttpExchange

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
        ({"cf_cache_status": "HIT", "via": "1.1 near"}, "Cloudflare"),
        ({"x_cache": "HIT", "via": "1.1 near"}, ""),  # who wrote the bare word is not told
        ({"x_cache": "MISS, HIT", "x_served_by": "cache-iad1001-IAD, cache-ams1234-AMS"}, "cache-ams1234-AMS"),
        ({"cache_status": '"proxy, corp"; hit'}, "proxy, corp"),
        ({"warning": '110 squid/5.7 "Response is stale"', "via": "1.1 gw (squid/5.7)"}, "gw (squid/5.7)"),
        ({"warning": '199 x "m", 110 gw "stale"', "via": "1.1 gw, 1.1 other"}, "gw"),
        ({"x_cache": "HIT from gw", "via": "1.1 gw2"}, "gw"),
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
        {"x_cache": "TCP_HIT from a23-55-1-41.deploy.example (AkamaiGHost/11.1) (-)"},
        {"x_cache": "Hit from cloudfront", "via": "1.1 abc.cloudfront.net (CloudFront)"},
        {"x_cache": "HIT", "x_served_by": "cache-ams1234-AMS", "via": "1.1 varnish"},
        {"x_cache": "HIT from ECAcc (frb/6711)"},
        {"x_cache": "HIT from Akamai Ghost"},
        {"cf_cache_status": "HIT"},
        {"cf_cache_status": "HIT", "x_cache": "MISS from gw.corp.example", "via": "1.1 gw.corp.example"},
        {"via": "1.1 google"},
        {"via": "1.1 varnish", "server": "ECAcc (frb/6711)"},
        {"via": "1.1 abc.cloudfront.net (CloudFront)"},
    ):
        assert late_by(answer(age="691200", **more), MADE, NOW - 2 * DAY, NOW)[0] == "cached-by-publisher"
    assert late_by(answer(age="60", server="ECAcc"), MADE, NOW - 2 * DAY, NOW)[0] == "late"


CORP = ("via", "1.1 gw.corp.example (squid/5.7)")
OLD = ("age", "691200")


@pytest.mark.parametrize(
    "headers",
    [
        (("server", "ECAcc (frc/4CBB)"), ("x-cache", "HIT"), ("x-cache", "HIT from gw.corp.example"), CORP),
        (("server", "AkamaiGHost"), ("x-cache", "HIT from gw.corp.example"), CORP),
        (("x-cache", "TCP_HIT from a23.deploy.akamaitechnologies.com"), ("x-cache", "HIT from gw.corp.example"), CORP),
        (("x-cache", "MISS from a1.deploy.akamaitechnologies.com (AkamaiGHost/11), HIT from gw.corp.example"), CORP),
        (("x-cache", "TCP_HIT from a1.deploy.akamaitechnologies.com, HIT from gw.corp.example"),),
        (("cf-cache-status", "HIT"), ("x-cache", "HIT from gw.corp.example"), CORP),
        (("x-cache", "HIT from squid1.westeurope.cloudapp.azure.com"),),
        (("via", "1.1 cdnproxy.corp (ApacheTrafficServer/9.1 [uHc ])"),),
        (("server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"), ("via", "1.1 bluecoat.corp")),
        (("x-cache", "HIT from google-proxy.corp"),),
        (("x-cache", "HIT from akamai.corp.example"),),
        (("x-cache", "HIT from varnish.corp (Varnish/7)"),),
        (("x-cache", "HIT from cache-ams1"),),
    ],
)  # fmt: skip
def test_a_cache_of_this_network_is_not_taken_for_the_publisher_s(
    headers: tuple[tuple[str, str], ...],
) -> None:
    """Only the line and the name of the cache that had it count, and of a name the whole of it."""
    assert late_by(lines(OLD, *headers), MADE, NOW - 2 * DAY, NOW)[0] == "cached"


def test_who_speaks_of_a_miss_had_no_hit() -> None:
    for hit, name in (
        (("x-cache", "HIT"), ""),
        (("x-cache", "HIT from far"), "far"),
        (("x-cache-x", "-"), ""),
    ):
        for headers in (
            (hit, ("x-cache", "MISS from gw.corp.example"), CORP),
            (
                (hit[0], f"{hit[1]}, MISS from gw.corp.example"),
                CORP,
                ("x-cache", "MISS from gw.corp.example"),
            ),
        ):
            seen = cache_seen(lines(OLD, *headers), MADE, NOW)
            assert seen is not None
            assert seen.name == name
            assert late_by(lines(OLD, *headers), MADE, NOW - 2 * DAY, NOW)[0] == (
                "cached" if name else "cached-unnamed"
            )


@pytest.mark.parametrize(
    "headers",
    [
        (
            ("cf-cache-status", "HIT"),
            ("x-cache", "HIT from gw.corp.example"),
        ),  # lines of two names have no order
        (
            ("x-cache", "HIT from gw.corp.example"),
            ("x-cache", "Hit from cloudfront"),
            CORP,
        ),  # Via contradicts
        (("server", "ECAcc (frc/4CBB)"), CORP),  # an Age alone may be either's
        (("via", "1.1 abc.cloudfront.net (CloudFront), 1.1 gw.corp.example"),),
    ],
)
def test_of_two_caches_neither_is_accused_where_the_nearer_one_is_not_told(
    headers: tuple[tuple[str, str], ...],
) -> None:
    by, clause = late_by(lines(OLD, *headers), MADE, NOW - 2 * DAY, NOW)
    assert (by, "cannot be told" in clause) == ("", True)


def test_a_publisher_s_name_in_the_server_line_is_no_cache_s_name() -> None:
    bare = late_by(lines(OLD, ("x-cache", "HIT"), ("server", "ECAcc (frb/6711)")), MADE, NOW - 2 * DAY, NOW)
    assert bare[0] == "cached-unnamed"


@pytest.mark.parametrize("mark", ['"\\', '"', "(", '("', ",", "a,", '\\"', "()"])
def test_long_lines_are_read_in_a_moment(mark: str) -> None:
    text = mark * 30_000
    began = time.process_time()
    late_by(
        lines(("via", text), ("x-cache", text), ("cache-status", text), ("warning", text)), MADE, NOW, NOW + 1
    )
    assert time.process_time() - began < 2


@given(
    st.dictionaries(
        st.sampled_from(["age", "date", "via", "x_cache", "cache_status", "warning", "x_served_by"]),
        st.text(),
    ),
    st.floats(0, 2 * NOW),
)
def test_any_headers_have_an_answer(headers: dict[str, str], made: float) -> None:
    by, clause = late_by(answer(**headers), made, NOW - DAY, NOW)
    assert by in ("late", "cached", "cached-unnamed", "cached-by-publisher", "")
    assert clause.isprintable()
