"""Times from a peer or a file: read in UTC or refused, and printable whatever they are.

The library's own functions raise or guess. `email.utils.parsedate_to_datetime` gives a date without a zone for an
unknown zone, which is then read in this host's own. On Windows, `datetime.fromtimestamp` and `timestamp` of such a
date raise OSError before 1970 and after 3000 (the C library's bounds). tests/test_house.py forbids both.
"""

from __future__ import annotations

import datetime
import math
import re

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: The first and the last whole second that a date can express (years 1 to 9999), Unix time.
FIRST, LAST = -62_135_596_800.0, 253_402_300_799.0

#: The largest age that is accepted, in seconds: a hundred years.
MAX_AGE = 3_155_760_000

_LONGEST = 64  #: characters of a date; the longest form has 33
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Zones by name (RFC 5322 section 4.3), hours from UTC. Its one-letter zones but "Z" were defined wrongly, so they
#: are refused.
_ZONES = {
    "gmt": 0, "ut": 0, "utc": 0, "z": 0,
    "edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8,
}  # fmt: skip
_DAY = r"(?P<day>[0-9]{1,2})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    # IMF-fixdate, which is RFC 5322's date: "Sun, 06 Nov 1994 08:49:37 GMT"
    rf"(?:[a-z]{{3}}, *)?{_DAY} +(?P<month>[a-z]{{3}}) +(?P<year>[0-9]{{4}}) +{_TIME} +(?P<zone>[a-z]+|[+-][0-9]{{4}})",
    # RFC 850, obsolete: "Sunday, 06-Nov-94 08:49:37 GMT"
    rf"[a-z]{{3,9}}, *(?P<day>[0-9]{{2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}|[0-9]{{4}}) +{_TIME} +(?P<zone>[a-z]+)",
    # asctime(), obsolete, always UTC: "Sun Nov  6 08:49:37 1994"
    rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})(?P<zone>)",
)
_DATE = tuple(re.compile(form, re.ASCII) for form in _FORMS)


def http_date(text: str, now: float) -> float | None:
    """Unix time of an HTTP date in one of its three forms (RFC 9110 section 5.6.7); None for all else. Never raises.

    RFC 5322 section 3.3 defines the zones other than GMT; an unknown zone makes the date invalid. A year of two
    digits is the latest one that is not more than 50 years after `now`.
    """
    if len(text) > _LONGEST or not text.isascii():
        return None
    given = text.strip(" \t").lower()
    found = next((match for form in _DATE if (match := form.fullmatch(given))), None)
    if found is None or found["month"] not in _MONTHS:
        return None
    offset = _offset(found["zone"])
    if offset is None:
        return None
    year, second = int(found["year"]), int(found["second"])
    if len(found["year"]) == 2:
        latest = utc(now).year + 50
        year = latest - (latest - year) % 100
    if second > 60:  # 60 is a leap second (RFC 9110), which Unix time does not have
        return None
    month, day, hour, minute = (
        _MONTHS.index(found["month"]) + 1,
        int(found["day"]),
        int(found["hour"]),
        int(found["minute"]),
    )
    try:
        moment = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=datetime.UTC)
    except ValueError:  # the 31st of February, hour 25, year 0
        return None
    return (moment - EPOCH).total_seconds() - offset


def seconds_of(text: str) -> int | None:
    """The seconds of an `Age` header, of its first value if there are several (RFC 9111 sections 1.2.2 and 5.1); None
    if it is no such number. The most is a hundred years."""
    first = text.partition(",")[0].strip(" \t")
    return min(int(first), MAX_AGE) if len(first) <= 20 and first.isascii() and first.isdigit() else None


def _offset(zone: str) -> float | None:
    """Seconds by which a zone is ahead of UTC."""
    if zone[:1] not in ("+", "-"):
        hours = _ZONES.get(zone or "gmt")
        return None if hours is None else hours * 3600.0
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600.0 + minutes * 60.0) * (-1 if zone[0] == "-" else 1)


def bounded(seconds: float) -> float:
    """Unix time, or the nearest that a date can express; the epoch for a value that is not a number."""
    return 0.0 if math.isnan(seconds) else min(max(seconds, FIRST), LAST)


def utc(seconds: float) -> datetime.datetime:
    """Unix time as a date in UTC, or the nearest date there is. Never raises."""
    return EPOCH + datetime.timedelta(seconds=bounded(seconds))


def local(seconds: float, zone: datetime.tzinfo) -> datetime.datetime:
    """The same in another zone. Never raises: the first and the last two days are excluded, because a zone could lead
    outside."""
    days = 2 * 86_400.0
    return utc(min(max(bounded(seconds), FIRST + days), LAST - days)).astimezone(zone)
