"""What genuine certificates tell of a clock, on certificates of given dates."""

from __future__ import annotations

import datetime
from functools import cache

import pytest

from rules.certificate import facts
from rules.clock import Chain, Served, time_by_certificates
from rules.trust import in_date
from tests import pki

NOW = pki.today().timestamp()
DAY = 86_400.0


@cache
def chain(begins: float, ends: float, number: int) -> Chain:
    """A certificate of such dates, in days from now; each number has its own."""
    days = (datetime.timedelta(days=begins), datetime.timedelta(days=ends))
    return pki.authority("CA").leaf([f"n{number}.example"], starts=days[0], ends=days[1]).chain


def valid(shown: Chain, moment: float) -> bool:
    return in_date(facts(shown[0]), moment)


def told(*dates: tuple[float, float], same: bool = False) -> float | None:
    """Days by which the time of certificates of these dates differs from now's; each is at a name of its own."""
    chains = [chain(*pair, 0 if same else n) for n, pair in enumerate(dates)]
    served = [Served(f"n{n}.example", shown, valid(shown, NOW)) for n, shown in enumerate(chains)]
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
    served = [Served(f"n{n}", (bytes([0x30, 0x01, n]),), False) for n in range(5)]
    assert time_by_certificates(served, NOW, valid) is None
