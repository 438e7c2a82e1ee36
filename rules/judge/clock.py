"""What peers tell of this host's clock: by the dates that they give, and by their genuine certificates where none does.

A server writes the `Date` that comes inside a genuine TLS session. Anybody on the way may write the one on port 80: a cache
hands on an old one, and a device puts its own into its pages. So where a session gives a date, it decides. Dates of port 80
alone are a sign: the report tells it, and judges no list or certificate by it.

A CA signs a certificate with its dates. One that is out of date may be the server's fault. When those of several names are
out of date at once, and all of them are in date at one other time, then this host's clock is the likely reason: CAs date no
certificate ahead, and servers do not all forget to renew in the same week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.http_answer.page import is_html, looks_like_block_page
from rules.http_answer.text import Headers
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.pki.certificate import facts
from rules.text.moments import http_date, seconds_of
from rules.text.zones import zone

DerChain: TypeAlias = tuple[bytes, ...]  #: DER, the server's own certificate first

#: Hosts whose dates must agree before this host's clock is doubted.
MIN_CLOCKS = 3
#: Seconds by which those may differ among themselves.
CLOCK_SPREAD = 30.0
#: Skew that is worth a finding, and that breaks Kerberos: MaxClockSkew is 5 minutes unless a policy says otherwise
#: (Microsoft, [MS-GPSB] section 2.2.2 "Kerberos Policy").
CLOCK_NOTICE = 120.0
CLOCK_BREAKS = 300.0
#: Names whose certificates must be out of date, and different certificates among them: one may be at many names.
MIN_NAMES = 3
MIN_CERTIFICATES = 2


#: What is known of the clock, and what rests on it:
#:
#: ""              nobody tells, or genuine certificates contradict those who do
#: "right"         several hosts tell the time, and the clock agrees with them
#: "port-80"       several hosts on port 80 give another time, and nothing else does: a sign, and nothing is judged by it
#: "proved"        several hosts give another time, and a genuine session or genuine certificates agree: it is judged by
#: "certificates"  no dates decide, and genuine certificates are in date together at another time: it is judged by
Basis: TypeAlias = Literal["", "right", "port-80", "proved", "certificates"]


@dataclass(frozen=True, slots=True)
class Clock:
    """This host's clock as peers tell of it.

    `now`: the time to judge at, Unix time. `skew`: seconds by which the clock is ahead, the least that explains it where
    certificates tell. `witnessed`: three unrelated hosts give that time. `told`: the answers that gave a time. `refused`:
    names whose genuine certificates are all out of date by this clock and in date at `now`: programs on this host refuse
    them, whatever the network lets through.
    """

    now: float
    basis: Basis = ""
    skew: float = 0.0
    witnessed: bool = False
    told: tuple[Observation, ...] = ()
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A date that a host gave. `skew`: seconds by which this host's clock is ahead of it; `voice`: who may have written it,
    the same for one page at many hosts; `inside`: whether it came in a genuine TLS session."""

    host: str
    skew: float
    seen: Observation
    voice: str
    inside: bool


def judge_clock(
    observations: Iterable[Observation],
    genuine: Sequence[ServedChain],
    started: float,
    valid_at: Callable[[DerChain, float], bool],
) -> Clock:
    """What is known of the clock that said `started` (Unix time). `genuine`: the proved chains that were served for their
    names; `valid_at` tells whether one is in date at a time."""
    dates = clock_readings(observations, frozenset(one.chain for one in genuine))
    told = tuple(one.seen for one in dates)
    in_common = None
    if not any(
        abs(one.skew) <= CLOCK_BREAKS for one in dates
    ):  # a single date that agrees speaks for the clock
        in_common = time_by_certificates(genuine, started, valid_at)
    skew = skew_by_dates(dates)
    if skew:
        agreeing = [one for one in dates if abs(one.skew - skew) <= CLOCK_SPREAD]
        inside = any(one.inside for one in agreeing)
        now = started - skew
        gained = sum(valid_at(one.chain, now) for one in genuine) - sum(one.valid for one in genuine)
        if not inside and gained < 0:
            return Clock(started, told=told)
        if not inside and gained == 0:
            return Clock(started, "port-80", skew, told=told)
        witnessed = len(zones_of(agreeing)) >= MIN_CLOCKS
        refused = witnessed or in_common is not None
        return Clock(
            now, "proved", skew, witnessed, told, _refused(genuine, now, valid_at) if refused else frozenset()
        )
    if in_common is not None:
        refusing = _refused(genuine, in_common, valid_at)
        return Clock(in_common, "certificates", started - in_common, told=told, refused=refusing)
    right = {one.voice for one in dates if abs(one.skew) <= CLOCK_NOTICE}
    return Clock(started, "right" if len(right) >= MIN_CLOCKS else "", told=told)


def _refused(
    genuine: Sequence[ServedChain], now: float, valid_at: Callable[[DerChain, float], bool]
) -> frozenset[str]:
    found: dict[str, bool] = {}
    for one in genuine:
        found[one.name] = found.get(one.name, True) and not one.valid and valid_at(one.chain, now)
    return frozenset(name for name, out in found.items() if out)


def skew_of(seen: Observation, headers: Headers) -> float | None:
    """Seconds by which this host's clock is ahead of the time that an answer's headers tell; None where they tell none.

    That is its `Date`, which is when the origin made it (RFC 9110 section 6.6.1), and the `Age` that a cache adds
    (RFC 9111 section 5.1).
    """
    value = next((text for name, text in headers if name == "date"), None)
    date = None if value is None else http_date(value, seen.started)
    if date is None:
        return None
    age = next((seconds_of(text) for name, text in headers if name == "age"), None)
    return seen.started + seen.elapsed - date - (age or 0)


def clock_readings(
    observations: Iterable[Observation], genuine: frozenset[DerChain]
) -> tuple[ClockReading, ...]:
    """The dates that hosts gave. `genuine`: the chains (DER) that are proved. A page that a device on the way wrote tells its
    own clock, and no host's."""
    return tuple(told for seen in observations if (told := _telling(seen, genuine)) is not None)


def _telling(seen: Observation, genuine: frozenset[DerChain]) -> ClockReading | None:
    step, evidence = seen.step, seen.evidence
    if isinstance(step, TlsHandshake) and isinstance(evidence, TlsFacts):
        skew = skew_of(seen, evidence.http_headers)
        name = step.server_name
        return None if skew is None else ClockReading(name, skew, seen, name, evidence.chain in genuine)
    if not isinstance(step, HttpFetch) or not isinstance(evidence, HttpExchange):
        return None
    skew = skew_of(seen, evidence.headers)
    if skew is None:
        return None
    page = looks_like_block_page(evidence, step.host)
    if page is not None and (page.evidence or page.kind != "page"):
        return None
    voice = f"page {evidence.sha256}" if evidence.sha256 and is_html(evidence) else step.host
    return ClockReading(step.host, skew, seen, voice, False)


def skew_by_dates(told: Sequence[ClockReading]) -> float:
    """Seconds by which this host's clock is ahead, as several voices tell it; 0.0 where they do not, or where it is right.
    Where there are dates of genuine sessions, those of port 80 count as far as they agree."""
    inside = {t.voice: t.skew for t in reversed(told) if t.inside}  # the first that each gave
    outside = {t.voice: t.skew for t in reversed(told) if not t.inside}
    if inside:
        right = median(inside.values())
        outside = {voice: skew for voice, skew in outside.items() if abs(skew - right) <= CLOCK_SPREAD}
    skews = {**outside, **inside}.values()
    if len(skews) < MIN_CLOCKS:
        return 0.0
    middle = median(skews)
    agreeing = [skew for skew in skews if abs(skew - middle) <= CLOCK_SPREAD]
    return middle if len(agreeing) >= MIN_CLOCKS and abs(middle) > CLOCK_NOTICE else 0.0


def zones_of(told: Iterable[ClockReading]) -> frozenset[str]:
    """The zones of the hosts that gave dates, each voice once."""
    return frozenset(zone(host) for host in {t.voice: t.host for t in told}.values())


def median(values: Iterable[float]) -> float:
    """The middle one, or the mean of both. The library's costs a megabyte and the start of every process 10 ms."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@dataclass(frozen=True, slots=True)
class ServedChain:
    """A genuine chain (DER, the server's first) that was served for its name. `valid`: in date by this host's clock."""

    name: str
    chain: DerChain
    valid: bool


def time_by_certificates(
    served: Sequence[ServedChain], now: float, valid_at: Callable[[DerChain, float], bool]
) -> float | None:
    """The time nearest to `now` (Unix time) at which every certificate that is out of date would be in date, None where
    they do not show that this host's clock is wrong.

    Those that are in date now must be so at that time too. Where they have run out, all must have: that some servers
    forgot to renew is common. `valid_at` tells whether a chain is in date at a time.
    """
    out = [one for one in served if not one.valid]
    if len({one.name for one in out}) < MIN_NAMES or len({one.chain[0] for one in out}) < MIN_CERTIFICATES:
        return None
    dates = [(leaf.not_before, leaf.not_after) for leaf in (facts(one.chain[0]) for one in out)]
    begins = [begin for begin, _ in dates if begin is not None and begin > now]
    ends = [end for _, end in dates if end is not None and end < now]
    if len(begins) == len(out):
        moment = max(begins)
    elif len(ends) == len(served):
        moment = min(ends)
    else:
        return None
    return moment if all(valid_at(one.chain, moment) for one in served) else None
