"""What dates of peers and genuine certificates tell of a clock."""

from __future__ import annotations

import datetime
import statistics
from email.utils import formatdate
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judge.clock import (
    DerChain,
    ServedChain,
    clock_readings,
    median,
    skew_by_dates,
    time_by_certificates,
    zones_of,
)
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation
from rules.pki.certificate import facts
from rules.pki.trust import in_date
from tests import pki
from tests.rules.script import page

NOW = pki.today().timestamp()
DAY = 86_400.0


@cache
def chain(begins: float, ends: float, number: int) -> DerChain:
    """A certificate of such dates, in days from now; each number has its own."""
    days = (datetime.timedelta(days=begins), datetime.timedelta(days=ends))
    return pki.authority("CA").leaf([f"n{number}.example"], starts=days[0], ends=days[1]).chain


def valid(shown: DerChain, moment: float) -> bool:
    return in_date(facts(shown[0]), moment)


def told(*dates: tuple[float, float], same: bool = False) -> float | None:
    """Days by which the time of certificates of these dates differs from now's; each is at a name of its own."""
    chains = [chain(*pair, 0 if same else n) for n, pair in enumerate(dates)]
    served = [ServedChain(f"n{n}.example", shown, valid(shown, NOW)) for n, shown in enumerate(chains)]
    found = time_by_certificates(served, NOW, valid)
    return None if found is None else round((found - NOW) / DAY, 1)  # made some seconds later than now


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (((5, 95), (9, 90), (2, 50)), 9),  # the least time at which all have begun
        (((5, 95), (9, 90), (2, 50), (-30, 60)), 9),  # and those that are valid now stay so
        (((-95, -5), (-90, -9), (-50, -2)), -9),
        (((5, 95), (9, 90), (2, 50), (-300, 5)), None),  # one that has run out by then
        (((5, 95), (9, 90), (2, 8)), None),  # no time at which all are valid
        (((5, 95), (9, 90), (-50, -2)), None),  # early and late: no one clock explains both
        (((-95, -5), (-90, -9), (-50, -2), (-30, 60)), None),  # servers that forgot to renew
        (((5, 95), (9, 90)), None),
        (((-5, 95), (-9, 90), (-2, 50)), None),
        ((), None),
    ],
)
def test_the_time_at_which_all_certificates_are_valid(
    dates: tuple[tuple[float, float], ...], days: float | None
) -> None:
    assert told(*dates) == days


def test_one_certificate_at_many_names_tells_nothing() -> None:
    assert told((5, 95), (5, 95), (5, 95)) == 5
    assert told((5, 95), (5, 95), (5, 95), same=True) is None


def test_certificates_without_readable_dates_tell_nothing() -> None:
    served = [ServedChain(f"n{n}", (bytes([0x30, 0x01, n]),), False) for n in range(5)]
    assert time_by_certificates(served, NOW, valid) is None


# --- dates ---------------------------------------------------------------------------------------------------------


def answer(host: str, behind: float, body: bytes = b"", **headers: str) -> Observation:
    """A 404 of a host on port 80, whose date is `behind` this host's clock by so many seconds."""
    stamped = page(404, body, date=formatdate(NOW - behind, usegmt=True), **headers)
    return Observation(HttpFetch("203.0.113.1", 80, host, "/"), NOW, 0.0, None, stamped)


def skew(*seen: Observation) -> float:
    return skew_by_dates(clock_readings(seen, frozenset()))


HOSTS = ("a.one.example", "b.two.example", "c.three.example", "d.four.example")


def test_a_cache_adds_the_age_of_what_it_hands_on() -> None:
    assert skew(*(answer(host, 3600) for host in HOSTS)) == 3600
    assert skew(*(answer(host, 3600, age="3600") for host in HOSTS)) == 0
    assert skew(*(answer(host, 3600, age="3500") for host in HOSTS)) == 0
    assert skew(*(answer(host, 3600, age="600, 1") for host in HOSTS)) == 3000


@pytest.mark.parametrize("age", ["", "x", "-3600", "\u0663", "9" * 21, "3600.5"])
def test_an_age_that_is_none_changes_nothing(age: str) -> None:
    assert skew(*(answer(host, 3600, age=age) for host in HOSTS)) == 3600


def test_a_page_that_a_device_wrote_tells_the_device_s_clock() -> None:
    blocked = b"<html><title>Web Page Blocked</title>Powered by FortiGuard: blocked</html>"
    device = [answer(host, 3600, blocked, content_type="text/html", x_squid_error="ERR_ACCESS_DENIED 0")
              for host in HOSTS]  # fmt: skip
    assert clock_readings(device, frozenset()) == ()
    assert skew(*device) == 0
    assert skew(*device, *(answer(f"e{n}.example", 0) for n in range(3))) == 0


def test_one_page_at_many_hosts_is_one_voice() -> None:
    same = [answer(host, 3600, b"<html>not here</html>", content_type="text/html") for host in HOSTS]
    told = clock_readings(same, frozenset())
    assert len(told) == len(HOSTS)
    assert len(zones_of(told)) == 1
    assert skew(*same) == 0
    other = [answer(host, 3600, f"<html>{host}</html>".encode(), content_type="text/html") for host in HOSTS]
    assert len(zones_of(clock_readings(other, frozenset()))) == len(HOSTS)
    assert skew(*other) == 3600


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_the_middle_is_the_librarys(values: list[float]) -> None:
    assert median(values) == statistics.median(values)
